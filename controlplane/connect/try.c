/* SPDX-License-Identifier: Apache-2.0 */
/* One try at one port of the gateway: its exchanges, its sockets, what ICMP says to it, and what is said when it was in
 * vain. */
#include "clock.h"
#include "config/log.h"
#include "connect/connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A password that is wrong stays so: it must not use up what the gateway lets its user guess, who may sit elsewhere. */
enum { PORT_IKE = 500, LOGIN_PAUSE_MS = 120000 };

/* What ICMP says about the port that is being tried. */
static void take_complaints(struct connection *connection, struct tun_socket *socket)
{
	struct tun_complaint complaint;
	struct explain_try *try;

	while (socket->fd >= 0 && tun_socket_complaint(socket, &complaint)) {
		bool refused = complaint.error == ECONNREFUSED;

		if (connection->dial.state != DIAL_TRYING || complaint.error == EMSGSIZE)
			continue;
		if (connection->phase == CONNECTION_REGISTERING) /* about a notice: others may get through */
			continue;
		try = explain_note(&connection->round, refused ? EXPLAIN_REFUSED : EXPLAIN_UNREACHABLE, NULL);
		if (!try || try->outcome > EXPLAIN_REFUSED)
			continue;
		try->from = complaint.from;
		try->error = complaint.error;
		try->port = complaint.remote_port;
		dial_failed(&connection->dial, clock_now_ms(), false);
	}
}

static void on_socket(evutil_socket_t fd, short what, void *context)
{
	struct connection *connection = context;

	(void)fd;
	(void)what;
	tun_path_socket_readable(&connection->path);
	take_complaints(connection, &connection->path.socket);
	connection_settle(connection);
}

static void on_plain(evutil_socket_t fd, short what, void *context)
{
	struct connection *connection = context;

	(void)fd;
	(void)what;
	tun_path_plain_readable(&connection->path);
	take_complaints(connection, &connection->path.plain);
	connection_settle(connection);
}

/* What is to be said of a try that came to nothing, where no message has said it. */
static void try_end(struct connection *connection)
{
	if (connection->answered)
		explain_note(&connection->round, EXPLAIN_HALF, NULL);
	connection->answered = false;
	ike_peer_abandon(connection->ike, &connection->config->peer);
}

/* A registration is the try: it ends by itself. */
static void register_try(struct connection *connection, uint64_t now_ms)
{
	int rc = register_begin(connection);

	if (rc == 0) {
		dial_hold(&connection->dial);
		return;
	}
	explain_note(&connection->round, EXPLAIN_LOCAL, strerror(-rc));
	dial_failed(&connection->dial, now_ms, true);
}

void connection_registered(struct connection *connection)
{
	if (connection->renewing) {
		connection_renew(connection);
		return;
	}
	connection->first_registration = connection->dial.port;
	connection_enter(connection, CONNECTION_REGISTERED);
	dial_start(&connection->dial, clock_now_ms());
}

void connection_noticed(struct connection *connection)
{
	connection->candidates[0] = noticing_gateway(connection)->port;
	connection->n_candidates = 1;
	connection_registered(connection);
}

void connection_unnoticed(struct connection *connection, const char *why)
{
	explain_set(&connection->verdict, "no_udp", "registering by TCP went well; %s", why);
	dial_failed(&connection->dial, clock_now_ms(), true);
}

void connection_register_failed(struct connection *connection, bool everywhere)
{
	/* The tunnel stands, and will be renewed a little later. */
	connection->renewing = false;
	dial_failed(&connection->dial, clock_now_ms(), everywhere);
}

int connection_exchanges_begin(
	struct connection *connection, const struct endpoint *local, const struct endpoint *remote)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < connection->config->exchanges; i++)
		rc = ike_initiate(connection->ike, &connection->config->peer, local, remote);
	return rc;
}

static int watch_udp(struct connection *connection)
{
	struct tun_path *path = &connection->path;
	int rc = 0;

	if (!connection->socket_event)
		rc = connection_watch(connection, &connection->socket_event, path->socket.fd, on_socket);
	if (rc == 0 && !connection->plain_event)
		rc = connection_watch(connection, &connection->plain_event, path->plain.fd, on_plain);
	return rc;
}

/* By UDP: the port that IKE alone has, or the one that it shares with the data. */
static int begin_udp(struct connection *connection)
{
	struct tun_path *path = &connection->path;
	int rc = watch_udp(connection);

	return rc < 0 ? rc
		      : connection_exchanges_begin(connection,
				connection->gateway.port == PORT_IKE ? &path->plain.local : &path->socket.local,
				&connection->gateway);
}

