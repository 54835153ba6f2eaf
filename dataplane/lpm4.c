/* SPDX-License-Identifier: Apache-2.0 */
#include "lpm4.h"

#include <rte_malloc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_LEN = 24, /* bits of the first array's index */
	GROUPS_MIN = 256,
	GROUPS_MAX = 1 << 16,
	NAME_LEN = 64,
};

static void group_free(void *context, void *group, unsigned int count)
{
	struct lpm4 *lpm = context;

	(void)count;
	lpm->free[lpm->n_free++] = *(uint32_t *)group;
}

static struct rte_rcu_qsbr_dq *retired_make(struct lpm4 *lpm, const char *name, uint32_t n_groups)
{
	struct rte_rcu_qsbr_dq_parameters parameters = {
		.name = name,
		.size = n_groups,
		.esize = sizeof(uint32_t),
		.max_reclaim_size = n_groups,
		.trigger_reclaim_limit = n_groups / 2,
		.free_fn = group_free,
		.p = lpm,
		.v = lpm->qsbr,
	};

	return rte_rcu_qsbr_dq_create(&parameters);
}

int lpm4_init(struct lpm4 *lpm, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr)
{
	uint32_t n_groups = RTE_MIN(GROUPS_MIN + capacity / 4, (uint32_t)GROUPS_MAX);
	struct rte_rib_conf conf = {.max_nodes = (int)(2 * capacity)}; /* a branch for each prefix */
	char full[NAME_LEN];

	memset(lpm, 0, sizeof(*lpm));
	atomic_init(&lpm->all, LPM_NONE);
	lpm->qsbr = qsbr;
	snprintf(full, sizeof(full), "%s-4", name);
	lpm->rib = rte_rib_create(full, SOCKET_ID_ANY, &conf);
	lpm->first = rte_zmalloc("lpm4", sizeof(*lpm->first) << FIRST_LEN, RTE_CACHE_LINE_SIZE);
	lpm->groups = rte_zmalloc("lpm4", sizeof(*lpm->groups) * LPM4_GROUP_LEN * n_groups, RTE_CACHE_LINE_SIZE);
	lpm->longer = calloc(n_groups, sizeof(*lpm->longer));
	lpm->free = calloc(n_groups, sizeof(*lpm->free));
	lpm->retired = retired_make(lpm, full, n_groups);
	if (!lpm->rib || !lpm->first || !lpm->groups || !lpm->longer || !lpm->free || !lpm->retired) {
		lpm4_free(lpm);
		return -ENOMEM;
	}
	for (uint32_t i = n_groups; i > 0; i--)
		lpm->free[lpm->n_free++] = i - 1;
	return 0;
}

void lpm4_free(struct lpm4 *lpm)
{
	rte_rcu_qsbr_dq_delete(lpm->retired);
	rte_rib_free(lpm->rib);
	rte_free(lpm->first);
	rte_free(lpm->groups);
	free(lpm->longer);
	free(lpm->free);
	memset(lpm, 0, sizeof(*lpm));
}

/* --- entries ---------------------------------------------------------------------------------------------------- */

static uint32_t entry_make(uint32_t value, uint8_t len)
{
	return (uint32_t)len << LPM4_LEN_SHIFT | value;
}

static uint32_t entry_len(uint32_t entry)
{
	return entry >> LPM4_LEN_SHIFT & 0x3f;
}

static uint32_t entry_get(const _Atomic uint32_t *entry)
{
	return atomic_load_explicit(entry, memory_order_relaxed);
}

static void entry_set(_Atomic uint32_t *entry, uint32_t value)
{
	atomic_store_explicit(entry, value, memory_order_release);
}

/*
 * Of `count` entries those that no longer prefix than `len` has taken. They get `entry`, which stands for a prefix of
 * that length, or for the one around it where it goes.
 */
static void entries_set(struct lpm4 *lpm, _Atomic uint32_t *entries, uint32_t count, uint8_t len, uint32_t entry)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t old = entry_get(&entries[i]);

		if (old & LPM4_GROUP)
			entries_set(
				lpm, &lpm->groups[(old & LPM_VALUE_MAX) * LPM4_GROUP_LEN], LPM4_GROUP_LEN, len, entry);
		else if (entry_len(old) <= len)
			entry_set(&entries[i], entry);
	}
}

/* --- groups ----------------------------------------------------------------------------------------------------- */

static int64_t group_take(struct lpm4 *lpm)
{
	if (lpm->n_free == 0) {
		rte_rcu_qsbr_synchronize(lpm->qsbr, RTE_QSBR_THRID_INVALID);
		rte_rcu_qsbr_dq_reclaim(lpm->retired, GROUPS_MAX, NULL, NULL, NULL);
	}
	return lpm->n_free > 0 ? (int64_t)lpm->free[--lpm->n_free] : -ENOSPC;
}

