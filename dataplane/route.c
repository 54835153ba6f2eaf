/* SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include <rte_jhash.h>
#include <rte_malloc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What can stand at one prefix, strongest first. A /32 may be a local address, a host route and a neighbour at once. */
enum claim { CLAIM_LOCAL, CLAIM_ROUTE, CLAIM_NEIGHBOUR, CLAIM_COUNT };

struct route_entry {
	uint32_t address;
	uint8_t len;
	bool held[CLAIM_COUNT];
	uint32_t epoch[CLAIM_COUNT];
	uint32_t adjacency[CLAIM_COUNT];
};

struct prefix_key {
	uint32_t address, len;
};

struct neighbour_key {
	uint32_t address, port;
};

static struct rte_hash *hash_make(const char *name, const char *what, uint32_t entries, uint32_t key_len)
{
	char full[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters parameters = {
		.name = full,
		.entries = entries,
		.key_len = key_len,
		.hash_func = rte_jhash,
		.socket_id = SOCKET_ID_ANY,
	};

	snprintf(full, sizeof(full), "%s-%s", name, what);
	return rte_hash_create(&parameters);
}

int route_table_init(struct route_table *table, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr)
{
	char lpm_name[RTE_LPM_NAMESIZE];

	memset(table, 0, sizeof(*table));
	snprintf(lpm_name, sizeof(lpm_name), "%s-routes", name);
	table->qsbr = qsbr;
	table->capacity = capacity;
	table->adjacencies = rte_zmalloc("adjacencies", capacity * sizeof(*table->adjacencies), RTE_CACHE_LINE_SIZE);
	table->gateways = calloc(capacity, sizeof(*table->gateways));
	table->references = calloc(capacity, sizeof(*table->references));
	table->free = calloc(capacity, sizeof(*table->free));
	table->entries = calloc(capacity, sizeof(*table->entries));
	table->prefixes = hash_make(name, "prefixes", capacity, sizeof(struct prefix_key));
	table->neighbours = hash_make(name, "neighbours", capacity, sizeof(struct neighbour_key));
	if (!table->adjacencies || !table->gateways || !table->references || !table->free || !table->entries ||
		!table->prefixes || !table->neighbours || lpm4_init(&table->lpm, lpm_name, capacity, qsbr) < 0) {
		route_table_free(table);
		return -ENOMEM;
	}
	for (uint32_t i = capacity; i > 0; i--)
		table->free[table->n_free++] = i - 1;
	return 0;
}

void route_table_free(struct route_table *table)
{
	lpm4_free(&table->lpm);
	rte_free(table->adjacencies);
	free(table->gateways);
	free(table->references);
	free(table->free);
	free(table->entries);
	rte_hash_free(table->prefixes);
	rte_hash_free(table->neighbours);
	memset(table, 0, sizeof(*table));
}

static void adjacency_set(struct route_table *table, uint32_t number, union adjacency value)
{
	atomic_store_explicit(&table->adjacencies[number], value.word, memory_order_release);
}

/* The adjacency of (port, address), made in state `state` where there is none yet; one more reference. */
static int64_t adjacency_open(struct route_table *table, uint16_t port, uint32_t address, enum adjacency_state state)
{
	struct neighbour_key key = {.address = address, .port = port};
	union adjacency value = {.port = (uint8_t)port, .state = (uint8_t)state};
	void *found;
	uint32_t number;

	if (rte_hash_lookup_data(table->neighbours, &key, &found) >= 0) {
		number = (uint32_t)(uintptr_t)found;
		table->references[number]++;
		return number;
	}
	if (table->n_free == 0)
		return -ENOSPC;
	number = table->free[table->n_free - 1];
	if (rte_hash_add_key_data(table->neighbours, &key, (void *)(uintptr_t)number) != 0)
		return -ENOSPC;
	table->n_free--;
	table->references[number] = 1;
	table->gateways[number] = address;
	adjacency_set(table, number, value);
	return number;
}

static void adjacency_close(struct route_table *table, uint32_t number)
{
	union adjacency old = {.word = atomic_load_explicit(&table->adjacencies[number], memory_order_relaxed)};
	struct neighbour_key key = {.address = table->gateways[number], .port = old.port};

	if (--table->references[number] > 0)
		return;
	rte_hash_del_key(table->neighbours, &key);
	adjacency_set(table, number, (union adjacency){.word = 0});
	/* A worker may hold the number until its turn ends; it must not find another neighbour there. */
	rte_rcu_qsbr_synchronize(table->qsbr, RTE_QSBR_THRID_INVALID);
	table->free[table->n_free++] = number;
}

static struct route_entry *entry_open(struct route_table *table, uint32_t address, uint8_t len, bool make)
{
	struct prefix_key key = {.address = address, .len = len};
	int32_t position = rte_hash_lookup(table->prefixes, &key);

