#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Bypass and discard rules: srv sends to the internet's router by way of Sluice, in the clear where a rule says so and
# not at all where none does; and one TCP port is closed although the tunnel would carry it.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

ROUTER=203.0.113.1        # inet, reached by the rule
ROUTER_AT_HQ=198.51.100.1 # the same by an address that no rule has
CLOSED=5201 OPEN=5202

SLUICE_CHANGES='s|^#rules = ();|rules = (\
	{ action = "bypass"; source = "192.168.2.0/24"; destination = "203.0.113.0/24"; },\
	{ action = "discard"; source = "192.168.1.0/24"; destination = "192.168.2.0/24"; protocol = "tcp"; port = 5201; },\
	{ action = "discard"; source = "192.168.2.0/24"; destination = "192.168.1.0/24"; protocol = "tcp"; port = 5201; }\
);|'

# connects FROM ADDRESS PORT: true when the connection stands. A closed port refuses, a discarded SYN is not answered.
connects() { on "$1" timeout 2 bash -c "exec 3<>/dev/tcp/$2/$3"; }

# listen HOST ADDRESS PORT: once it accepts on HOST itself.
listen() {
	background "listener-$1-$3" "$1" python3 -m http.server --bind "$2" "$3"
	wait_for 40 "a listener at $1, port $3" connects "$1" "$2" "$3"
}

# fw is the LAN's switch, too, and a packet of srv passes it twice: on its way to hq it must not become a flow of the
# firewall, or the address translation would be taken for settled when it is routed. Not every kernel filters bridges.
switch_without_filter() {
	on fw sh -c 'cd /proc/sys/net/bridge 2>/dev/null || exit 0; echo 0 >bridge-nf-call-iptables'
}

story_with_sluice
switch_without_filter
grep -q 'action = "bypass"; source = "192.168.2.0/24"; destination = "203.0.113.0/24"; }' "$SLUICE_CONFIG" ||
	fail "the sample configuration has no line for rules any more"
lab_route srv 203.0.113.0/24 "$HQ"
lab_route srv 198.51.100.0/24 "$HQ"

step "what a rule bypasses leaves in the clear, by Sluice"
capture_start outside inet east -s 128
wait_for 20 "an answer from the internet's router to srv" on srv ping -q -n -c 1 -W 1 $ROUTER
before=$(counter rule_bypass)
on srv ping -q -n -c 5 -i 0.2 -W 2 $ROUTER >"$LAB_DIR/bypass.log" || fail "srv does not reach $ROUTER"
(($(counter rule_bypass) >= before + 5)) || fail "srv reaches $ROUTER, but not by the rule"
capture_stop outside
# Two hops before it: Sluice and the firewall.
(($(capture_count outside "icmp[icmptype] == icmp-echo and dst $ROUTER and ip[8] == 62") >= 5)) ||
	fail "srv's pings are not on the wire as two routers would leave them"

step "what none bypasses is dropped"
before=$(counter no_policy)
! on srv ping -q -n -c 3 -i 0.2 -W 1 $ROUTER_AT_HQ >/dev/null || fail "srv reaches $ROUTER_AT_HQ without any rule"
(($(counter no_policy) >= before + 3)) || fail "the counter no_policy stands still"

step "a discard rule is stronger than the tunnel"
for port in $CLOSED $OPEN; do
	listen srv "$SRV" "$port"
	listen pc "$PC" "$port"
done
strongswan_initiate
wait_for_ping
connects pc "$SRV" $OPEN || fail "pc does not reach port $OPEN of srv through the tunnel"
connects srv "$PC" $OPEN || fail "srv does not reach port $OPEN of pc through the tunnel"
before=$(counter rule_discard)
! connects pc "$SRV" $CLOSED || fail "pc reaches port $CLOSED of srv in spite of the rule"
between=$(counter rule_discard)
((between > before)) || fail "what pc sent to port $CLOSED was not discarded by the rule"
! connects srv "$PC" $CLOSED || fail "srv reaches port $CLOSED of pc in spite of the rule"
(($(counter rule_discard) > between)) || fail "what srv sent to port $CLOSED was not discarded by the rule"
ping_without_loss 5 1000
