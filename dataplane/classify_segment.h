/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP segments to us: those of a connection that a worker owns go to it, whatever their flags; all others are the
 * kernel's. One that comes where such segments came before, and of a connection that was seen lately, is known at
 * sight: its addresses and ports say that it is for us and whose it is, and nothing else of it is asked.
 */
#pragma once

#include "classify.h"
#include "connection_lookup.h"

#include <rte_ether.h>

/* A whole packet to us, with a TCP header behind its IP header of `header_len` bytes. */
void classify_segment(struct worker *worker, struct rte_mbuf *packet, uint16_t header_len, struct classified *out);

/* A frame to our Ethernet address. False: nothing is done, and it may be anything. */
bool classify_segment_at_sight(struct worker *worker, uint16_t port, struct rte_mbuf *frame, struct classified *out);

/* Where a frame's segment would be remembered, if it is one. */
static inline uint32_t classify_place(const struct rte_mbuf *frame)
{
	const uint8_t *header = rte_pktmbuf_mtod_offset(frame, const uint8_t *, RTE_ETHER_HDR_LEN);

	return connection_memory_place(
		header, header_is_ipv6(header) ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr));
}

/* Fetches that, when the frame has arrived; and then the ends of the connection there. */
static inline void classify_prefetch_place(const struct connection_memory *memory, const struct rte_mbuf *frame)
{
	rte_prefetch0(&memory->places[classify_place(frame)]);
}
static inline void classify_prefetch_ends(const struct connection_memory *memory, const struct rte_mbuf *frame)
{
	rte_prefetch0(memory->places[classify_place(frame)].connection);
}
