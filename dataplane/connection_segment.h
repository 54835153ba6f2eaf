/* SPDX-License-Identifier: Apache-2.0 */
/* The segments that an endpoint lets go: their buffers, TCP and IP headers, checksums, and on their way. */
#pragma once

#include "connection.h"
#include "worker.h"

#include <stdbool.h>
#include <stdint.h>

/* Once, when a connection's ends are known: its `route` and `sum`. */
void connection_way_init(struct connection *connection);

/* A segment of which all but the frame's bytes is there. */
struct connection_begun {
	const struct connection *connection; /* whose checksum is to be added; NULL: the port does */
	uint16_t header_len;		     /* TCP's */
	uint16_t port;			     /* that it leaves by */
	uint32_t frame_len;
};

/*
 * The segment of a frame that tcp_may_send_at_once, and that will stand in the packet's buffer, at its frame_offset:
 * for its endpoint it has left, and the packet is what the port gets. False: its buffer or its way is not such that it
 * can, and nothing has been done. After the last of some, connection_sent.
 */
bool connection_segment_begin(struct worker *worker, struct connection *connection, struct rte_mbuf *packet,
	uint8_t *frame, uint32_t frame_len, struct connection_begun *begun);

/* The frame's bytes are there: it leaves. */
void connection_segment_end(struct worker *worker, const struct connection_begun *begun, struct rte_mbuf *packet);

/* Sends what may leave now, at most `max`. True: there may be more. */
bool connection_segments_send(struct worker *worker, struct connection *connection, uint32_t max);