/* Begins one try. */
void connection_try_begin(struct connection *connection, uint64_t now_ms)
{
	struct connect_config *config = connection->config;
	char text[ENDPOINT_TEXT_LEN];
	size_t count;
	int rc;

	try_end(connection);
	if (connection->dial.tried == 1) {
		explain_round_begin(&connection->round);
		connection->registering.failed &= connection->phase != CONNECTION_REGISTERING;
	}
	connection->gateway.port = connection_ports(connection, &count)[connection->dial.port];
	connection->path.stream = over_tcp_is_meant(connection);
	explain_try_begin(&connection->round, connection->gateway.port, connection->path.stream);
	connection->n_cookies = 0;
	connection->activations = connection->path.children.activations;
	connection->verdict.code = NULL;
	if (!connection_reach(connection)) {
		dial_failed(&connection->dial, now_ms, true);
		return;
	}
	if (connection->phase == CONNECTION_REGISTERING && watch_udp(connection) == 0) {
		register_try(connection, now_ms);
		return;
	}
	log_info("event=dialing gateway=%s transport=%s exchanges=%u", endpoint_format(&connection->gateway, text),
		connection->path.stream ? "tcp" : "udp", config->exchanges);
	rc = connection->path.stream ? over_tcp_try(connection) : begin_udp(connection);
	if (rc < 0) {
		explain_note(&connection->round, EXPLAIN_LOCAL, strerror(-rc));
		dial_failed(&connection->dial, now_ms, true);
	}
}

/* What stands in quotes must not end them. */
static const char *quote(const struct explain_verdict *verdict, char quoted[EXPLAIN_SENTENCE_LEN])
{
	snprintf(quoted, EXPLAIN_SENTENCE_LEN, "%s", verdict->sentence);
	for (char *at = quoted; (at = strchr(at, '"'));)
		*at = '\'';
	return quoted;
}

/* UDP doesn't get through, and the gateway lets the connection that we register by carry the tunnel: at once. */
static bool go_on_by_tcp(struct connection *connection)
{
	const struct noticing *noticing = &connection->noticing;
	char quoted[EXPLAIN_SENTENCE_LEN];

	if (connection->phase != CONNECTION_REGISTERING || !noticing->in_vain || !noticing->fallback ||
		connection->configured->transport != CONNECT_TRANSPORT_AUTO || connection->registering.by_tcp)
		return false;
	log_warning("event=no_udp code=%s next=\"TCP\" reason=\"%s\"", connection->verdict.code,
		quote(&connection->verdict, quoted));
	connection->registering.by_tcp = true;
	dial_start(&connection->dial, clock_now_ms());
	return true;
}

/* TCP doesn't get through, and IKE may do without. */
static bool go_on_alone(struct connection *connection)
{
	const struct registering *registering = &connection->registering;
	char quoted[EXPLAIN_SENTENCE_LEN];

	if (connection->phase != CONNECTION_REGISTERING || !registering->failed || !connection->configured->alone ||
		!explain_is_about_tcp(&registering->verdict))
		return false;
	log_warning("event=not_registered code=%s next=\"IKE alone, by UDP\" reason=\"%s\"", connection->verdict.code,
		quote(&connection->verdict, quoted));
	connection_terms_go_alone(connection);
	connection_enter(connection, CONNECTION_ALONE);
	dial_start(&connection->dial, clock_now_ms());
	return true;
}

/* A name that was not found is said already. */
static void judge(struct connection *connection)
{
	const struct registering *registering = &connection->registering;
	const struct address *gateway = &connection->gateway.address;
	struct explain_verdict *verdict = &connection->verdict;

	if (verdict->code)
		return;
	if (connection->phase == CONNECTION_REGISTERING && registering->failed)
		explain_registration(&registering->verdict, gateway, registering->port, connection->configured, verdict);
	else
		explain_verdict(&connection->round, connection->config, gateway, verdict);
	if (connection->phase == CONNECTION_REGISTERED)
		explain_registered(&connection->round, verdict);
	if (connection->phase == CONNECTION_ALONE && connection->configured)
		explain_alone(&registering->verdict, gateway, registering->port, connection->configured, verdict);
}

void connection_give_up(struct connection *connection)
{
	char quoted[EXPLAIN_SENTENCE_LEN];

	try_end(connection);
	judge(connection);
	/* It could still come to stand, for nobody. */
	over_tcp_end(connection);
	if (go_on_by_tcp(connection) || go_on_alone(connection))
		return;
	/* Another round begins with what is best. */
	connection->registering.by_tcp = false;
	connection->counters.rounds_in_vain++;
	if (connection->configured)
		connection_enter(connection, CONNECTION_REGISTERING);
	if (strcmp(connection->verdict.code, "wrong_login") == 0)
		dial_rest(&connection->dial, clock_now_ms(), LOGIN_PAUSE_MS);
	log_warning("event=not_connected code=%s next_try_in=%.1fs reason=\"%s\"", connection->verdict.code,
		(double)(connection->dial.due_ms - clock_now_ms()) / 1000, quote(&connection->verdict, quoted));
	connection->hooks.failed(connection->hooks.context);
}
