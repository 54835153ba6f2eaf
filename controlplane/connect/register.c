/* SPDX-License-Identifier: Apache-2.0 */
/* Registering at the gateway (controlplane/registration) before IKE begins: with what, where, and what comes of it. */
#include "connect/register.h"

#include "clock.h"
#include "config/log.h"
#include "connect/connection.h"

#include <errno.h>
#include <string.h>

static uint32_t methods_of(const struct connect_config *config)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < config->n_methods; i++)
		bits |= 1U << config->methods[i];
	return bits;
}

/* What we want: UDP first where there is a choice. */
static uint32_t transports_of(const struct connection *connection)
{
	const uint32_t udp = 1U << REGISTRATION_UDP, tcp = 1U << REGISTRATION_TCP;

	return connection->configured->transport == CONNECT_TRANSPORT_TCP || connection->registering.by_tcp ? tcp : udp;
}

static void on_done(void *context, const struct registration_result *result)
{
	struct connection *connection = context;
	char gateway[ENDPOINT_TEXT_LEN], seen[ENDPOINT_TEXT_LEN];

	log_info("event=registered gateway=%s identity=\"%s\" method=%s transport=%s seen=%s",
		endpoint_format(&connection->gateway, gateway), result->accepted->identity,
		registration_method_names[result->method], registration_transport_names[result->accepted->transport],
		endpoint_format(&result->accepted->seen, seen));
	connection->registering.failed = false;
	connection_terms_take(connection, result->accepted, result->keys);
	over_tcp_hand(connection, result->fd);
	if (connection->renewing || result->accepted->transport != REGISTRATION_UDP)
		connection_registered(connection);
	else if (noticing_begin(connection, result->accepted, result->keys) < 0)
		connection_register_failed(connection, true);
	register_end(connection);
	connection_settle(connection);
}

static void on_failed(void *context, const struct registration_verdict *verdict)
{
	struct connection *connection = context;
	struct registering *registering = &connection->registering;

	if (!registering->failed || verdict->failure > registering->verdict.failure) {
		registering->verdict = *verdict;
		registering->port = connection->gateway.port;
	}
	registering->failed = true;
	register_end(connection);
	connection_register_failed(connection, !explain_is_about_tcp(verdict));
	connection_settle(connection);
}

int register_begin(struct connection *connection)
{
	struct registering *registering = &connection->registering;
	/* What the last registration brought is not for the next one. */
	const struct connect_config *config = connection->configured;
	const struct registration_handler handler = {.context = connection, .done = on_done, .failed = on_failed};
	const struct registration_client_settings settings = {
		.base = connection->base,
		.tls = registering->tls,
		.name = config->peer.identity,
		.software = "sluice-connect " SLUICE_VERSION,
		.gateway = connection->gateway,
		.local = connection->path.socket.local.address,
		.udp_port = connection->path.socket.local.port,
		.methods = methods_of(config),
		.transports = transports_of(connection),
		.user = config->login,
		.password = config->password,
		.gss = ticket_gss(&registering->ticket),
		.patience_ms = config->patience * 1000,
	};
	char text[ENDPOINT_TEXT_LEN];

	register_end(connection);
	log_info("event=registering gateway=%s", endpoint_format(&connection->gateway, text));
	registering->client = registration_client_new(&settings, &handler);
	return registering->client ? 0 : -errno;
}

/* Without `auth` IKE alone goes by the certificate, whose kind is known only now. */
static void choose_auth(struct connection *connection)
{
	struct config_peer *peer = &connection->config->peer;

	if (connection->config->alone && peer->n_auth == 0)
		peer->auth[peer->n_auth++] = connection->credentials->method;
}

int register_open(struct connection *connection)
{
	struct registering *registering = &connection->registering;
	char why[TLS_WHY_LEN];
	int rc;

	registering->tls = tls_context_client(connection->credentials, why);
	if (!registering->tls) {
		log_error("event=start_failed reason=\"%s\"", why);
		return -EINVAL;
	}
	choose_auth(connection);
	rc = connection_terms_keep(connection);
	if (rc < 0)
		return rc;
	connection_enter(connection, CONNECTION_REGISTERING);
	return ticket_open(&registering->ticket, &connection->configured->kerberos, connection->configured->gateway,
		connection->base);
}

void register_end(struct connection *connection)
{
	registration_client_free(connection->registering.client);
	connection->registering.client = NULL;
}

void register_close(struct connection *connection)
{
	register_end(connection);
	ticket_close(&connection->registering.ticket);
	tls_context_free(connection->registering.tls);
	connection->registering.tls = NULL;
}
