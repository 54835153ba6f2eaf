/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the mirror has seen of the kernel: addresses, routes with all their metrics, neighbours. Search trees of libc
 * behind typed functions. Pointers that are returned stay valid until the entry is removed or all is cleared.
 */
#pragma once

#include "tables/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One way to a prefix. The data plane knows only the best one. */
struct mirror_path {
	uint32_t metric;
	struct address gateway; /* none: on link */
	uint16_t port;
};

struct mirror_route {
	struct prefix prefix;
	struct mirror_path *paths; /* lowest metric first */
	size_t n_paths;
};

struct mirror_neighbour {
	struct address address;
	uint16_t port;
	uint16_t state; /* NUD_... as last told */
	uint8_t mac[6];
	bool usable;  /* the MAC is known and in the tables */
	bool wanted;  /* a packet or a route needs it */
	bool managed; /* the kernel was asked to keep it fresh */
	uint64_t asked_ms;
};

struct mirror_address {
	struct address address;
	uint16_t port;
};

struct mirror_tables {
	void *addresses, *routes, *neighbours;
	size_t n_addresses, n_routes, n_neighbours;
};

void mirror_tables_clear(struct mirror_tables *tables);

/* True when it was not there. */
bool mirror_address_add(struct mirror_tables *tables, uint16_t port, const struct address *address);
/* True when it was there. */
bool mirror_address_remove(struct mirror_tables *tables, uint16_t port, const struct address *address);

/* NULL when there is none; with `make` only for want of memory. */
struct mirror_route *mirror_route_get(struct mirror_tables *tables, const struct prefix *prefix, bool make);
/* After those of the same metric. A path that is there already stays one. False for want of memory. */
bool mirror_route_add_path(struct mirror_route *route, const struct mirror_path *path);
/* `path` NULL: every path of that metric. */
void mirror_route_remove_path(struct mirror_route *route, uint32_t metric, const struct mirror_path *path);
void mirror_route_remove(struct mirror_tables *tables, struct mirror_route *route);

struct mirror_neighbour *mirror_neighbour_get(
	struct mirror_tables *tables, uint16_t port, const struct address *address, bool make);
void mirror_neighbour_remove(struct mirror_tables *tables, struct mirror_neighbour *neighbour);

/* Every entry of a tree, in order. */
void mirror_tables_each(const void *tree, void (*each)(void *context, const void *entry), void *context);
