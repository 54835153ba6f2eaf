/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings.h"

#include <string.h>

static const config_setting_t *check_element(const config_setting_t *root, const char *path, unsigned int i)
{
	const config_setting_t *list = config_setting_lookup((config_setting_t *)root, path);

	return list ? config_setting_get_elem(list, i) : NULL;
}

/* Port names are interfaces of one kernel. */
static void check_ports(
	struct settings_reader *reader, const config_setting_t *root, const struct config_dataplane *dataplane)
{
	for (unsigned int i = 1; i < dataplane->n_ports; i++) {
		for (unsigned int j = 0; j < i; j++) {
			const char *name = dataplane->ports[i].name;

			if (!name[0] || strcmp(name, dataplane->ports[j].name) != 0)
				continue;
			settings_refuse(reader,
				config_setting_get_member(check_element(root, "dataplane.ports", i), "name"), NULL,
				"\"%s\" is not new: ports[%u] has it; expected a name of its own", name, j);
			break;
		}
	}
}

/* A worker that polls without rest would starve the main thread on its core; an adaptive one makes room. */
static void check_cores(
	struct settings_reader *reader, const config_setting_t *root, const struct config_dataplane *dataplane)
{
	for (unsigned int i = 0; dataplane->poll == CONFIG_POLL_BUSY && i < dataplane->n_workers; i++) {
		const config_setting_t *where = check_element(root, "dataplane.worker_cores", i);

		if (dataplane->worker_cores[i] != dataplane->main_core)
			continue;
		if (!where) /* the worker's is the default */
			where = config_setting_lookup((config_setting_t *)root, "dataplane.main_core");
		settings_refuse(reader, where, NULL,
			"%u is not free: it is both main_core and a worker's; expected a core for each where poll is "
			"\"busy\"",
			dataplane->main_core);
	}
}

/* A certificate is of no use without its key; whom to trust is the peers' methods' to ask for (settings_check_peers). */
static void check_certificates(
	struct settings_reader *reader, const config_setting_t *root, const struct config_ike *ike)
{
	const config_setting_t *where = config_setting_lookup((config_setting_t *)root, "ike");

	if (ike->certificate[0] && !ike->key[0])
		settings_refuse(reader, where, "key", "is missing; expected the file with the key of ike.certificate");
	if (ike->key[0] && !ike->certificate[0])
		settings_refuse(
			reader, where, "certificate", "is missing; expected the file with the certificate of ike.key");
	if ((ike->n_crls > 0 || ike->require_crl) && ike->n_authorities == 0)
		settings_refuse(
			reader, where, "authorities", "is missing; expected those that the revocation lists are of");
}

static void check_ike_ports(struct settings_reader *reader, const config_setting_t *root, const struct config_ike *ike)
{
	const config_setting_t *where = config_setting_lookup((config_setting_t *)root, "ike.port");

	if (!config_is_nat_port(ike, ike->port))
		return;
	if (!where) /* it is the default */
		where = config_setting_lookup((config_setting_t *)root, "ike.nat_ports");
	settings_refuse(reader, where, NULL,
		"%u is not free: it is both port and one of nat_ports; expected a port for each (RFC 3948 section 2.2)",
		ike->port);
}

/* Less than 576 bytes no path of IPv4 is asked to carry in pieces (RFC 791). */
void settings_check_fragment_size(
	struct settings_reader *reader, const config_setting_t *where, const struct config_ike *ike)
{
	enum { LEAST = 576 };

	if (ike->fragment_size == 0 || ike->fragment_size >= LEAST)
		return;
	settings_refuse(reader, where, NULL,
		"%u is not a size in bytes; expected %d to 9216, or 0 for messages that are never cut",
		ike->fragment_size, LEAST);
}

/* Only where packets have ports may a rule ask for them, and no packet goes from one family to the other. */
static void check_rules(struct settings_reader *reader, const config_setting_t *root, const struct config *config)
{
	for (unsigned int i = 0; i < config->n_rules; i++) {
		const struct config_rule *rule = &config->rules[i];
		uint8_t source = rule->source.address.family, destination = rule->destination.address.family;

		if (source + destination == ADDRESS_IPV4 + ADDRESS_IPV6) /* else they agree, or one was refused */
			settings_refuse(reader,
				config_setting_get_member(check_element(root, "rules", i), "destination"), NULL,
				"is not of the source's kind: one is IPv4, the other IPv6; expected both of one kind");
		if (rule->port.first == 0 || rule->protocol == IPPROTO_TCP || rule->protocol == IPPROTO_UDP)
			continue;
		settings_refuse(reader, config_setting_get_member(check_element(root, "rules", i), "port"), NULL,
			"is of no use: only tcp and udp have ports; expected protocol = \"tcp\" or \"udp\" beside it");
	}
}

void settings_check(struct settings_reader *reader, const config_setting_t *root, const struct config *config)
{
	check_ports(reader, root, &config->dataplane);
	check_cores(reader, root, &config->dataplane);
	check_ike_ports(reader, root, &config->ike);
	check_certificates(reader, root, &config->ike);
	settings_check_fragment_size(
		reader, config_setting_lookup((config_setting_t *)root, "ike.fragment_size"), &config->ike);
	check_rules(reader, root, config);
	settings_check_peers(reader, root, config);
	settings_check_clients(reader, root, config);
	settings_check_registration(reader, root, config);
	settings_check_networks(reader, root, config);
}
