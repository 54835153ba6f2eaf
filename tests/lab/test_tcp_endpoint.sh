#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# dataplane/tcp talks to the kernel's TCP, through a cable that delays, loses, doubles and reorders: every frame comes
# once, in order and whole, and both sides close.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$TOP/tests/lab/wire.sh"
. "$TOP/tests/lab/tcp_cable.sh"

cable_begin

# both_ways SECONDS DELAY LOSS DUPLICATE REORDER
both_ways() {
	local seconds=$1 what

	shift
	say "-- a cable of $1 ms that loses $2 %, doubles $3 %, reorders $4 %"
	cable_quality "$@"
	for what in send receive both; do
		cable_stream endpoint "$what" "$seconds"
		say "$what: left $(sed -n 's/^sent/sent/p' "$CABLE_LOG/left.log")"
	done
}

both_ways 1 0 0 0 0
(($(cable_counter retransmitted) * 100 <= $(cable_counter segments_out))) || fail "a good cable, and more than 1 % retransmitted"
both_ways 2 5 1 1 1
both_ways 3 5 5 5 5
(($(cable_counter retransmitted) > 0)) || fail "5 % were lost, and nothing was retransmitted"
(($(cable_counter out_of_order) > 0)) || fail "5 % were reordered, and nothing was held"
(($(cable_counter duplicates) > 0)) || fail "5 % were doubled, and nothing was refused"
both_ways 3 50 0.1 0 1
