#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Strangers send what they should not while the tunnel works: each is counted under its reason, nobody notices, and no
# packet buffer is lost.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

# sent_from HOST DEVICE NEXT_HOP KIND...: see forge.py.
sent_from() {
	local host=$1 device=$2 mac kind

	mac=$(mac_address "$3" "$4")
	shift 4
	for kind in "$@"; do
		on "$host" "$TOP/tests/lab/forge.py" "$kind" "$LAB_DIR/sample.pcap" "$device" "$mac"
	done
}

from_the_internet() { sent_from inet east fw wan "$@"; }
from_hq_network() { sent_from fw lan hq eth0 "$@"; }

# counted REASON... after KIND was sent: every one went up since the last call.
declare -A seen=()
counted() {
	local reason

	for reason in "$@"; do
		wait_for 10 "counter $reason above ${seen[$reason]:-0}" counter_above "$reason" "${seen[$reason]:-0}"
		seen[$reason]=$(counter "$reason")
		say "$reason: ${seen[$reason]}"
	done
}

story_with_sluice
strongswan_initiate
wait_for_ping

capture_start sample inet east -s 0
ping_without_loss 20 1000
capture_stop sample
free=$(counter packet_buffers_free)
ping_forever

step "forged ESP"
from_the_internet unknown_spi
counted unknown_spi
from_the_internet bad_icv
counted esp_bad_icv
from_the_internet replayed
counted esp_replayed
from_the_internet truncated

step "garbage for IKE"
from_the_internet garbage_ike
running sluiced || fail "sluiced did not survive"

step "fragments that never end, overlap or cannot be"
from_hq_network endless_fragments
counted fragment_limit fragment_timeout
from_hq_network overlapping_fragments
counted fragment_overlap
from_hq_network impossible_fragments
counted fragment_bad

step "nobody noticed, and nothing is kept"
running sluice-dataplane || fail "sluice-dataplane did not survive"
ping_forever_without_loss
ping_without_loss 5 65000
wait_for 10 "the end of all reassembly" counter_is fragments_held 0
wait_for 10 "a balance of all packets" packets_balance
# The driver itself keeps what it has sent until it sends more; 100 lost packets of one kind would show.
wait_for 10 "the $free packet buffers to be free again, but for 64" counter_above packet_buffers_free $((free - 64))
