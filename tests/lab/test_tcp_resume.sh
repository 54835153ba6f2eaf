#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The TCP connection of a registered branch ends, in each way that networks know: its NAT forgets it, it is reset on the
# way, and nothing of it gets through any more. The branch dials the registration port again, "IKETCP" first, and goes on
# with the same child SAs and without a second registration; both sides say so. Who replays how it did so gets nothing.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

SLUICE_CHANGES="$(registration_changes password)
	s|^    #transports = .*|    transports = [\"udp\", \"tcp\"];|
	s|^    #dpd_delay = .*|    dpd_delay = 5;|"
CONNECT_CHANGES="$(connect_registers password)
	s|^#transport = .*|transport = \"tcp\";|"

# HQ's sentences: it has not heard that the connection is no more, or it has.
BESIDE='resumed from .*, the SAs were kept; the TCP connection from .*, which had not ended here, is given up'
AFTER='the TCP connection from .* has ended: .* reset .*; resumed from .* after .* s, the SAs were kept'

session_remote() { sluicectl --json show | python3 -c 'import json, sys; print(json.load(sys.stdin)["sessions"][0]["remote"])'; }

# What both ends know of child SAs and registrations: all that may not change.
standing() {
	echo "SPIs $(connect_spis), at HQ $(sluicectl --json show sas | python3 -c '
import json, sys
print(*sorted(child["spi_in"] for session in json.load(sys.stdin)["sessions"] for child in session["children"]))'),"
	echo "$(grep -c 'event=registered ' "$LAB_DIR/connect.log") registration, at HQ $(grep -c 'event=registered ' "$LAB_DIR/sluiced.log")"
}

member_is_established() { member_is_listed | grep -w established; }
resumed_times() { (($(connect_value counters.resumed) == $1)); }

# resumes_after WHAT SENTENCE COMMAND...: the command ends the connection while pings go on; the same SAs go on in another
# one, and HQ says so.
resumes_after() {
	local what=$1 sentence=$2 remote before count

	shift 2
	remote=$(session_remote)
	count=$(connect_value counters.resumed)
	before=$(standing)
	ping_forever
	wait_for 5 "a ping's answer" grep -q ' bytes from ' "$LAB_DIR/ping-forever.log"
	"$@"
	wait_for 40 "a resumed session after $what" resumed_times $((count + 1))
	internet_passes
	wait_for_ping
	stop ping-forever INT
	[[ $(standing) == "$before" ]] || fail "after $what there is '$(standing)', before it '$before'"
	[[ $(session_remote) != "$remote" ]] || fail "HQ still shows the session at $remote"
	say "$what: $(ping_gap) s without an answer, $(ping_lost); HQ sees $(session_remote), before it $remote"
	connect_value resumed.why
	sluicectl explain "$MEMBER" | grep -o "$sentence" | tail -n 1 | grep -F "resumed from $(session_remote)" ||
		fail "sluicectl explain says nothing of it: $(sluicectl explain "$MEMBER")"
}

# The longest time between two answers.
ping_gap() {
	sed -n 's/^\[\([0-9.]*\)\] .* bytes from .*/\1/p' "$LAB_DIR/ping-forever.log" |
		awk 'NR > 1 && $1 - last > gap { gap = $1 - last } { last = $1 } END { printf "%.1f", gap }'
}

ping_lost() { sed -n 's/^\([0-9]* packets transmitted, [0-9]* received\).*/\1/p' "$LAB_DIR/ping-forever.log"; }

internet_passes() { internet_rules ''; }

# The established connection alone: whatever else is dialed gets through.
internet_swallows() {
	local port=${1##*:}

	port=${port%/tcp}
	internet_drops "tcp sport $port counter drop; tcp dport $port"
}

# Each segment is answered by a reset, at both ends; the first dials, too, until the branch has noticed, and HQ.
internet_resets() {
	internet_rules "tcp dport $REGISTRATION_PORT reject with tcp reset
		tcp sport $REGISTRATION_PORT reject with tcp reset"
	wait_for 10 "that the branch notices" connect_is resuming
	connect_ctl status | grep '^last failure'
	! on srv ping -q -c 3 -i 0.2 -W 1 "$PC" >/dev/null || fail "srv reaches pc although there is no connection"
	internet_passes
}

# shellcheck disable=SC2086 # two mappings
registration_begin ${EXPERIMENT_MAPPINGS[1]}
connect_start
connect_wait connected
wait_for 5 "the session in sluicectl show" member_is_listed
wait_for_ping

step "the NAT forgets the connection"
capture_start resume inet east -s 0 "tcp dst port $REGISTRATION_PORT"
resumes_after "a NAT that forgets" "$BESIDE" lab_nat_forget
capture_stop resume

step "it is reset on the way, as dials are for a while"
resumes_after "a reset" "$AFTER" internet_resets

step "nothing of it gets through"
resumes_after "silence" "$BESIDE" internet_swallows "$(session_remote)"
ping_without_loss 5 65000

step "the branch gets another address"
branch_moves() {
	ip -n "$(namespace branch)" address del 100.64.1.2/24 dev wan
	ip -n "$(namespace branch)" address add 100.64.1.3/24 dev wan
	ip -n "$(namespace branch)" route replace default via 100.64.1.1
}
resumes_after "another address" "$BESIDE" branch_moves
[[ $(connect_value local) == 100.64.1.3:* ]] || fail "the branch still talks from $(connect_value local)"

step "a stranger replays what the branch resumed with"
remote=$(session_remote)
before=$(standing)
recorded=$(tshark_fields resume 'tcp.payload contains "IKETCP"' tcp.payload | head -n 1)
[[ $recorded ]] || fail "the capture shows no connection that begins with IKETCP"
on inet "$TOP/tests/lab/replay_stream.py" "$HQ_OUTSIDE" "$REGISTRATION_PORT" "$recorded"
[[ $(session_remote) == "$remote" ]] || fail "the replay moved the session from $remote to $(session_remote)"
[[ $(standing) == "$before" ]] || fail "after the replay there is '$(standing)', before it '$before'"
ping_without_loss 5 1000

step "sluiced is killed: it knows the SA no more and says so, and the branch registers anew at once"
stop sluiced KILL
sluiced_start
wait_for 30 "the session" member_is_established
connect_wait connected
wait_for_ping
grep -o 'event=lost .*' "$LAB_DIR/connect.log" | tail -n 1
grep -q 'event=lost .*INVALID-COOKIE' "$LAB_DIR/connect.log" || fail "the branch does not say that HQ knows the SA no more"

wait_for 5 "every packet accounted for" packets_balance
