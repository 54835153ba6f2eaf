/* SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include <rte_jhash.h>
#include <rte_malloc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What can stand at one prefix. A /32 may be a local address, a host route and a neighbour at once. */
enum claim { CLAIM_LOCAL, CLAIM_ROUTE, CLAIM_NEIGHBOUR, CLAIM_COUNT };

/* Adjacencies are found by port and gateway; two of each port are no neighbour's. */
static const uint32_t GATEWAY_ON_LINK = 0, GATEWAY_OURS = UINT32_MAX;

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

/* The adjacency of (port, address), or -ENOENT. */
static int64_t adjacency_find(const struct route_table *table, uint16_t port, uint32_t address)
{
	struct neighbour_key key = {.address = address, .port = port};
	void *found;

	return rte_hash_lookup_data(table->neighbours, &key, &found) < 0 ? -ENOENT : (int64_t)(uintptr_t)found;
}

/* The adjacency of (port, address), made in state `state` where there is none yet; one more reference. */
static int64_t adjacency_open(struct route_table *table, uint16_t port, uint32_t address, enum adjacency_state state)
{
	struct neighbour_key key = {.address = address, .port = port};
	union adjacency value = {.port = (uint8_t)port, .state = (uint8_t)state};
	int64_t found = adjacency_find(table, port, address);
	uint32_t number;

	if (found >= 0) {
		table->references[found]++;
		return found;
	}
	if (table->n_free == 0)
		return -ENOSPC;
	number = table->free[table->n_free - 1];
	if (rte_hash_add_key_data(table->neighbours, &key, (void *)(uintptr_t)number) != 0)
		return -ENOSPC;
	table->n_free--;
	table->references[number] = 1;
	table->gateways[number] = ip_from_ipv4(address);
	adjacency_set(table, number, value);
	return number;
}

