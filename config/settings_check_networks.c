/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is behind peers and members must lead to one tunnel alone, and is nobody else's virtual address. Sorting finds
 * what overlaps, so that many peers stay quick.
 */
#include "config/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A network, whose it is, and where the file says so. */
struct network {
	struct prefix prefix;
	const char *kind, *name;       /* "peer", "branch1" */
	const config_setting_t *where; /* the setting */
	size_t owner, order;
};

struct networks {
	struct network *items;
	size_t count, owners;
};

/* What was refused before is of neither family. */
static bool network_is_one(const struct prefix *prefix)
{
	return prefix->address.family == ADDRESS_IPV4 || prefix->address.family == ADDRESS_IPV6;
}

static void networks_add(struct networks *all, const struct prefix *prefix, const char *kind, const char *name,
	const config_setting_t *where)
{
	if (network_is_one(prefix))
		all->items[all->count] = (struct network){*prefix, kind, name, where, all->owners, all->count};
	all->count += network_is_one(prefix);
}

static const config_setting_t *network_element(const config_setting_t *list, size_t i)
{
	return list ? config_setting_get_elem(list, (unsigned int)i) : NULL;
}

static void networks_add_peer(struct networks *all, const config_setting_t *where, const struct config_peer *peer)
{
	const config_setting_t *list = config_setting_get_member(where, "remote_networks");

	for (size_t i = 0; i < peer->n_remote; i++)
		networks_add(all, &peer->remote_networks[i], "peer", peer->name, network_element(list, i));
	all->owners++;
}

static void networks_add_member(struct networks *all, const config_setting_t *where, const struct config_member *member)
{
	const config_setting_t *list = config_setting_get_member(where, "networks");
	struct prefix host;

	for (size_t i = 0; i < member->n_networks; i++)
		networks_add(all, &member->networks[i], "member", member->identity, network_element(list, i));
	if (member->address.family == ADDRESS_IPV4) {
		host = prefix_make(&member->address, 32);
		networks_add(all, &host, "member", member->identity, config_setting_get_member(where, "address"));
	}
	all->owners++;
}

/* A network stands before those that it contains. */
static int networks_compare(const void *left, const void *right)
{
	const struct network *a = left, *b = right;
	int order = a->prefix.address.family - b->prefix.address.family;

	if (!order)
		order = memcmp(a->prefix.address.bytes, b->prefix.address.bytes, sizeof(a->prefix.address.bytes));
	if (order)
		return order;
	if (a->prefix.len != b->prefix.len)
		return a->prefix.len - b->prefix.len;
	return a->order < b->order ? -1 : 1;
}

static void networks_refuse(struct settings_reader *reader, const struct network *a, const struct network *b)
{
	const struct network *earlier = a->order < b->order ? a : b, *later = a->order < b->order ? b : a;
	char earlier_text[PREFIX_TEXT_LEN], later_text[PREFIX_TEXT_LEN];

	settings_refuse(reader, later->where, NULL,
		"\"%s\" of %s \"%s\" is not free: it overlaps \"%s\" of %s \"%s\"; expected each network behind "
		"one %s",
		prefix_format(&later->prefix, later_text), later->kind, later->name,
		prefix_format(&earlier->prefix, earlier_text), earlier->kind, earlier->name, later->kind);
}

/*
 * Two networks overlap only when one contains the other. In sorted order those that contain the present one are the
 * ones not left yet, from the innermost outwards; the innermost is the one to compare with, since what is wrong between
 * it and those further out has been reported already.
 */
static void networks_check_sorted(struct settings_reader *reader, const struct networks *all)
{
	const struct network *around[129]; /* one of each length suffices: equal ones replace each other */
	size_t depth = 0;

	for (size_t i = 0; i < all->count; i++) {
		const struct network *network = &all->items[i];

		while (depth > 0 && !prefix_contains(&around[depth - 1]->prefix, &network->prefix))
			depth--;
		if (depth > 0 && around[depth - 1]->owner != network->owner)
			networks_refuse(reader, around[depth - 1], network);
		if (depth > 0 && prefix_equal(&around[depth - 1]->prefix, &network->prefix))
			depth--;
		around[depth++] = network;
	}
}

/* A fixed address may lie in a pool's network, beside those that are given out; nothing else may touch one. */
static bool network_meets(const struct network *network, const struct config_pool *pool)
{
	uint32_t address = address_to_ipv4(&network->prefix.address);

	if (network->prefix.address.family != ADDRESS_IPV4 || pool->network.address.family != ADDRESS_IPV4)
		return false;
	if (network->prefix.len == 32 && strcmp(network->kind, "member") == 0)
		return address >= address_to_ipv4(&pool->first) && address <= address_to_ipv4(&pool->last);
	return prefix_contains(&network->prefix, &pool->network) || prefix_contains(&pool->network, &network->prefix);
}

static void networks_check_pools(
	struct settings_reader *reader, const struct networks *all, const struct config *config)
{
	char text[PREFIX_TEXT_LEN], other[PREFIX_TEXT_LEN];

	for (size_t i = 0; i < all->count; i++)
		for (size_t k = 0; k < config->n_pools; k++)
			if (network_meets(&all->items[i], &config->pools[k]))
				settings_refuse(reader, all->items[i].where, NULL,
					"\"%s\" of %s \"%s\" is not free: it overlaps \"%s\" of pool \"%s\"; expected "
					"networks of their own",
					prefix_format(&all->items[i].prefix, text), all->items[i].kind,
					all->items[i].name, prefix_format(&config->pools[k].network, other),
					config->pools[k].name);
}

static size_t networks_most(const struct config *config)
{
	size_t n = 1;

	for (size_t i = 0; i < config->n_peers; i++)
		n += config->peers[i].n_remote;
	for (size_t i = 0; i < config->registration.n_members; i++)
		n += config->registration.members[i].n_networks + 1u;
	return n;
}

void settings_check_networks(struct settings_reader *reader, const config_setting_t *root, const struct config *config)
{
	const config_setting_t *peers = config_setting_get_member(root, "peers");
	const config_setting_t *group = config_setting_get_member(root, "registration");
	const config_setting_t *members = group ? config_setting_get_member(group, "members") : NULL;
	struct networks all = {.items = calloc(networks_most(config), sizeof(*all.items))};

	if (!all.items) {
		settings_refuse(reader, root, "peers", "cannot be compared: there is no memory");
		return;
	}
	for (size_t i = 0; i < config->n_peers; i++)
		networks_add_peer(&all, network_element(peers, i), &config->peers[i]);
	for (size_t i = 0; i < config->registration.n_members; i++)
		networks_add_member(&all, network_element(members, i), &config->registration.members[i]);
	networks_check_pools(reader, &all, config);
	qsort(all.items, all.count, sizeof(*all.items), networks_compare);
	networks_check_sorted(reader, &all);
	free(all.items);
}
