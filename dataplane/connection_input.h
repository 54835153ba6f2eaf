/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From TCP segments to ESP packets: the endpoint puts the stream together, frames are read from it where they lie, and
 * the ESP in them goes the way of all ESP. A frame that is the last thing in its segment's buffer stays in that, and is
 * decrypted there; the others are copied, once.
 */
#pragma once

#include "connection.h"
#include "worker.h"

/*
 * Segments of connections that this worker owns, data at the IP header of meta.outer_len bytes; at most BURST. All of
 * them leave, or wait in their connection while it is held.
 */
void connection_input(
	struct worker *worker, struct connection **connections, struct rte_mbuf **segments, uint16_t count);

/* Bytes of the stream that came with the connection, in memory that stays the caller's. */
void connection_input_bytes(struct worker *worker, struct connection *connection, const uint8_t *bytes, uint32_t len);
