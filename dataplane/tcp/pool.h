/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots: one for each stretch of bytes that an endpoint keeps, be it sent and not acknowledged, come out of order, or
 * waiting to be sent. The pool is one thread's, shared by all of its endpoints, so that idle ones need none; its memory
 * is the caller's. Slots are linked by their numbers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { TCP_NONE = UINT32_MAX }; /* no slot */

enum tcp_slot_flag {
	TCP_SLOT_LAST = 0x01,	       /* ends a frame: PSH, and the frame's owner goes back when it is acknowledged */
	TCP_SLOT_FIN = 0x02,	       /* takes one sequence number behind its bytes, which are none */
	TCP_SLOT_SACKED = 0x04,	       /* the peer has it, says RFC 2018 */
	TCP_SLOT_LOST = 0x08,	       /* to be sent again (RFC 8985) */
	TCP_SLOT_RETRANSMITTED = 0x10, /* was sent more than once */
	TCP_SLOT_FLIGHT = 0x20,	       /* sent, and neither SACKED nor LOST since: in the list by time */
	TCP_SLOT_MARK = 0x40,	       /* of the backlog: the packet can be told of congestion */
};

struct tcp_slot {
	uint8_t *data;
	void *owner;		 /* of the memory at data, to the caller; may be NULL */
	uint64_t time;		 /* microseconds: of the last transmission, or when it began to wait */
	uint32_t next, previous; /* by sequence */
	uint32_t newer, older;	 /* in flight: by time of the last transmission */
	uint32_t run;		 /* of the first of a run of SACKED slots the last, and the reverse */
	uint32_t seq, len;
	uint32_t first_time; /* of the first transmission, the low half of it */
	uint8_t flags;	     /* enum tcp_slot_flag */
	uint8_t unused[7];
};
_Static_assert(sizeof(struct tcp_slot) == 64, "a cache line");

struct tcp_pool {
	struct tcp_slot *slots; /* best where a cache line begins */
	uint32_t count, n_free;
	uint32_t free; /* the first of the free ones, linked by `next` */
};

static inline void tcp_pool_init(struct tcp_pool *pool, struct tcp_slot *slots, uint32_t count)
{
	*pool = (struct tcp_pool){.slots = slots, .count = count, .n_free = count, .free = count ? 0 : TCP_NONE};
	for (uint32_t i = 0; i < count; i++)
		slots[i].next = i + 1 < count ? i + 1 : TCP_NONE;
}

/* A slot whose fields the caller sets, or TCP_NONE. The next one to be taken is fetched meanwhile. */
static inline uint32_t tcp_pool_take(struct tcp_pool *pool)
{
	uint32_t slot = pool->free;

	if (slot != TCP_NONE) {
		pool->free = pool->slots[slot].next;
		__builtin_prefetch(&pool->slots[pool->free], 1);
		pool->n_free--;
	}
	return slot;
}

static inline void tcp_pool_give(struct tcp_pool *pool, uint32_t slot)
{
	pool->slots[slot].next = pool->free;
	pool->free = slot;
	pool->n_free++;
}

/* The sequence number behind a slot's bytes. */
static inline uint32_t tcp_slot_end(const struct tcp_slot *slot)
{
	return slot->seq + slot->len + ((slot->flags & TCP_SLOT_FIN) != 0);
}

/* Sequence numbers that it takes. */
static inline uint32_t tcp_slot_span(const struct tcp_slot *slot)
{
	return tcp_slot_end(slot) - slot->seq;
}
