# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What tests/soak does. Session N joins 10.1.N.0/24 of the branch, where pc is 10.1.N.10, with 10.2.N.0/24 of HQ, where srv
# is 10.2.N.10. The even ones carry iperf3 and stand from the beginning to the end, the odd ones come and go. Sourced after
# story.sh; wants SECONDS_WANTED, SESSIONS and SEED.

SOAK_RATE=1M       # of each iperf3, bits a second
SOAK_BUFFERS=64    # that a driver may still hold: what it has sent, until it sends more
SOAK_GROWTH=1024   # KiB of resident memory that are no growth yet
SLUICE_CHANGES='s|^peers = (|&\n@include "soak-peers.cfg"|'

# --- how it is set up -----------------------------------------------------------------------------------------------

soak_peers() {
	local n

	for ((n = 1; n <= SESSIONS; n++)); do
		cat <<-PEER
			{
			    name = "soak$n";
			    identity = "soak$n.example";
			    secret = "$PEER_SECRET";
			    ikev1 = true;
			    aggressive = true;
			    local_networks = ["10.2.$n.0/24"];
			    remote_networks = ["10.1.$n.0/24"];
			},
		PEER
	done
}

soak_connections() {
	local n

	for ((n = 1; n <= SESSIONS; n++)); do
		cat <<-CONF
			connections {
			    soak$n {
			        version = 1
			        aggressive = yes
			        proposals = $PEER_IKE
			        remote_addrs = $HQ_OUTSIDE
			        local {
			            auth = psk
			            id = soak$n.example
			        }
			        remote {
			            auth = psk
			            id = $HQ_IDENTITY
			        }
			        children {
			            net$n {
			                local_ts = 10.1.$n.0/24
			                remote_ts = 10.2.$n.0/24
			                esp_proposals = $PEER_ESP
			            }
			        }
			    }
			}
		CONF
	done
	printf 'secrets {\n    ike-soak {\n        secret = "%s"\n    }\n}\n' "$PEER_SECRET"
}

soak_addresses() {
	local n

	for ((n = 1; n <= SESSIONS; n++)); do
		lab_address branch lan "10.1.$n.1/24"
		lab_address pc eth0 "10.1.$n.10/24"
		lab_address srv eth0 "10.2.$n.10/32"
	done
	lab_route srv 10.1.0.0/16 "$HQ"
	lab_route hq 10.2.0.0/16 "$SRV"
}

# What was there before: after all have been there once, so that what is made only once does not count.
soak_begin() {
	say "$SESSIONS sessions, $SECONDS_WANTED s, seed $SEED"
	lab_up
	soak_peers >"$LAB_DIR/soak-peers.cfg"
	soak_connections >"$LAB_DIR/swanctl-branch.conf"
	huge_pages_reserve 256 || :
	sluice_start
	soak_addresses
	strongswan_run branch
	dial_all
	all_sessions_end
	soak_remember
}

soak_memory() { awk '/^VmRSS:/ { print $2 }' "/proc/$(<"$LAB_RUN/$1.pid")/status"; }

soak_remember() {
	local what

	for what in sessions children routes packet_buffers_free; do
		gauge $what >"$LAB_DIR/before-$what"
	done
	for what in sluice-dataplane sluiced; do
		soak_memory $what >"$LAB_DIR/before-$what"
	done
}

soak_before() { cat "$LAB_DIR/before-$1"; }

# --- sessions -------------------------------------------------------------------------------------------------------

dial() {
	swanctl_in branch --initiate --child "net$1" --timeout 20 >"$LAB_DIR/dial.log" ||
		fail "session $1 did not come up: $(tail -n 1 "$LAB_DIR/dial.log")"
}

dial_all() {
	local n

	for ((n = 1; n <= SESSIONS; n++)); do
		dial "$n"
	done
}

ping_through() { on pc ping -q -n -c 1 -W 1 -I "10.1.$1.10" "10.2.$1.10"; }
wait_for_ping_through() { wait_for 10 "an answer through session $1" ping_through "$1"; }

hang_up() { swanctl_in branch --terminate --ike "soak$1" >"$LAB_DIR/dial.log"; }

charon_has_no() { ! swanctl_in branch --list-sas --ike "soak$1" | grep -q .; }

# Who ends it tells the other.
end_at_hq() {
	sluicectl delete "soak$1" >/dev/null
	wait_for 10 "session $1's end at the branch" charon_has_no "$1"
}

change() {
	case $((RANDOM % 3)) in
	0) hang_up "$1" ;;
	1) end_at_hq "$1" ;;
	2) ;; # dials anew over what it had
	esac
	dial "$1"
	wait_for_ping_through "$1"
}

# --- flows ----------------------------------------------------------------------------------------------------------

