#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# strongSwan and Sluice talk IPv6 with each other, and the tunnel carries both families. Then a link on the way takes less:
# a router says so, Sluice believes it, and everything goes on. (strongSwan's ESP in user space is always in UDP.)

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

SLUICE_CHANGES=$BOTH_FAMILIES

ping6_srv() { on pc ping -q -n "$@" $SRV6; }
fragments6() { capture_count "$1" "ip6 src $HQ6 and ip6[6] = 44"; }

# carries_both_families BYTES: in pings both ways, and TCP in IPv6.
carries_both_families() {
	ping_without_loss 5 "$1"
	# The first ones only tell their senders how much fits.
	wait_for 20 "an answer of $1 bytes in IPv6" ping6_srv -c 1 -W 1 -s "$1"
	ping6_srv -c 5 -i 0.3 -W 5 -s "$1" | grep ' 0% packet loss' || fail "pings of $1 bytes in IPv6 were lost"
	on pc iperf3 --client $SRV6 --connect-timeout 5000 --time 2 --json >"$LAB_DIR/forward6.json" || fail "no TCP from pc"
	on pc iperf3 --client $SRV6 --connect-timeout 5000 --time 2 --reverse --json >"$LAB_DIR/reverse6.json" || fail "no TCP to pc"
	say "iperf3 in IPv6: $(iperf_value forward6 mbits) and $(iperf_value reverse6 mbits) Mbit/s"
}

story_over_ipv6
strongswan_run branch
iperf_start
ping_fails || fail "pc reaches srv without any tunnel"

step "a tunnel over IPv6 carries IPv4 and IPv6"
capture_start outside inet east -s 128
strongswan_initiate
strongswan_initiate net6
session_is_listed | grep -F $BRANCH6 || fail "the session is not with $BRANCH6"
wait_for_ping
wait_for 10 "an answer in IPv6" ping6_srv -c 1 -W 1
carries_both_families 30000
capture_stop outside
foreign=$(capture_packets outside "ip or (ip6 and not icmp6 and not udp and not ip6[6] = 44)" | head -n 5)
[[ -z $foreign ]] || fail "not only the tunnel is on the wire, but: $foreign"
(($(capture_count outside "udp port 4500") > 0)) || fail "nothing of the tunnel is on the wire"
before=$(inner_mtu)
say "inner MTU: $before"

step "a link of 1,400 bytes: its router says so, and what HQ sends fits"
lab_internet_mtu 1400
on srv ping -q -n -M dont -c 5 -i 0.3 -W 1 -s 1400 $PC >/dev/null || :
wait_for 10 "an inner MTU that fits 1,400 bytes" inner_mtu_is_between 1280 1360
say "inner MTU: $(inner_mtu)"
reassembled=$(counter reassembled)
capture_start narrow fw port1 -s 128
carries_both_families 20000
capture_stop narrow
(($(fragments6 narrow) == 0)) || fail "HQ sent $(fragments6 narrow) outer fragments"
(($(counter reassembled) > reassembled)) || fail "strongSwan's packets came in one piece through a link that they do not fit"

step "a link of 1,280 bytes: IPv6's smallest packet still passes, cut after it was encrypted"
lab_internet_mtu 1280
on srv ping -q -n -M dont -c 5 -i 0.3 -W 1 -s 1300 $PC >/dev/null || :
wait_for 10 "an inner MTU that fits 1,280 bytes" inner_mtu_is_between 1100 1250
say "inner MTU: $(inner_mtu)"
capture_start narrowest fw port1 -s 128
on srv ping -q -n -c 5 -i 0.3 -W 5 -s 1232 $PC6 | grep ' 0% packet loss' || fail "packets of 1,280 bytes are lost"
carries_both_families 20000
capture_stop narrowest
(($(fragments6 narrowest) >= 10)) || fail "five packets of 1,280 bytes left in $(fragments6 narrowest) outer fragments"
wait_for 10 "a balance of all packets" packets_balance
