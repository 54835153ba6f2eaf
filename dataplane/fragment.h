/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cutting a packet to an MTU: IPv4 (RFC 791 section 3.2), and IPv6 that is our own to send or our own host's to take
 * (RFC 8200 section 4.5). IPv6 of others is never cut: whoever calls tells its sender instead (icmp.h).
 */
#pragma once

#include "worker.h"

enum { FRAGMENT_PIECES_MAX = 64 };

/*
 * Cuts `packet` (data at its IP header, longer than `mtu`) into `pieces`: the first is the packet itself, shortened,
 * the others are made from the packet pool, with as much headroom. Returns how many; 0 when it can't be, the packet
 * having left by its exit.
 */
uint16_t fragment_cut(
	struct worker *worker, struct rte_mbuf *packet, uint16_t mtu, struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX]);
