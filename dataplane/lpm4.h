/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Longest prefix match on IPv4 for lookups without a lock while the main thread writes. The lookup is rte_lpm's, one
 * array for the first 24 bits and groups of 256 for the rest; but the prefixes themselves are in rte_rib. rte_lpm keeps
 * them in lists that it searches from end to end for each change, and looks through its groups for a free one: with
 * 100,000 prefixes neither fits 50,000 changes a second. Here a change costs the depth of a tree and the entries that
 * it concerns. A group is used again only after every worker has been quiescent. Values have 24 bits.
 */
#pragma once

#include <rte_prefetch.h>
#include <rte_rcu_qsbr.h>
#include <rte_rib.h>

#include <stdatomic.h>
#include <stdint.h>

enum { LPM_NONE = 0xffffffff, LPM_VALUE_MAX = (1 << 24) - 1 };

/*
 * An entry: a value in 24 bits, and above these the length of its prefix, which tells the main thread what it may write
 * over. Zero: no prefix, or only 0.0.0.0/0.
 */
enum {
	LPM4_GROUP_LEN = 256,
	LPM4_LEN_SHIFT = 24,
	LPM4_GROUP = 1 << 30, /* the value is the number of a group */
};

struct lpm4 {
	_Atomic uint32_t *first;  /* 2^24 entries, by the upper 24 bits */
	_Atomic uint32_t *groups; /* LPM4_GROUP_LEN entries each, by the lower 8 bits */
	_Atomic uint32_t all;     /* value of 0.0.0.0/0 */
	/* main thread */
	struct rte_rib *rib;
	uint16_t *longer; /* of each group: how many prefixes are longer than 24 bits */
	uint32_t *free;
	uint32_t n_free;
	struct rte_rcu_qsbr *qsbr;
	struct rte_rcu_qsbr_dq *retired; /* groups that workers may still read */
};

/* `name` is unique in the process. 0 or -ENOMEM. */
int lpm4_init(struct lpm4 *lpm, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr);
void lpm4_free(struct lpm4 *lpm);

/* Adds or replaces. 0 or -ENOSPC, nothing having changed then. Addresses in host order, bits behind the length zero. */
int lpm4_set(struct lpm4 *lpm, uint32_t address, uint8_t len, uint32_t value);
void lpm4_delete(struct lpm4 *lpm, uint32_t address, uint8_t len);

/* Main thread: the value of exactly that prefix; of the longest prefix around it but itself; or LPM_NONE. */
uint32_t lpm4_get(const struct lpm4 *lpm, uint32_t address, uint8_t len);
uint32_t lpm4_around(const struct lpm4 *lpm, uint32_t address, uint8_t len);

/* Main thread: visits the values of the prefixes inside of that one which have no other between it and themselves. */
void lpm4_inside(const struct lpm4 *lpm, uint32_t address, uint8_t len, void (*visit)(void *context, uint32_t value),
	void *context);

/* Worker: what a lookup of that address will read first. */
static inline void lpm4_prefetch(const struct lpm4 *lpm, uint32_t address)
{
	rte_prefetch0((const void *)&lpm->first[address >> 8]);
}

/* Worker: the value of the longest prefix that holds the address, or LPM_NONE. */
static inline uint32_t lpm4_find(const struct lpm4 *lpm, uint32_t address)
{
	uint32_t entry = atomic_load_explicit(&lpm->first[address >> 8], memory_order_acquire);

	if (entry & LPM4_GROUP)
		entry = atomic_load_explicit(
			&lpm->groups[(entry & LPM_VALUE_MAX) * LPM4_GROUP_LEN + (address & (LPM4_GROUP_LEN - 1))],
			memory_order_acquire);
	if (entry != 0)
		return entry & LPM_VALUE_MAX;
	return atomic_load_explicit(&lpm->all, memory_order_acquire);
}