/* The group behind an entry of the first array, made where there is none; or -ENOSPC. */
static int64_t group_open(struct lpm4 *lpm, _Atomic uint32_t *first)
{
	uint32_t entry = entry_get(first);
	int64_t group;

	if (entry & LPM4_GROUP)
		return entry & LPM_VALUE_MAX;
	group = group_take(lpm);
	if (group < 0)
		return group;
	lpm->longer[group] = 0;
	for (uint32_t i = 0; i < LPM4_GROUP_LEN; i++)
		entry_set(&lpm->groups[group * LPM4_GROUP_LEN + i], entry);
	entry_set(first, LPM4_GROUP | (uint32_t)group);
	return group;
}

/* Its last prefix has gone: all its entries are equal now. */
static void group_close(struct lpm4 *lpm, _Atomic uint32_t *first, uint32_t group)
{
	entry_set(first, entry_get(&lpm->groups[group * LPM4_GROUP_LEN]));
	rte_rcu_qsbr_dq_enqueue(lpm->retired, &group);
}

/* --- prefixes --------------------------------------------------------------------------------------------------- */

static uint32_t node_value(const struct rte_rib_node *node)
{
	uint64_t value;

	return node && rte_rib_get_nh(node, &value) == 0 ? (uint32_t)value : LPM_NONE;
}

/* What the entries of a prefix become when it goes: those of the one around it. 0.0.0.0/0 has none. */
static uint32_t entry_around(struct rte_rib_node *node)
{
	struct rte_rib_node *around = rte_rib_lookup_parent(node);
	uint8_t len = 0;

	if (around)
		rte_rib_get_depth(around, &len);
	return len > 0 ? entry_make(node_value(around), len) : 0;
}

/* The entries of a prefix, or -ENOSPC. */
static int entries_open(struct lpm4 *lpm, uint32_t address, uint8_t len, _Atomic uint32_t **entries, uint32_t *count)
{
	_Atomic uint32_t *first = &lpm->first[address >> 8];
	int64_t group;

	*entries = first;
	*count = 1u << (len > FIRST_LEN ? 32 - len : FIRST_LEN - len);
	if (len <= FIRST_LEN)
		return 0;
	group = group_open(lpm, first);
	if (group < 0)
		return (int)group;
	*entries = &lpm->groups[group * LPM4_GROUP_LEN + (address & (LPM4_GROUP_LEN - 1))];
	return 0;
}

int lpm4_set(struct lpm4 *lpm, uint32_t address, uint8_t len, uint32_t value)
{
	struct rte_rib_node *node = rte_rib_lookup_exact(lpm->rib, address, len);
	bool is_new = !node;
	_Atomic uint32_t *entries;
	uint32_t count;

	if (is_new)
		node = rte_rib_insert(lpm->rib, address, len);
	if (!node)
		return -ENOSPC;
	if (len == 0) {
		atomic_store_explicit(&lpm->all, value, memory_order_release);
	} else if (entries_open(lpm, address, len, &entries, &count) == 0) {
		if (is_new && len > FIRST_LEN)
			lpm->longer[entry_get(&lpm->first[address >> 8]) & LPM_VALUE_MAX]++;
		entries_set(lpm, entries, count, len, entry_make(value, len));
	} else { /* which a prefix that has its entries already never meets */
		rte_rib_remove(lpm->rib, address, len);
		return -ENOSPC;
	}
	rte_rib_set_nh(node, value);
	return 0;
}

void lpm4_delete(struct lpm4 *lpm, uint32_t address, uint8_t len)
{
	struct rte_rib_node *node = rte_rib_lookup_exact(lpm->rib, address, len);
	_Atomic uint32_t *entries, *first = &lpm->first[address >> 8];
	uint32_t count, group;

	if (!node)
		return;
	if (len == 0) {
		atomic_store_explicit(&lpm->all, LPM_NONE, memory_order_release);
	} else if (entries_open(lpm, address, len, &entries, &count) == 0) {
		entries_set(lpm, entries, count, len, entry_around(node));
		group = entry_get(first) & LPM_VALUE_MAX;
		if (len > FIRST_LEN && --lpm->longer[group] == 0)
			group_close(lpm, first, group);
	}
	rte_rib_remove(lpm->rib, address, len);
}

uint32_t lpm4_get(const struct lpm4 *lpm, uint32_t address, uint8_t len)
{
	return node_value(rte_rib_lookup_exact(lpm->rib, address, len));
}

/* By the tree of shorter ones: a prefix that is not there itself has no place in it. */
uint32_t lpm4_around(const struct lpm4 *lpm, uint32_t address, uint8_t len)
{
	struct rte_rib_node *node = rte_rib_lookup(lpm->rib, address);
	uint8_t found;

	for (; node; node = rte_rib_lookup_parent(node))
		if (rte_rib_get_depth(node, &found) == 0 && found < len)
			return node_value(node);
	return LPM_NONE;
}

void lpm4_inside(const struct lpm4 *lpm, uint32_t address, uint8_t len, void (*visit)(void *context, uint32_t value),
	void *context)
{
	struct rte_rib_node *node = NULL;

	while ((node = rte_rib_get_nxt(lpm->rib, address, len, node, RTE_RIB_GET_NXT_COVER)))
		visit(context, node_value(node));
}
