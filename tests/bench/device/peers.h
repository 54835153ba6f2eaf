/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The branches' ends of the sessions' TCP connections (RFC 9329), as far as a network without loss shows them: what a
 * queue of the gateway sends is read, and acknowledged, one ACK for every second segment as a kernel does, or more
 * rarely (acknowledge=N); each arrives a round trip later (rtt=MICROSECONDS). A lone segment is acknowledged after 40
 * ms.
 *
 * Frames may be cut into segments anywhere. They are counted where they end; samples are put together and checked.
 *
 * One for a queue of the device on the ESP side; its worker alone uses it.
 */
#pragma once

#include "segment.h"
#include "turn.h"

#include <rte_mbuf.h>

#include <stdint.h>

/* One connection, seen from the branch. */
struct peer {
	uint64_t heard;		 /* TSC: when the last data came */
	uint32_t next;		 /* the sequence number of the gateway's next byte */
	uint32_t frame_left;	 /* bytes of its frame under way that are still to come */
	uint32_t recent;	 /* its last timestamp */
	uint32_t sent;		 /* the sequence number of our next byte */
	uint32_t window_end;	 /* the first byte that the gateway does not want yet */
	uint16_t pending;	 /* segments that came and are not acknowledged */
	uint8_t length_first;	 /* the first byte of a length field that was cut in two ... */
	uint8_t length_is_begun; /* ... 1: there is one */
};

struct peers;

/* Queue `number`, with rings of so many buffers. NULL with errno. The device must stay. */
struct peers *peers_new(struct source_device *device, uint16_t number, uint16_t descriptors);
void peers_free(struct peers *peers);

/* Where buffers for acknowledgements come from. */
void peers_pool_set(struct peers *peers, struct rte_mempool *pool);

/* The peer of a session; the traffic is there. NULL: no memory. */
struct peer *peers_get(struct peers *peers, uint32_t session);

/* Milliseconds, as a branch's timestamps count them. */
uint32_t peers_timestamp(void);

/* The driver's functions; `queue` is the peers. Transmit takes everything, receive gives acknowledgements that are due.
 */
uint16_t peers_transmit(void *queue, struct rte_mbuf **packets, uint16_t count);
uint16_t peers_receive(void *queue, struct rte_mbuf **packets, uint16_t count);
