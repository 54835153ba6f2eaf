/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a packet leaves: the kernel's addresses, routes and neighbours, mirrored by the control plane, as one longest
 * prefix match that ends in an adjacency. A neighbour is a /32 or /128 of its own, so that one lookup answers both
 * questions. Written by the main thread; a worker reads an adjacency as one 64-bit word and needs no lock.
 *
 * Link-local addresses (fe80::/10) mean something on one port alone, and nothing is routed to them: those of neighbours
 * serve as gateways, and those of ours are only found by route_is_local.
 */
#pragma once

#include "header.h"
#include "locals.h"
#include "lpm.h"
#include "tables/tables.h"

#include <rte_branch_prediction.h>
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
	struct lpm lpm; /* prefix -> number of an adjacency */
	struct locals locals;
	/*
	 * Raised after each change by which some lookup finds another number, but not when only an adjacency's state or
	 * Ethernet address changes. A worker that read it before a lookup may use the number again for as long as it
	 * reads the same once a turn: a number gets another meaning only after a grace period that begins with the
	 * raise.
	 */
	_Atomic uint32_t generation;
	_Atomic uint64_t *adjacencies;
	union ip_address *gateways; /* of each adjacency, for requests to resolve */
	/* main thread: adjacency.c */
	struct rte_hash *neighbours; /* (port, gateway) -> adjacency */
	uint32_t *references;        /* prefixes that use an adjacency */
	uint32_t *free;
	uint32_t n_free, capacity;
	struct rte_rcu_qsbr *qsbr;
	struct rte_rcu_qsbr_dq *retired; /* numbers that workers may still hold */
	/* main thread: route.c */
	struct rte_hash *prefixes; /* what the kernel said of each prefix */
	struct route_entry *entries;
	uint32_t n_routes, n_neighbours; /* for status */
};

/* 0 or -ENOMEM. */
int route_table_init(struct route_table *table, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr);
void route_table_free(struct route_table *table);

/* The control plane's changes, kinds TABLES_ADDRESS_ADD to TABLES_NET_SWEEP. 0 or negative errno. */
int route_change(struct route_table *table, const struct tables_change *change, uint32_t n_ports);

/* Main thread: an address of ours on that port, the lowest of its family that is not link-local; none: there is none.
 */
union ip_address route_local_address(const struct route_table *table, uint16_t port, bool ipv6);

/* Worker: an address of ours? Costs much less than route_find where it is not. */
static inline bool route_is_local(const struct route_table *table, const union ip_address *address)
{
	return locals_has(&table->locals, address);
}

/* Worker: what generation the numbers found from now on have. */
static inline uint32_t route_generation(const struct route_table *table)
{
	return atomic_load_explicit(&table->generation, memory_order_acquire);
}

/*
 * What workers remember of the lookup of one destination: the generation, and in the low half the adjacency's number.
 * They share it, for each would write the same.
 */
struct route_memory {
	_Atomic uint64_t word;
};

static inline void route_forget(struct route_memory *memory)
{
	atomic_store_explicit(&memory->word, UINT64_MAX, memory_order_relaxed);
}

/* Worker: an adjacency by its number; state ADJACENCY_NONE for LPM_NONE. */
static inline union adjacency route_adjacency(const struct route_table *table, uint32_t number)
{
	union adjacency adjacency = {.word = 0};

	if (number != LPM_NONE)
		adjacency.word = atomic_load_explicit(&table->adjacencies[number], memory_order_acquire);
	return adjacency;
}

/* What route_find asks for IPv6. */
uint32_t route_find_ipv6(const struct route_table *table, const union ip_address *destination);

/* Worker: the adjacency for a destination. State ADJACENCY_NONE: no route. `number` may be NULL. */
static inline union adjacency route_find(
	const struct route_table *table, const union ip_address *destination, uint32_t *number)
{
	uint32_t found = ip_is_ipv4(destination) ? lpm4_find(&table->lpm.ipv4, ip_to_ipv4(destination))
						 : route_find_ipv6(table, destination);

	if (number)
		*number = found;
	return route_adjacency(table, found);
}

/* Worker: the same for a destination that is always that of `memory`. `generation` was read in this turn. */
static inline union adjacency route_find_again(const struct route_table *table, const union ip_address *destination,
	struct route_memory *memory, uint32_t generation)
{
	uint64_t word = atomic_load_explicit(&memory->word, memory_order_relaxed);
	union adjacency adjacency;
	uint32_t number;

	if (likely(word >> 32 == generation && (uint32_t)word != LPM_NONE))
		return route_adjacency(table, (uint32_t)word);
	adjacency = route_find(table, destination, &number);
	atomic_store_explicit(&memory->word, (uint64_t)generation << 32 | number, memory_order_relaxed);
	return adjacency;
}

/* Worker: asks for the memory that route_find will read first for a packet, by its IP header. */
static inline void route_prefetch(const struct route_table *table, const void *header)
{
	if (likely(!header_is_ipv6(header)))
		lpm4_prefetch(&table->lpm.ipv4, rte_be_to_cpu_32(((const struct rte_ipv4_hdr *)header)->dst_addr));
}
