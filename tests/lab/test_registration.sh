#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Registering at HQ: each way to fail is said in a sentence of its own, at once; the tunnel is dialed anew where it was
# lost, and its IKE SA renewed by another registration under traffic; and how long the first ping takes.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

SLUICE_CHANGES=$(registration_changes password certificate)
CONNECT_CHANGES=$(connect_registers password)
# shellcheck disable=SC2086 # two mappings
registration_begin ${EXPERIMENT_MAPPINGS[3]}

step "connects, once"
connect_configure
connect_once || fail "sluice-connect --once: $(cat "$LAB_DIR/once.log")"
grep '^connected' "$LAB_DIR/once.log"

step "fails, each in its way"
connect_once_says wrong_login --password-file "$LAB_DIR/wrong"
connect_once_says certificate --gateway-identity other.example
connect_once_says refused --registration 89
CONNECT_CHANGES=$(connect_registers kerberos)
connect_configure
connect_once_says unsuitable
