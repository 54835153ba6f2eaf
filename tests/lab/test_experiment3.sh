#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The field's experiment 3: the firewall maps TCP and UDP 88 to HQ's 88. The branch registers, HQ ends TCP, and one UDP
# session carries everything, at once.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

SLUICE_CHANGES=$(registration_changes kerberos password)
# shellcheck disable=SC2086 # two mappings
registration_begin ${EXPERIMENT_MAPPINGS[3]}
iperf_start
ping_fails || fail "pc reaches srv without any tunnel"

for method in password kerberos; do
	step "by $method the tunnel comes up over UDP, and HQ ends TCP"
	CONNECT_CHANGES=$(connect_registers $method)
	experiment_over_udp 88

	step "an inner packet of 1,500 bytes leaves as two IP fragments"
	experiment_cuts_in_two

	step "the branch ends: HQ knows"
	stop connect
	wait_for 10 "the session's end" member_is_gone
	ping_fails || fail "pc reaches srv although the tunnel is down"
done
