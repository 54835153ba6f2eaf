/* SPDX-License-Identifier: Apache-2.0 */
#include "adjacency.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LEN = 64 };

/* What can stand at one prefix. A host's may be a local address, a host route and a neighbour at once. */
enum claim { CLAIM_LOCAL, CLAIM_ROUTE, CLAIM_NEIGHBOUR, CLAIM_COUNT };

struct prefix_key {
	struct ip_network network;
	uint64_t port; /* of a link-local address; 0 for all others, which are on one port at a time */
};

struct route_entry {
	struct prefix_key key;
	bool held[CLAIM_COUNT];
	uint32_t epoch[CLAIM_COUNT];
	uint32_t adjacency[CLAIM_COUNT];
};

int route_table_init(struct route_table *table, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr)
{
	char lpm_name[NAME_LEN];

	memset(table, 0, sizeof(*table));
	snprintf(lpm_name, sizeof(lpm_name), "%s-routes", name);
	table->entries = calloc(capacity, sizeof(*table->entries));
	table->prefixes = route_hash_make(name, "prefixes", capacity, sizeof(struct prefix_key));
	if (table->entries && table->prefixes && adjacencies_init(table, name, capacity, qsbr) == 0 &&
		locals_init(&table->locals, name, capacity, qsbr) == 0 &&
		lpm_init(&table->lpm, lpm_name, capacity, qsbr) == 0)
		return 0;
	route_table_free(table);
	return -ENOMEM;
}

void route_table_free(struct route_table *table)
{
	lpm_free(&table->lpm);
	locals_free(&table->locals);
	adjacencies_free(table);
	free(table->entries);
	rte_hash_free(table->prefixes);
	memset(table, 0, sizeof(*table));
}

static bool is_multicast(const union ip_address *ipv6)
{
	return ipv6->bytes[0] == 0xff;
}

uint32_t route_find_ipv6(const struct route_table *table, const union ip_address *destination)
{
	if (ip_is_link_local(destination) || is_multicast(destination))
		return LPM_NONE;
	return lpm6_find(&table->lpm.ipv6, destination);
}

static struct route_entry *entry_open(
	struct route_table *table, const struct ip_network *network, uint16_t port, bool make)
{
	struct prefix_key key = {.network = *network, .port = ip_is_link_local(&network->address) ? port : 0};
	int32_t position = rte_hash_lookup(table->prefixes, &key);

	if (position < 0 && make) {
		position = rte_hash_add_key(table->prefixes, &key);
		if (position >= 0)
			table->entries[position] = (struct route_entry){.key = key};
	}
	return position < 0 || (uint32_t)position >= table->capacity ? NULL : &table->entries[position];
}

/* Ours first, then a route through a gateway, then the neighbour, then a route that says no more than "on link". */
static enum claim entry_strongest(const struct route_table *table, const struct route_entry *entry)
{
	if (entry->held[CLAIM_LOCAL])
		return CLAIM_LOCAL;
	if (entry->held[CLAIM_NEIGHBOUR] &&
		(!entry->held[CLAIM_ROUTE] || ip_is_none(&table->gateways[entry->adjacency[CLAIM_ROUTE]])))
		return CLAIM_NEIGHBOUR;
	return entry->held[CLAIM_ROUTE] ? CLAIM_ROUTE : CLAIM_COUNT;
}

/* The strongest claim's adjacency, or none when no claim is left, stands in the lookup. */
static int lookup_set(struct route_table *table, const struct ip_network *network, uint32_t number)
{
	int rc = 0;

	if (ip_is_link_local(&network->address) || lpm_get(&table->lpm, network) == number)
		return 0;
	if (number == LPM_NONE)
		lpm_delete(&table->lpm, network);
	else
		rc = lpm_set(&table->lpm, network, number);
	generation_raise(table);
	return rc;
}

static int entry_publish(struct route_table *table, struct route_entry *entry)
{
	enum claim claim = entry_strongest(table, entry);

	if (claim != CLAIM_COUNT)
		return lookup_set(table, &entry->key.network, entry->adjacency[claim]);
	lookup_set(table, &entry->key.network, LPM_NONE);
	rte_hash_del_key(table->prefixes, &entry->key);
	return 0;
}

static uint32_t *claim_counter(struct route_table *table, enum claim claim)
{
	return claim == CLAIM_NEIGHBOUR ? &table->n_neighbours : &table->n_routes;
}

static uint16_t adjacency_port(const struct route_table *table, uint32_t number)
{
	union adjacency adjacency = {.word = atomic_load_explicit(&table->adjacencies[number], memory_order_relaxed)};

	return adjacency.port;
}

static int claim_add(
	struct route_table *table, struct route_entry *entry, enum claim claim, uint32_t epoch, uint32_t adjacency)
{
	bool had = entry->held[claim];
	uint32_t old = entry->adjacency[claim];
	int rc;

	entry->held[claim] = true;
	entry->epoch[claim] = epoch;
	entry->adjacency[claim] = adjacency;
	rc = entry_publish(table, entry);
	if (!had)
		++*claim_counter(table, claim);
	else if (claim == CLAIM_LOCAL && old != adjacency)
		locals_remove(&table->locals, &entry->key.network.address, adjacency_port(table, old));
	if (had)
		adjacency_close(table, old);
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
	if (claim == CLAIM_LOCAL)
		locals_remove(&table->locals, &entry->key.network.address, adjacency_port(table, number));
	entry_publish(table, entry);
	if (claim == CLAIM_NEIGHBOUR)
		neighbour_lose(table, number);
	adjacency_close(table, number);
}

