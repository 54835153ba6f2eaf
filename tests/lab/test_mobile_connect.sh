#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The mobile case with our own client, which behaves as the one of the field report: three aggressive exchanges side by
# side at each dial, of which it answers the newest alone, quick mode right behind the third message, and 3 s of patience.
# Its third message comes from another public address than its first. Every dial succeeds at the first try.
#
# MOBILE_COUNT (20) dials; the full number is 100.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

MOBILE_COUNT=${MOBILE_COUNT:-20}

pool_seen() { grep -c 'is behind a NAT pool' "$LAB_DIR/sluiced.log" || :; }

# It logs when it begins and when the tunnel stands; milliseconds between.
dial_took() {
	python3 - "$LAB_DIR/connect.log" <<-'PYTHON'
		import datetime, sys
		times = {}
		for line in open(sys.argv[1]):
		    for event in "dialing", "connected":
		        if f" event={event} " in line:
		            times[event] = datetime.datetime.fromisoformat(line.split("Z ")[0])
		print(round((times["connected"] - times["dialing"]).total_seconds() * 1000))
	PYTHON
}

mobile_names
story_mobile
CONNECT_CHANGES="s|^gateway = .*|gateway = \"$HQ_OUTSIDE\";|; s|\"192.168.2.0/24\"|\"$HQ_NETWORK\"|;
	s|\"192.168.1.0/24\"|\"$BRANCH_NETWORK\"|; s|^#exchanges = .*|exchanges = 3;|; s|^#patience = .*|patience = 3;|"
ping_fails || fail "the client reaches srv without any tunnel"

step "$MOBILE_COUNT dials through the NAT pool"
took=()
for ((i = 1; i <= MOBILE_COUNT; i++)); do
	mobile_forget
	connect_start
	connect_wait connected
	[[ $(connect_value tries) == 1 ]] || fail "dial $i needed $(connect_value tries) tries"
	ping_srv -c 3 -i 0.2 -W 2 >/dev/null || fail "dial $i: the tunnel is up and nothing comes back through it"
	stop connect
	took+=("$(dial_took)")
	wait_for 5 "the end of dial $i's session" session_is_gone
done
mapfile -t sorted < <(printf '%s\n' "${took[@]}" | sort -n)
say "$MOBILE_COUNT of $MOBILE_COUNT: least ${sorted[0]} ms, median ${sorted[MOBILE_COUNT / 2]} ms, most ${sorted[-1]} ms"
changed=$(pool_seen)
say "the address changed at the float in $changed of $MOBILE_COUNT dials"
((changed * 2 >= MOBILE_COUNT)) || fail "the NAT pool changed the address in $changed of $MOBILE_COUNT dials only"
