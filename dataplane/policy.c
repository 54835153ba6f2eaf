/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include <rte_malloc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int policy_table_init(struct policy_table *table, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr)
{
	char lpm_name[RTE_HASH_NAMESIZE];

	memset(table, 0, sizeof(*table));
	snprintf(lpm_name, sizeof(lpm_name), "%s-policies", name);
	if (capacity == 0 || capacity > LPM_VALUE_MAX)
		return -EINVAL;
	table->policies = rte_zmalloc("policies", capacity * sizeof(struct policy), RTE_CACHE_LINE_SIZE);
	table->owners = calloc(capacity, sizeof(*table->owners));
	table->free = calloc(capacity, sizeof(*table->free));
	table->prefixes = calloc(capacity, sizeof(*table->prefixes));
	if (!table->policies || !table->owners || !table->free || !table->prefixes ||
		lpm_init(&table->lpm, lpm_name, capacity, qsbr) < 0) {
		policy_table_free(table);
		return -ENOMEM;
	}
	for (uint32_t i = capacity; i > 0; i--)
		table->free[table->n_free++] = i - 1;
	SLIST_INIT(&table->unused);
	for (uint32_t i = 0; i < capacity; i++)
		SLIST_INSERT_HEAD(&table->unused, &table->prefixes[i], link);
	return 0;
}

void policy_table_free(struct policy_table *table)
{
	lpm_free(&table->lpm);
	rte_free(table->policies);
	free(table->owners);
	free(table->free);
	free(table->prefixes);
	memset(table, 0, sizeof(*table));
}

/* The network of that first policy; NULL for TABLES_NONE. */
static struct policy_prefix *prefix_of(const struct policy_table *table, uint32_t first)
{
	return first == TABLES_NONE ? NULL : policy_prefix_of(table, &table->policies[first]);
}

static uint32_t prefix_first(const struct policy_prefix *prefix)
{
	return prefix ? atomic_load_explicit(&prefix->first, memory_order_relaxed) : TABLES_NONE;
}

/*
 * A prefix for its first policy, with what is around it, but not yet in sight. There is always an unused one: each that
 * is taken has a policy, and there are as many of these.
 */
static struct policy_prefix *prefix_take(struct policy_table *table, const struct ip_network *remote)
{
	struct policy_prefix *prefix = SLIST_FIRST(&table->unused);

	SLIST_REMOVE_HEAD(&table->unused, link);
	prefix->network = *remote;
	prefix->members = 0;
	atomic_store_explicit(&prefix->first, TABLES_NONE, memory_order_relaxed);
	atomic_store_explicit(
		&prefix->shorter, prefix_of(table, lpm_around(&table->lpm, remote)), memory_order_release);
	return prefix;
}

struct relink {
	struct policy_table *table;
	struct policy_prefix *outer;
};

static void relink_one(void *context, uint32_t first)
{
	struct relink *relink = context;

	relink->table->n_relinked++;
	atomic_store_explicit(&prefix_of(relink->table, first)->shorter, relink->outer, memory_order_release);
}

/* In sight: it comes between those right inside of it and what was around them until now. */
static void prefix_show(struct policy_table *table, struct policy_prefix *prefix)
{
	struct relink relink = {.table = table, .outer = prefix};

	lpm_inside(&table->lpm, &prefix->network, relink_one, &relink);
}

/* Out of sight. Its own way outwards stays, for the readers that are still in it. */
static void prefix_hide(struct policy_table *table, struct policy_prefix *prefix)
{
	struct relink relink = {.table = table, .outer = atomic_load_explicit(&prefix->shorter, memory_order_relaxed)};

	lpm_delete(&table->lpm, &prefix->network);
	atomic_store_explicit(&prefix->first, TABLES_NONE, memory_order_release);
	lpm_inside(&table->lpm, &prefix->network, relink_one, &relink);
}

static void prefix_leave(struct policy_table *table, struct policy_prefix *prefix)
{
	if (--prefix->members == 0)
		SLIST_INSERT_HEAD(&table->unused, prefix, link);
}

