#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The field's experiment 4: the firewall maps UDP 88 alone and answers TCP 88 with RST. The branch says so and why that
# matters, and connects by IKE alone, which brings an address, where its credentials allow it.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

# Who comes by IKE alone: users behind the gateway's certificate.
SLUICE_CHANGES=$(registration_changes password certificate)'
	s|^peers = (|&\
	    { name = "alone"; identity = "branch1.example"; ikev1 = true; aggressive = true; auth = ["hybrid-rsa"];\
	      pool = "clients"; local_networks = ["192.168.2.0/24"]; },|'
CONNECT_CHANGES=$(connect_registers password)
# shellcheck disable=SC2086 # one mapping
registration_begin ${EXPERIMENT_MAPPINGS[4]}

says() { grep -Eq "$1" "$LAB_DIR/connect.log"; }

step "TCP is refused: said at once, and IKE goes on alone, with the user's password"
began=$SECONDS
connect_start
wait_for 5 "why TCP matters" says 'event=not_registered code=refused .*TCP port 88 \(RST\).*maps only UDP'
connect_wait connected
say "connected after $((SECONDS - began)) s"
address=$(connect_value virtual_address)
[[ $address == 10.99.0.* ]] || fail "mode-config gave '$address'"
TALKER=branch
wait_for_ping
ping_without_loss 5 65000
stop connect

step "the same with a certificate"
SLUICE_CHANGES=${SLUICE_CHANGES/hybrid-rsa/rsa}
CONNECT_CHANGES=$(connect_registers certificate)
stop sluiced
stop sluice-dataplane
sluice_configure
dataplane_start
sluiced_start
rm "$LAB_DIR/connect.log"
connect_start
wait_for 5 "why TCP matters" says 'event=not_registered code=refused '
connect_wait connected
[[ $(connect_value virtual_address) == 10.99.0.* ]] || fail "mode-config gave '$(connect_value virtual_address)'"
wait_for_ping
stop connect

step "with Kerberos alone there is no other way, which is said"
CONNECT_CHANGES=$(connect_registers kerberos)
connect_configure
began=$SECONDS
connect_once_says refused
((SECONDS - began <= 5)) || fail "that took $((SECONDS - began)) s"
grep -q 'IKE alone wants a certificate' "$LAB_DIR/once.log" || fail "it does not say why IKE alone can't"
