/* SPDX-License-Identifier: Apache-2.0 */
/* The group `registration`: its settings, and what they and the peers that they are for mean together. */
#include "config/settings_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const char *const config_method_names[] = {[CONFIG_METHOD_KERBEROS] = "kerberos",
	[CONFIG_METHOD_CERTIFICATE] = "certificate",
	[CONFIG_METHOD_PASSWORD] = "password",
	NULL};
const char *const config_transport_names[] = {[CONFIG_TRANSPORT_UDP] = "udp", [CONFIG_TRANSPORT_TCP] = "tcp", NULL};

static const struct setting member_settings[] = {
	{"identity", SETTING_TEXT, NULL, "an identity", "what it authenticates as, such as a user's name",
		.min = 1, FIELD(config_member, identity)},
	{"subject", SETTING_TEXT, "", "a certificate's subject", "a name such as \"O=Example, CN=branch1\"",
		FIELD(config_member, subject)},
	{"group", SETTING_NAME, "\"\"", "a group", "a group's name, or \"\"", FIELD(config_member, group)},
	{"methods", SETTING_CHOICE, "", "a method of registration", .choices = config_method_names,
		ARRAY(config_member, methods, n_methods)},
	{"address", SETTING_ADDRESS, "", "an address", "an IPv4 address such as 10.99.0.5",
		FIELD(config_member, address)},
	{"networks", SETTING_NETWORK, "", "a network", NETWORK_EXPECTED, ARRAY(config_member, networks, n_networks)},
	{0},
};

const struct setting settings_registration[] = {
	{"ports", SETTING_INTEGER, "", "a port", RANGE(1, 65535), ARRAY(config_registration, ports, n_ports)},
	{"methods", SETTING_CHOICE, "[\"password\"]", "a method of registration", .choices = config_method_names,
		.count_min = 1, ARRAY(config_registration, methods, n_methods)},
	{"transports", SETTING_CHOICE, "[\"udp\"]", "a transport", .choices = config_transport_names,
		.count_min = 1, ARRAY(config_registration, transports, n_transports)},
	{"fallback", SETTING_BOOLEAN, "true", "a boolean", "true or false", FIELD(config_registration, fallback)},
	{"udp_wait", SETTING_INTEGER, "20", "a time in seconds", RANGE(1, 120), FIELD(config_registration, udp_wait)},
	{"dial_tries", SETTING_INTEGER, "6", "a number of tries", RANGE(0, 20), FIELD(config_registration, dial_tries)},
	{"timeout", SETTING_INTEGER, "30", "a time in seconds", RANGE(2, 600), FIELD(config_registration, timeout)},
	{"key_timeout", SETTING_INTEGER, "120", "a time in seconds",
		RANGE(10, 3600), FIELD(config_registration, key_timeout)},
	{"connections", SETTING_INTEGER, "1024", "a number of connections",
		RANGE(8, 100000), FIELD(config_registration, connections)},
	{"connections_per_address", SETTING_INTEGER, "256", "a number of connections",
		RANGE(1, 100000), FIELD(config_registration, connections_per_address)},
	{"kerberos", SETTING_GROUP, "", "a group", "{ ... }", .members = settings_kerberos,
		FIELD(config_registration, kerberos)},
	{"members", SETTING_PEERS, "", "a list of members", "at most 100000 groups: ( { ... }, { ... } )",
		.members = member_settings, .offset = offsetof(struct config_registration, members),
		.size = sizeof(struct config_member), .capacity = CONFIG_MEMBERS_MAX,
		.count_offset = offsetof(struct config_registration, n_members)},
	{0},
};
/* clang-format on */

static bool registration_has(const uint8_t *values, size_t count, uint8_t value)
{
	for (size_t i = 0; i < count; i++)
		if (values[i] == value)
			return true;
	return false;
}

static void registration_check_ports(
	struct settings_reader *reader, const config_setting_t *group, const struct config *config)
{
	const config_setting_t *list = config_setting_get_member(group, "ports");

