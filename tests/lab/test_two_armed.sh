#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# HQ with two arms: its LAN is a cable of its own, which nothing but Sluice joins to the firewall's network. What comes
# in at one port leaves at the other, in the tunnel or out of it, and never in the clear.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

LAN_PORT=lan0 # Sluice's second one
LAN_GATEWAY=192.168.3.200
HQ_NETWORK=192.168.3.0/24
SLUICE_CHANGES="s|ports = (|ports = ( { name = \"$LAN_PORT\"; device = \"net_af_xdp1,iface=eth1\"; },|
	s|\"192.168.2.0/24\"|\"$HQ_NETWORK\"|"

# srv's cable ends at hq's second port instead of the firewall, which then has no way to it and needs none.
lan_behind_hq() {
	SRV=192.168.3.10
	ip -n "$(namespace srv)" link delete dev eth0
	lab_link srv eth0 hq eth1
	lab_address srv eth0 "$SRV/24"
	lab_route srv default $LAN_GATEWAY
	ip -n "$(namespace fw)" route delete 192.168.1.0/24
}

lan_port_up() {
	lab_offload_off hq $LAN_PORT || : # a TAP has fewer of them than veth
	ip -n "$(namespace hq)" link set dev $LAN_PORT up
	lab_address hq $LAN_PORT $LAN_GATEWAY/24
}

need_sluice
story_begin
lan_behind_hq
huge_pages_reserve 256 || :
sluice_start
lan_port_up
strongswan_start branch
iperf_start
ping_fails || fail "pc reaches srv without any tunnel"

step "what comes in at one arm leaves at the other"
capture_start outside inet east -s 128
capture_start wan fw port1 -s 128 ip
strongswan_initiate
wait_for 5 "the session in sluicectl show" session_is_listed
wait_for_ping
ping_without_loss 10 65000
iperf_both_ways 3

step "outside of both networks there is only the tunnel"
capture_stop outside
capture_shows_only_tunnel outside
capture_stop wan
inner=$(capture_count wan "net 192.168.1.0/24 or net $HQ_NETWORK")
((inner == 0)) || fail "$inner packets of the inner networks crossed the WAN port in the clear"
(($(capture_count wan "host $HQ and udp port 4500") > 0)) || fail "the WAN port saw nothing of the tunnel"
wait_for 10 "a balance of all packets" packets_balance
