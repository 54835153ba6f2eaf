/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From TCP segments to ESP packets: the endpoint puts the stream together, frames are read from it where they lie, and
 * the ESP in them goes the way of all ESP. A frame that is the last thing in its segment's buffer stays in that, and is
 * decrypted there; the others are copied, once.
 */
#pragma once

#include "connection.h"
#include "worker.h"

#include <rte_ip.h>

/* A segment that is no longer, from its IP header on, is taken for an ACK alone. */
enum { CONNECTION_ACK_LEN_MAX = sizeof(struct rte_ipv6_hdr) + TCP_HEADER_MAX };
static inline bool connection_may_acknowledge(const struct rte_mbuf *segment)
{
	return rte_pktmbuf_data_len(segment) <= CONNECTION_ACK_LEN_MAX;
}

/* What a segment needs of its connection: what an ACK does is not all what data do. */
static __rte_always_inline void connection_prefetch_for(
	const struct connection *connection, const struct rte_mbuf *segment)
{
	if (connection_may_acknowledge(segment))
		connection_prefetch_ack(connection);
	else
		connection_prefetch_data(connection);
}

/*
 * Segments of connections that this worker owns, data at the IP header of meta.outer_len bytes; at most BURST. All of
 * them leave, or wait in their connection while it is held.
 */
void connection_input(
	struct worker *worker, struct connection **connections, struct rte_mbuf **segments, uint16_t count);

/*
 * Of two segments of a connection that came one right behind the other: is the first an ACK that the second makes
 * needless? Then it has left.
 */
bool connection_is_overtaken(
	struct worker *worker, struct connection *connection, struct rte_mbuf *packet, struct rte_mbuf *next);

/* Bytes of the stream that came with the connection, in memory that stays the caller's. */
void connection_input_bytes(struct worker *worker, struct connection *connection, const uint8_t *bytes, uint32_t len);
