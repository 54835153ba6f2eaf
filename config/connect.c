/* SPDX-License-Identifier: Apache-2.0 */
#include "config/connect.h"

#include "config/connect_settings.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As responder it is asked by its gateway alone, if ever. */
enum { HALF_OPEN_MAX = 16, HALF_OPEN_TIMEOUT = 30, REPLAY_WINDOW = 1024 };

enum { TCP_PORT = 4500 }; /* RFC 9329 section 2 */

struct connect_source {
	const struct connect_option *options;
	size_t n_options;
	struct connect_config *config;
};

static const struct setting *option_find(const char *name)
{
	for (const struct setting *setting = connect_settings; setting->name; setting++)
		if (strcmp(setting->name, name) == 0)
			return setting;
	return NULL;
}

static bool option_is_switch(const struct setting *setting)
{
	return setting->type == SETTING_BOOLEAN;
}

const char *connect_option_name(size_t i, bool *is_switch)
{
	for (const struct setting *setting = connect_settings; setting->name; setting++) {
		if (setting->type == SETTING_SECRET || i-- > 0)
			continue;
		*is_switch = option_is_switch(setting);
		return setting->name;
	}
	return NULL;
}

/* A whole decimal number; false: the text is none, or of no use as one. */
static bool text_is_number(const char *text, long long *number)
{
	char *end;

	errno = 0;
	*number = strtoll(text, &end, 10);
	return text[0] != '\0' && *end == '\0' && errno == 0;
}

/* The type in the tree is what the text looks like, where the setting takes such a thing. */
static void element_set(config_setting_t *parent, const char *name, const struct setting *setting, const char *text)
{
	bool number_fits = setting->type == SETTING_INTEGER || setting->type == SETTING_DSCP;
	long long number;
	config_setting_t *element;

	if (setting->type == SETTING_BOOLEAN && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) {
		element = config_setting_add(parent, name, CONFIG_TYPE_BOOL);
		config_setting_set_bool(element, text[0] == 't');
	} else if (number_fits && text_is_number(text, &number)) {
		element = config_setting_add(parent, name, CONFIG_TYPE_INT64);
		config_setting_set_int64(element, number);
	} else {
		element = config_setting_add(parent, name, CONFIG_TYPE_STRING);
		config_setting_set_string(element, text);
	}
}

/* A relative file of the command line starts where the command was given, not where a configuration file lies. */
static void value_set(config_setting_t *parent, const char *name, const struct setting *setting, const char *text)
{
	char directory[PATH_MAX], path[2 * PATH_MAX];
	bool is_file = setting->type == SETTING_FILE || setting->type == SETTING_SECRET_FILE ||
		       setting->type == SETTING_PASSWORD_FILE;

	if (is_file && text[0] != '/' && getcwd(directory, sizeof(directory))) {
		snprintf(path, sizeof(path), "%s/%s", directory, text);
		text = path;
	}
	element_set(parent, name, setting, text);
}

static void list_add(config_setting_t *list, const struct setting *setting, const char *text)
{
	char *copy = strdup(text), *rest = copy, *word;

	while (copy && (word = strsep(&rest, ",")))
		value_set(list, NULL, setting, word);
	free(copy);
}

/* A setting of the file goes when the first option of its name comes. */
static void option_set(config_setting_t *root, const struct setting *setting, const struct connect_option *option)
{
	config_setting_t *member = config_setting_get_member(root, setting->name);
	bool is_ours = member && member->line == 0;

	if (member && !(is_ours && setting->capacity)) {
		config_setting_remove(root, setting->name);
		member = NULL;
	}
	/* Of the two ways to give a secret the option replaces the other one, too. */
	if (setting->type == SETTING_SECRET_FILE)
		(void)config_setting_remove(root, "secret");
	if (setting->capacity) {
		if (!member)
			member = config_setting_add(root, setting->name, CONFIG_TYPE_LIST);
		list_add(member, setting, option->value);
	} else {
		value_set(root, setting->name, setting, option->value);
	}
}

static void connect_complete(struct connect_config *config)
{
	struct config *base = &config->base;

	snprintf(config->peer.name, sizeof(config->peer.name), "gateway");
	if (!config->peer.identity[0])
		snprintf(config->peer.identity, sizeof(config->peer.identity), "%.*s",
			(int)sizeof(config->peer.identity) - 1, config->gateway);
	config->peer.ikev1 = true;
	/* Without a network of its own a host wants an address from the gateway. */
	config->peer.virtual_address = config->peer.n_local == 0;
	/* It has no socket for bare ESP. */
	config->peer.force_udp = true;
	base->peers = &config->peer;
	base->n_peers = 1;
	base->tunnel = config->peer.tunnel;
	base->dataplane.replay_window = REPLAY_WINDOW;
	base->ike.half_open_max = base->ike.half_open_per_source = HALF_OPEN_MAX;
	base->ike.half_open_timeout = base->users.timeout = HALF_OPEN_TIMEOUT;
}

