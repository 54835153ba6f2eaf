/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outbound lookup (RFC 4301 section 5.1): which child SA protects a packet. Longest prefix match on the inner
 * destination, then the traffic selectors of the policies that share that prefix, then those of the next shorter prefix
 * around it, and so on outwards. A policy is made by the first child SA with its selectors and outlives a rekey: the
 * successor takes over by one store. Written by the main thread.
 */
#pragma once

#include "lpm4.h"
#include "sa.h"

#include <sys/queue.h>

/*
 * A remote prefix that has policies. Readers come here only from the end of its policies, so the packet whose first
 * policy matches never does. Each step along `shorter` leads to a prefix of fewer bits: every walk ends.
 */
struct policy_prefix {
	_Atomic(struct policy_prefix *) shorter; /* the longest one around this one; NULL: none */
	_Atomic uint32_t first;                  /* policy; TABLES_NONE: going out of sight */
	struct ip_network network;
	uint32_t members;                        /* main thread: policies that are not released yet */
	LIST_ENTRY(policy_prefix) link;          /* main thread: among those in sight, or the unused */
};
LIST_HEAD(policy_prefix_list, policy_prefix);

struct policy {
	struct ip_network local, remote;
	_Atomic uint32_t child; /* outbound SA; TABLES_NONE: none yet */
	_Atomic uint32_t next;  /* of the same remote prefix; TABLES_NONE: the last */
	struct policy_prefix *prefix;
	uint32_t session;       /* main thread */
	uint32_t references;    /* main thread: child SAs with these selectors */
};

struct policy_table {
	struct lpm4 lpm; /* prefix -> its first policy */
	struct policy *policies;
	uint32_t *free; /* main thread: a stack of unused numbers */
	uint32_t n_free;
	struct policy_prefix *prefixes; /* as many as policies */
	struct policy_prefix_list visible, unused;
};

/* 0 or -ENOMEM. */
int policy_table_init(struct policy_table *table, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr);
void policy_table_free(struct policy_table *table);

/* Finds or makes the policy for a child's selectors and session, and adds a reference. Its number, or negative errno. */
int64_t policy_open(struct policy_table *table, const struct sa_child *child);

/* Drops a reference. With the last one it goes out of sight; true then, and policy_release follows after the grace. */
bool policy_close(struct policy_table *table, uint32_t number);
void policy_release(struct policy_table *table, uint32_t number);

void policy_set_child(struct policy_table *table, uint32_t number, uint32_t child);

/* Worker: the first policy of the prefixes around this one, from the longest outwards; TABLES_NONE: there is none. */
static inline uint32_t policy_of_shorter(const struct policy_prefix *prefix)
{
	uint32_t number = TABLES_NONE;

	while (number == TABLES_NONE && (prefix = atomic_load_explicit(&prefix->shorter, memory_order_acquire)))
		number = atomic_load_explicit(&prefix->first, memory_order_acquire);
	return number;
}

/* Worker: fetches what policy_first will read. */
static inline void policy_prefetch(const struct policy_table *table, const union ip_address *destination)
{
	rte_prefetch0(&table->lpm.lpm->tbl24[ip_to_ipv4(destination) >> 8]);
}

/* Worker: the first policy of the longest prefix that holds a destination; TABLES_NONE: there is no such prefix. */
static inline uint32_t policy_first(const struct policy_table *table, const union ip_address *destination)
{
	if (unlikely(!ip_is_ipv4(destination)))
		return TABLES_NONE;
	return lpm4_find(&table->lpm, ip_to_ipv4(destination));
}

/* Worker: from there on, the first one that holds both ends; NULL: none. */
static inline const struct policy *policy_match(const struct policy_table *table, uint32_t number,
	const union ip_address *source, const union ip_address *destination)
{
	while (number != TABLES_NONE) {
		const struct policy *policy = &table->policies[number];

		if (ip_network_has(&policy->local, source) && ip_network_has(&policy->remote, destination))
			return policy;
		number = atomic_load_explicit(&policy->next, memory_order_acquire);
		if (number == TABLES_NONE)
			number = policy_of_shorter(policy->prefix);
	}
	return NULL;
}

/* Worker: the policy for an inner packet; NULL: none. */
static inline const struct policy *policy_find(
	const struct policy_table *table, const union ip_address *source, const union ip_address *destination)
{
	return policy_match(table, policy_first(table, destination), source, destination);
}
