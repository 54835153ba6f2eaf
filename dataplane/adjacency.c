/* SPDX-License-Identifier: Apache-2.0 */
#include "adjacency.h"

#include <rte_jhash.h>
#include <rte_malloc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { RECLAIM_AT = 64, NAME_LEN = 64 };

struct neighbour_key {
	union ip_address gateway;
	uint64_t port;
};

static void number_free(void *context, void *number, unsigned int count)
{
	struct route_table *table = context;

	(void)count;
	table->free[table->n_free++] = *(uint32_t *)number;
}

struct rte_hash *route_hash_make(const char *name, const char *what, uint32_t capacity, uint32_t key_len)
{
	char full[NAME_LEN];
	struct rte_hash_parameters parameters = {
		.name = full,
		.entries = capacity,
		.key_len = key_len,
		.hash_func = rte_jhash,
		.socket_id = SOCKET_ID_ANY,
	};

	snprintf(full, sizeof(full), "%s-%s", name, what);
	return rte_hash_create(&parameters);
}

static struct rte_rcu_qsbr_dq *retired_make(struct route_table *table, const char *name)
{
	char full[NAME_LEN];
	struct rte_rcu_qsbr_dq_parameters parameters = {
		.name = full,
		.size = table->capacity,
		.esize = sizeof(uint32_t),
		.trigger_reclaim_limit = RECLAIM_AT,
		.max_reclaim_size = table->capacity,
		.free_fn = number_free,
		.p = table,
		.v = table->qsbr,
	};

	snprintf(full, sizeof(full), "%s-adjacent", name);
	return rte_rcu_qsbr_dq_create(&parameters);
}

int adjacencies_init(struct route_table *table, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr)
{
	table->capacity = capacity;
	table->qsbr = qsbr;
	table->adjacencies = rte_zmalloc("adjacencies", capacity * sizeof(*table->adjacencies), RTE_CACHE_LINE_SIZE);
	table->gateways = calloc(capacity, sizeof(*table->gateways));
	table->references = calloc(capacity, sizeof(*table->references));
	table->free = calloc(capacity, sizeof(*table->free));
	table->neighbours = route_hash_make(name, "neighbours", capacity, sizeof(struct neighbour_key));
	table->retired = retired_make(table, name);
	if (!table->adjacencies || !table->gateways || !table->references || !table->free || !table->neighbours ||
		!table->retired)
		return -ENOMEM;
	for (uint32_t i = capacity; i > 0; i--)
		table->free[table->n_free++] = i - 1;
	return 0;
}

void adjacencies_free(struct route_table *table)
{
	rte_rcu_qsbr_dq_delete(table->retired);
	rte_free(table->adjacencies);
	free(table->gateways);
	free(table->references);
	free(table->free);
	rte_hash_free(table->neighbours);
}

int64_t adjacency_find(const struct route_table *table, uint16_t port, const union ip_address *gateway)
{
	struct neighbour_key key = {.gateway = *gateway, .port = port};
	void *found;

	return rte_hash_lookup_data(table->neighbours, &key, &found) < 0 ? -ENOENT : (int64_t)(uintptr_t)found;
}

/* Waits for workers only when all the numbers that are not in use have been until a moment ago. */
static bool number_is_free(struct route_table *table)
{
	if (table->n_free == 0) {
		rte_rcu_qsbr_synchronize(table->qsbr, RTE_QSBR_THRID_INVALID);
		rte_rcu_qsbr_dq_reclaim(table->retired, table->capacity, NULL, NULL, NULL);
	}
	return table->n_free > 0;
}

int64_t adjacency_open(
	struct route_table *table, uint16_t port, const union ip_address *gateway, enum adjacency_state state)
{
	struct neighbour_key key = {.gateway = *gateway, .port = port};
	union adjacency value = {.port = (uint8_t)port, .state = (uint8_t)state};
	int64_t found = adjacency_find(table, port, gateway);
	uint32_t number;

	if (found >= 0) {
		table->references[found]++;
		return found;
	}
	if (!number_is_free(table))
		return -ENOSPC;
	number = table->free[table->n_free - 1];
	if (rte_hash_add_key_data(table->neighbours, &key, (void *)(uintptr_t)number) != 0)
		return -ENOSPC;
	table->n_free--;
	table->references[number] = 1;
	table->gateways[number] = *gateway;
	adjacency_set(table, number, value);
	return number;
}

void adjacency_close(struct route_table *table, uint32_t number)
{
	union adjacency old = {.word = atomic_load_explicit(&table->adjacencies[number], memory_order_relaxed)};
	struct neighbour_key key = {.gateway = table->gateways[number], .port = old.port};

	if (--table->references[number] > 0)
		return;
	rte_hash_del_key(table->neighbours, &key);
	adjacency_set(table, number, (union adjacency){.word = 0});
	generation_raise(table);
	/* A worker may hold the number until its turn ends; it must not find another neighbour there. */
	rte_rcu_qsbr_dq_enqueue(table->retired, &number);
}
