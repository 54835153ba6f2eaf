#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The mobile case with the client of the field report (field_client.c): three aggressive mode exchanges side by side, of
# which it answers only the newest; quick mode on the heels of message 3, and in every second dial ahead of it; 3 seconds
# of patience. Through the NAT pool it has to get its tunnel each time, and nothing may stay of the exchanges that it
# gave up. A gateway that looks at addresses is its end, as in the field.
#
# MOBILE_COUNT (20) dials; the full number is 100, which takes a minute.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

MOBILE_COUNT=${MOBILE_COUNT:-20}
FIELD_CLIENT=$BUILD/tests/lab/field-client

half_open() { sluicectl --json show ike | grep -c 'message 2 sent' || :; }

dials() { on client "$FIELD_CLIENT" "$@" "$HQ_OUTSIDE" >>"$LAB_DIR/field-client.log" 2>&1; }

[[ -x $FIELD_CLIENT ]] || skip "$FIELD_CLIENT is not built; see tests/run"
mobile_names
SLUICE_CHANGES+='; s|branch1.example|client0.example|; s|"10.99.0.1/32"|"10.128.0.0/32"|'
SLUICE_CHANGES+='; s|SAMPLE-replace-me-SAMPLE-replace-me|a-secret-of-the-tests-alone|'
BRANCH_IDENTITY=client0.example
story_mobile

step "$MOBILE_COUNT dials through the NAT pool"
for ((i = 1; i <= MOBILE_COUNT; i++)); do
	mobile_forget
	overtake=()
	((i % 2)) || overtake=(-o)
	dials "${overtake[@]}" || fail "dial $i of $MOBILE_COUNT: $(tail -n 1 "$LAB_DIR/field-client.log")"
	(($(half_open) == 0)) || fail "dial $i: exchanges that the client gave up are still open: $(sluicectl show ike)"
done
sed -n 's/^connected after \([0-9]*\) ms.*/\1/p' "$LAB_DIR/field-client.log" | sort -n | awk -v count="$MOBILE_COUNT" '
	{ took[NR] = $1 }
	END { print NR " of " count ": least " took[1] " ms, median " took[int((NR + 1) / 2)] " ms, most " took[NR] " ms" }'
(($(grep -Ec ', ([2-9]|[1-9][0-9]+) answers to older' "$LAB_DIR/field-client.log") * 2 >= MOBILE_COUNT)) ||
	fail "the exchanges were not side by side"
changed=$(grep -c 'is behind a NAT pool' "$LAB_DIR/sluiced.log" || :)
say "the address changed at the float in $changed of $MOBILE_COUNT dials"
((changed * 2 >= MOBILE_COUNT)) || fail "the NAT pool changed the address in $changed of $MOBILE_COUNT dials only"
session_is_established || fail "there is no session"

step "at a gateway that looks at addresses it gives up"
mobile_gateway_by_address on
mobile_forget
! dials || fail "the client came through, although the gateway dropped what came from another address"
