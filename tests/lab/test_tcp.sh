#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# TCP as transport, without registration: sluice-connect behind a NAT opens one TCP connection to HQ, "IKETCP" first
# (RFC 9329), and IKE and ESP stay in it. HQ's firewall maps another port than HQ listens on. A packet of 1,500 bytes
# leaves as two segments; what ends the connection ends nothing else for good.
#
#   TAKEOVER=true|false  whether the connection moves into a worker (ike.tcp_takeover)

TAKEOVER=${TAKEOVER:-true}
. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

CONNECT_CHANGES='s/^#transport = .*/transport = "tcp";/; s/^#ports = .*/ports = [88];/'
SLUICE_CHANGES="s/^    #tcp_ports = .*/    tcp_ports = [4009];/; s/^    #tcp_takeover = .*/    tcp_takeover = $TAKEOVER;/"

need_sluice
[[ -x $CONNECT ]] || skip "$CONNECT is not built; see tests/run"
story_begin tcp/88:4009
huge_pages_reserve 256 || :
sluice_start
iperf_start

step "one TCP connection carries all: IKE, 65,000 bytes, iperf3 both ways"
capture_start outside inet east -s 100
connect_start
connect_wait connected
connect_ctl status
wait_for 5 "the session in sluicectl show" session_is_listed
sluicectl show
[[ $TAKEOVER == false ]] || wait_for 5 "a worker that has the connection" tcp_is_in "worker 0"
sluicectl show tcp
wait_for_ping
ping_without_loss 20 65000
iperf_both_ways 5
capture_stop outside
[[ $(tcp_connections outside | wc -l) == 1 ]] || fail "there is more than one TCP connection: $(tcp_connections outside)"
foreign=$(capture_packets outside "not arp and not (tcp and host $HQ_OUTSIDE and port 88)" | head -n 5)
[[ -z $foreign ]] || fail "not only the TCP connection is on the wire, but: $foreign"

step "a packet of 1,500 bytes leaves as two segments, PSH on the last"
tcp_cuts_in_two

step "new keys under traffic, asked for by either side"
connect_rekeys_without_loss

if [[ $TAKEOVER == true ]]; then
	step "sluiced is killed: the worker goes on, and the next sluiced finds the connection"
	ping_forever
	stop sluiced KILL
	sluiced_start
	wait_for 5 "the session in sluicectl show" session_is_adopted
	tcp_is_in "worker 0" || fail "the connection was not adopted: $(sluicectl show tcp)"
	sluicectl show tcp branch1
	ping_forever_without_loss
	step "the branch ends and connects again: nothing of the former session is left"
	stop connect
	connect_start
	connect_wait connected
else
	step "sluiced is killed: the connection ends with it, the branch dials anew"
	tcp_is_in kernel || fail "the connection is not in the kernel: $(sluicectl show tcp)"
	stop sluiced KILL
	sluiced_start
	wait_for 30 "an answer from srv to pc" ping_srv -c 1 -W 1
fi
wait_for 5 "the session in sluicectl show" session_is_established
ping_without_loss 5 65000
sluicectl explain branch1 >"$LAB_DIR/explain.txt"
if [[ $TAKEOVER == true ]]; then
	grep -q "taken over by worker 0 in " "$LAB_DIR/explain.txt" || fail "explain does not tell of the takeover"
fi

step "the port is closed: it says so"
stop connect
wait_for 5 "the session's end" session_is_gone
connect_once_says refused --ports 89

wait_for 5 "every packet accounted for" packets_balance
