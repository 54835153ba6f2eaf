#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A link of 1,280 bytes on the way, and packets of the tunnel that must not be cut there, because the outer DF bit is set
# or copied: its router says so, and from then on what HQ sends fits. IPv6's smallest packets, which may not be returned to
# their sender, pass all the same.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

LINK_MTU=1280

# learns_with set|copy: a new tunnel, made with that; then its path gets narrow.
learns_with() {
	step "df = \"$1\": HQ learns from the router's ICMP what fits"
	SLUICE_CHANGES="$BOTH_FAMILIES; s/#df = \"clear\"/df = \"$1\"/"
	lab_internet_mtu 1500
	sluice_start
	hq_ipv6 fd00:2::200/64
	both_families_connection "$HQ_OUTSIDE"
	strongswan_run branch
	strongswan_initiate
	strongswan_initiate net6
	wait_for_ping
	inner_mtu_is_between 1400 1500 || fail "the inner MTU is $(inner_mtu) before anything was learned"
	lab_internet_mtu $LINK_MTU
	ip -n "$(namespace srv)" route flush cache
	on srv ping -n -M do -c 5 -i 0.3 -W 1 -s 1372 "$PC" >"$LAB_DIR/ping.log" 2>&1 || :
	wait_for 10 "an inner MTU that fits $LINK_MTU bytes" inner_mtu_is_between 1100 $((LINK_MTU - 40))
	say "inner MTU: $(inner_mtu)"
	grep -Eq "From $HQ .*mtu = $(inner_mtu)\)" "$LAB_DIR/ping.log" || fail "srv was not told: $(tail -n 5 "$LAB_DIR/ping.log")"
}

hq_fragments() { capture_count "$1" "ip src $HQ and ip[6:2] & 0x3fff != 0"; }
longer_than_link() { capture_count "$1" "ip src $HQ and greater $((LINK_MTU + 15))"; }

what_leaves_fits() {
	capture_start "$1" fw port1 -s 128 ip
	ping_without_loss 5 20000
	iperf_both_ways 2
	capture_stop "$1"
	(($(longer_than_link "$1") == 0)) || fail "$(longer_than_link "$1") packets of HQ were longer than $LINK_MTU bytes"
	(($(hq_fragments "$1") == 0)) || fail "HQ sent $(hq_fragments "$1") outer fragments"
}

ipv6_smallest_passes() {
	wait_for 10 "an answer in IPv6" on srv ping -q -n -c 1 -W 1 $PC6
	capture_start "$1" fw port1 -s 128 ip
	on srv ping -q -n -c 5 -i 0.3 -W 5 -s 1232 $PC6 | grep ' 0% packet loss' || fail "IPv6 packets of 1,280 bytes are lost"
	capture_stop "$1"
	(($(hq_fragments "$1") >= 10)) || fail "five IPv6 packets of 1,280 bytes left in $(hq_fragments "$1") outer fragments"
}

need_sluice
story_begin
ipv6_inside
# What strongSwan sends may be cut.
lab_fragmentable branch
huge_pages_reserve 256 || :
iperf_start
for df in set copy; do
	learns_with $df
	what_leaves_fits "$df"
	ipv6_smallest_passes "$df-ipv6"
	strongswan_terminate
	strongswan_stop branch
	stop sluiced
	stop sluice-dataplane
done