/* A user is asked for by some methods, and by no others. */
static void connect_check_login(
	struct settings_reader *reader, const config_setting_t *root, const struct connect_config *config)
{
	const config_setting_t *auth = config_setting_get_member(root, "auth");
	const config_setting_t *login = config_setting_get_member(root, "login");
	const config_setting_t *file = config_setting_get_member(root, "password_file");
	bool asked = false;

	for (unsigned int i = 0; i < config->peer.n_auth; i++) {
		asked = asked || ike_auth_asks_user(config->peer.auth[i]);
		if (auth && config->peer.auth[i] == IKE_AUTH_REGISTRATION)
			settings_refuse(reader, config_setting_get_elem(auth, i), NULL,
				"\"registration\" is a gateway's way to authenticate; expected " CONNECT_AUTH_EXPECTED);
	}
	if (asked && !login)
		settings_refuse(reader, root, "login", "is missing; expected the user who is to log in");
	if (asked && !file)
		settings_refuse(reader, root, "password_file", "is missing; expected the file with the user's password");
	if (!asked && login && config->login[0] && !connect_logs_in(config))
		settings_refuse(reader, login, NULL,
			"is of no use: nobody logs in with these methods; expected auth = [\"xauth-psk\"], "
			"[\"xauth-rsa\"] or [\"hybrid-rsa\"] beside it, or methods = [\"password\"]");
}

/* Networks of this side go with those of the other; with a virtual address the gateway may say what it reaches. */
static void connect_check_networks(
	struct settings_reader *reader, const config_setting_t *root, const struct connect_config *config)
{
	const config_setting_t *dns = config_setting_get_member(root, "dns_file");
	const config_setting_t *remote = config_setting_get_member(root, "remote_networks");
	const struct config_peer *peer = &config->peer;
	char text[PREFIX_TEXT_LEN];

	if (config_setting_get_member(root, "local_networks") && !remote)
		settings_refuse(reader, root, "remote_networks",
			"is missing; expected networks, or none of both: then the gateway says");
	for (unsigned int i = 0; peer->virtual_address && i < peer->n_remote; i++)
		if (peer->remote_networks[i].address.family == ADDRESS_IPV6)
			settings_refuse(reader, config_setting_get_elem(remote, i), NULL,
				"\"%s\" is of no use without local_networks: the address that a gateway gives is IPv4; "
				"expected IPv4 networks",
				prefix_format(&peer->remote_networks[i], text));
	if (dns && config->dns_file[0] && config->n_dns == 0 && !peer->virtual_address && config->n_methods == 0)
		settings_refuse(reader, dns, NULL, "is of no use without name servers; expected dns beside it");
}

static void connect_take(struct settings_reader *reader, config_setting_t *root, void *context)
{
	struct connect_source *source = context;
	struct connect_config *config = source->config;

	for (size_t i = 0; i < source->n_options; i++) {
		const struct setting *setting = option_find(source->options[i].setting);

		if (setting)
			option_set(root, setting, &source->options[i]);
	}
	settings_read(reader, connect_settings, root, config);
	if (config->transport == CONNECT_TRANSPORT_TCP && !config_setting_get_member(root, "ports")) {
		config->ports[0] = TCP_PORT;
		config->n_ports = 1;
	}
	connect_complete(config);
	connect_complete_registration(root, config);
	connect_check_registration(reader, root, config);
	settings_check_peer(reader, root, &config->base.ike, &config->peer, "");
	connect_check_login(reader, root, config);
	connect_check_networks(reader, root, config);
	settings_check_fragment_size(
		reader, config_setting_get_member(root, "ike_fragment_size"), &config->base.ike);
}

struct connect_config *connect_config_load(const char *path, const struct connect_option *options, size_t n_options,
	void (*report)(void *context, const char *sentence), void *context)
{
	struct settings_reader reader = {.file = path, .report = report, .context = context};
	struct connect_source source = {
		.options = options, .n_options = n_options, .config = calloc(1, sizeof(struct connect_config))};

	if (source.config)
		settings_load(&reader, connect_take, &source);
	else
		settings_refuse_at(&reader, NULL, 0, "cannot be read: %s", strerror(ENOMEM));
	if (reader.errors) {
		connect_config_free(source.config);
		source.config = NULL;
		errno = EINVAL;
	}
	return source.config;
}

void connect_config_free(struct connect_config *config)
{
	if (config)
		explicit_bzero(config, sizeof(*config));
	free(config);
}
