#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The lab itself, with strongSwan at both ends: a tunnel through both NATs carries everything and hides it, and without
# the tunnel nothing gets through. What fails here is not Sluice's fault.

. "$(dirname "${BASH_SOURCE[0]}")/../lab/story.sh"

through_the_tunnel() {
	step "a tunnel with ESP $1"
	PEER_ESP=$1 strongswan_start hq
	PEER_ESP=$1 strongswan_start branch
	strongswan_initiate
	wait_for_ping
	ping_without_loss 5 65000
	iperf_both_ways 2
	strongswan_terminate
	strongswan_stop branch
	strongswan_stop hq
}

story_begin udp/500 udp/4500
hq_without_dataplane
iperf_start

step "without a tunnel nothing gets through"
on branch ping -q -c 1 -W 5 "$HQ_OUTSIDE" >/dev/null || fail "the branch does not reach HQ's firewall"
ping_fails || fail "pc reaches srv without any tunnel"

capture_start outside inet east -s 128
through_the_tunnel aes128-sha1
through_the_tunnel aes256gcm16
capture_stop outside
capture_shows_only_tunnel outside

step "a link of 1,300 bytes on the way"
lab_internet_mtu 1300
lab_fragmentable branch
lab_fragmentable hq
capture_start inside fw port1 -s 128
through_the_tunnel aes128-sha1
capture_stop inside
capture_shows_fragments inside

step "the tunnel is down: nothing gets through again"
ping_fails || fail "pc reaches srv although the tunnel is down"
