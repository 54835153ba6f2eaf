/* SPDX-License-Identifier: Apache-2.0 */
/* The segments that an endpoint lets go: their buffers, TCP and IP headers, checksums, and on their way. */
#pragma once

#include "connection.h"
#include "worker.h"

#include <stdbool.h>
#include <stdint.h>

/* Once, when a connection's ends are known: its `path`. */
void connection_path_init(struct connection *connection);

/*
 * A frame, which is the packet's data and begins at its frame_offset, as the segment that it is, if it may leave now
 * and nothing else has to be said first. False: nothing has been done. After the last of some, connection_rest.
 */
bool connection_segment_send(struct worker *worker, struct connection *connection, struct rte_mbuf *packet);

/* Sends what may leave now, at most `max`. True: there may be more. */
bool connection_segments_send(struct worker *worker, struct connection *connection, uint32_t max);
