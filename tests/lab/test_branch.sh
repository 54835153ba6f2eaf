#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The branch case: strongSwan behind a NAT dials Sluice behind a port mapping. The tunnel carries large packets both
# ways, hides everything, and outlives the control plane.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

story_with_sluice
iperf_start
ping_fails || fail "pc reaches srv without any tunnel"

step "the tunnel comes up and carries 65,000 bytes"
capture_start outside inet east -s 128
strongswan_initiate
wait_for 5 "the session in sluicectl show" session_is_listed
wait_for_ping
ping_without_loss 10 65000
iperf_both_ways 3

step "sluiced is killed while iperf3 runs"
iperf during --time 6 &
during=$!
wait_for 10 "iperf3's connection" grep -q 'Accepted connection' "$LAB_DIR/iperf.log"
stop sluiced KILL
wait $during || fail "iperf3 did not survive sluiced"
(($(iperf_value during least) > 0)) || fail "a whole second of iperf3 passed without a byte"
say "iperf3 without sluiced: $(iperf_value during mbits) Mbit/s"
ping_without_loss 5 65000

step "sluiced is back and finds its session"
sluiced_start
wait_for 10 "the session, adopted, in sluicectl show" session_is_adopted
ping_without_loss 5 65000
capture_stop outside
capture_shows_only_tunnel outside

step "the branch dials anew, over the session that it had, and hangs up"
strongswan_terminate
strongswan_initiate
wait_for_ping
wait_for 5 "the session, no longer adopted" session_is_established
strongswan_terminate
wait_for 10 "the session's end" session_is_gone
ping_fails || fail "pc reaches srv although the tunnel is down"
