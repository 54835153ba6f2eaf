#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every link takes 1,500 bytes, so a full packet of the LAN does not once it is encrypted. Sluice cuts it before that, or
# tells its sender what fits; no outer fragment leaves HQ. Then the same with the encrypted packet cut, as in the field.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

WIRE_MTU=1500

# hq_packets NAME [FILTER]: of the tunnel, on their way from HQ.
hq_packets() { capture_count "$1" "ip src $HQ and udp and port 4500${2:+ and ($2)}"; }
hq_fragments() { capture_count "$1" "ip src $HQ and ip[6:2] & 0x3fff != 0"; }

# Pings of 1,500 bytes from srv to pc: capture NAME has HQ's packets of them at the firewall's side of the cable.
capture_pings() {
	capture_start "$1" fw port1 -s 128 host "$HQ" and ip
	on srv ping -q -n -M dont -c 5 -i 0.3 -W 5 -s $((WIRE_MTU - 28)) "$PC" >"$LAB_DIR/ping.log" ||
		fail "pings of $WIRE_MTU bytes from srv to pc were lost"
	grep -q ' 0% packet loss' "$LAB_DIR/ping.log" || fail "pings of $WIRE_MTU bytes from srv to pc were lost"
	capture_stop "$1"
}

story_with_sluice
iperf_start
strongswan_initiate
wait_for_ping
mtu=$(inner_mtu)
((mtu > WIRE_MTU - 100 && mtu < WIRE_MTU)) || fail "sluicectl shows an inner MTU of $mtu"
say "inner MTU: $mtu"

step "a packet that may be cut leaves as two ESP packets, none of them a fragment"
capture_pings before
(($(hq_packets before) >= 10)) || fail "five packets left as $(hq_packets before) ESP packets instead of ten"
(($(hq_fragments before) == 0)) || fail "outer fragments left HQ although packets are cut before encryption"
(($(hq_packets before "greater $((WIRE_MTU + 15))") == 0)) || fail "a packet of HQ is longer than $WIRE_MTU bytes"
say "capture before: $(hq_packets before) ESP packets, no outer fragment"

step "one that may not is returned to its sender with the length that fits"
on srv ping -n -M do -c 2 -i 0.3 -W 2 -s $((WIRE_MTU - 28)) "$PC" >"$LAB_DIR/needed.log" 2>&1 || :
grep -Eq "From $HQ .*Frag(mentation)? needed.*mtu = $mtu\)" "$LAB_DIR/needed.log" ||
	fail "srv was not told mtu $mtu: $(tail -n 5 "$LAB_DIR/needed.log")"
ip -n "$(namespace srv)" route flush cache
on srv ping -q -n -M do -c 2 -i 0.3 -W 5 -s $((mtu - 28)) "$PC" >/dev/null || fail "$mtu bytes with DF do not fit"

step "our own host is told, too"
on hq ping -n -M do -c 3 -i 0.3 -W 2 -s $((WIRE_MTU - 28)) "$PC" >"$LAB_DIR/hq.log" 2>&1 || :
grep -q "mtu *= *$mtu" "$LAB_DIR/hq.log" || fail "hq itself was not told mtu $mtu: $(tail -n 5 "$LAB_DIR/hq.log")"

step "TCP both ways, in packets that fit"
refused=$(counter mtu_exceeded)
iperf_both_ways 3
(($(counter mtu_exceeded) == refused)) || fail "TCP sent packets that do not fit: its MSS was not lowered"
ping_without_loss 5 65000
wait_for 10 "a balance of all packets" packets_balance

step "the same with the encrypted packet cut"
stop sluiced
stop sluice-dataplane
SLUICE_CHANGES='s/#fragment = "before"/fragment = "after"/; s/#mss_clamp = true/mss_clamp = false/'
sluice_configure
dataplane_start
sluiced_start
strongswan_terminate || :
strongswan_initiate
wait_for_ping
capture_pings after
(($(hq_fragments after) >= 10)) || fail "five packets left as $(hq_fragments after) outer fragments instead of ten"
say "capture after: $(hq_fragments after) outer fragments"
ping_without_loss 5 65000
iperf_both_ways 2
