# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Sluice's two daemons at hq. Sourced after net.sh and hq.sh.

SLUICE_USER=sluice
SLUICE_CONFIG=$LAB_DIR/sluice.cfg

# A story's changes to the sample configuration, a sed script.
SLUICE_CHANGES=

sluice_configure() { sed -e "$SLUICE_CHANGES" "$TOP/config/sluice.cfg" >"$SLUICE_CONFIG"; }

sluice_add_user() {
	id "$SLUICE_USER" >/dev/null 2>&1 ||
		useradd --system --user-group --no-create-home --shell /usr/sbin/nologin "$SLUICE_USER"
}

dataplane_start() {
	background sluice-dataplane hq "$BUILD/dataplane/sluice-dataplane" -c "$SLUICE_CONFIG"
	wait_for 30 "sluice-dataplane's socket" listens sluice-dataplane hq sluice/dataplane.sock
	hq_kernel_interface
}

sluiced_start() {
	background sluiced hq "$BUILD/controlplane/sluiced" -c "$SLUICE_CONFIG"
	wait_for 10 "sluiced's control socket" listens sluiced hq sluice/control.sock
}

# sluice_start: both, at an hq that is still without address.
sluice_start() {
	sluice_configure
	sluice_add_user
	hq_with_dataplane
	dataplane_start
	sluiced_start
}

sluicectl() { on hq "$BUILD/controlplane/sluicectl" "$@"; }

session_is_listed() { sluicectl show | grep -F "$BRANCH_IDENTITY"; }
session_is_adopted() { session_is_listed | grep -w adopted; }
session_is_established() { session_is_listed | grep -w established; }
session_is_gone() { ! session_is_listed; }

# inner_mtu: of the child SA that joins branch and HQ network.
inner_mtu() {
	sluicectl --json show sas | python3 -c '
import json, sys
children = [child for session in json.load(sys.stdin)["sessions"] for child in session["children"]]
print(*(child["inner_mtu"] for child in children if sys.argv[1] in json.dumps(child)))' "$HQ_NETWORK"
}
inner_mtu_is_between() { (($(inner_mtu) >= $1 && $(inner_mtu) <= $2)); }

# counter NAME: the sum of all values under NAME, wherever `show counters` has them; 0 when it has none.
counter() {
	sluicectl --json show counters | python3 -c '
import json, sys
def total(value, name):
    if isinstance(value, dict):
        if value.get("name") == name and isinstance(value.get("value"), int):
            return value["value"]
        return sum(v if k == name and isinstance(v, int) else total(v, name) for k, v in value.items())
    return sum(total(v, name) for v in value) if isinstance(value, list) else 0
print(total(json.load(sys.stdin), sys.argv[1]))' "$1"
}

# packets_balance: nothing is under way, and every packet that came in has left by exactly one exit.
packets_balance() {
	sluicectl --json show counters | python3 -c '
import json, sys
counters = json.load(sys.stdin)
kinds = {kind: sum(values.values()) for kind, values in counters["reasons"].items()}
sys.exit(kinds["in"] != kinds["out"] + kinds["drop"] + counters["gauges"]["fragments_held"])'
}

# counter_above NAME NUMBER, counter_is NAME NUMBER: conditions.
counter_above() { (($(counter "$1") > $2)); }
counter_is() { (($(counter "$1") == $2)); }

# gauge NAME, gauge_is NAME NUMBER: the same of what the data plane has now, whatever else is called so.
gauge() {
	sluicectl --json show counters | python3 -c 'import json, sys; print(json.load(sys.stdin)["gauges"][sys.argv[1]])' "$1"
}
gauge_is() { (($(gauge "$1") == $2)); }

# tcp_in_worker: one session's TCP connection is a worker's.
tcp_in_worker() { gauge_is tcp_connections 1; }

# tcp_is_in WHERE: "worker N" or "kernel" has the branch's only TCP connection.
tcp_is_in() {
	[[ $(sluicectl show tcp | tail -n +2 | wc -l) == 1 ]] && sluicectl show tcp | tail -n 1 | grep -qw "$1"
}
