/* SPDX-License-Identifier: Apache-2.0 */
/* What peers may say alone, and what they must not share. Sorting finds the latter, so that many peers stay quick. */
#include "config/settings_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A name or an identity, and whose. */
struct peers_key {
	const char *text;
	unsigned int peer;
};

/* An IPv6 address has many forms; peers send it as bytes, and it is compared as IKE writes them. */
static void peers_unify_identity(char identity[CONFIG_IDENTITY_LEN])
{
	struct address address;

	if (address_parse(identity, &address) == 0)
		address_format(&address, identity);
}

void settings_inherit(const config_setting_t *root, struct config *config)
{
	const config_setting_t *list = config_setting_get_member(root, "peers");

	for (unsigned int i = 0; i < config->n_peers; i++) {
		const config_setting_t *where = config_setting_get_elem(list, i);
		struct tunnel_settings own = config->peers[i].tunnel, *tunnel = &config->peers[i].tunnel;

		peers_unify_identity(config->peers[i].identity);
		*tunnel = config->tunnel;
		if (!config_setting_is_group(where))
			continue;
		if (config_setting_get_member(where, "fragment"))
			tunnel->fragment = own.fragment;
		if (config_setting_get_member(where, "df"))
			tunnel->df = own.df;
		if (config_setting_get_member(where, "dscp"))
			tunnel->dscp = own.dscp;
		if (config_setting_get_member(where, "mss_clamp"))
			tunnel->mss_clamp = own.mss_clamp;
	}
}

static void peers_check_secret(
	struct settings_reader *reader, const config_setting_t *where, const struct config_peer *peer)
{
	bool here = config_setting_get_member(where, "secret");
	bool elsewhere = config_setting_get_member(where, "secret_file");
	bool wanted = false;

	for (unsigned int i = 0; i < peer->n_auth; i++)
		wanted = wanted || ike_auth_shares_key(peer->auth[i]);
	if (peer->registration && (here || elsewhere))
		settings_refuse(reader, config_setting_get_member(where, here ? "secret" : "secret_file"), NULL,
			"is of no use: the key comes from the registration; expected none");
	if (wanted && !here && !elsewhere)
		settings_refuse(reader, where, "secret", "is missing; expected secret or secret_file");
	if (here && elsewhere)
		settings_refuse(
			reader, where, "secret_file", "is not alone: there is a secret too; expected one of them");
}

/* Reports a switch that is off or absent. What is no boolean was reported before. */
static void peers_check_switch(struct settings_reader *reader, const config_setting_t *where, const char *name,
	bool value, const char *expected)
{
	const config_setting_t *setting = config_setting_get_member(where, name);

	if (value || (setting && config_setting_type(setting) != CONFIG_TYPE_BOOL))
		return;
	if (setting)
		settings_refuse(reader, setting, NULL, "false is not a way to connect; expected %s", expected);
	else
		settings_refuse(reader, where, name, "is missing; expected %s", expected);
}

static void peers_check_modes(
	struct settings_reader *reader, const config_setting_t *where, const struct config_peer *peer)
{
	peers_check_switch(reader, where, "ikev1", peer->ikev1,
		"true: IKEv1 is the only version so far, and RFC 9395 asks that it is switched on knowingly");
}

/*
 * Who signs needs a certificate and its key, and whose peer signs needs somebody to trust. With users it is the peer who
 * begins; a client has none, and begins itself. For other methods it makes no difference.
 */
static void peers_check_auth(struct settings_reader *reader, const config_setting_t *where,
	const struct config_ike *ike, const struct config_peer *peer, const char *group)
{
	const config_setting_t *list = config_setting_get_member(where, "auth");
	char quote[SETTINGS_QUOTE_LEN];

	for (unsigned int i = 0; list && i < peer->n_auth; i++) {
		const config_setting_t *value = config_setting_get_elem(list, i);
		bool own = ike_auth_signature(peer->auth[i], !peer->users);
		bool others = ike_auth_signature(peer->auth[i], peer->users);

		if (own && !(ike->certificate[0] && ike->key[0]))
			settings_refuse(reader, value, NULL,
				others ? "%1$s is not possible without certificates; expected %2$scertificate, %2$skey "
					 "and %2$sauthorities"
				       : "%1$s is not possible without a certificate; expected %2$scertificate and "
					 "%2$skey",
				settings_quote(value, false, quote), group);
		else if (others && ike->n_authorities == 0)
			settings_refuse(reader, value, NULL,
				"%1$s is not possible without somebody to trust; expected %2$sauthorities",
				settings_quote(value, false, quote), group);
	}
}

