#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Registering at HQ: each way to fail is said in a sentence of its own, at once; the tunnel is dialed anew where it was
# lost, and its IKE SA renewed by another registration under traffic; and how long the first ping takes.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

SLUICE_CHANGES=$(registration_changes kerberos certificate password)
# shellcheck disable=SC2086 # two mappings
registration_begin ${EXPERIMENT_MAPPINGS[3]}

for method in password certificate kerberos; do
	step "by $method: from the SYN to the first ping, five times"
	CONNECT_CHANGES=$(connect_registers $method)
	for _ in {1..5}; do
		first_ping_ms
	done | sort -n | paste -s -d ' ' | sed 's/$/ ms/'
done

step "connects, once"
CONNECT_CHANGES=$(connect_registers password)
connect_configure
connect_once || fail "sluice-connect --once: $(cat "$LAB_DIR/once.log")"
grep '^connected' "$LAB_DIR/once.log"

step "fails, each in its way"
connect_once_says wrong_login --password-file "$LAB_DIR/wrong"
connect_once_says certificate --gateway-identity other.example
connect_once_says refused --registration 89
internet_drops "tcp dport 90"
connect_once_says silent --registration 90 --patience 1
stop kdc
CONNECT_CHANGES=$(connect_registers kerberos)
connect_configure
connect_once_says no_ticket # nor does HQ pass requests on
connect_once_says no_ticket --iakerb never

step "a new IKE SA is another registration, without a ping lost"
rm "$LAB_DIR/connect.log" # of the dials before
kdc_start
connect_start
connect_wait connected
wait_for_ping
ping_forever
for _ in 1 2; do
	spis=$(connect_spis)
	connect_ctl renew
	wait_for 20 "child SAs of another IKE SA" connect_spis_differ_from "$spis"
done
ping_forever_without_loss
(($(grep -c 'event=registered' "$LAB_DIR/connect.log") == 3)) || fail "three IKE SAs came of $(grep -c 'event=registered' "$LAB_DIR/connect.log") registrations"

step "HQ restarts, and the branch registers anew by itself"
stop sluiced
sluiced_start
wait_for 60 "the session" member_is_listed
wait_for_ping

step "the branch gets another address, and registers from there at once"
ip -n "$(namespace branch)" address del 100.64.1.2/24 dev wan
ip -n "$(namespace branch)" address add 100.64.1.3/24 dev wan
ip -n "$(namespace branch)" route replace default via 100.64.1.1
wait_for 10 "sluice-connect at its new address" eval '[[ $(connect_value local) == 100.64.1.3:* ]]'
connect_wait connected
wait_for_ping
ping_without_loss 5 65000
