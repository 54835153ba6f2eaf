#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Two workers with a queue each, and no huge pages. Packets that reach the wrong worker are handed over.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

need_sluice
SLUICE_CHANGES="s/worker_cores = .*/worker_cores = [0, 1];/; s/#huge_pages = .*/huge_pages = \"never\";/
	s/net_af_xdp0,iface=eth0/net_tap0,iface=$HQ_WIRE/"
story_begin
sluice_start
hq_through_tap
lab_fragmentable branch
strongswan_start branch
iperf_start
strongswan_initiate
wait_for_ping

step "both workers are there"
(($(sluicectl --json show workers | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["workers"]))') == 2)) ||
	fail "sluicectl does not show two workers"
ping_without_loss 5 65000
iperf_both_ways 2 --parallel 8
(($(counter taken_over) > 0)) || fail "no packet was handed over between the workers"
sluicectl show workers
wait_for 10 "a balance of all packets" packets_balance

step "so do outer fragments, whichever worker they reach, and none is lost for it"
lab_internet_mtu 1300
handed_over=$(counter handed_over) reassembled=$(counter reassembled)
capture_start inside fw port1 -s 128
ping_without_loss 10 65000
capture_stop inside
capture_shows_fragments inside
handed_over=$(($(counter handed_over) - handed_over)) reassembled=$(($(counter reassembled) - reassembled))
say "handed over: $handed_over, reassembled: $reassembled"
# A packet that was put together is handed over once at most, to its SA's worker: the rest were fragments.
((reassembled > 0 && handed_over > reassembled)) || fail "no fragment was handed over"
for reason in fragment_timeout fragment_limit fragment_overlap fragment_bad; do
	(($(counter $reason) == 0)) || fail "$reason: $(counter $reason)"
done
iperf_both_ways 2 --parallel 8
wait_for 10 "a balance of all packets" packets_balance
