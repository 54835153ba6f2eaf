/* SPDX-License-Identifier: Apache-2.0 */
/* The segments that an endpoint lets go: their buffers, TCP and IP headers, checksums, and on their way. */
#pragma once

#include "connection.h"
#include "worker.h"

#include <stdbool.h>
#include <stdint.h>

/* Once, when a connection's ends are known: its `path`. */
void connection_path_init(struct connection *connection);

/* Sends what may leave now, at most `max`. True: there may be more. */
bool connection_segments_send(struct worker *worker, struct connection *connection, uint32_t max);
