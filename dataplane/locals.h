/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own addresses, for the question that is asked about every packet that comes in: is it for us? A small hash with
 * open addressing, so that the answer no costs one slot and no way through the routes. Made anew by the main thread
 * with each change; the former one is freed when every worker has been quiescent.
 */
#pragma once

#include "ip.h"

#include <rte_rcu_qsbr.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct local_address {
	union ip_address address;
	uint16_t port;
};

/* Empty slots are zero. Few are in use, so that the way of a packet in transit ends at the first, and is foreseen. */
struct locals_set {
	uint32_t mask; /* of a slot's number */
	union ip_address slots[];
};

struct locals {
	_Atomic(const struct locals_set *) set; /* main: writes; workers: read */
	/* main thread */
	struct local_address *list;
	uint32_t count, capacity;
	struct rte_rcu_qsbr_dq *retired; /* sets that workers may still read */
};

/* `name` is unique in the process. 0 or -ENOMEM. */
int locals_init(struct locals *locals, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr);
void locals_free(struct locals *locals);

/* An address may be on several ports, once on each. 0, or -ENOMEM or -ENOSPC, nothing having changed then. */
int locals_add(struct locals *locals, const union ip_address *address, uint16_t port);
/* Does nothing where it is not there. 0 or -ENOMEM. */
int locals_remove(struct locals *locals, const union ip_address *address, uint16_t port);

/* Main thread: the lowest address of that family on that port; none: there is none. Link-local ones do not count. */
union ip_address locals_lowest(const struct locals *locals, uint16_t port, bool ipv6);

static inline uint32_t locals_hash(const union ip_address *address)
{
	/* 2^64 by the golden ratio: it spreads all bits upwards. */
	static const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)((address->words[0] * odd ^ address->words[1]) * odd >> 32);
}

/* Worker: is it an address of ours? */
static inline bool locals_has(const struct locals *locals, const union ip_address *address)
{
	const struct locals_set *set = atomic_load_explicit(&locals->set, memory_order_acquire);
	uint32_t slot = locals_hash(address) & set->mask;

	while (!ip_is_none(&set->slots[slot])) {
		if (ip_equal(&set->slots[slot], address))
			return true;
		slot = (slot + 1) & set->mask;
	}
	return false;
}
