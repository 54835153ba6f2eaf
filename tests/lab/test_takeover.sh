#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A connection that the kernel has accepted moves into dataplane/tcp in the middle of its stream, while the peer sends
# through it: every frame comes once, in order and whole, the peer notices nothing, and both sides close.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$TOP/tests/lab/wire.sh"
. "$TOP/tests/lab/tcp_cable.sh"

cable_begin
cat >"$CABLE_LOG/divert" <<END
table netdev takeover
delete table netdev takeover
table netdev takeover {
	chain in {
		type filter hook ingress device "eth0" priority 0;
		tcp dport $CABLE_PORT drop
	}
}
END

# moves WHAT SECONDS: what left does, before and after.
moves() {
	local what=$1 seconds=$2 other=both left right

	case $what in
	send) other=receive ;;
	receive) other=send ;;
	esac
	in_host left nft flush ruleset
	cable_run left left "$TCP_PEER" takeover eth0 "$CABLE_PORT" "nft -f $CABLE_LOG/divert" "$what" "$seconds"
	left=$pid
	wait_for 10 "a listener" cable_is_ready left "$left"
	cable_run right right "$TCP_PEER" dial 10.88.0.1 "$CABLE_PORT" "$other" "$seconds"
	right=$pid
	wait_for 120 "the end of the stream at the right" process_gone "$right"
	wait_for 60 "the end of the stream at the left" process_gone "$left"
	wait "$right" || fail "right: $(tail -n 3 "$CABLE_LOG/right.log")"
	wait "$left" || fail "left: $(tail -n 3 "$CABLE_LOG/left.log")"
	say "$what: $(sed -n 's/^unack/unack/p' "$CABLE_LOG/left.log")"
	say "  left  $(sed -n 's/^sent/sent/p' "$CABLE_LOG/left.log")"
	say "  right $(sed -n 's/^sent/sent/p' "$CABLE_LOG/right.log")"
	# What is sent behind the diversion can't be acknowledged.
	[[ $what == receive ]] || ! grep -q '^unacknowledged 0, unsent 0,' "$CABLE_LOG/left.log" || fail "nothing was under way"
	(($(cable_counter segments_in) > 10)) || fail "dataplane/tcp had hardly anything to do after the takeover"
	! grep -q '^not_acceptable [1-9]' "$CABLE_LOG/left.log" || say "  not acceptable: $(cable_counter not_acceptable)"
}

for quality in "0 0 0 0" "5 0 0 0" "5 1 1 1"; do
	say "-- a cable of ${quality%% *} ms; loss, duplicates, reordering in percent: ${quality#* }"
	# shellcheck disable=SC2086 # four words
	cable_quality $quality
	for what in send receive both; do
		moves "$what" 2
	done
done
