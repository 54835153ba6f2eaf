#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The NAT in front of the branch forgets its mappings while traffic flows: the branch's packets come from another port
# from then on. The next authentic one moves the session there, also while sluiced is away; a replayed one never does.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

session_remote() { sluicectl --json show | python3 -c 'import json, sys; print(json.load(sys.stdin)["sessions"][0]["remote"])'; }
session_moved_from() { [[ $(session_remote) != "$1" ]]; }

story_with_sluice
lab_nat_forget
strongswan_initiate
wait_for_ping
capture_start sample inet east -s 0
ping_without_loss 5 1000
capture_stop sample

step "the NAT forgets, and the session follows"
before=$(session_remote)
lab_nat_forget
wait_for_ping
wait_for 10 "the session at another port than $before" session_moved_from "$before"
after=$(session_remote)
say "moved from $before to $after"
ping_without_loss 5 65000

step "packets from before, sent again from the old port, move nothing"
seen=$(counter esp_replayed)
on inet "$TOP/tests/lab/forge.py" replayed "$LAB_DIR/sample.pcap" east "$(mac_address fw wan)"
wait_for 10 "replayed packets" counter_above esp_replayed "$seen"
[[ $(session_remote) == "$after" ]] || fail "replayed packets moved the session from $after to $(session_remote)"
ping_without_loss 5 65000

step "sluiced is killed, the NAT forgets again, and the session follows all the same"
stop sluiced KILL
lab_nat_forget
wait_for_ping
ping_without_loss 5 65000

step "sluiced comes back and shows where the session is"
sluiced_start
wait_for 10 "the session's adoption" session_is_adopted
[[ $(session_remote) != "$after" ]] || fail "the session is still shown at $after"
ping_without_loss 5 65000
