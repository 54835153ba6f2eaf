/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring in shared memory for one producer and one consumer in different processes. Neither trusts the other's index:
 * a distance greater than the ring is reported, never followed. The number and size of slots are parameters from
 * private memory, not read from the shared part.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct ring_shared {
	_Alignas(64) _Atomic uint64_t produced; /* written by the producer */
	_Alignas(64) _Atomic uint64_t consumed; /* written by the consumer */
	_Alignas(64) uint8_t slots[];
};

/* One side's view of a ring. */
struct ring {
	struct ring_shared *shared;
	uint32_t slots; /* a power of two */
	uint32_t slot_len;
};

/* Bytes that a ring takes. */
size_t ring_size(uint32_t slots, uint32_t slot_len);

void ring_attach(struct ring *ring, void *memory, uint32_t slots, uint32_t slot_len);

/* 0; -ENOSPC when it is full; -EPROTO when the other side's index is impossible. */
int ring_push(struct ring *ring, const void *slot);

/* Copies the oldest slot out, wipes it, and gives it back. 1; 0 when there is none; -EPROTO as above. */
int ring_pop(struct ring *ring, void *slot);

/* Slots that could be pushed now; 0 also when the other side's index is impossible. */
uint32_t ring_room(const struct ring *ring);
uint32_t ring_count(const struct ring *ring);
