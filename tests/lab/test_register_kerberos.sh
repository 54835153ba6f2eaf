#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Kerberos at registration, beyond the experiments: tickets of the host's cache; a clock that is wrong and a ticket that
# has expired, which both ends say; a branch that can't reach the KDC, and gets its tickets through HQ (IAKERB); and a KDC
# that nobody reaches.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

CACHE=$LAB_DIR/branch.cache

# kdc_hides: from the branch, without a word.
kdc_hides() {
	lab_rules inet <<-NFT
		table ip kdc
		delete table ip kdc
		table ip kdc {
			chain input {
				type filter hook input priority filter
				ip saddr $BRANCH_OUTSIDE th dport 88 drop
			}
		}
	NFT
}

# Whoever was let in is explained by name, who was not by address.
explained() { sluicectl explain --all "$MEMBER" 2>&1 || :; sluicectl explain --all "$BRANCH_OUTSIDE" 2>&1 || :; }
explained_says() { [[ $(explained) == *"$1"* ]]; }
hq_says() { wait_for 5 "'$1' in sluicectl explain" explained_says "$1"; }

# connects: the tunnel stands, and ends.
connects() {
	connect_start
	connect_wait connected
	wait_for_ping
	stop connect
	wait_for 10 "the session's end" member_is_gone
}

command -v faketime >/dev/null || skip "there is no faketime; see tests/packages"
SLUICE_CHANGES=$(registration_changes kerberos)"; s|^        #iakerb = .*|        iakerb = true;|"
# shellcheck disable=SC2086 # two mappings
registration_begin ${EXPERIMENT_MAPPINGS[3]}
with_keytab=$(connect_registers kerberos)
with_cache=$(sed -e "s/principal = \"[^;]*; //; s,keytab = [^;]*;,ticket_cache = \"FILE:$CACHE\";," <<<"$with_keytab")

step "a ticket of the host's cache is enough"
on "$DIALER" kinit -k -t "$REALM_DIR/branch.keytab" -c "FILE:$CACHE" -l 10h "$MEMBER"
CONNECT_CHANGES=$with_cache
connects
hq_says "Kerberos ticket of $MEMBER@$REALM"

step "a clock that is 10 minutes fast: both ends say so"
right_connect=$CONNECT
printf '#!/bin/sh\nexec faketime -f +10m %s "$@"\n' "$right_connect" >"$LAB_DIR/fast-connect"
printf '#!/bin/sh\nexec faketime -f +11h %s "$@"\n' "$right_connect" >"$LAB_DIR/late-connect"
chmod +x "$LAB_DIR"/{fast,late}-connect
connect_configure
CONNECT=$LAB_DIR/fast-connect
connect_once_says clock
hq_says "10 minutes apart"

step "a ticket that has expired"
CONNECT=$LAB_DIR/late-connect
connect_once_says no_ticket
grep -q 'has expired' "$LAB_DIR/once.log" || fail "sluice-connect does not say that the ticket has expired"
CONNECT=$right_connect

step "the branch can't reach the KDC: its tickets come through HQ"
kdc_hides
CONNECT_CHANGES=$with_keytab
connects
hq_says "asked the KDC of $REALM for a first ticket on the peer's behalf (IAKERB)"

step "nobody reaches the KDC: both ends say so"
stop kdc
connect_configure
connect_once_says no_ticket
hq_says "no KDC of $REALM answers this gateway"
