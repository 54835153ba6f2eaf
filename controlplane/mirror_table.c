/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror_table.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static int compare_address(const struct address *a, const struct address *b)
{
	return a->family != b->family ? a->family - b->family : memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static int compare_addresses(const void *a, const void *b)
{
	const struct mirror_address *x = a, *y = b;

	return x->port != y->port ? x->port - y->port : compare_address(&x->address, &y->address);
}

static int compare_neighbours(const void *a, const void *b)
{
	const struct mirror_neighbour *x = a, *y = b;

	return x->port != y->port ? x->port - y->port : compare_address(&x->address, &y->address);
}

static int compare_routes(const void *a, const void *b)
{
	const struct mirror_route *x = a, *y = b;
	int order = compare_address(&x->prefix.address, &y->prefix.address);

	return order ? order : x->prefix.len - y->prefix.len;
}

static void route_free(void *entry)
{
	struct mirror_route *route = entry;

	free(route->paths);
	free(route);
}

void mirror_tables_clear(struct mirror_tables *tables)
{
	tdestroy(tables->addresses, free);
	tdestroy(tables->routes, route_free);
	tdestroy(tables->neighbours, free);
	*tables = (struct mirror_tables){0};
}

/* The entry equal to `key`; with `make` a copy of `key` where there is none. */
static void *tree_get(void **tree, const void *key, size_t key_len, int (*compare)(const void *, const void *),
	bool make, size_t *count)
{
	void **found = tfind(key, tree, compare);
	void *entry;

	if (found || !make)
		return found ? *found : NULL;
	entry = malloc(key_len);
	if (!entry)
		return NULL;
	memcpy(entry, key, key_len);
	if (!tsearch(entry, tree, compare)) {
		free(entry);
		return NULL;
	}
	++*count;
	return entry;
}

bool mirror_address_add(struct mirror_tables *tables, uint16_t port, const struct address *address)
{
	struct mirror_address key = {.address = *address, .port = port};
	size_t before = tables->n_addresses;

	tree_get(&tables->addresses, &key, sizeof(key), compare_addresses, true, &tables->n_addresses);
	return tables->n_addresses > before;
}

bool mirror_address_remove(struct mirror_tables *tables, uint16_t port, const struct address *address)
{
	struct mirror_address key = {.address = *address, .port = port};
	void *entry = tree_get(&tables->addresses, &key, 0, compare_addresses, false, NULL);

	if (!entry)
		return false;
	tdelete(entry, &tables->addresses, compare_addresses);
	free(entry);
	tables->n_addresses--;
	return true;
}

struct mirror_route *mirror_route_get(struct mirror_tables *tables, const struct prefix *prefix, bool make)
{
	struct mirror_route key = {.prefix = *prefix};

	return tree_get(&tables->routes, &key, sizeof(key), compare_routes, make, &tables->n_routes);
}

static bool same_path(const struct mirror_path *a, const struct mirror_path *b)
{
	return a->metric == b->metric && a->port == b->port && address_equal(&a->gateway, &b->gateway);
}

bool mirror_route_add_path(struct mirror_route *route, const struct mirror_path *path)
{
	struct mirror_path *paths;
	size_t place = 0;

	for (size_t i = 0; i < route->n_paths; i++) {
		if (same_path(&route->paths[i], path))
			return true;
		if (route->paths[i].metric <= path->metric)
			place = i + 1;
	}
	paths = reallocarray(route->paths, route->n_paths + 1, sizeof(*paths));
	if (!paths)
		return false;
	route->paths = paths;
	memmove(&paths[place + 1], &paths[place], (route->n_paths - place) * sizeof(*paths));
	paths[place] = *path;
	route->n_paths++;
	return true;
}

void mirror_route_remove_path(struct mirror_route *route, uint32_t metric, const struct mirror_path *path)
{
	size_t kept = 0;

	for (size_t i = 0; i < route->n_paths; i++) {
		const struct mirror_path *one = &route->paths[i];

		if (path ? !same_path(one, path) : one->metric != metric)
			route->paths[kept++] = *one;
	}
	route->n_paths = kept;
}

void mirror_route_remove(struct mirror_tables *tables, struct mirror_route *route)
{
	tdelete(route, &tables->routes, compare_routes);
	route_free(route);
	tables->n_routes--;
}

struct mirror_neighbour *mirror_neighbour_get(
	struct mirror_tables *tables, uint16_t port, const struct address *address, bool make)
{
	struct mirror_neighbour key = {.address = *address, .port = port};

	return tree_get(&tables->neighbours, &key, sizeof(key), compare_neighbours, make, &tables->n_neighbours);
}

void mirror_neighbour_remove(struct mirror_tables *tables, struct mirror_neighbour *neighbour)
{
	tdelete(neighbour, &tables->neighbours, compare_neighbours);
	free(neighbour);
	tables->n_neighbours--;
}

struct walk {
	void (*each)(void *context, const void *entry);
	void *context;
};

static void walk_node(const void *node, VISIT which, void *closure)
{
	const struct walk *walk = closure;

	if (which == postorder || which == leaf)
		walk->each(walk->context, *(const void *const *)node);
}

void mirror_tables_each(const void *tree, void (*each)(void *context, const void *entry), void *context)
{
	struct walk walk = {.each = each, .context = context};

	twalk_r(tree, walk_node, &walk);
}
