#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The IKE SA of a branch that registered over TCP is renewed: on demand, and because its life of two minutes nears its end.
# Each time that is another registration in another TCP connection, which takes the tunnel over while pings or iperf3 go
# on; the one before is read until its end, and no ping is lost.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

SLUICE_CHANGES="$(registration_changes password)
	s|^    #transports = .*|    transports = [\"udp\", \"tcp\"];|"
CONNECT_CHANGES="$(connect_registers password)
	s|^#transport = .*|transport = \"tcp\";|
	s|^#ike_lifetime = .*|ike_lifetime = 120;|"

registrations() { grep -c 'event=registered ' "$LAB_DIR/connect.log"; }
# connections: of TCP between the branch and HQ, that stand.
connections() { on branch ss -Htn state established dport = "$REGISTRATION_PORT" | wc -l; }
one_connection() { (($(connections) == 1)); }

# renewed SECONDS COMMAND...: after the command child SAs of another IKE SA carry within so many seconds, and of the two
# connections one is left.
renewed() {
	local seconds=$1 spis count

	shift
	spis=$(connect_spis)
	count=$(registrations)
	"$@"
	wait_for "$seconds" "child SAs of another IKE SA" connect_spis_differ_from "$spis"
	wait_for 20 "the end of the connection before" one_connection
	(($(registrations) == count + 1)) || fail "one renewal took $(($(registrations) - count)) registrations"
}

renewed_without_loss() {
	ping_forever
	renewed "$@"
	ping_forever_without_loss
}

# shellcheck disable=SC2086 # two mappings
registration_begin ${EXPERIMENT_MAPPINGS[1]}
iperf_start
connect_start
connect_wait connected
wait_for 5 "the session in sluicectl show" member_is_listed
wait_for_ping

step "renewed on demand, twice"
renewed_without_loss 20 connect_ctl renew
renewed_without_loss 20 connect_ctl renew

# Beside it, pings may be dropped as what is late in a full queue is.
step "renewed under iperf3, both ways"
for way in '' --reverse; do
	# shellcheck disable=SC2086 # one option or none
	on pc iperf3 --client "$SRV" --time 4 $way --json >"$LAB_DIR/renew.json" &
	iperf_pid=$!
	renewed 20 connect_ctl renew
	wait "$iperf_pid" || fail "iperf3 $way: $(iperf_value renew error)"
	say "iperf3 $way: $(iperf_value renew mbits) Mbit/s, $(iperf_value renew least) bytes in the poorest second"
done

step "renewed because its life nears its end"
renewed_without_loss 125 :
grep -q 'event=lost\|event=resuming' "$LAB_DIR/connect.log" && fail "a renewal lost the connection: $(grep 'event=lost\|event=resuming' "$LAB_DIR/connect.log")"
(($(sluicectl show attempts | grep -c -w failed) == 0)) || fail "HQ knows of a failed attempt: $(sluicectl show attempts)"

wait_for 5 "every packet accounted for" packets_balance
