/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The adjacencies of the routes (route.h), by port and gateway: made with their first reference, gone with the last.
 * Main thread only; no file but route.c includes this.
 */
#pragma once

#include "route.h"

/* Two of each port are no neighbour's; no station has these addresses. */
#define GATEWAY_ON_LINK ((union ip_address){.words = {0, 0}})
#define GATEWAY_OURS    ((union ip_address){.words = {UINT64_MAX, UINT64_MAX}})

/* An exact index of the main thread's. `name` and `what` together are unique in the process. NULL without memory. */
struct rte_hash *route_hash_make(const char *name, const char *what, uint32_t capacity, uint32_t key_len);

/* Within a route table that is otherwise zero. 0 or -ENOMEM. */
int adjacencies_init(struct route_table *table, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr);
void adjacencies_free(struct route_table *table);

static inline void adjacency_set(struct route_table *table, uint32_t number, union adjacency value)
{
	atomic_store_explicit(&table->adjacencies[number], value.word, memory_order_release);
}

/* The adjacency of (port, gateway), or -ENOENT. */
int64_t adjacency_find(const struct route_table *table, uint16_t port, const union ip_address *gateway);

/* The same with one more reference; made in state `state` where there is none yet. Or -ENOSPC. */
int64_t adjacency_open(
	struct route_table *table, uint16_t port, const union ip_address *gateway, enum adjacency_state state);
void adjacency_close(struct route_table *table, uint32_t number);

/* Some lookup finds another number now. */
static inline void generation_raise(struct route_table *table)
{
	atomic_fetch_add_explicit(&table->generation, 1, memory_order_release);
}