# Every other one goes from srv to pc. What counts is what arrived, so those from pc are seen with the server's eyes.
flows_start() {
	local n options

	for ((n = 2; n <= SESSIONS; n += 2)); do
		background "server-$n" srv iperf3 --server --forceflush --one-off --bind "10.2.$n.10"
	done
	background machine pc vmstat --one-header --no-first 1 $((SECONDS_WANTED + 1))
	for ((n = 2; n <= SESSIONS; n += 2)); do
		wait_for 10 "iperf3 at 10.2.$n.10" grep -q '^Server listening' "$LAB_DIR/server-$n.log"
		options=(--get-server-output)
		((n % 4 != 0)) || options=(--reverse)
		background "flow-$n" pc iperf3 --client "10.2.$n.10" --bind "10.1.$n.10" --time "$SECONDS_WANTED" --json \
			--bitrate $SOAK_RATE --length 8K --connect-timeout 5000 "${options[@]}"
	done
}

flows_run() {
	local n

	for ((n = 2; n <= SESSIONS; n += 2)); do
		! running "flow-$n" || return 0
	done
	return 1
}

# --- checks ---------------------------------------------------------------------------------------------------------

all_sessions_stand() {
	local n

	dial_all
	for ((n = 1; n <= SESSIONS; n++)); do
		wait_for_ping_through "$n"
	done
	(($(gauge sessions) == SESSIONS)) || fail "the data plane has $(gauge sessions) sessions"
}

sessions_come_and_go() {
	local changes=0 deadline=$((SECONDS + SECONDS_WANTED + 60))

	RANDOM=$SEED
	flows_start
	while flows_run; do
		((SECONDS < deadline)) || fail "iperf3 has not ended"
		change $((RANDOM % ((SESSIONS + 1) / 2) * 2 + 1))
		changes=$((changes + 1))
	done
	((changes >= SECONDS_WANTED / 10)) || fail "only $changes sessions were dialed anew in $SECONDS_WANTED s"
	say "$changes sessions were dialed anew"
}

# When something stalls, what the whole machine did in that second is told, too: a stall need not be Sluice's.
no_flow_stalls() {
	say "packets that hq's port lost because no worker took them: $(gauge device_missed)"
	python3 - "$SECONDS_WANTED" "$LAB_DIR/machine.log" "$LAB_DIR"/flow-*.log <<-'PYTHON'
		import json, sys
		wanted, flows, problems, stalled, poorest, total = int(sys.argv[1]), sys.argv[3:], [], {}, [], 0
		for name in flows:
		    flow = name.rsplit("/", 1)[1].removesuffix(".log")
		    with open(name) as file:
		        result = json.load(file)
		    if "error" in result:
		        problems.append(f"{flow}: {result['error']}")
		        continue
		    # A last one of a few milliseconds may be empty.
		    received = result.get("server_output_json", result)
		    seconds = [i["sum"] for i in received["intervals"] if i["sum"]["seconds"] > 0.9]
		    if len(seconds) < wanted - 1:
		        problems.append(f"{flow}: {len(seconds)} seconds were reported instead of {wanted}")
		    for second in seconds:
		        if second["bytes"] == 0:
		            stalled.setdefault(round(second["start"]), []).append(flow)
		    poorest += [second["bytes"] for second in seconds]
		    total += result["end"]["sum_received"]["bytes"]
		print(f"{len(flows)} flows, {total / 1e6:.0f} MB together; the poorest second had {min(poorest, default=0)} bytes")
		with open(sys.argv[2]) as file:
		    machine = [line.split() for line in file][1:]
		titles, rows = machine[0], machine[1:]
		for second, names in sorted(stalled.items()):
		    problems.append(f"second {second}: no byte in {' '.join(names)}")
		    if second < len(rows):
		        row = dict(zip(titles, rows[second]))
		        problems.append("    the machine: " + ", ".join(f"{row[t]} {t}" for t in ("r", "us", "sy", "id", "wa", "st")))
		if problems:
		    print(*problems, sep="\n")
		    sys.exit(1)
	PYTHON
}

nothing_was_lost_track_of() {
	wait_for 20 "a balance of all packets" packets_balance
	(($(counter events_lost) == 0)) || fail "$(counter events_lost) events were lost"
	(($(counter changes_refused) == 0)) || fail "$(counter changes_refused) changes were refused"
}

all_sessions_end() {
	local n

	for ((n = 1; n <= SESSIONS; n++)); do
		hang_up "$n"
	done
	wait_for 10 "the end of all sessions" gauge_is sessions 0
	wait_for 10 "the end of all child SAs" gauge_is children 0
}

tables_are_empty() {
	local what

	for what in sessions children routes; do
		(($(gauge $what) == $(soak_before $what))) ||
			fail "$what: $(gauge $what), and $(soak_before $what) before"
	done
	sluicectl --json show ike | python3 -c 'import json, sys; sys.exit(len(json.load(sys.stdin)["ike_sas"]) != 0)' ||
		fail "IKE SAs are left over"
}

buffers_are_back() {
	local before

	before=$(soak_before packet_buffers_free)
	wait_for 10 "the $before free packet buffers of before, but for $SOAK_BUFFERS; now $(counter packet_buffers_free)" \
		counter_above packet_buffers_free $((before - SOAK_BUFFERS))
}

memory_is_back() {
	local what before now status=0

	for what in sluice-dataplane sluiced; do
		before=$(soak_before $what) now=$(soak_memory $what)
		say "$what: $before KiB before, $now KiB now"
		((now - before <= SOAK_GROWTH)) || status=1
	done
	return $status
}
