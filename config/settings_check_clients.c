/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that serve many clients: which methods have users, which pool gives addresses, and that pools are nobody
 * else's. */
#include "config/settings.h"

#include <string.h>

/* The first and the last address of a network that hosts may have: in larger ones than /31 two are not theirs. */
static void clients_span(const struct prefix *network, uint32_t *first, uint32_t *last)
{
	uint32_t size = network->len == 0 ? 0 : UINT32_C(1) << (32 - network->len);

	*first = address_to_ipv4(&network->address);
	*last = *first + (size - 1);
	if (network->len < 31) {
		++*first;
		--*last;
	}
}

void settings_complete_clients(struct config *config)
{
	uint32_t first, last;

	for (size_t i = 0; i < config->n_pools; i++) {
		struct config_pool *pool = &config->pools[i];

		if (pool->network.address.family != ADDRESS_IPV4)
			continue;
		clients_span(&pool->network, &first, &last);
		if (!pool->first.family)
			pool->first = address_ipv4(first);
		if (!pool->last.family)
			pool->last = address_ipv4(last);
	}
	for (size_t i = 0; i < config->n_peers; i++)
		for (size_t k = 0; k < config->peers[i].n_auth; k++) {
			config->peers[i].users |= ike_auth_asks_user(config->peers[i].auth[k]);
			config->peers[i].registration |= config->peers[i].auth[k] == IKE_AUTH_REGISTRATION;
		}
}

static bool clients_is_inside(const struct config_pool *pool, const struct address *address)
{
	struct prefix host = prefix_make(address, 32);

	return address->family == ADDRESS_IPV4 && prefix_contains(&pool->network, &host);
}

static void clients_check_pool(
	struct settings_reader *reader, const config_setting_t *where, const struct config *config, size_t i)
{
	const struct config_pool *pool = &config->pools[i];
	const config_setting_t *network = config_setting_get_member(where, "network");
	const config_setting_t *first = config_setting_get_member(where, "first");
	const config_setting_t *last = config_setting_get_member(where, "last");
	char text[PREFIX_TEXT_LEN], other[PREFIX_TEXT_LEN], quote[SETTINGS_QUOTE_LEN];

	if (!network || pool->network.address.family == 0)
		return;
	if (pool->network.address.family != ADDRESS_IPV4 || pool->network.len < 12) {
		settings_refuse(reader, network, NULL,
			"\"%s\" is not a pool's network; expected an IPv4 one of /12 to /32",
			prefix_format(&pool->network, text));
		return;
	}
	if (first && !clients_is_inside(pool, &pool->first))
		settings_refuse(reader, first, NULL, "%s is not within network \"%s\"; expected one of its addresses",
			settings_quote(first, false, quote), prefix_format(&pool->network, text));
	else if (last && !clients_is_inside(pool, &pool->last))
		settings_refuse(reader, last, NULL, "%s is not within network \"%s\"; expected one of its addresses",
			settings_quote(last, false, quote), prefix_format(&pool->network, text));
	else if (address_to_ipv4(&pool->last) < address_to_ipv4(&pool->first))
		settings_refuse(reader, last ? last : first, NULL,
			"the pool has no address: its last one is before its first; expected first <= last");
	for (size_t k = 0; k < i; k++) {
		if (strcmp(pool->name, config->pools[k].name) == 0)
			settings_refuse(reader, config_setting_get_member(where, "name"), NULL,
				"\"%s\" is not new: pools[%zu] has it; expected a name of its own", pool->name, k);
		if (prefix_contains(&pool->network, &config->pools[k].network) ||
			prefix_contains(&config->pools[k].network, &pool->network))
			settings_refuse(reader, network, NULL,
				"\"%s\" is not free: it overlaps \"%s\" of pool \"%s\"; expected networks of their own",
				prefix_format(&pool->network, text), prefix_format(&config->pools[k].network, other),
				config->pools[k].name);
	}
}

static bool clients_has_pool(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_pools; i++)
		if (strcmp(config->pools[i].name, name) == 0)
			return true;
	return false;
}

static void clients_check_peer(struct settings_reader *reader, const config_setting_t *where,
	const struct config_peer *peer, const struct config *config)
{
	const config_setting_t *auth = config_setting_get_member(where, "auth");
	const config_setting_t *networks = config_setting_get_member(where, "remote_networks");
	char quote[SETTINGS_QUOTE_LEN];

	for (unsigned int i = 0; auth && peer->users && i < peer->n_auth; i++)
		if (!ike_auth_asks_user(peer->auth[i]) && peer->auth[i] != UINT16_MAX)
			settings_refuse(reader, config_setting_get_elem(auth, i), NULL,
				"%s is not a method for users, and others of the list are: whoever has the group's key "
				"could go without; expected methods of one kind",
				settings_quote(config_setting_get_elem(auth, i), false, quote));
	if (peer->users && !peer->pool[0])
		settings_refuse(reader, where, "pool", "is missing; expected a pool, since each user needs an address");
	if (peer->user_group[0] && !peer->users && !peer->registration)
		settings_refuse(reader, config_setting_get_member(where, "user_group"), NULL,
			"is of no use: nobody logs in with these methods; expected auth = [\"xauth-psk\"] beside it");
	if (peer->pool[0] && !clients_has_pool(config, peer->pool))
		settings_refuse(reader, config_setting_get_member(where, "pool"), NULL,
			"\"%s\" is not one of the pools; expected the name of one", peer->pool);
	if (peer->pool[0] && networks)
		settings_refuse(reader, networks, NULL,
			"is of no use beside pool: what is behind a client is its virtual address; expected one of "
			"both");
	if (!peer->pool[0] && !networks && !peer->registration)
		settings_refuse(reader, where, "remote_networks", "is missing; expected networks, or a pool");
	if (peer->pool[0] && peer->mode == CONFIG_MODE_TRANSPORT)
		settings_refuse(reader, config_setting_get_member(where, "mode"), NULL,
			"\"transport\" is not for virtual addresses; expected \"tunnel\"");
}

void settings_check_clients(struct settings_reader *reader, const config_setting_t *root, const struct config *config)
{
	const config_setting_t *pools = config_setting_get_member(root, "pools");
	const config_setting_t *peers = config_setting_get_member(root, "peers");

	for (unsigned int i = 0; pools && i < config->n_pools; i++)
		clients_check_pool(reader, config_setting_get_elem(pools, i), config, i);
	for (unsigned int i = 0; peers && i < config->n_peers; i++)
		if (config_setting_is_group(config_setting_get_elem(peers, i)))
			clients_check_peer(reader, config_setting_get_elem(peers, i), &config->peers[i], config);
}
