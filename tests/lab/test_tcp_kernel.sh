#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The story of TCP as transport with all connections left in the kernel (ike.tcp_takeover = false).
TAKEOVER=false exec "$(dirname "${BASH_SOURCE[0]}")/test_tcp.sh"
