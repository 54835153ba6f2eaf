# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Traffic between pc, or who else is $TALKER, and srv. Sourced after net.sh.

# ping_srv [PING ARGUMENT...]: true when at least one answer came.
ping_srv() { on "$TALKER" ping -q -n "$@" "$SRV"; }

# The first pings may meet neighbours that are not resolved yet.
wait_for_ping() { wait_for 20 "an answer from srv to pc" ping_srv -c 1 -W 1; }

# ping_without_loss COUNT BYTES
ping_without_loss() {
	local log=$LAB_DIR/ping.log

	ping_srv -c "$1" -i 0.3 -W 5 -s "$2" >"$log" || :
	grep -q ' 0% packet loss' "$log" || fail "pings of $2 bytes were lost: $(grep 'packets transmitted' "$log")"
	say "ping -s $2: $(grep 'packets transmitted' "$log")"
}

ping_fails() { ! ping_srv -c 2 -i 0.3 -W 1 >/dev/null; }

iperf_start() {
	background iperf srv iperf3 --server --forceflush
	wait_for 10 "iperf3 at srv" iperf_listens
}

iperf_listens() {
	running iperf || return "$GAVE_UP"
	grep -q '^Server listening' "$LAB_DIR/iperf.log"
}

# iperf NAME [IPERF3 ARGUMENT...]: runs it at pc towards srv; the result is $LAB_DIR/NAME.json.
iperf() {
	local name=$1

	shift
	on "$TALKER" iperf3 --client "$SRV" --connect-timeout 5000 --json "$@" >"$LAB_DIR/$name.json" ||
		fail "iperf3 $* from pc to srv: $(iperf_value "$name" error)"
}

# iperf_value NAME mbits|least|error: megabits a second that were received, bytes of the poorest second, or the error.
iperf_value() {
	python3 - "$LAB_DIR/$1.json" "$2" <<-'PYTHON'
		import json, sys
		result = json.load(open(sys.argv[1]))
		wanted = sys.argv[2]
		if wanted == "error":
		    print(result.get("error", "no error"))
		elif wanted == "mbits":
		    print(round(result["end"]["sum_received"]["bits_per_second"] / 1e6))
		else:
		    print(min((i["sum"]["bytes"] for i in result["intervals"]), default=0))
	PYTHON
}

# iperf_both_ways SECONDS [IPERF3 ARGUMENT...]
iperf_both_ways() {
	iperf forward --time "$@"
	say "iperf3 pc to srv: $(iperf_value forward mbits) Mbit/s"
	iperf reverse --time "$@" --reverse
	say "iperf3 srv to pc: $(iperf_value reverse mbits) Mbit/s"
}

# ping_forever, ping_forever_without_loss: small pings while something else happens, and their verdict.
ping_forever() {
	rm -f "$LAB_DIR/ping-forever.log"
	background ping-forever "$TALKER" ping -n -D -i 0.05 -W 5 "$SRV"
}

# Those that are under way when it is stopped don't count: only numbers missing before the last answer do.
ping_forever_without_loss() {
	local log=$LAB_DIR/ping-forever.log numbers=() missing

	wait_for 10 "an answer to another ping" ping_srv -c 1 -W 1
	stop ping-forever INT
	mapfile -t numbers < <(sed -n 's/.*icmp_seq=\([0-9]*\) ttl.*/\1/p' "$log" | sort -n -u)
	((${#numbers[@]})) || fail "no ping was answered meanwhile"
	missing=$((numbers[-1] - ${#numbers[@]}))
	((missing == 0)) || fail "$missing of ${numbers[-1]} pings were lost meanwhile"
	say "meanwhile: ${numbers[-1]} pings without loss"
}
