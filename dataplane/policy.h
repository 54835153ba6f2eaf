/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outbound lookup (RFC 4301 section 5.1): which child SA protects a packet. Longest prefix match on the inner
 * destination, then the local networks of the policies that share that remote one, then those of the next larger
 * network around it, and so on outwards. A policy is made by the first child SA with its selectors and outlives a
 * rekey: the successor takes over by one store. Written by the main thread, at a cost that does not grow with their
 * number.
 */
#pragma once

#include "header.h"
#include "lpm.h"
#include "sa.h"

#include <sys/queue.h>

/*
 * A remote network that has policies. Readers come here only from the end of its policies, so the packet whose first
 * policy matches never does. Each step along `shorter` leads to a network of fewer bits: every walk ends.
 */
struct policy_prefix {
	_Atomic(struct policy_prefix *) shorter; /* the longest one around this one; NULL: none */
	_Atomic uint32_t first;                  /* policy; TABLES_NONE: going out of sight */
	struct ip_network network;               /* main thread from here on */
	uint32_t members;                        /* policies that are not released yet */
	SLIST_ENTRY(policy_prefix) link;         /* among the unused */
};
SLIST_HEAD(policy_prefix_list, policy_prefix);

/* All that workers read of it: half a cache line. */
struct policy {
	union ip_address local; /* network */
	_Atomic uint32_t child; /* outbound SA; TABLES_NONE: none yet */
	_Atomic uint32_t next;  /* of the same remote network; TABLES_NONE: the last */
	uint32_t prefix;        /* of the table's, the one that it belongs to */
	uint8_t local_bits;
} __attribute__((aligned(32)));
_Static_assert(sizeof(struct policy) == 32, "two share a line");
_Static_assert((uint32_t)LPM_NONE == (uint32_t)TABLES_NONE, "what a lookup does not find is no number");

/* Main thread: who a policy belongs to. */
struct policy_owner {
	uint32_t session;
	uint32_t references; /* child SAs with these selectors */
};

struct policy_table {
	struct lpm lpm; /* remote network -> its first policy */
	struct policy *policies;
	/* main thread */
	struct policy_owner *owners; /* as many as policies */
	uint32_t *free;              /* a stack of unused numbers */
	uint32_t n_free;
	struct policy_prefix *prefixes; /* as many as policies */
	struct policy_prefix_list unused;
	uint64_t n_relinked; /* times that a network got another one around it */
};

/* 0 or negative errno. */
int policy_table_init(struct policy_table *table, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr);
void policy_table_free(struct policy_table *table);

/*
 * Finds or makes the policy for a child's selectors and session, and adds a reference. Its number, or negative errno.
 * Both selectors are of one family.
 */
int64_t policy_open(struct policy_table *table, const struct sa_child *child);

/* Drops a reference. With the last one it goes out of sight; true then, and policy_release follows after the grace. */
bool policy_close(struct policy_table *table, uint32_t number);
void policy_release(struct policy_table *table, uint32_t number);

void policy_set_child(struct policy_table *table, uint32_t number, uint32_t child);

/* Worker: asks for the memory that policy_first_of will read for a packet, by its IP header. */
static inline void policy_prefetch(const struct policy_table *table, const void *header)
{
	if (likely(!header_is_ipv6(header)))
		lpm4_prefetch(&table->lpm.ipv4, rte_be_to_cpu_32(((const struct rte_ipv4_hdr *)header)->dst_addr));
}

/* Worker: the first policy of the longest network around a destination; TABLES_NONE: there is none. */
static inline uint32_t policy_first(const struct policy_table *table, const union ip_address *destination)
{
	return lpm_find(&table->lpm, destination);
}

/* Worker: the same for a packet's destination. */
static inline uint32_t policy_first_of(const struct policy_table *table, const void *header)
{
	union ip_address destination;

	if (likely(!header_is_ipv6(header)))
		return lpm4_find(&table->lpm.ipv4, rte_be_to_cpu_32(((const struct rte_ipv4_hdr *)header)->dst_addr));
	destination = header_destination(header);
	return policy_first(table, &destination);
}

static inline struct policy_prefix *policy_prefix_of(const struct policy_table *table, const struct policy *policy)
{
	return &table->prefixes[policy->prefix];
}

/* Worker: the first policy of the networks around this one, from the longest outwards; TABLES_NONE: there is none. */
static inline uint32_t policy_of_shorter(const struct policy_prefix *prefix)
{
	uint32_t number = TABLES_NONE;

	while (number == TABLES_NONE && (prefix = atomic_load_explicit(&prefix->shorter, memory_order_acquire)))
		number = atomic_load_explicit(&prefix->first, memory_order_acquire);
	return number;
}

/* Worker: the policy that covers a source, beginning with what policy_first found for the destination; NULL: none. */
static inline const struct policy *policy_match(
	const struct policy_table *table, uint32_t number, const union ip_address *source)
{
	while (number != TABLES_NONE) {
		const struct policy *policy = &table->policies[number];

		if (ip_begins_alike(&policy->local, source, policy->local_bits))
			return policy;
		number = atomic_load_explicit(&policy->next, memory_order_acquire);
		if (number == TABLES_NONE)
			number = policy_of_shorter(policy_prefix_of(table, policy));
	}
	return NULL;
}

/* Worker: the policy for an inner packet; NULL: none. Its addresses are of one family. */
static inline const struct policy *policy_find(
	const struct policy_table *table, const union ip_address *source, const union ip_address *destination)
{
	return policy_match(table, policy_first(table, destination), source);
}
