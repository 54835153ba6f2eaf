# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What is on the wire. A capture NAME is the file $LAB_DIR/NAME.pcap. Sourced after net.sh.

# capture_start NAME HOST DEVICE [TCPDUMP ARGUMENT...]: returns when every later packet will be seen.
capture_start() {
	local name=$1 host=$2 device=$3

	shift 3
	rm -f "$LAB_DIR/capture-$name.log" # an earlier one's says that it listens
	background "capture-$name" "$host" \
		tcpdump -Z root -n -U --immediate-mode -B 32768 -i "$device" -w "$LAB_DIR/$name.pcap" "$@"
	wait_for 10 "tcpdump at $host $device" capture_listens "capture-$name"
}

capture_listens() {
	! grep -q '^tcpdump: listening' "$LAB_DIR/$1.log" || return 0
	running "$1" || return "$GAVE_UP"
	return 1
}

capture_stop() { stop "capture-$1" INT; }

# capture_packets NAME FILTER: the packets that match, one a line.
capture_packets() { tcpdump -n -r "$LAB_DIR/$1.pcap" "$2" 2>/dev/null; }

capture_count() { capture_packets "$1" "$2" | wc -l; }

# The tunnel's packets outside: IKE and ESP in UDP of HQ, and the later fragments of these. Data is at $TUNNEL_PORT.
TUNNEL_PORT=4500
TUNNEL_FILTER="(udp and host $HQ_OUTSIDE and (port 500 or port 4500)) or
	(ip proto 17 and host $HQ_OUTSIDE and ip[6:2] & 0x1fff != 0)"

# capture_shows_fragments NAME: HQ got its peer's packets in pieces.
capture_shows_fragments() {
	local fragments

	fragments=$(capture_count "$1" "ip src $BRANCH_OUTSIDE and ip dst $HQ and ip[6:2] & 0x3fff != 0")
	((fragments > 0)) || fail "capture $1 shows no outer fragment towards HQ"
	say "capture $1: $fragments outer fragments towards HQ"
}

# capture_shows_only_tunnel NAME: there was traffic, and nothing of it was readable.
capture_shows_only_tunnel() {
	local foreign tunnel

	foreign=$(capture_packets "$1" "not arp and not ($TUNNEL_FILTER)" | head -n 5)
	tunnel=$(capture_count "$1" "$TUNNEL_FILTER and port $TUNNEL_PORT")
	[[ -z $foreign ]] || fail "not only the tunnel is on the wire, but: $foreign"
	((tunnel > 0)) || fail "capture $1 shows no packet of the tunnel"
	say "capture $1: $tunnel packets of the tunnel, no other"
}

# tcp_connections NAME: the TCP connections to HQ that begin in a capture, by their SYNs' sources.
tcp_connections() { capture_packets "$1" "tcp[tcpflags] == tcp-syn and (dst $HQ or dst $HQ_OUTSIDE)" | awk '{ print $3 }' | sort -u; }

# tcp_segments NAME WAY FLAGS: those with data, the branch as WAY (src or dst), each counted once however often it was sent.
tcp_segments() {
	tcpdump -n -S -r "$LAB_DIR/$1.pcap" "tcp and ip $2 100.64.1.2 and ip[2:2] > 60" 2>/dev/null |
		grep -F "Flags [$3]" | sed 's/.* seq \([0-9:]*\),.*/\1/' | sort -u | wc -l
}

# tcp_cuts_in_two: a packet of 1,500 bytes is two segments, either way, and PSH is on the last.
tcp_cuts_in_two() {
	local way cut

	capture_start segments branch wan -s 80
	on pc ping -q -c 1 -W 5 -M do -s 1472 "$SRV" >/dev/null || fail "a packet of 1,500 bytes is lost"
	capture_stop segments
	for way in src dst; do
		cut="$(tcp_segments segments "$way" .) without PSH, $(tcp_segments segments "$way" P.) with it"
		[[ $cut == "1 without PSH, 1 with it" ]] || {
			capture_packets segments tcp
			fail "of a packet of 1,500 bytes, the branch as $way, there are segments: $cut"
		}
	done
}
