/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/ring.h"

#include <errno.h>
#include <string.h>

size_t ring_size(uint32_t slots, uint32_t slot_len)
{
	return sizeof(struct ring_shared) + (size_t)slots * slot_len;
}

void ring_attach(struct ring *ring, void *memory, uint32_t slots, uint32_t slot_len)
{
	ring->shared = memory;
	ring->slots = slots;
	ring->slot_len = slot_len;
}

static uint8_t *ring_slot(const struct ring *ring, uint64_t position)
{
	return ring->shared->slots + (position & (ring->slots - 1)) * ring->slot_len;
}

int ring_push(struct ring *ring, const void *slot)
{
	uint64_t produced = atomic_load_explicit(&ring->shared->produced, memory_order_relaxed);
	uint64_t consumed = atomic_load_explicit(&ring->shared->consumed, memory_order_acquire);

	if (produced - consumed > ring->slots)
		return -EPROTO;
	if (produced - consumed == ring->slots)
		return -ENOSPC;
	memcpy(ring_slot(ring, produced), slot, ring->slot_len);
	atomic_store_explicit(&ring->shared->produced, produced + 1, memory_order_release);
	return 0;
}

int ring_pop(struct ring *ring, void *slot)
{
	uint64_t consumed = atomic_load_explicit(&ring->shared->consumed, memory_order_relaxed);
	uint64_t produced = atomic_load_explicit(&ring->shared->produced, memory_order_acquire);

	if (produced == consumed)
		return 0;
	if (produced - consumed > ring->slots)
		return -EPROTO;
	memcpy(slot, ring_slot(ring, consumed), ring->slot_len);
	explicit_bzero(ring_slot(ring, consumed), ring->slot_len);
	atomic_store_explicit(&ring->shared->consumed, consumed + 1, memory_order_release);
	return 1;
}

uint32_t ring_count(const struct ring *ring)
{
	uint64_t consumed = atomic_load_explicit(&ring->shared->consumed, memory_order_acquire);
	uint64_t produced = atomic_load_explicit(&ring->shared->produced, memory_order_acquire);

	return produced - consumed > ring->slots ? ring->slots : (uint32_t)(produced - consumed);
}

uint32_t ring_room(const struct ring *ring)
{
	return ring->slots - ring_count(ring);
}
