#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The mobile case: strongSwan behind a carrier's NAT pool dials again and again, aggressive mode with a pre-shared key.
# What it sends from port 4500 on, its third message first of all, comes from another public address each time; every
# dial has to succeed, and a ping through its tunnel to come back. At the end the gateway is made to look at addresses,
# and then no dial succeeds: so the network is what it should be.
#
# MOBILE_COUNT (20) dials; the full number is 100, which takes two minutes.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

MOBILE_COUNT=${MOBILE_COUNT:-20}

milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }

# Dials by which the address was another one in message 3 than in message 1.
pool_seen() { grep -c 'is behind a NAT pool' "$LAB_DIR/sluiced.log" || :; }

messages_dropped() { on hq nft list table ip by_address | sed -n 's/.*counter packets \([0-9]*\) .*/\1/p'; }

mobile_names
story_mobile
strongswan_start client
ping_fails || fail "the client reaches srv without any tunnel"

step "$MOBILE_COUNT dials through the NAT pool"
took=()
for ((i = 1; i <= MOBILE_COUNT; i++)); do
	mobile_forget
	begun=$(milliseconds)
	strongswan_initiate
	took+=($(($(milliseconds) - begun)))
	ping_srv -c 3 -i 0.2 -W 2 >/dev/null || fail "dial $i: the tunnel is up and nothing comes back through it"
	strongswan_terminate
	wait_for 5 "the end of dial $i's session" session_is_gone
done
mapfile -t sorted < <(printf '%s\n' "${took[@]}" | sort -n)
say "milliseconds of each dial: ${took[*]}"
say "$MOBILE_COUNT of $MOBILE_COUNT: least ${sorted[0]} ms, median ${sorted[MOBILE_COUNT / 2]} ms, most ${sorted[-1]} ms"
changed=$(pool_seen)
say "the address changed at the float in $changed of $MOBILE_COUNT dials"
((changed * 2 >= MOBILE_COUNT)) || fail "the NAT pool changed the address in $changed of $MOBILE_COUNT dials only"

step "a gateway that looks at addresses is dialed in vain"
mobile_gateway_by_address on
mobile_forget
! strongswan_dials 4 || fail "the tunnel came up, although the gateway dropped what came from another address"
strongswan_terminate
(($(messages_dropped) > 0)) || fail "nothing came from another address"
session_is_gone || fail "a session stands that nobody has proved himself for"
mobile_gateway_by_address off

step "and without that it comes up again"
mobile_forget
strongswan_initiate
wait_for_ping
