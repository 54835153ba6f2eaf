/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receive side of a device: where the gateway's packets come from. Like a network card it owns a ring of buffers: a
 * packet is written into its buffer when that enters the ring, and the gateway gets it when the ring has come round, by
 * which time it has left the nearest cache. It always has a full burst; what is measured is the gateway at its limit.
 *
 * Several workers: each has a queue. What is to be encrypted comes to all of them for every session. A session's ESP
 * comes to one: where a card's rule on the SPI would bring it, to the worker that owns the SA (steer=owner), or where a
 * hash of the outer header would, to any (steer=hash).
 *
 * ESP needs a fresh sequence number in each packet, or the replay window drops it. AES-GCM: templates sealed
 * beforehand, their tags patched (patch.h). Any other suite: sealed anew by dataplane/esp, which takes longer than
 * opening does; the meter does not charge it to the gateway.
 */
#pragma once

#include "turn.h"

#include <rte_mbuf.h>

#include <stdint.h>

struct source;

/* Queue `number` of the device, which must stay. NULL with errno. */
struct source *source_new(struct source_device *device, uint16_t number);
void source_free(struct source *source);

/* The receive queue is set up: a ring of that many buffers from that pool. 0 or -ENOMEM. */
int source_ring_make(struct source *source, struct rte_mempool *pool, uint16_t descriptors);

/* Gives the ring's buffers back to their pool, which may not outlive the device's stop. */
void source_ring_free(struct source *source);

/* The driver's receive function; `queue` is the source. */
uint16_t source_receive(void *queue, struct rte_mbuf **packets, uint16_t count);
