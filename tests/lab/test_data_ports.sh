#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The branch case's port mapping: HQ's firewall maps UDP 88 to a further data port of HQ, 4009, and nothing else. First
# sluice-connect, then strongSwan dials port 88; IKE and data share that one flow, and HQ sends from 4009, where it came to.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

# The one flow: what HQ gets and sends is all of port 4009.
only_port_4009() {
	local inbound outbound foreign

	inbound=$(capture_count "$1" "dst host $HQ and udp dst port 4009")
	outbound=$(capture_count "$1" "src host $HQ and udp src port 4009")
	foreign=$(capture_packets "$1" "udp and not port 4009" | head -n 3)
	[[ -z $foreign ]] || fail "not only port 4009 is used: $foreign"
	((inbound > 20 && outbound > 20)) || fail "$inbound packets came to port 4009, $outbound went from there"
	say "capture $1: $inbound packets to port 4009, $outbound from it, none of another port"
}

# tunnel_carries NAME: pings and iperf3 go through the tunnel that $DIALER has brought up.
tunnel_carries() {
	wait_for 5 "the session in sluicectl show" session_is_listed
	wait_for_ping
	ping_without_loss 10 1200
	iperf_both_ways 2
	capture_stop "$1"
	only_port_4009 "$1"
}

need_sluice
[[ -x $CONNECT ]] || skip "$CONNECT is not built; see tests/run"
story_begin udp/88:4009
huge_pages_reserve 256 || :
SLUICE_CHANGES='s/#nat_ports = .*/nat_ports = [4500, 4009];/'
sluice_start
iperf_start

step "sluice-connect dials port 88"
capture_start connect fw port1 -s 96 udp and host "$HQ"
connect_start --ports 88
connect_wait connected
tunnel_carries connect
stop connect
wait_for 10 "the session's end" session_is_gone

step "strongSwan dials port 88"
PEER_PORT=88 strongswan_start branch
capture_start strongswan fw port1 -s 96 udp and host "$HQ"
strongswan_initiate
tunnel_carries strongswan

step "the NAT gives it another port, and HQ follows"
lab_nat_forget
wait_for_ping
ping_without_loss 5 1200
