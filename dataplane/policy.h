/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outbound lookup (RFC 4301 section 5.1): which child SA protects a packet. Longest prefix match on the inner
 * destination, then the traffic selectors of the policies that share that prefix. A policy is made by the first child
 * SA with its selectors and outlives a rekey: the successor takes over by one store. Written by the main thread.
 */
#pragma once

#include "lpm4.h"
#include "sa.h"

struct policy {
	struct sa_network local, remote;
	_Atomic uint32_t child; /* outbound SA; TABLES_NONE: none yet */
	_Atomic uint32_t next;  /* of the same remote prefix; TABLES_NONE: the last */
	uint32_t session;       /* main thread */
	uint32_t references;    /* main thread: child SAs with these selectors */
	uint8_t remote_len;
};

struct policy_table {
	struct lpm4 lpm;
	struct policy *policies;
	uint32_t *free; /* main thread: a stack of unused numbers */
	uint32_t n_free;
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

/* Worker: the policy for an inner packet (host order); NULL: none. */
static inline const struct policy *policy_find(const struct policy_table *table, uint32_t source, uint32_t destination)
{
	uint32_t number = lpm4_find(&table->lpm, destination);
	const struct policy *policy;

	for (; number != TABLES_NONE; number = atomic_load_explicit(&policy->next, memory_order_acquire)) {
		policy = &table->policies[number];
		if (sa_network_has(&policy->local, source) && sa_network_has(&policy->remote, destination))
			return policy;
	}
	return NULL;
}
