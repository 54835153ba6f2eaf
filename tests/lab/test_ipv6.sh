#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# IPv6 inside of the branch's tunnel, which crosses the IPv4 of its NATs: large packets both ways, Packet Too Big to who
# sends more than fits, and a hop limit that ends at HQ.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

BRANCH_NETWORK=fd00:1::/64
HQ_NETWORK=fd00:2::/64
SLUICE_CHANGES='s|"192.168.2.0/24"|"fd00:2::/64"|; s|"192.168.1.0/24"|"fd00:1::/64"|'

need_sluice
story_begin
# From here on what is sent goes between these.
PC=$PC6
SRV=$SRV6
ipv6_inside
huge_pages_reserve 256 || :
sluice_start
hq_ipv6 fd00:2::200/64
strongswan_start branch
iperf_start
ping_fails || fail "pc reaches srv without any tunnel"

step "the tunnel comes up and carries IPv6"
capture_start outside inet east -s 128
strongswan_initiate
wait_for 5 "the session in sluicectl show" session_is_listed
wait_for_ping
ping_without_loss 10 1000
# The first ones only tell their senders how much fits.
wait_for 20 "an answer of 30,000 bytes" ping_srv -c 1 -W 1 -s 30000
ping_without_loss 5 30000
iperf_both_ways 3
capture_stop outside
capture_shows_only_tunnel outside

step "srv is told how much fits, and sends that"
on srv ping -q -n -c 2 -i 0.3 -W 2 -M do -s 1452 "$PC" >"$LAB_DIR/too-big.log" 2>&1 || :
on srv ip -6 route get "$PC" | grep -q 'mtu 1[0-9]*' || fail "srv has not learned the path's MTU"
say "srv learned: $(on srv ip -6 route get "$PC" | grep -o 'mtu [0-9]*')"

step "a packet whose hops end at hq is answered"
on srv ping -n -c 1 -W 2 -t 1 "$PC" >"$LAB_DIR/hops.log" 2>&1 || :
grep -qi 'fd00:2::200.*\(time exceeded\|hop limit\)' "$LAB_DIR/hops.log" || fail "no answer from hq: $(tail -n 3 "$LAB_DIR/hops.log" | head -n 1)"
