#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Links and ports of 9,000 bytes: a packet of 8,900 bytes crosses the tunnel as one ESP packet. The port is a packet
# socket with frames as large as that, in blocks that they fill exactly; for XDP sockets have room for one page, and a TAP
# of DPDK's for 1,504 bytes. strongSwan's TUN takes no more than 1,400 bytes at a time, so what comes back is cut before it
# is encrypted.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

MTU=9000
PING=8900
SLUICE_CHANGES="s/#mtu = 1500/mtu = $MTU/
	s/net_af_xdp0,iface=eth0/net_af_packet0,iface=eth0,blocksz=290816,framesz=9088,framecnt=512/"

links_take() {
	local host device

	for host in "${LAB_HOSTS[@]}"; do
		for device in $(ip -n "$(namespace "$host")" -o link show | sed -n 's/^[0-9]*: \([^:@]*\).*/\1/p'); do
			[[ $device == lo ]] || ip -n "$(namespace "$host")" link set dev "$device" mtu "$1"
		done
	done
}

need_sluice
story_begin
links_take $MTU
huge_pages_reserve 256 || :
sluice_start
strongswan_start branch
iperf_start
strongswan_initiate
wait_for_ping
inner_mtu_is_between $PING $((MTU - 50)) || fail "sluicectl shows an inner MTU of $(inner_mtu)"
say "inner MTU: $(inner_mtu)"

step "packets of $PING bytes, each in one packet outside"
capture_start outside fw port1 -s 128 ip
on srv ping -q -n -M do -c 5 -i 0.3 -W 5 -s $((PING - 28)) "$PC" >"$LAB_DIR/ping.log" || fail "$PING bytes are lost"
grep -q ' 0% packet loss' "$LAB_DIR/ping.log" || fail "$PING bytes are lost"
capture_stop outside
long=$(capture_count outside "ip src $HQ and udp port 4500 and greater $PING")
fragments=$(capture_count outside "ip src $HQ and ip[6:2] & 0x3fff != 0")
((long == 5 && fragments == 0)) || fail "five packets of $PING bytes left as $long long ones and $fragments fragments"

step "one byte more than fits is returned to its sender"
on srv ping -n -M do -c 1 -W 2 -s $(($(inner_mtu) - 27)) "$PC" >"$LAB_DIR/needed.log" 2>&1 || :
grep -Eq "From $HQ .*mtu = $(inner_mtu)\)" "$LAB_DIR/needed.log" || fail "srv was not told: $(tail -n 3 "$LAB_DIR/needed.log")"

step "TCP both ways"
iperf_both_ways 3
wait_for 10 "a balance of all packets" packets_balance