/* RFC 7634 gives ChaCha20-Poly1305 a number in IKEv2; IKEv1's registry has none. */
static void peers_check_suites(
	struct settings_reader *reader, const config_setting_t *where, const struct config_peer *peer)
{
	const config_setting_t *list = config_setting_get_member(where, "esp");

	for (unsigned int i = 0; list && peer->ikev1 && i < peer->n_esp; i++)
		if (peer->esp[i] == ESP_CHACHA20_POLY1305)
			settings_refuse(reader, config_setting_get_elem(list, i), NULL,
				"\"chacha20poly1305\" is not for IKEv1, which has no number for it; expected another "
				"suite");
}

static void peers_refuse_legacy(
	struct settings_reader *reader, const config_setting_t *value, const char *algorithm, const char *group)
{
	char quote[SETTINGS_QUOTE_LEN];

	settings_refuse(reader, value, NULL,
		"%s is not allowed: %s is legacy (RFC 8247); expected another algorithm, or %slegacy = true",
		settings_quote(value, false, quote), algorithm, group);
}

/* The defaults hold nothing legacy: what is found here stands in the file. */
static void peers_check_legacy(struct settings_reader *reader, const config_setting_t *where,
	const struct config_peer *peer, const char *group)
{
	const config_setting_t *list = config_setting_get_member(where, "ike");
	const config_setting_t *pfs = config_setting_get_member(where, "pfs");
	const char *algorithm;

	for (unsigned int i = 0; list && i < peer->n_ike; i++) {
		algorithm = ike_proposal_legacy(&peer->ike[i]);
		if (algorithm)
			peers_refuse_legacy(reader, config_setting_get_elem(list, i), algorithm, group);
	}
	algorithm = ike_proposal_legacy(&(struct ike_proposal){.group = peer->pfs});
	if (pfs && algorithm)
		peers_refuse_legacy(reader, pfs, algorithm, group);
}

/* What was refused before is of neither family. */
static bool peers_is_network(const struct prefix *prefix)
{
	return prefix->address.family == ADDRESS_IPV4 || prefix->address.family == ADDRESS_IPV6;
}

/* A network of one family goes with those of the same family on the other side: there has to be one. */
static void peers_check_families(struct settings_reader *reader, const config_setting_t *where, const char *name,
	const struct prefix *networks, size_t count, const struct prefix *others, size_t n_others,
	const char *other_name)
{
	const config_setting_t *list = config_setting_get_member(where, name);
	char text[PREFIX_TEXT_LEN];

	for (size_t i = 0; n_others > 0 && i < count; i++) {
		uint8_t family = networks[i].address.family;
		size_t found = 0;

		while (found < n_others && peers_is_network(&others[found]) && others[found].address.family != family)
			found++;
		if (peers_is_network(&networks[i]) && found == n_others)
			settings_refuse(reader, config_setting_get_elem(list, (unsigned int)i), NULL,
				"\"%s\" is of no use: there is no %s network in %s; expected one beside it",
				prefix_format(&networks[i], text), family == ADDRESS_IPV6 ? "IPv6" : "IPv4",
				other_name);
	}
}

/* RFC 4301 section 4.1: transport mode is between two hosts; here it is for IPv4 alone. */
static void peers_check_transport(struct settings_reader *reader, const config_setting_t *where, const char *name,
	const struct prefix *networks, size_t count)
{
	const config_setting_t *list = config_setting_get_member(where, name);
	char text[PREFIX_TEXT_LEN];

	for (size_t i = 0; i < count; i++)
		if (peers_is_network(&networks[i]) &&
			(networks[i].address.family != ADDRESS_IPV4 || networks[i].len != 32))
			settings_refuse(reader, config_setting_get_elem(list, (unsigned int)i), NULL,
				"\"%s\" is not a host's IPv4 address; expected one such as 192.0.2.1/32 beside mode = "
				"\"transport\", or mode = \"tunnel\"",
				prefix_format(&networks[i], text));
}