	if (config->registration.n_ports > 0 && !(config->ike.certificate[0] && config->ike.key[0]))
		settings_refuse(reader, list, NULL,
			"is not possible without a certificate, by which clients know the gateway before they say "
			"anything; expected ike.certificate and ike.key");
}

/* IKE begins when UDP has been found, which may take until our last dial; there is one a second. */
static void registration_check_times(
	struct settings_reader *reader, const config_setting_t *group, const struct config *config)
{
	const config_setting_t *value = config_setting_get_member(group, "key_timeout");
	const struct config_registration *registration = &config->registration;
	uint32_t search = registration->udp_wait + registration->dial_tries;

	if (registration->key_timeout <= search)
		settings_refuse(reader, value ? value : config_setting_get_member(group, "udp_wait"), NULL,
			"the key may end (key_timeout, %u s) before UDP is given up (udp_wait and dial_tries, %u s); "
			"expected a "
			"longer key_timeout",
			registration->key_timeout, search);
}

/* What is on, but can't be. */
static void registration_check_choices(
	struct settings_reader *reader, const config_setting_t *group, const struct config *config)
{
	const config_setting_t *methods = config_setting_get_member(group, "methods");
	const struct config_registration *registration = &config->registration;

	for (unsigned int i = 0; methods && i < registration->n_methods; i++) {
		if (registration->methods[i] == CONFIG_METHOD_KERBEROS && registration->kerberos.n_rules == 0)
			settings_refuse(reader, config_setting_get_elem(methods, i), NULL,
				"\"kerberos\" is not possible without anybody to let in; expected "
				"registration.kerberos.rules");
		if (registration->methods[i] == CONFIG_METHOD_CERTIFICATE && config->ike.n_authorities == 0)
			settings_refuse(reader, config_setting_get_elem(methods, i), NULL,
				"\"certificate\" is not possible without somebody to trust; expected ike.authorities");
	}
}

/* An identity or a subject, and whose. */
struct member_key {
	const char *text;
	unsigned int member;
};

static int member_compare(const void *left, const void *right)
{
	const struct member_key *a = left, *b = right;
	int order = strcmp(a->text, b->text);

	return order ? order : a->member < b->member ? -1 : 1;
}

/* Sorts the keys and reports each one that an earlier member has too. */
static void members_check_unique(struct settings_reader *reader, const config_setting_t *list, const char *name,
	struct member_key *keys, size_t n)
{
	char quote[SETTINGS_QUOTE_LEN];

	qsort(keys, n, sizeof(*keys), member_compare);
	for (size_t i = 1; i < n; i++) {
		const config_setting_t *value =
			config_setting_get_member(config_setting_get_elem(list, keys[i].member), name);

		if (value && keys[i].text[0] && strcmp(keys[i].text, keys[i - 1].text) == 0)
			settings_refuse(reader, value, NULL, "%s is not new: members[%u] has it; expected each once",
				settings_quote(value, false, quote), keys[i - 1].member);
	}
}

static int members_check_names(
	struct settings_reader *reader, const config_setting_t *list, const struct config_registration *registration)
{
	struct member_key *keys = calloc(registration->n_members, sizeof(*keys));

	if (!keys)
		return -ENOMEM;
	for (unsigned int i = 0; i < registration->n_members; i++)
		keys[i] = (struct member_key){registration->members[i].identity, i};
	members_check_unique(reader, list, "identity", keys, registration->n_members);
	for (unsigned int i = 0; i < registration->n_members; i++)
		keys[i] = (struct member_key){registration->members[i].subject, i};
	members_check_unique(reader, list, "subject", keys, registration->n_members);
	free(keys);
	return 0;
}

static void members_check(
	struct settings_reader *reader, const config_setting_t *list, const struct config_registration *registration)
{
	char quote[SETTINGS_QUOTE_LEN];

