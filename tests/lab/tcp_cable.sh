# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Two hosts and a cable that wire.c makes bad, for TCP alone. Sourced after tests/lib.sh and wire.sh; wants root.
#
#   left                                   cable (wire.c)              right
#   10.88.1.2, the endpoint on TUN "tcp0"
#   10.88.0.1 ---------------------------- west - east --------------- 10.88.0.2
#
# The endpoint is a host of its own behind left, which routes to it; the kernel's TCP of left dials from 10.88.0.1.

CABLE=sluice-tcp-$$
CABLE_LOG=$BUILD/lab/$CABLE
wire_pid=
TCP_PEER=$BUILD/tests/lab/tcp-peer
CABLE_PORT=4500
CABLE_PROMPTLY=() # a command before those of cable_run
cable_pids=()

# cable_use NAME: another cable than the one, for scripts that want several at once, each in a shell of its own.
cable_use() {
	CABLE=sluice-tcp-$$-$1
	CABLE_LOG=$BUILD/lab/$CABLE
	cable_pids=() wire_pid=
}

inside() {
	local host=$1

	shift
	exec ip netns exec "$CABLE-$host" "$@"
}

# in_host HOST COMMAND...
in_host() { (inside "$@"); }

cable_up() {
	local host

	mkdir -p "$CABLE_LOG"
	for host in left cable right; do
		ip netns add "$CABLE-$host"
		ip -n "$CABLE-$host" link set dev lo up
	done
	ip -n "$CABLE-cable" link add west type veth peer name eth0 netns "$CABLE-left"
	ip -n "$CABLE-cable" link add east type veth peer name eth0 netns "$CABLE-right"
	for host in left right; do
		in_host "$host" ethtool -K eth0 tx off rx off sg off tso off gso off gro off >/dev/null 2>&1
	done
	for host in west east; do
		in_host cable ethtool -K "$host" tx off rx off sg off tso off gso off gro off >/dev/null 2>&1
		ip -n "$CABLE-cable" link set dev "$host" up
	done
	ip -n "$CABLE-left" address add 10.88.0.1/24 dev eth0
	ip -n "$CABLE-right" address add 10.88.0.2/24 dev eth0
	ip -n "$CABLE-left" link set dev eth0 up
	ip -n "$CABLE-right" link set dev eth0 up
	ip -n "$CABLE-right" route add 10.88.1.0/24 via 10.88.0.1
	in_host left ip tuntap add dev tcp0 mode tun
	# A TUN device's queue of 500 packets would lose bursts that the kernel's own TCP, which has none before it, gets.
	ip -n "$CABLE-left" link set dev tcp0 txqueuelen 20000 up
	ip -n "$CABLE-left" route add 10.88.1.0/24 dev tcp0
	in_host left sysctl -qw net.ipv4.ip_forward=1
	for host in left right; do
		# What no connection remembers, so that each begins as the first; and room for long, fast paths.
		in_host "$host" sysctl -qw net.ipv4.tcp_no_metrics_save=1 net.ipv4.tcp_ecn=1
		in_host "$host" sysctl -qw net.ipv4.tcp_wmem="4096 262144 16777216" net.ipv4.tcp_rmem="4096 131072 16777216"
	done
}

# cable_begin: the cable, and its end at every end of the script.
cable_begin() {
	need_root
	[[ -x $TCP_PEER ]] || skip "tcp-peer is not built; see tests/run"
	on_failure() { tail -n 30 "$CABLE_LOG"/*.log; }
	trap cable_down EXIT
	wire_build
	cable_up
}

# What runs there ends.
cable_end() {
	local pid

	for pid in "${cable_pids[@]}"; do
		! process_runs "$pid" || kill "$pid"
	done
}

cable_down() {
	local host

	cable_end
	for host in left cable right; do
		ip netns delete "$CABLE-$host" 2>/dev/null || :
	done
}

# cable_run NAME HOST COMMAND...: in the background; its pid in $pid, its output in $CABLE_LOG/NAME.log.
cable_run() {
	local name=$1

	shift
	: >"$CABLE_LOG/$name.log" # now, lest its reader finds what the one before has said
	(inside "$1" "${CABLE_PROMPTLY[@]}" "${@:2}") >"$CABLE_LOG/$name.log" 2>&1 </dev/null &
	pid=$!
	cable_pids+=("$pid")
}

cable_is_ready() {
	process_runs "$2" || return "$GAVE_UP"
	grep -q '^ready' "$CABLE_LOG/$1.log"
}

# cable_quality DELAY LOSS DUPLICATE REORDER [RATE [SEED]]: see wire.c.
cable_quality() {
	cable_wire_stop
	cable_run wire cable "$BUILD/lab/wire" west east "$@"
	wire_pid=$pid
	wait_for 10 "the cable" cable_is_ready wire "$wire_pid"
}

# Its account of the frames is in wire.log then.
cable_wire_stop() {
	[[ $wire_pid ]] || return 0
	kill "$wire_pid"
	wait_for 10 "the end of the cable" process_gone "$wire_pid"
	wire_pid=
}

# cable_stream WHO WHAT SECONDS: one stream between left and right. WHO is endpoint or kernel, what left is; WHAT is what
# left does: send, receive or both. Logs are left.log and right.log.
cable_stream() {
	local who=$1 what=$2 seconds=$3 other=both left right

	case $what in
	send) other=receive ;;
	receive) other=send ;;
	esac
	cable_run right right "$TCP_PEER" listen "$CABLE_PORT" "$other" "$seconds"
	right=$pid
	wait_for 10 "a listener" cable_is_ready right "$right"
	if [[ $who == endpoint ]]; then
		cable_run left left "$TCP_PEER" endpoint tcp0 10.88.1.2 10.88.0.2 "$CABLE_PORT" "$what" "$seconds"
	else
		cable_run left left "$TCP_PEER" dial 10.88.0.2 "$CABLE_PORT" "$what" "$seconds"
	fi
	left=$pid
	wait_for $((${seconds%.*} + 120)) "the end of the stream at the left" process_gone "$left"
	wait_for 60 "the end of the stream at the right" process_gone "$right"
	wait "$left" || fail "left, the $who: $(tail -n 3 "$CABLE_LOG/left.log")"
	wait "$right" || fail "right: $(tail -n 3 "$CABLE_LOG/right.log")"
}

# cable_goodput WHAT: megabits a second that the last stream's receiver got.
cable_goodput() {
	local log=right

	[[ $1 == send ]] || log=left
	sed -n 's,.*: \([0-9.]*\) Mbit/s$,\1,p' "$CABLE_LOG/$log.log"
}

# cable_wire_counter NAME: of both directions, of the cable that was stopped.
cable_wire_counter() { sed -n "s/.* $1 \([0-9]*\).*/\1/p" "$CABLE_LOG/wire.log" | awk '{ sum += $1 } END { print sum + 0 }'; }

# cable_counter NAME: of the endpoint of the last stream.
cable_counter() { sed -n "s/^$1 //p" "$CABLE_LOG/left.log"; }