/* `number` becomes the first of its prefix. 0 or -ENOSPC, nothing having changed then. */
static int first_set(struct policy_table *table, struct policy_prefix *prefix, uint32_t number)
{
	int rc = lpm_set(&table->lpm, &prefix->network, number);

	if (rc == 0)
		atomic_store_explicit(&prefix->first, number, memory_order_release);
	return rc;
}

/* RFC 4301 asks for an order among policies of one prefix: the narrower local network first. */
static int policy_link(struct policy_table *table, uint32_t number)
{
	struct policy *policy = &table->policies[number];
	struct policy_prefix *prefix = policy_prefix_of(table, policy);
	uint32_t first = prefix_first(prefix), before = TABLES_NONE, at = first;
	int rc;

	while (at != TABLES_NONE && table->policies[at].local_bits >= policy->local_bits) {
		before = at;
		at = atomic_load_explicit(&table->policies[at].next, memory_order_relaxed);
	}
	atomic_store_explicit(&policy->next, at, memory_order_relaxed);
	if (before != TABLES_NONE) {
		atomic_store_explicit(&table->policies[before].next, number, memory_order_release);
		return 0;
	}
	rc = first_set(table, prefix, number);
	if (rc == 0 && first == TABLES_NONE)
		prefix_show(table, prefix);
	return rc;
}

static void policy_unlink(struct policy_table *table, uint32_t number)
{
	struct policy_prefix *prefix = policy_prefix_of(table, &table->policies[number]);
	uint32_t next = atomic_load_explicit(&table->policies[number].next, memory_order_relaxed);
	uint32_t at = prefix_first(prefix), before = TABLES_NONE;

	while (at != TABLES_NONE && at != number) {
		before = at;
		at = atomic_load_explicit(&table->policies[at].next, memory_order_relaxed);
	}
	if (at == TABLES_NONE)
		return;
	if (before != TABLES_NONE) {
		atomic_store_explicit(&table->policies[before].next, next, memory_order_release);
	} else if (next != TABLES_NONE) {
		first_set(table, prefix, next);
	} else {
		prefix_hide(table, prefix);
	}
}

int64_t policy_open(struct policy_table *table, const struct sa_child *child)
{
	struct policy_prefix *prefix = prefix_of(table, lpm_get(&table->lpm, &child->remote));
	uint32_t number = prefix_first(prefix);
	uint8_t bits = ip_network_bits(&child->local);
	struct policy *policy;
	int rc;

	for (; number != TABLES_NONE; number = atomic_load_explicit(&policy->next, memory_order_relaxed)) {
		policy = &table->policies[number];
		if (table->owners[number].session == child->session && policy->local_bits == bits &&
			ip_equal(&policy->local, &child->local.address)) {
			table->owners[number].references++;
			return number;
		}
	}
	if (table->n_free == 0)
		return -ENOSPC;
	number = table->free[--table->n_free];
	table->owners[number] = (struct policy_owner){.session = child->session, .references = 1};
	if (!prefix)
		prefix = prefix_take(table, &child->remote);
	prefix->members++;
	policy = &table->policies[number];
	*policy = (struct policy){
		.local = child->local.address,
		.child = TABLES_NONE,
		.next = TABLES_NONE,
		.prefix = (uint32_t)(prefix - table->prefixes),
		.local_bits = bits,
	};
	rc = policy_link(table, number);
	if (rc < 0) {
		policy_release(table, number);
		return rc;
	}
	return number;
}

bool policy_close(struct policy_table *table, uint32_t number)
{
	if (--table->owners[number].references > 0)
		return false;
	policy_unlink(table, number);
	return true;
}

void policy_release(struct policy_table *table, uint32_t number)
{
	prefix_leave(table, policy_prefix_of(table, &table->policies[number]));
	table->free[table->n_free++] = number;
}

void policy_set_child(struct policy_table *table, uint32_t number, uint32_t child)
{
	atomic_store_explicit(&table->policies[number].child, child, memory_order_release);
}