	if (registration->n_members == 0)
		return;
	for (unsigned int i = 0; i < registration->n_members; i++) {
		const config_setting_t *where = config_setting_get_elem(list, i);
		const config_setting_t *address = config_setting_get_member(where, "address");

		if (registration->members[i].address.family == ADDRESS_IPV6)
			settings_refuse(reader, address, NULL,
				"%s is not an IPv4 address; expected one such as 10.99.0.5",
				settings_quote(address, false, quote));
	}
	if (members_check_names(reader, list, registration) < 0)
		settings_refuse(reader, list, NULL, "cannot be compared: there is no memory");
}

static void refuse_useless(
	struct settings_reader *reader, const config_setting_t *where, const char *name, const char *because)
{
	const config_setting_t *setting = config_setting_get_member(where, name);

	if (setting)
		settings_refuse(
			reader, setting, NULL, "is of no use with \"registration\": %s; expected none", because);
}

/* A peer that stands for all who register. */
static void template_check(struct settings_reader *reader, const config_setting_t *where,
	const struct config_peer *peer, const struct config_registration *registration)
{
	const config_setting_t *auth = config_setting_get_member(where, "auth");
	const config_setting_t *methods = config_setting_get_member(where, "methods");
	char quote[SETTINGS_QUOTE_LEN];

	if (peer->n_auth > 1)
		settings_refuse(reader, auth, NULL,
			"is more than \"registration\", which goes alone; expected a peer of its own for the others");
	if (registration->n_ports == 0)
		settings_refuse(reader, auth, NULL,
			"\"registration\" is of no use: nobody can register; expected registration.ports");
	refuse_useless(reader, where, "identity", "it comes from the registration");
	refuse_useless(reader, where, "address", "it comes from the registration");
	refuse_useless(reader, where, "remote_networks", "those of members stand in registration.members");
	refuse_useless(reader, where, "assign", "the registration's answer has the address");
	if (peer->mode == CONFIG_MODE_TRANSPORT)
		settings_refuse(reader, config_setting_get_member(where, "mode"), NULL,
			"\"transport\" is not for peers that register; expected \"tunnel\"");
	for (unsigned int i = 0; methods && i < peer->n_methods; i++)
		if (!registration_has(registration->methods, registration->n_methods, peer->methods[i]))
			settings_refuse(reader, config_setting_get_elem(methods, i), NULL,
				"%s is off; expected one of registration.methods",
				settings_quote(config_setting_get_elem(methods, i), false, quote));
}

void settings_check_registration(
	struct settings_reader *reader, const config_setting_t *root, const struct config *config)
{
	const config_setting_t *group = config_setting_get_member(root, "registration");
	const config_setting_t *peers = config_setting_get_member(root, "peers");
	const struct config_registration *registration = &config->registration;
	bool templates = false;

	for (unsigned int i = 0; i < config->n_peers; i++) {
		const config_setting_t *where = config_setting_get_elem(peers, i);

		if (config->peers[i].registration)
			template_check(reader, where, &config->peers[i], registration);
		else if (config_setting_is_group(where) && config_setting_get_member(where, "methods"))
			settings_refuse(reader, config_setting_get_member(where, "methods"), NULL,
				"is of no use: this peer does not register; expected auth = [\"registration\"] beside "
				"it");
		templates = templates || config->peers[i].registration;
	}
	if (!group || !config_setting_is_group(group))
		return;
	registration_check_ports(reader, group, config);
	registration_check_choices(reader, group, config);
	registration_check_times(reader, group, config);
	settings_check_kerberos(reader, config_setting_get_member(group, "kerberos"), &registration->kerberos);
	members_check(reader, config_setting_get_member(group, "members"), registration);
	if (registration->n_ports > 0 && !templates)
		settings_refuse(reader, config_setting_get_member(group, "ports"), NULL,
			"is of no use: no peer is for those who register; expected one with auth = [\"registration\"]");
}

void settings_complete_registration(struct config *config)
{
	for (size_t i = 0; i < config->n_peers; i++) {
		struct config_peer *peer = &config->peers[i];

		if (!peer->registration)
			continue;
		peer->auth[0] = IKE_AUTH_PSK;
		peer->n_auth = 1;
		/* The key has 256 bits: whoever sees its hash has nothing to guess. */
		peer->aggressive = true;
	}
}
