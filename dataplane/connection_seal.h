/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of any connections that a worker encrypts together: numbered and sealed when a burst of them is full or the
 * turn ends, then framed (RFC 9329) and given to their endpoints. What is gathered here has its place in its
 * connection's window, so it never stays longer than a turn.
 */
#pragma once

#include "connection.h"
#include "esp/esp.h"
#include "packet.h"
#include "worker.h"

#include <stdint.h>

/* Position i of each array is one packet. */
struct connection_sealing {
	uint16_t count;
	struct connection *connections[BURST];
	uint32_t children[BURST];
	struct esp_packet esp[BURST];
};

/* An inner packet that the child SA `child` carries. Its frame's bytes are the connection's `gathered` until then. */
void connection_seal_add(struct worker *worker, struct connection *connection, struct rte_mbuf *packet, uint32_t child);

/* All that was gathered. */
void connection_seal(struct worker *worker);

/* One frame, in the buffer whose data it is, to the endpoint. */
void connection_frame(
	struct worker *worker, struct connection *connection, struct rte_mbuf *packet, enum frame_kind kind);
