#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A cable that delays, loses, doubles and reorders: the tunnel still comes up, what is doubled outside is single inside,
# and TCP gets through.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

story_with_sluice
iperf_start

step "the tunnel comes up over a cable that loses and doubles a tenth"
wire_bad 5 10 10 10
strongswan_initiate

step "doubled outside, single inside"
wire_bad 5 0 20 20
wait_for_ping
before=$(counter esp_replayed)
ping_without_loss 50 1000
! grep -q duplicates "$LAB_DIR/ping.log" || fail "a doubled ESP packet was delivered twice: $(cat "$LAB_DIR/ping.log")"
(($(counter esp_replayed) > before)) || fail "no doubled packet was counted as esp_replayed"

step "TCP gets through"
wire_bad 2 0.1 1 2
iperf_both_ways 3

step "the cable is good again"
wire_good
ping_without_loss 5 65000
