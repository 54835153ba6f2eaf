#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The field's experiment 2: the firewall maps TCP and UDP 88 to HQ's 4009, and UDP is the transport. The branch goes on at
# the port that it dialed, whatever HQ's own is called, and comes up where the product of the field report fails.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

SLUICE_CHANGES=$(registration_changes kerberos password)
# shellcheck disable=SC2086 # two mappings
registration_begin ${EXPERIMENT_MAPPINGS[2]}
iperf_start

for method in password kerberos; do
	step "by $method the tunnel comes up over UDP through a mapping that changes the port"
	CONNECT_CHANGES=$(connect_registers $method)
	experiment_over_udp 4009
	experiment_cuts_in_two
	stop connect
done
