#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The field's experiment 1: the firewall maps TCP and UDP 88 to HQ's 4009, and TCP is the transport. The branch registers,
# both sides end TLS, and IKE and ESP go on in the same TCP connection (RFC 9329), the only one there is. By password and by
# Kerberos.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

SLUICE_CHANGES="$(registration_changes kerberos password)
	s|^    #transports = .*|    transports = [\"udp\", \"tcp\"];|"
# shellcheck disable=SC2086 # two mappings
registration_begin ${EXPERIMENT_MAPPINGS[1]}
iperf_start
ping_fails || fail "pc reaches srv without any tunnel"

for method in password kerberos; do
	step "by $method: one TCP connection for all: registration, IKE, 65,000 bytes, iperf3 both ways"
	CONNECT_CHANGES="$(connect_registers $method)
		s|^#transport = .*|transport = \"tcp\";|"
	capture_start session fw port1 -s 128
	connect_start
	connect_wait connected
	wait_for 5 "the session in sluicectl show" member_is_listed
	wait_for 5 "the connection in a worker" tcp_in_worker
	sluicectl show
	wait_for_ping
	ping_without_loss 20 65000
	iperf_both_ways 3
	capture_stop session
	flows=$(tcp_connections session)
	[[ $(wc -l <<<"$flows") == 1 ]] || fail "there is more than one TCP connection: $flows"
	udp=$(capture_udp_flows session)
	[[ -z $udp ]] || fail "something of it goes by UDP: $udp"

	step "an inner packet of 1,500 bytes leaves as two segments, PSH on the last"
	tcp_cuts_in_two

	step "the branch ends: HQ knows, and no key is left to come back with"
	stop connect
	wait_for 10 "the session's end" member_is_gone
	ping_fails || fail "pc reaches srv although the tunnel is down"
done