static void peers_check_networks(
	struct settings_reader *reader, const config_setting_t *where, const struct config_peer *peer)
{
	peers_check_families(reader, where, "local_networks", peer->local_networks, peer->n_local,
		peer->remote_networks, peer->n_remote, "remote_networks");
	peers_check_families(reader, where, "remote_networks", peer->remote_networks, peer->n_remote,
		peer->local_networks, peer->n_local, "local_networks");
	if (peer->mode != CONFIG_MODE_TRANSPORT)
		return;
	peers_check_transport(reader, where, "local_networks", peer->local_networks, peer->n_local);
	peers_check_transport(reader, where, "remote_networks", peer->remote_networks, peer->n_remote);
}

static int peers_key_compare(const void *left, const void *right)
{
	const struct peers_key *a = left, *b = right;
	int order = strcmp(a->text, b->text);

	return order ? order : a->peer < b->peer ? -1 : 1;
}

/* Sorts the keys and reports each one that an earlier peer has too. */
static void peers_check_unique(struct settings_reader *reader, const config_setting_t *list, const char *name,
	struct peers_key *keys, size_t n)
{
	qsort(keys, n, sizeof(*keys), peers_key_compare);
	for (size_t i = 1; i < n; i++) {
		const config_setting_t *earlier = config_setting_get_elem(list, keys[i - 1].peer);
		const config_setting_t *later = config_setting_get_elem(list, keys[i].peer);
		const config_setting_t *value = config_setting_get_member(later, name);
		char quote[SETTINGS_QUOTE_LEN];

		if (!keys[i].text[0] || strcmp(keys[i].text, keys[i - 1].text) != 0)
			continue;
		settings_refuse(reader, value, NULL,
			"%s is not new: peers[%u] (line %u) has it; expected each peer's own",
			settings_quote(value, false, quote), keys[i - 1].peer,
			config_setting_get_member(earlier, name)->line);
	}
}

static int peers_check_names(struct settings_reader *reader, const config_setting_t *list, const struct config *config)
{
	struct peers_key *keys = calloc(config->n_peers, sizeof(*keys));

	if (!keys)
		return -ENOMEM;
	for (unsigned int i = 0; i < config->n_peers; i++)
		keys[i] = (struct peers_key){config->peers[i].name, i};
	peers_check_unique(reader, list, "name", keys, config->n_peers);
	for (unsigned int i = 0; i < config->n_peers; i++)
		keys[i] = (struct peers_key){config->peers[i].identity, i};
	peers_check_unique(reader, list, "identity", keys, config->n_peers);
	free(keys);
	return 0;
}

void settings_check_peer(struct settings_reader *reader, const config_setting_t *where, const struct config_ike *ike,
	const struct config_peer *peer, const char *group)
{
	peers_check_auth(reader, where, ike, peer, group);
	peers_check_secret(reader, where, peer);
	peers_check_suites(reader, where, peer);
	peers_check_networks(reader, where, peer);
	if (!ike->legacy)
		peers_check_legacy(reader, where, peer, group);
}

void settings_check_peers(struct settings_reader *reader, const config_setting_t *root, const struct config *config)
{
	const config_setting_t *list = config_setting_get_member(root, "peers");

	if (config->n_peers == 0)
		return;
	for (unsigned int i = 0; i < config->n_peers; i++) {
		const config_setting_t *where = config_setting_get_elem(list, i);

		if (!config_setting_is_group(where))
			continue;
		peers_check_modes(reader, where, &config->peers[i]);
		if (!config->peers[i].registration && !config_setting_get_member(where, "identity"))
			settings_refuse(reader, where, "identity",
				"is missing; expected what the peer sends as its own, such as \"branch1.example\"");
		settings_check_peer(reader, where, &config->ike, &config->peers[i], "ike.");
	}
	if (peers_check_names(reader, list, config) < 0)
		settings_refuse(reader, list, NULL, "there is no memory to compare the peers");
}
