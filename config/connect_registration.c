/* SPDX-License-Identifier: Apache-2.0 */
/* What sluice-connect's settings mean where it registers, and with what IKE could do it alone. */
#include "config/connect_settings.h"

#include <string.h>

static bool has_method(const struct connect_config *config, enum config_method method)
{
	for (size_t i = 0; i < config->n_methods; i++)
		if (config->methods[i] == method)
			return true;
	return false;
}

/*
 * Without `auth` IKE alone goes by what there is: a secret, a certificate, whose key's kind is known when it is read, or
 * the user, behind the gateway's certificate.
 */
static void choose_auth(const config_setting_t *root, struct connect_config *config)
{
	struct config_peer *peer = &config->peer;
	bool has_secret = peer->secret_len > 0;

	config->alone = true;
	if (config_setting_get_member(root, "auth") || has_secret)
		return;
	peer->n_auth = 0;
	if (has_method(config, CONFIG_METHOD_CERTIFICATE) && config->base.ike.identity[0])
		return;
	if (has_method(config, CONFIG_METHOD_PASSWORD) && config->login[0])
		peer->auth[peer->n_auth++] = IKE_AUTH_HYBRID_INIT_RSA;
	config->alone = peer->n_auth > 0;
}

void connect_complete_registration(const config_setting_t *root, struct connect_config *config)
{
	struct config_kerberos_client *kerberos = &config->kerberos;

	if (config->n_methods == 0) {
		config->alone = true;
		return;
	}
	choose_auth(root, config);
	if (!config->base.ike.identity[0])
		strcpy(config->base.ike.identity, config->login);
	if (has_method(config, CONFIG_METHOD_KERBEROS) && kerberos->principal[0] && !kerberos->keytab[0]) {
		memcpy(kerberos->password, config->password, sizeof(kerberos->password));
		kerberos->password_len = config->password_len;
	}
}

/* A setting without which `name` is of no use. */
static void want(struct settings_reader *reader, const config_setting_t *root, bool is_there, const char *name,
	const char *expected)
{
	if (!is_there)
		settings_refuse(reader, root, name, "is missing; expected %s", expected);
}

void connect_check_registration(
	struct settings_reader *reader, const config_setting_t *root, const struct connect_config *config)
{
	const struct config_ike *ike = &config->base.ike;
	bool password = has_method(config, CONFIG_METHOD_PASSWORD);

	if (config->n_methods == 0) {
		want(reader, root, ike->identity[0], "identity",
			"the name that this host shows the gateway, such as \"branch1.example\"");
		return;
	}
	want(reader, root, ike->n_authorities > 0, "authorities",
		"those who vouch for the gateway: it proves itself before anything is shown to it (methods)");
	if (has_method(config, CONFIG_METHOD_CERTIFICATE)) {
		want(reader, root, ike->certificate[0], "certificate", "ours, for methods = [\"certificate\"]");
		want(reader, root, ike->key[0], "key", "that of our certificate, for methods = [\"certificate\"]");
	}
	want(reader, root, !password || config->login[0], "login", "the user who registers");
	want(reader, root, !password || config->password_len > 0, "password_file", "the file with the user's password");
}

bool connect_logs_in(const struct connect_config *config)
{
	return has_method(config, CONFIG_METHOD_PASSWORD);
}
