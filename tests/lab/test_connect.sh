#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# sluice-connect as the branch's gateway, behind a NAT, with Sluice at HQ: it carries large packets both ways, renews its
# keys under traffic, survives a NAT that forgets, an HQ that restarts and an address that changes, and leaves nothing
# behind, however it ends.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

need_sluice
[[ -x $CONNECT ]] || skip "$CONNECT is not built; see tests/run"
story_begin
huge_pages_reserve 256 || :
sluice_start
iperf_start
before=$(branch_routes)
ping_fails || fail "pc reaches srv without any tunnel"

step "the tunnel comes up and carries 65,000 bytes"
capture_start outside inet east -s 128
connect_start
connect_wait connected
connect_ctl status
wait_for 5 "the session in sluicectl show" session_is_listed
wait_for_ping
ping_without_loss 20 65000
iperf_both_ways 3
capture_stop outside
capture_shows_only_tunnel outside

step "a packet of 1,500 bytes leaves as two"
capture_start cut branch wan -s 64
on pc ping -q -c 1 -W 5 -M do -s 1472 "$SRV" >/dev/null || fail "a packet of 1,500 bytes that must not be cut is lost"
capture_stop cut
cut=$(capture_count cut "ip src 100.64.1.2 and ip[6:2] & 0x3fff != 0")
((cut == 2)) || fail "a packet of 1,500 bytes left as $cut pieces"

step "new keys under traffic, asked for by either side"
connect_rekeys_without_loss

step "the NAT forgets its mappings"
lab_nat_forget
wait_for_ping
ping_without_loss 5 65000

step "sluiced is killed and comes back; the tunnel stands all the while"
ping_forever
stop sluiced KILL
sluiced_start
ping_forever_without_loss

step "HQ restarts: the branch connects by itself"
stop sluiced
stop sluice-dataplane
dataplane_start
sluiced_start
wait_for 60 "an answer from srv to pc" ping_srv -c 1 -W 1
wait_for 5 "the session in sluicectl show" session_is_established
ping_without_loss 5 65000

step "the branch gets another address: it dials anew at once"
ip -n "$(namespace branch)" address del 100.64.1.2/24 dev wan
ip -n "$(namespace branch)" address add 100.64.1.3/24 dev wan
ip -n "$(namespace branch)" route replace default via 100.64.1.1
wait_for 10 "sluice-connect at its new address" eval '[[ $(connect_value local) == 100.64.1.3:* ]]'
wait_for 10 "sluice-connect, connected" connect_is connected
wait_for_ping
ping_without_loss 5 65000

step "it is told to end: HQ knows, and nothing is left here"
stop connect
wait_for 5 "the session's end" session_is_gone
[[ $(branch_routes | grep -v 100.64.1.) == "$(grep -v 100.64.1. <<<"$before")" ]] ||
	fail "the branch's routes are now: $(branch_routes)"
! ip -n "$(namespace branch)" link show dev sluice0 >/dev/null 2>&1 || fail "the interface is still there"
ping_fails || fail "pc reaches srv although the tunnel is down"

step "all through the tunnel, with name servers; killed, and started again"
on branch sh -c 'echo "nameserver 192.0.2.1" >/run/resolv.conf'
CONNECT_CHANGES='s/^remote_networks.*/remote_networks = ["0.0.0.0\/0"];/
	s/^#dns = .*/dns = ["192.168.2.10"];/; s/^#dns_file = .*/dns_file = "\/run\/resolv.conf";/'
SLUICE_CHANGES='s|^        local_networks = .*|        local_networks = ["0.0.0.0/0"];|'
stop sluiced
stop sluice-dataplane
sluice_configure
dataplane_start
sluiced_start
connect_start
connect_wait connected
wait_for_ping
on branch grep -q '^nameserver 192.168.2.10$' /run/resolv.conf || fail "name servers are not set"
branch_routes "$HQ_OUTSIDE" | grep -q . || fail "there is no route to the gateway past the tunnel"
stop connect KILL
branch_routes "$HQ_OUTSIDE" | grep -q . || fail "a killed client leaves no route: this step shows nothing"
connect_start
connect_wait connected
stop connect
! branch_routes "$HQ_OUTSIDE" | grep -q . || fail "the route to the gateway is still there"
on branch grep -q '^nameserver 192.0.2.1$' /run/resolv.conf || fail "the name servers are not the former ones"
[[ ! -e $LAB_RUN/branch/sluice/connect-sluice0.undo ]] || fail "the note of what is to be undone is still there"

step "once, and why not"
CONNECT_CHANGES=
connect_configure
SLUICE_CHANGES=
stop sluiced
stop sluice-dataplane
sluice_configure
dataplane_start
sluiced_start
connect_once || fail "sluice-connect --once: $(cat "$LAB_DIR/once.log")"
grep '^connected' "$LAB_DIR/once.log"
printf 'another-secret-another-secret\n' >"$LAB_DIR/wrong.key"
chmod 600 "$LAB_DIR/wrong.key"
connect_once_says wrong_key --secret-file "$LAB_DIR/wrong.key"
connect_once_says no_proposal --ike aes128-sha512-modp2048
connect_once_says unknown_identity --identity stranger.example
connect_once_says wrong_identity --gateway-identity other.example
connect_once_says denied --remote 192.168.77.0/24
connect_once_says silent --ports 4009,88 --patience 1
connect_once_says refused --gateway 100.64.1.1 --patience 2
connect_once_says name --gateway nowhere.invalid
