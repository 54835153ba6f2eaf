/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a registration brings takes the place of what was configured: credentials, identities, networks, ports, timers.
 * What the file said comes back before the next registration, and where IKE goes on by itself.
 */
#include "connect/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int connection_terms_keep(struct connection *connection)
{
	connection->configured = malloc(sizeof(*connection->configured));
	if (!connection->configured)
		return -ENOMEM;
	*connection->configured = *connection->config;
	return 0;
}

void connection_terms_wipe(struct connection *connection)
{
	if (connection->configured)
		explicit_bzero(connection->configured, sizeof(*connection->configured));
	free(connection->configured);
	connection->configured = NULL;
}

static void connection_terms_forget(struct connection *connection)
{
	struct connect_config *config = connection->config;
	/* Of sockets that are open. */
	uint16_t port = config->base.ike.port, nat_port = config->base.ike.nat_ports[0];

	*config = *connection->configured;
	config->base.ike.port = port;
	config->base.ike.nat_ports[0] = nat_port;
	config->base.ike.n_nat_ports = 1;
	connection->assignment = (struct ike_assignment){.n_dns = 0};
}

static void add_ports(struct connection *connection, const uint16_t *ports, size_t count)
{
	for (size_t i = 0; i < count && connection->n_candidates < CONNECT_PORTS_MAX; i++) {
		size_t at = 0;

		while (at < connection->n_candidates && connection->candidates[at] != ports[i])
			at++;
		if (at == connection->n_candidates)
			connection->candidates[connection->n_candidates++] = ports[i];
	}
}

void connection_terms_go_alone(struct connection *connection)
{
	const struct connect_config *configured = connection->configured;

	connection_terms_forget(connection);
	connection->n_candidates = 0;
	add_ports(connection, configured->registration, configured->n_registration);
	add_ports(connection, configured->ports, configured->n_ports);
}

static void take_networks(struct connection *connection, const struct registration_accepted *accepted)
{
	struct config_peer *peer = &connection->config->peer;
	struct ike_assignment *assignment = &connection->assignment;

	memcpy(peer->local_networks, accepted->client_networks, sizeof(peer->local_networks));
	peer->n_local = accepted->n_client_networks;
	memcpy(peer->remote_networks, accepted->gateway_networks, sizeof(peer->remote_networks));
	peer->n_remote = accepted->n_gateway_networks;
	/* IKE need not ask for one. */
	peer->virtual_address = false;
	*assignment = (struct ike_assignment){.address = accepted->virtual_address, .n_dns = accepted->n_dns};
	memcpy(assignment->dns, accepted->dns, sizeof(accepted->dns));
	connection->assigned = true;
}

void connection_terms_take(struct connection *connection, const struct registration_accepted *accepted,
	const struct registration_keys *keys)
{
	struct connect_config *config = connection->config;
	struct config_peer *peer = &config->peer;

	connection_terms_forget(connection);
	memcpy(peer->secret, keys->pre_shared, sizeof(keys->pre_shared));
	peer->secret_len = sizeof(keys->pre_shared);
	peer->secret_once = true;
	peer->auth[0] = IKE_AUTH_PSK;
	peer->n_auth = 1;
	peer->aggressive = true;
	strcpy(connection->registered_as, accepted->identity);
	strcpy(config->base.ike.identity, keys->identity);
	strcpy(peer->identity, accepted->gateway_identity);
	/* What maps the TCP port to the gateway most probably maps UDP, too. */
	connection->n_candidates = 0;
	add_ports(connection, &connection->gateway.port, 1);
	if (accepted->transport == REGISTRATION_UDP)
		add_ports(connection, accepted->ports, accepted->n_ports);
	take_networks(connection, accepted);
	config->base.ike.keepalive = accepted->timers.keepalive;
	config->dpd = accepted->timers.dpd;
}
