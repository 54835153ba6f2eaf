/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Longest prefix match on IPv4: rte_lpm, and beside it the one prefix that rte_lpm has not, 0.0.0.0/0. Written by the
 * main thread while workers look up; its groups are reused only after their quiescent state. Values have 24 bits.
 */
#pragma once

#include <rte_lpm.h>
#include <rte_rcu_qsbr.h>

#include <stdatomic.h>
#include <stdint.h>

enum { LPM4_NONE = 0xffffffff, LPM4_VALUE_MAX = (1 << 24) - 1 };

struct lpm4 {
	struct rte_lpm *lpm;
	_Atomic uint32_t all; /* value of 0.0.0.0/0 */
};

/* `name` is unique in the process. 0 or -ENOMEM. */
int lpm4_init(struct lpm4 *lpm, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr);
void lpm4_free(struct lpm4 *lpm);

/* Adds or replaces. 0 or -ENOSPC. Addresses in host order. */
int lpm4_set(struct lpm4 *lpm, uint32_t address, uint8_t len, uint32_t value);
void lpm4_delete(struct lpm4 *lpm, uint32_t address, uint8_t len);

/* Main thread: the value of exactly that prefix, or LPM4_NONE. */
uint32_t lpm4_get(const struct lpm4 *lpm, uint32_t address, uint8_t len);

/* Worker: the value of the longest prefix that holds the address, or LPM4_NONE. */
static inline uint32_t lpm4_find(const struct lpm4 *lpm, uint32_t address)
{
	uint32_t value;

	if (rte_lpm_lookup(lpm->lpm, address, &value) == 0)
		return value;
	return atomic_load_explicit(&lpm->all, memory_order_acquire);
}