	if (position < 0 && make) {
		position = rte_hash_add_key(table->prefixes, &key);
		if (position >= 0)
			table->entries[position] = (struct route_entry){.address = address, .len = len};
	}
	return position < 0 || (uint32_t)position >= table->capacity ? NULL : &table->entries[position];
}

/* Lets the strongest claim stand in the lookup, or nothing when none is left. */
static int entry_publish(struct route_table *table, struct route_entry *entry)
{
	struct prefix_key key = {.address = entry->address, .len = entry->len};

	for (int claim = 0; claim < CLAIM_COUNT; claim++)
		if (entry->held[claim])
			return lpm4_set(&table->lpm, entry->address, entry->len, entry->adjacency[claim]);
	lpm4_delete(&table->lpm, entry->address, entry->len);
	rte_hash_del_key(table->prefixes, &key);
	return 0;
}

static uint32_t *claim_counter(struct route_table *table, enum claim claim)
{
	return claim == CLAIM_NEIGHBOUR ? &table->n_neighbours : &table->n_routes;
}

static int claim_add(struct route_table *table, struct route_entry *entry, enum claim claim, uint32_t epoch,
	uint32_t adjacency)
{
	bool had = entry->held[claim];
	uint32_t old = entry->adjacency[claim];
	int rc;

	entry->held[claim] = true;
	entry->epoch[claim] = epoch;
	entry->adjacency[claim] = adjacency;
	rc = entry_publish(table, entry);
	if (had)
		adjacency_close(table, old);
	else
		++*claim_counter(table, claim);
	return rc;
}

static void claim_remove(struct route_table *table, struct route_entry *entry, enum claim claim)
{
	uint32_t number = entry->adjacency[claim];
	union adjacency adjacency = {.word = atomic_load_explicit(&table->adjacencies[number], memory_order_relaxed)};

	if (!entry->held[claim])
		return;
	entry->held[claim] = false;
	--*claim_counter(table, claim);
	entry_publish(table, entry);
	/* Routes through a lost neighbour stay, and wait for it. */
	if (claim == CLAIM_NEIGHBOUR) {
		adjacency.state = ADJACENCY_WAITING;
		adjacency_set(table, number, adjacency);
	}
	adjacency_close(table, number);
}

static int add(struct route_table *table, enum claim claim, uint32_t address, uint8_t len,
	const struct tables_change *change, int64_t adjacency)
{
	struct route_entry *entry;

	if (adjacency < 0)
		return (int)adjacency;
	entry = entry_open(table, address, len, true);
	if (entry)
		return claim_add(table, entry, claim, change->net.epoch, (uint32_t)adjacency);
	adjacency_close(table, (uint32_t)adjacency);
	return -ENOSPC;
}

static int neighbour_add(struct route_table *table, const struct tables_change *change, uint32_t address)
{
	int64_t number = adjacency_open(table, change->net.port, address, ADJACENCY_WAITING);
	union adjacency reached = {.port = (uint8_t)change->net.port, .state = ADJACENCY_REACHED};

	memcpy(&reached.mac, change->net.mac, sizeof(reached.mac));
	if (number >= 0)
		adjacency_set(table, (uint32_t)number, reached);
	return add(table, CLAIM_NEIGHBOUR, address, 32, change, number);
}

/* On link: one adjacency a port, under the address 0, which is no neighbour's. */
static int route_add(struct route_table *table, const struct tables_change *change, uint32_t address, uint8_t len)
{
	uint32_t gateway = address_to_ipv4(&change->net.gateway);
	enum adjacency_state state = gateway ? ADJACENCY_WAITING : ADJACENCY_ON_LINK;

	return add(table, CLAIM_ROUTE, address, len, change, adjacency_open(table, change->net.port, gateway, state));
}

/* Under the broadcast address, which is no neighbour's either. */
static int address_add(struct route_table *table, const struct tables_change *change, uint32_t address)
{
	return add(table, CLAIM_LOCAL, address, 32, change,
		adjacency_open(table, change->net.port, UINT32_MAX, ADJACENCY_LOCAL));
}

static void sweep(struct route_table *table, uint32_t epoch)
{
	for (uint32_t i = 0; i < table->capacity; i++)
		for (int claim = 0; claim < CLAIM_COUNT; claim++)
			if (table->entries[i].held[claim] && table->entries[i].epoch[claim] != epoch)
				claim_remove(table, &table->entries[i], (enum claim)claim);
}

int route_change(struct route_table *table, const struct tables_change *change, uint32_t n_ports)
{
	uint32_t address = address_to_ipv4(&change->net.prefix.address);
	uint8_t len = change->net.prefix.len;
	enum claim claim = CLAIM_LOCAL;
	struct route_entry *entry;

	if (change->kind == TABLES_NET_SWEEP) {
		sweep(table, change->net.epoch);
		return 0;
	}
	if (change->net.prefix.address.family != ADDRESS_IPV4 || len > 32 || change->net.port >= n_ports)
		return -EINVAL;
	switch (change->kind) {
	case TABLES_ADDRESS_ADD: return address_add(table, change, address);
	case TABLES_ROUTE_ADD: return route_add(table, change, address & (len ? UINT32_MAX << (32 - len) : 0), len);
	case TABLES_NEIGHBOUR_ADD: return neighbour_add(table, change, address);
	case TABLES_ADDRESS_REMOVE: len = 32; break;
	case TABLES_ROUTE_REMOVE: claim = CLAIM_ROUTE; break;
	case TABLES_NEIGHBOUR_REMOVE: claim = CLAIM_NEIGHBOUR; len = 32; break;
	default: return -EINVAL;
	}
	entry = entry_open(table, address, len, false);
	if (entry)
		claim_remove(table, entry, claim);
	return entry ? 0 : -ENOENT;
}
