/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include <rte_malloc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int policy_table_init(struct policy_table *table, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr)
{
	char lpm_name[RTE_LPM_NAMESIZE];

	memset(table, 0, sizeof(*table));
	snprintf(lpm_name, sizeof(lpm_name), "%s-policies", name);
	if (capacity == 0 || capacity > LPM4_VALUE_MAX)
		return -EINVAL;
	table->policies = rte_zmalloc("policies", capacity * sizeof(struct policy), RTE_CACHE_LINE_SIZE);
	table->free = calloc(capacity, sizeof(*table->free));
	if (!table->policies || !table->free || lpm4_init(&table->lpm, lpm_name, capacity, qsbr) < 0) {
		policy_table_free(table);
		return -ENOMEM;
	}
	for (uint32_t i = capacity; i > 0; i--)
		table->free[table->n_free++] = i - 1;
	return 0;
}

void policy_table_free(struct policy_table *table)
{
	lpm4_free(&table->lpm);
	rte_free(table->policies);
	free(table->free);
	memset(table, 0, sizeof(*table));
}

static uint8_t mask_len(uint32_t mask)
{
	return (uint8_t)__builtin_popcount(mask);
}

static bool network_equal(const struct sa_network *a, const struct sa_network *b)
{
	return a->address == b->address && a->mask == b->mask;
}

/* The first policy of that remote prefix. */
static uint32_t chain_first(const struct policy_table *table, const struct sa_network *remote)
{
	return lpm4_get(&table->lpm, remote->address, mask_len(remote->mask));
}

/* RFC 4301 asks for an order among policies of one prefix: the narrower local network first. */
static int policy_link(struct policy_table *table, uint32_t number)
{
	struct policy *policy = &table->policies[number];
	uint32_t first = chain_first(table, &policy->remote), before = TABLES_NONE, at = first;

	while (at != TABLES_NONE && mask_len(table->policies[at].local.mask) >= mask_len(policy->local.mask)) {
		before = at;
		at = atomic_load_explicit(&table->policies[at].next, memory_order_relaxed);
	}
	atomic_store_explicit(&policy->next, at, memory_order_relaxed);
	if (before != TABLES_NONE) {
		atomic_store_explicit(&table->policies[before].next, number, memory_order_release);
		return 0;
	}
	return lpm4_set(&table->lpm, policy->remote.address, policy->remote_len, number);
}

static void policy_unlink(struct policy_table *table, uint32_t number)
{
	struct policy *policy = &table->policies[number];
	uint32_t next = atomic_load_explicit(&policy->next, memory_order_relaxed);
	uint32_t at = chain_first(table, &policy->remote), before = TABLES_NONE;

	while (at != TABLES_NONE && at != number) {
		before = at;
		at = atomic_load_explicit(&table->policies[at].next, memory_order_relaxed);
	}
	if (at == TABLES_NONE)
		return;
	if (before != TABLES_NONE)
		atomic_store_explicit(&table->policies[before].next, next, memory_order_release);
	else if (next != TABLES_NONE)
		lpm4_set(&table->lpm, policy->remote.address, policy->remote_len, next);
	else
		lpm4_delete(&table->lpm, policy->remote.address, policy->remote_len);
}

int64_t policy_open(struct policy_table *table, const struct sa_child *child)
{
	uint32_t number = chain_first(table, &child->remote);
	struct policy *policy;
	int rc;

	for (; number != TABLES_NONE; number = atomic_load_explicit(&policy->next, memory_order_relaxed)) {
		policy = &table->policies[number];
		if (policy->session == child->session && network_equal(&policy->local, &child->local)) {
			policy->references++;
			return number;
		}
	}
	if (table->n_free == 0)
		return -ENOSPC;
	number = table->free[--table->n_free];
	policy = &table->policies[number];
	*policy = (struct policy){
		.local = child->local,
		.remote = child->remote,
		.child = TABLES_NONE,
		.next = TABLES_NONE,
		.session = child->session,
		.references = 1,
		.remote_len = mask_len(child->remote.mask),
	};
	rc = policy_link(table, number);
	if (rc < 0) {
		table->free[table->n_free++] = number;
		return rc;
	}
	return number;
}

bool policy_close(struct policy_table *table, uint32_t number)
{
	if (--table->policies[number].references > 0)
		return false;
	policy_unlink(table, number);
	return true;
}

void policy_release(struct policy_table *table, uint32_t number)
{
	table->free[table->n_free++] = number;
}

void policy_set_child(struct policy_table *table, uint32_t number, uint32_t child)
{
	atomic_store_explicit(&table->policies[number].child, child, memory_order_release);
}
