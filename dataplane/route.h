/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a packet leaves: the kernel's addresses, routes and neighbours, mirrored by the control plane, as one longest
 * prefix match that ends in an adjacency. A neighbour is a /32 of its own, so that one lookup answers both questions.
 * Written by the main thread; a worker reads an adjacency as one 64-bit word and needs no lock.
 */
#pragma once

#include "ip.h"
#include "lpm4.h"
#include "tables/tables.h"

#include <rte_ether.h>
#include <rte_hash.h>

#include <stdbool.h>
#include <stdint.h>

enum adjacency_state {
	ADJACENCY_NONE,    /* unused, or being taken away */
	ADJACENCY_LOCAL,   /* an address of ours: to the kernel */
	ADJACENCY_ON_LINK, /* the destination itself is the neighbour, and not known yet */
	ADJACENCY_WAITING, /* this gateway's Ethernet address is not known yet */
	ADJACENCY_REACHED, /* Ethernet address known */
};

/* One word: Ethernet address, port, state. */
union adjacency {
	uint64_t word;
	struct {
		struct rte_ether_addr mac;
		uint8_t port;
		uint8_t state; /* enum adjacency_state */
	};
};

struct route_table {
	struct lpm4 lpm;             /* prefix -> number of an adjacency */
	_Atomic uint64_t *adjacencies;
	union ip_address *gateways;          /* main thread: address of each adjacency, for requests to resolve */
	struct rte_rcu_qsbr *qsbr;
	struct rte_hash *prefixes;   /* main thread: what the kernel said of each prefix */
	struct rte_hash *neighbours; /* main thread: (port, address) -> adjacency */
	struct route_entry *entries;
	uint32_t *references;        /* main thread: prefixes that use an adjacency */
	uint32_t *free;
	uint32_t n_free, capacity;
	uint32_t n_routes, n_neighbours; /* for status */
};

/* 0 or -ENOMEM. */
int route_table_init(struct route_table *table, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr);
void route_table_free(struct route_table *table);

/* The control plane's changes, kinds TABLES_ADDRESS_ADD to TABLES_NET_SWEEP. 0 or negative errno. */
int route_change(struct route_table *table, const struct tables_change *change, uint32_t n_ports);

/* Main thread: an address of ours on that port, the lowest; 0: none. */
uint32_t route_local_address(const struct route_table *table, uint16_t port);

/* Worker: the adjacency for a destination. State ADJACENCY_NONE: no route. `number` may be NULL. */
static inline union adjacency route_find(const struct route_table *table, const union ip_address *destination, uint32_t *number)
{
	uint32_t found = ip_is_ipv4(destination) ? lpm4_find(&table->lpm, ip_to_ipv4(destination)) : LPM4_NONE;
	union adjacency adjacency = {.word = 0};

	if (found != LPM4_NONE)
		adjacency.word = atomic_load_explicit(&table->adjacencies[found], memory_order_acquire);
	if (number)
		*number = found;
	return adjacency;
}

/* Worker: is it an address of ours? */
static inline bool route_is_local(const struct route_table *table, const union ip_address *address)
{
	return route_find(table, address, NULL).state == ADJACENCY_LOCAL;
}
