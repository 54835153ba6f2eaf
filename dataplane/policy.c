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
	table->prefixes = calloc(capacity, sizeof(*table->prefixes));
	if (!table->policies || !table->free || !table->prefixes ||
		lpm4_init(&table->lpm, lpm_name, capacity, qsbr) < 0) {
		policy_table_free(table);
		return -ENOMEM;
	}
	for (uint32_t i = capacity; i > 0; i--)
		table->free[table->n_free++] = i - 1;
	LIST_INIT(&table->visible);
	LIST_INIT(&table->unused);
	for (uint32_t i = 0; i < capacity; i++)
		LIST_INSERT_HEAD(&table->unused, &table->prefixes[i], link);
	return 0;
}

void policy_table_free(struct policy_table *table)
{
	lpm4_free(&table->lpm);
	rte_free(table->policies);
	free(table->free);
	free(table->prefixes);
	memset(table, 0, sizeof(*table));
}

static uint8_t len4(const struct ip_network *network)
{
	return (uint8_t)(ip_network_bits(network) - IP_PREFIX_IPV4);
}

/* The first policy of that remote prefix. */
static uint32_t chain_first(const struct policy_table *table, const struct ip_network *remote)
{
	return lpm4_get(&table->lpm, ip_to_ipv4(&remote->address), len4(remote));
}

static bool prefix_is_around(const struct policy_prefix *outer, const struct ip_network *network)
{
	return ip_network_bits(&outer->network) < ip_network_bits(network) &&
	       ip_network_has(&outer->network, &network->address);
}

static void shorter_set(struct policy_prefix *prefix, struct policy_prefix *shorter)
{
	atomic_store_explicit(&prefix->shorter, shorter, memory_order_release);
}

/*
 * A prefix for its first policy, with what is around it, but not yet in sight. There is always an unused one: each that
 * is taken has a policy, and there are as many of these.
 */
static struct policy_prefix *prefix_take(struct policy_table *table, const struct ip_network *remote)
{
	struct policy_prefix *prefix = LIST_FIRST(&table->unused), *other, *shorter = NULL;

	LIST_FOREACH(other, &table->visible, link)
	if (prefix_is_around(other, remote) &&
		(!shorter || ip_network_bits(&other->network) > ip_network_bits(&shorter->network)))
		shorter = other;
	LIST_REMOVE(prefix, link);
	prefix->network = *remote;
	prefix->members = 0;
	atomic_store_explicit(&prefix->first, TABLES_NONE, memory_order_relaxed);
	shorter_set(prefix, shorter);
	return prefix;
}

/* In sight: it comes between those inside of it and what was around them until now. */
static void prefix_show(struct policy_table *table, struct policy_prefix *prefix)
{
	struct policy_prefix *outer = atomic_load_explicit(&prefix->shorter, memory_order_relaxed), *other;

	LIST_FOREACH(other, &table->visible, link)
	if (atomic_load_explicit(&other->shorter, memory_order_relaxed) == outer &&
		prefix_is_around(prefix, &other->network))
		shorter_set(other, prefix);
	LIST_INSERT_HEAD(&table->visible, prefix, link);
}

/* Out of sight. Its own way outwards stays, for the readers that are still in it. */
static void prefix_hide(struct policy_table *table, struct policy_prefix *prefix)
{
	struct policy_prefix *outer = atomic_load_explicit(&prefix->shorter, memory_order_relaxed), *other;

	LIST_REMOVE(prefix, link);
	LIST_FOREACH(other, &table->visible, link)
	if (atomic_load_explicit(&other->shorter, memory_order_relaxed) == prefix)
		shorter_set(other, outer);
}

static void prefix_leave(struct policy_table *table, struct policy_prefix *prefix)
{
	if (--prefix->members == 0)
		LIST_INSERT_HEAD(&table->unused, prefix, link);
}

/* `number` becomes the first of its prefix. 0 or -ENOSPC, nothing having changed then. */
static int first_set(struct policy_table *table, struct policy_prefix *prefix, uint32_t number)
{
	int rc = lpm4_set(&table->lpm, ip_to_ipv4(&prefix->network.address), len4(&prefix->network), number);

	if (rc == 0)
		atomic_store_explicit(&prefix->first, number, memory_order_release);
	return rc;
}

/* RFC 4301 asks for an order among policies of one prefix: the narrower local network first. */
static int policy_link(struct policy_table *table, uint32_t number)
{
	struct policy *policy = &table->policies[number];
	uint32_t first = chain_first(table, &policy->prefix->network), before = TABLES_NONE,
		 at = first;
	int rc;

	while (at != TABLES_NONE && ip_network_bits(&table->policies[at].local) >= ip_network_bits(&policy->local)) {
		before = at;
		at = atomic_load_explicit(&table->policies[at].next, memory_order_relaxed);
	}
	atomic_store_explicit(&policy->next, at, memory_order_relaxed);
	if (before != TABLES_NONE) {
		atomic_store_explicit(&table->policies[before].next, number, memory_order_release);
		return 0;
	}
	rc = first_set(table, policy->prefix, number);
	if (rc == 0 && first == TABLES_NONE)
		prefix_show(table, policy->prefix);
	return rc;
}

static void policy_unlink(struct policy_table *table, uint32_t number)
{
	struct policy_prefix *prefix = table->policies[number].prefix;
	uint32_t next = atomic_load_explicit(&table->policies[number].next, memory_order_relaxed);
	uint32_t at = chain_first(table, &prefix->network), before = TABLES_NONE;

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
		lpm4_delete(&table->lpm, ip_to_ipv4(&prefix->network.address), len4(&prefix->network));
		atomic_store_explicit(&prefix->first, TABLES_NONE, memory_order_release);
		prefix_hide(table, prefix);
	}
}

int64_t policy_open(struct policy_table *table, const struct sa_child *child)
{
	uint32_t first = chain_first(table, &child->remote), number = first;
	struct policy *policy;
	int rc;

	for (; number != TABLES_NONE; number = atomic_load_explicit(&policy->next, memory_order_relaxed)) {
		policy = &table->policies[number];
		if (policy->session == child->session && ip_network_equal(&policy->local, &child->local)) {
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
		.prefix = first != TABLES_NONE ? table->policies[first].prefix : prefix_take(table, &child->remote),
	};
	policy->prefix->members++;
	rc = policy_link(table, number);
	if (rc < 0) {
		policy_release(table, number);
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
	prefix_leave(table, table->policies[number].prefix);
	table->free[table->n_free++] = number;
}

void policy_set_child(struct policy_table *table, uint32_t number, uint32_t child)
{
	atomic_store_explicit(&table->policies[number].child, child, memory_order_release);
}
