#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# UDP is blocked altogether. The branch registers, is not heard by UDP, HQ dials it in vain, and the session falls back to
# TCP: the branch registers again and stays in that connection, and both sides say why.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

SLUICE_CHANGES="$(registration_changes password)
	s|^    #transports = .*|    transports = [\"udp\", \"tcp\"];|
	s|^    #udp_wait = .*|    udp_wait = 2;|"
CONNECT_CHANGES=$(connect_registers password)
registration_begin tcp/88:4009
iperf_start

step "HQ dials the branch, six times, and nothing comes of it; TCP carries the tunnel"
capture_start session fw port1 -s 128
connect_start
wait_for 60 "sluice-connect, connected" connect_is connected
wait_for 5 "the session in sluicectl show" member_is_listed
sluicectl show
wait_for_ping
ping_without_loss 5 65000
iperf_both_ways 2
capture_stop session
dials=$(capture_count session "udp and src $HQ and dst $BRANCH_OUTSIDE")
((dials == 6)) || fail "HQ dialed the branch $dials times, not six"
flows=$(tcp_connections session)
[[ $(wc -l <<<"$flows") == 2 ]] || fail "there are not two TCP connections, one for each registration, but: $flows"
grep -q 'event=no_udp .*next="TCP"' "$LAB_DIR/connect.log" || fail "the branch does not say that it goes on by TCP"
stop connect
wait_for 10 "the session's end" member_is_gone