/* One change, its addresses as lookups have them. */
struct net {
	struct ip_network network, host; /* under the mask of its length; the address alone */
	union ip_address gateway;
	uint16_t port;
	uint32_t epoch;
};

static int add(struct route_table *table, enum claim claim, const struct ip_network *network, const struct net *net,
	int64_t adjacency)
{
	struct route_entry *entry;

	if (adjacency < 0)
		return (int)adjacency;
	entry = entry_open(table, network, net->port, true);
	if (entry)
		return claim_add(table, entry, claim, net->epoch, (uint32_t)adjacency);
	adjacency_close(table, (uint32_t)adjacency);
	return -ENOSPC;
}

static bool is_station(const union ip_address *address)
{
	if (ip_is_ipv4(address))
		return address->ipv4 != 0 && address->ipv4 != UINT32_MAX;
	return !ip_is_none(address) && !is_multicast(address);
}

static int neighbour_add(struct route_table *table, const struct net *net, const uint8_t mac[RTE_ETHER_ADDR_LEN])
{
	union adjacency reached = {.port = (uint8_t)net->port, .state = ADJACENCY_REACHED};
	const union ip_address *address = &net->host.address;
	int64_t number;

	if (!is_station(address))
		return -EINVAL;
	number = adjacency_open(table, net->port, address, ADJACENCY_WAITING);
	memcpy(&reached.mac, mac, sizeof(reached.mac));
	if (number >= 0)
		adjacency_set(table, (uint32_t)number, reached);
	return add(table, CLAIM_NEIGHBOUR, &net->host, net, number);
}

static int route_add(struct route_table *table, const struct net *net)
{
	bool on_link = ip_is_none(&net->gateway);

	if (!on_link && !is_station(&net->gateway))
		return -EINVAL;
	return add(table, CLAIM_ROUTE, &net->network, net,
		adjacency_open(table, net->port, &net->gateway, on_link ? ADJACENCY_ON_LINK : ADJACENCY_WAITING));
}

static int address_add(struct route_table *table, const struct net *net)
{
	int rc;

	if (!is_station(&net->host.address))
		return -EINVAL;
	rc = locals_add(&table->locals, &net->host.address, net->port);
	if (rc < 0)
		return rc;
	rc = add(table, CLAIM_LOCAL, &net->host, net, adjacency_open(table, net->port, &GATEWAY_OURS, ADJACENCY_LOCAL));
	if (rc < 0)
		locals_remove(&table->locals, &net->host.address, net->port);
	return rc;
}

/* Takes a claim away where it is still this one: the address may have come up on another port since. */
static int claim_drop(struct route_table *table, enum claim claim, const struct net *net,
	const struct ip_network *network, const union ip_address *gateway)
{
	int64_t number = adjacency_find(table, net->port, gateway);
	struct route_entry *entry = entry_open(table, network, net->port, false);

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

union ip_address route_local_address(const struct route_table *table, uint16_t port, bool ipv6)
{
	return locals_lowest(&table->locals, port, ipv6);
}

/* IPv4 inside of IPv6 is refused: it would be IPv4's (ip.h). */
static bool address_is_valid(const struct address *address)
{
	union ip_address ip = ip_of_address(address);

	return address->family == ADDRESS_IPV4 || (address->family == ADDRESS_IPV6 && !ip_is_ipv4(&ip));
}

/* From another process: nothing is believed unseen. 0 or -EINVAL. */
static int net_read(struct net *net, const struct tables_change *change, uint32_t n_ports)
{
	const struct prefix *prefix = &change->net.prefix;
	const struct address *gateway = &change->net.gateway;
	uint8_t len_max = prefix->address.family == ADDRESS_IPV4 ? 32 : 128;
	union ip_address address = ip_of_address(&prefix->address);

	if (!address_is_valid(&prefix->address) || prefix->len > len_max || change->net.port >= n_ports)
		return -EINVAL;
	if (gateway->family != ADDRESS_NONE && !address_is_valid(gateway))
		return -EINVAL;
	*net = (struct net){
		.network = ip_network_of(prefix),
		.host = ip_network_make(&address, len_max),
		.gateway = gateway->family == ADDRESS_IPV4 && address_to_ipv4(gateway) == 0 ? GATEWAY_ON_LINK
											    : ip_of_address(gateway),
		.port = (uint16_t)change->net.port,
		.epoch = change->net.epoch,
	};
	return 0;
}

int route_change(struct route_table *table, const struct tables_change *change, uint32_t n_ports)
{
	struct net net;
	int rc;

	if (change->kind == TABLES_NET_SWEEP) {
		sweep(table, change->net.epoch);
		return 0;
	}
	rc = net_read(&net, change, n_ports);
	if (rc < 0)
		return rc;
	switch (change->kind) {
	case TABLES_ADDRESS_ADD: return address_add(table, &net);
	case TABLES_ROUTE_ADD: return route_add(table, &net);
	case TABLES_NEIGHBOUR_ADD: return neighbour_add(table, &net, change->net.mac);
	case TABLES_ADDRESS_REMOVE: return claim_drop(table, CLAIM_LOCAL, &net, &net.host, &GATEWAY_OURS);
	case TABLES_ROUTE_REMOVE: return claim_drop(table, CLAIM_ROUTE, &net, &net.network, &net.gateway);
	case TABLES_NEIGHBOUR_REMOVE: return claim_drop(table, CLAIM_NEIGHBOUR, &net, &net.host, &net.host.address);
	default: return -EINVAL;
	}
}