static void adjacency_close(struct route_table *table, uint32_t number)
{
	union adjacency old = {.word = atomic_load_explicit(&table->adjacencies[number], memory_order_relaxed)};
	struct neighbour_key key = {.address = ip_to_ipv4(&table->gateways[number]), .port = old.port};

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

/* Ours first, then a route through a gateway, then the neighbour, then a route that says no more than "on link". */
static enum claim entry_strongest(const struct route_table *table, const struct route_entry *entry)
{
	if (entry->held[CLAIM_LOCAL])
		return CLAIM_LOCAL;
	if (entry->held[CLAIM_NEIGHBOUR] &&
		(!entry->held[CLAIM_ROUTE] || ip_to_ipv4(&table->gateways[entry->adjacency[CLAIM_ROUTE]]) == GATEWAY_ON_LINK))
		return CLAIM_NEIGHBOUR;
	return entry->held[CLAIM_ROUTE] ? CLAIM_ROUTE : CLAIM_COUNT;
}

/* Lets the strongest claim stand in the lookup, or nothing when none is left. */
static int entry_publish(struct route_table *table, struct route_entry *entry)
{
	struct prefix_key key = {.address = entry->address, .len = entry->len};
	enum claim claim = entry_strongest(table, entry);

	if (claim != CLAIM_COUNT)
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

/* Routes through a lost neighbour stay, and wait for it. */
static void neighbour_lose(struct route_table *table, uint32_t number)
{
	union adjacency adjacency = {.word = atomic_load_explicit(&table->adjacencies[number], memory_order_relaxed)};

	adjacency.state = ADJACENCY_WAITING;
	adjacency_set(table, number, adjacency);
}

static void claim_remove(struct route_table *table, struct route_entry *entry, enum claim claim)
{
	uint32_t number = entry->adjacency[claim];

	entry->held[claim] = false;
	--*claim_counter(table, claim);
	entry_publish(table, entry);
	if (claim == CLAIM_NEIGHBOUR)
		neighbour_lose(table, number);
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

static bool is_station(uint32_t address)
{
	return address != GATEWAY_ON_LINK && address != GATEWAY_OURS;
}

static int neighbour_add(struct route_table *table, const struct tables_change *change, uint32_t address)
{
	union adjacency reached = {.port = (uint8_t)change->net.port, .state = ADJACENCY_REACHED};
	int64_t number;

	if (!is_station(address))
		return -EINVAL;
	number = adjacency_open(table, change->net.port, address, ADJACENCY_WAITING);
	memcpy(&reached.mac, change->net.mac, sizeof(reached.mac));
	if (number >= 0)
		adjacency_set(table, (uint32_t)number, reached);
	return add(table, CLAIM_NEIGHBOUR, address, 32, change, number);
}

static int route_add(struct route_table *table, const struct tables_change *change, uint32_t address, uint8_t len)
{
	uint32_t gateway = address_to_ipv4(&change->net.gateway);
	enum adjacency_state state = gateway == GATEWAY_ON_LINK ? ADJACENCY_ON_LINK : ADJACENCY_WAITING;

	if (change->net.gateway.family == ADDRESS_IPV6 || gateway == GATEWAY_OURS)
		return -EINVAL;
	return add(table, CLAIM_ROUTE, address, len, change, adjacency_open(table, change->net.port, gateway, state));
}

static int address_add(struct route_table *table, const struct tables_change *change, uint32_t address)
{
	return add(table, CLAIM_LOCAL, address, 32, change,
		adjacency_open(table, change->net.port, GATEWAY_OURS, ADJACENCY_LOCAL));
}

/* Takes a claim away where it is still this one: the address may have come up on another port since. */
static int claim_drop(struct route_table *table, enum claim claim, const struct tables_change *change, uint32_t address,
	uint8_t len, uint32_t gateway)
{
	int64_t number = adjacency_find(table, change->net.port, gateway);
	struct route_entry *entry = entry_open(table, address, len, false);

	if (number < 0)
		return -ENOENT;
	if (claim == CLAIM_NEIGHBOUR && is_station(gateway))
		neighbour_lose(table, (uint32_t)number);
	if (!entry || !entry->held[claim] || entry->adjacency[claim] != (uint32_t)number)
		return -ENOENT;
	claim_remove(table, entry, claim);
	return 0;
}

static void sweep(struct route_table *table, uint32_t epoch)
{
	for (uint32_t i = 0; i < table->capacity; i++)
		for (int claim = 0; claim < CLAIM_COUNT; claim++)
			if (table->entries[i].held[claim] && table->entries[i].epoch[claim] != epoch)
				claim_remove(table, &table->entries[i], (enum claim)claim);
}

uint32_t route_local_address(const struct route_table *table, uint16_t port)
{
	int64_t number = adjacency_find(table, port, GATEWAY_OURS);
	uint32_t lowest = 0;

	for (uint32_t i = 0; number >= 0 && i < table->capacity; i++) {
		const struct route_entry *entry = &table->entries[i];

		if (entry->held[CLAIM_LOCAL] && entry->adjacency[CLAIM_LOCAL] == (uint32_t)number &&
			(lowest == 0 || entry->address < lowest))
			lowest = entry->address;
	}
	return lowest;
}

int route_change(struct route_table *table, const struct tables_change *change, uint32_t n_ports)
{
	uint32_t address = address_to_ipv4(&change->net.prefix.address), network, gateway;
	uint8_t len = change->net.prefix.len;

	if (change->kind == TABLES_NET_SWEEP) {
		sweep(table, change->net.epoch);
		return 0;
	}
	if (change->net.prefix.address.family != ADDRESS_IPV4 || len > 32 || change->net.port >= n_ports)
		return -EINVAL;
	network = address & (len ? UINT32_MAX << (32 - len) : 0);
	gateway = address_to_ipv4(&change->net.gateway);
	switch (change->kind) {
	case TABLES_ADDRESS_ADD: return address_add(table, change, address);
	case TABLES_ROUTE_ADD: return route_add(table, change, network, len);
	case TABLES_NEIGHBOUR_ADD: return neighbour_add(table, change, address);
	case TABLES_ADDRESS_REMOVE: return claim_drop(table, CLAIM_LOCAL, change, address, 32, GATEWAY_OURS);
	case TABLES_ROUTE_REMOVE: return claim_drop(table, CLAIM_ROUTE, change, network, len, gateway);
	case TABLES_NEIGHBOUR_REMOVE: return claim_drop(table, CLAIM_NEIGHBOUR, change, address, 32, address);
	default: return -EINVAL;
	}
}
