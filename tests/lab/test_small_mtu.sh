#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A link of 1,300 bytes on the way, which neither gateway sees: ESP packets reach HQ in outer fragments and are put
# together there, and what HQ sends is small enough or cut on the way.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

need_sluice
story_begin
lab_internet_mtu 1300
lab_fragmentable branch
huge_pages_reserve 256 || :
sluice_start
strongswan_start branch
iperf_start
strongswan_initiate
wait_for_ping

step "outer fragments arrive at HQ and are reassembled"
before=$(counter reassembled)
capture_start inside fw port1 -s 128
ping_without_loss 5 65000
capture_stop inside
capture_shows_fragments inside
(($(counter reassembled) > before)) || fail "outer fragments came to HQ, but the counter reassembled stands still"

step "TCP both ways"
iperf_both_ways 2
