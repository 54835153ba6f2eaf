#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The data plane is killed. Its sessions end with it, since their sequence numbers are lost; sluiced waits for the next
# one, mirrors the kernel anew and lets the branch in again.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

story_with_sluice
strongswan_initiate
wait_for_ping

step "the data plane is killed"
stop sluice-dataplane KILL
wait_for 10 "the session's end" session_is_gone
running sluiced || fail "sluiced did not survive its data plane"
ping_fails || fail "pc reaches srv without a data plane"

step "another one starts, and the branch hears that its SAs are gone"
dataplane_start
wait_for 20 "the end of the branch's SAs" strongswan_has_no_child branch
strongswan_initiate
wait_for_ping
ping_without_loss 5 65000
