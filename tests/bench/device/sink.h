/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transmit side of a device: counts what the gateway sends, looks closely at samples, and gives the buffers back
 * when the ring has come round, as a network card does when it has sent them.
 */
#pragma once

#include <rte_mbuf.h>

#include <stdint.h>

struct sink;

enum { SINK_BURST_MAX = 64 };

/* Queue `number`, with a ring of that many buffers. NULL with errno. */
struct sink *sink_new(uint16_t number, uint16_t descriptors);
void sink_free(struct sink *sink);

/* The driver's transmit function; `queue` is the sink. It takes everything. */
uint16_t sink_transmit(void *queue, struct rte_mbuf **packets, uint16_t count);

/* Its ring alone, for at most SINK_BURST_MAX packets. */
void sink_keep(struct sink *sink, struct rte_mbuf **packets, uint16_t count);
