# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What a test of the lab sources: all functions, a lab of its own, and its removal at every end. When the story fails,
# the logs of all who took part are shown.

set -euo pipefail

LAB_PREFIX=${LAB_PREFIX:-t$$}
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
for part in net ipv6 mobile wire hq huge_pages credentials strongswan esp_peer connect sluice kerberos registration capture traffic; do
	# shellcheck source=/dev/null
	. "$TOP/tests/lab/$part.sh"
done

step() { say "-- $*"; }

# Sluice's tests want both programs built; strongSwan alone does not.
need_sluice() {
	local program

	for program in dataplane/sluice-dataplane controlplane/sluiced controlplane/sluicectl; do
		[[ -x $BUILD/$program ]] || skip "$program is not built; see tests/run"
	done
}

lab_diagnose() {
	local log

	[[ -d $LAB_RUN && ! -e $LAB_DIR/diagnosed ]] || return 0
	touch "$LAB_DIR/diagnosed"
	if running sluiced; then
		say "== sluicectl show"
		sluicectl show || :
		say "== sluicectl show counters"
		sluicectl show counters || :
	fi
	for log in "$LAB_DIR"/*.log; do
		[[ -s $log ]] || continue
		say "== end of $log"
		tail -n 25 "$log" | cut -c 1-300
	done
}

on_failure() {
	[[ ! -d $LAB_RUN ]] || echo "$1" >"$LAB_DIR/failure"
	lab_diagnose
}

story_end() {
	local status=$? command=$BASH_COMMAND

	trap - EXIT
	if ((status != 0 && status != SKIPPED)); then
		[[ $command == exit* ]] || printf 'failed with status %s: %s\n' "$status" "$command" >&$REPORT
		lab_diagnose >&$REPORT
	fi
	lab_down
	((status != 0)) || rm -rf "$LAB_DIR"
	exit "$status"
}

# story_trap: from here on the lab is removed at every end.
story_trap() {
	trap story_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# story_begin [MAPPING...]: the network stands; see lab_up.
story_begin() {
	need_root
	story_trap
	lab_up "$@"
}

# story_mobile: after mobile_names, the mobile network stands, and Sluice runs at hq.
story_mobile() {
	need_sluice
	need_root
	story_trap
	mobile_up
	huge_pages_reserve 256 || :
	sluice_start
}

# story_with_sluice: the network stands, Sluice runs at hq, and a strongSwan at the branch that has not dialed yet.
story_with_sluice() {
	need_sluice
	story_begin
	huge_pages_reserve 256 || :
	sluice_start
	strongswan_start branch
}
