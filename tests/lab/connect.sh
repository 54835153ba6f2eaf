# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# sluice-connect at the branch, or who else is $DIALER, in strongSwan's place. Sourced after net.sh and strongswan.sh.

CONNECT=$BUILD/controlplane/connect/sluice-connect
CONNECT_CONFIG=$LAB_DIR/connect.cfg

# A story's changes to the sample configuration, a sed script.
CONNECT_CHANGES=

connect_configure() { sed -e "$CONNECT_CHANGES" "$TOP/config/connect.cfg" >"$CONNECT_CONFIG"; }

# connect_start [OPTION...]: it runs, and has perhaps not dialed yet.
connect_start() {
	connect_configure
	background connect "$DIALER" "$CONNECT" --config "$CONNECT_CONFIG" "$@"
	wait_for 10 "sluice-connect's control socket" listens connect "$DIALER" sluice/connect-sluice0.sock
}

# connect_ctl COMMAND...: asks the one that runs.
connect_ctl() { on "$DIALER" "$CONNECT" --config "$CONNECT_CONFIG" "$@"; }

connect_is() { [[ $(connect_value state) == "$1" ]]; }
connect_wait() { wait_for 20 "sluice-connect $1" connect_is "$1"; }

# connect_value NAME[.NAME]...: of its status; children and routes by number.
connect_value() {
	connect_ctl --json status | python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    value = value[int(name)] if isinstance(value, list) else (value or {}).get(name)
print(value)' "$1"
}

# The current child SAs, by inbound SPI.
connect_spis() {
	connect_ctl --json status | python3 -c '
import json, sys
print(*(child["spi_in"] for child in json.load(sys.stdin)["children"] if child["current"]))'
}
connect_spis_differ_from() { local spis; spis=$(connect_spis) && [[ $spis && $spis != "$1" ]]; }

# New child SAs, asked for by the branch and then by HQ, while pings go on.
connect_rekeys_without_loss() {
	local spis

	ping_forever
	spis=$(connect_spis)
	connect_ctl rekey
	wait_for 10 "new child SAs, asked for by the branch" connect_spis_differ_from "$spis"
	spis=$(connect_spis)
	sluicectl rekey branch1
	wait_for 10 "new child SAs, asked for by HQ" connect_spis_differ_from "$spis"
	ping_forever_without_loss
}

# connect_once [OPTION...]: one attempt; what it said is in $LAB_DIR/once.log. Its exit status is that of the attempt.
connect_once() { on "$DIALER" "$CONNECT" --once --config "$CONNECT_CONFIG" "$@" >"$LAB_DIR/once.log" 2>&1; }

# connect_once_says CODE [OPTION...]: the attempt fails, with this code.
connect_once_says() {
	local code=$1 said

	shift
	! connect_once "$@" || fail "sluice-connect $* connects, where it should fail with $code"
	said=$(sed -n 's/.* event=not_connected code=\([a-z_]*\) .*/\1/p' "$LAB_DIR/once.log")
	[[ $said == "$code" ]] || fail "sluice-connect $* says '$said', not '$code'"
	sed -n 's/^sluice-connect: not connected: //p' "$LAB_DIR/once.log"
}

branch_routes() { ip -n "$(namespace branch)" route show "$@"; }
