#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The mobile case as the field report has it: the client registers with user and password on TCP 2012, exchanges notices
# on UDP 2012, and then runs IKE there, three aggressive exchanges side by side of which it answers the newest alone. The
# carrier's NAT gives each connection another public address, a balancer in front of HQ maps the port. Every dial
# succeeds at the first try, and both ends say that there is a NAT pool.
#
# MOBILE_COUNT (10) dials; the full number is 100.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

MOBILE_COUNT=${MOBILE_COUNT:-${1:-10}}
REGISTRATION_PORT=2012
MOBILE_MAPPED="meta l4proto { tcp, udp } th dport $REGISTRATION_PORT"

# pools NAME: how often its log has told of a NAT pool.
pools() { grep -c "$1" "$LAB_DIR/$2.log" || :; }

# It logs when it begins to register and when the tunnel stands; milliseconds between, and how many registrations.
dial_took() {
	python3 - "$LAB_DIR/connect.log" <<-'PYTHON'
		import datetime, sys
		times = {}
		for line in open(sys.argv[1]):
		    for event in "registering", "connected":
		        if f" event={event} " in line:
		            times[event] = datetime.datetime.fromisoformat(line.split("Z ")[0])
		print(round((times["connected"] - times["registering"]).total_seconds() * 1000))
	PYTHON
}

mobile_names
SLUICE_CHANGES="$SLUICE_CHANGES
$(registration_changes password)"
CONNECT_CHANGES="s|^gateway = .*|gateway = \"$HQ_OUTSIDE\";|
s|^#exchanges = .*|exchanges = 3;|
$(connect_registers password)"
need_sluice
[[ -x $CONNECT ]] || skip "$CONNECT is not built; see tests/run"
need_root
story_trap
mobile_up
credentials_make rsa
huge_pages_reserve 256 || :
sluice_start
registration_add_user "$MEMBER" "$MEMBER_PASSWORD"
(umask 077 && echo "$MEMBER_PASSWORD" >"$LAB_DIR/password")
ping_fails || fail "the client reaches srv without any tunnel"

step "$MOBILE_COUNT registrations through the NAT pool and the balancer"
took=()
for ((i = 1; i <= MOBILE_COUNT; i++)); do
	mobile_forget
	connect_start
	connect_wait connected
	[[ $(grep -c ' event=registering ' "$LAB_DIR/connect.log") == "$i" ]] || fail "dial $i needed more than one registration"
	wait_for 5 "the session in sluicectl show" member_is_listed
	ping_srv -c 3 -i 0.2 -W 2 >/dev/null || fail "dial $i: the tunnel is up and nothing comes back through it"
	stop connect
	took+=("$(dial_took)")
	wait_for 5 "the end of dial $i's session" member_is_gone
done
mapfile -t sorted < <(printf '%s\n' "${took[@]}" | sort -n)
say "$MOBILE_COUNT of $MOBILE_COUNT: least ${sorted[0]} ms, median ${sorted[MOBILE_COUNT / 2]} ms, most ${sorted[-1]} ms"
gateway=$(pools 'event=registration_udp .*is behind a NAT pool' sluiced)
client=$(pools 'event=udp_reached .*we are behind a NAT pool' connect)
say "told of a NAT pool: HQ $gateway times, the client $client times of $MOBILE_COUNT"
((gateway == MOBILE_COUNT && client == MOBILE_COUNT)) || fail "not every dial was told to be through a NAT pool"
