/* SPDX-License-Identifier: Apache-2.0 */
/* While the tunnel stands: is the gateway there (RFC 3706), and a new IKE SA before the old one ends. */
#include "clock.h"
#include "config/log.h"
#include "connect/connection.h"

enum {
	PROBE_EVERY_MS = 2000,
	PROBES_IN_VAIN = 3,
	PROBES_OF_STREAM = 1, /* TCP repeats what was lost: another connection is dialed beside it */
	RENEW_PERCENT = 10,   /* of its life is left when an IKE SA is renewed */
	RENEWALS_IN_VAIN = 3,
	RENEW_EVERY_MS = 5000,
	REGISTER_EVERY_MS = 30000,
};

void connection_life_begin(struct connection *connection, uint64_t now_ms)
{
	connection->heard_ms = connection->renewed_ms = now_ms;
	connection->authentic = connection->path.authentic;
	connection->probes = connection->renewals_in_vain = 0;
	connection->renew = connection->renewing = false;
}

static void listen_back(struct connection *connection, uint64_t now_ms)
{
	uint64_t ike_heard = ike_peer_heard(connection->ike, &connection->config->peer);

	if (connection->authentic != connection->path.authentic) {
		connection->authentic = connection->path.authentic;
		connection->heard_ms = now_ms;
		connection->probes = 0;
	}
	if (ike_heard > connection->heard_ms) {
		connection->heard_ms = ike_heard;
		connection->probes = 0;
	}
}

/* NULL, or why it is taken for gone. What arrives proves that it is there: questions are for silence alone. */
static const char *probe(struct connection *connection, uint64_t now_ms)
{
	uint64_t patience = (uint64_t)connection->config->dpd * 1000;

	if (patience == 0 || now_ms - connection->heard_ms < patience ||
		now_ms - connection->probed_ms < PROBE_EVERY_MS)
		return NULL;
	if (connection->path.stream && connection->probed && connection->probes == PROBES_OF_STREAM) {
		resuming_doubt(connection);
		return NULL;
	}
	if (connection->probes == PROBES_IN_VAIN)
		return "the gateway is silent, and three questions whether it is there (DPD) went unanswered";
	connection->probed_ms = now_ms;
	connection->probes++;
	connection->counters.probes++;
	/* One that knows no such questions, or has no IKE SA for them, is asked by a new IKE SA. */
	connection->probed = ike_peer_probe(connection->ike, &connection->config->peer) == 0;
	if (!connection->probed)
		connection->renew = true;
	return NULL;
}

struct life {
	uint64_t expires_ms, began_ms; /* of the newest established IKE SA; 0: none */
	struct endpoint remote;
};

static void look_at_sa(void *context, const struct ike_sa_status *status)
{
	struct life *life = context;

	if (!status->established)
		return;
	*life = (struct life){
		.expires_ms = status->expires_ms, .began_ms = status->created_ms, .remote = status->remote};
}

static bool ends_soon(const struct life *life, uint64_t now_ms)
{
	return life->expires_ms == 0 ||
	       now_ms + (life->expires_ms - life->began_ms) * RENEW_PERCENT / 100 >= life->expires_ms;
}

/* The key of a registration is for one IKE SA: a new one wants a new registration. */
static bool registers(const struct connection *connection)
{
	return connection->phase == CONNECTION_REGISTERED;
}

void connection_renew(struct connection *connection)
{
	struct endpoint remote = connection->path.remote;
	int rc;

	connection->renewed_ms = clock_now_ms();
	connection->n_cookies = 0;
	connection->activations = connection->path.children.activations;
	connection->counters.renewals++;
	log_info("event=renewing reason=\"a new IKE SA is negotiated\"");
	if (connection->tcp.handed >= 0)
		rc = over_tcp_renew(connection);
	else if (connection->tcp.current)
		rc = ike_initiate(
			connection->ike, &connection->config->peer, stream_local(connection->tcp.current), &remote);
	else
		rc = ike_initiate(connection->ike, &connection->config->peer, &connection->path.socket.local, &remote);
	if (rc < 0)
		connection->renewing = false;
}

/* Begins a new IKE SA beside the old one, whose child SAs carry until the new one's do. */
static void renew(struct connection *connection, uint64_t now_ms)
{
	connection->renew = false;
	connection->renewing = true;
	connection->renewed_ms = now_ms;
	if (!registers(connection)) {
		connection_renew(connection);
		return;
	}
	connection->gateway.port = connection->configured->registration[connection->first_registration];
	if (register_begin(connection) < 0)
		connection->renewing = false;
}

/* NULL, or why the gateway is to be dialed anew. */
static const char *keep_renewed(struct connection *connection, uint64_t now_ms)
{
	struct life life = {.expires_ms = 0};
	uint64_t patience = (uint64_t)connection->config->patience * 1000;
	uint64_t pause = registers(connection) && connection->registering.failed ? REGISTER_EVERY_MS : RENEW_EVERY_MS;

	if (connection->registering.client)
		return NULL;
	if (connection->renewing && connection->path.children.activations != connection->activations) {
		connection->renewing = false;
		connection->renewals_in_vain = 0;
		ike_peer_keep_newest(connection->ike, &connection->config->peer);
	}
	if (connection->renewing) {
		if (now_ms - connection->renewed_ms < patience)
			return NULL;
		connection->renewing = false;
		ike_peer_abandon(connection->ike, &connection->config->peer);
		over_tcp_drop_next(connection);
		if (++connection->renewals_in_vain == RENEWALS_IN_VAIN)
			return "the gateway does not answer when a new IKE SA is to be negotiated";
	}
	ike_each(connection->ike, look_at_sa, &life);
	if ((connection->renew || ends_soon(&life, now_ms)) && now_ms - connection->renewed_ms >= pause)
		renew(connection, now_ms);
	return NULL;
}

const char *connection_live(struct connection *connection, uint64_t now_ms)
{
	const char *gone;

	listen_back(connection, now_ms);
	over_tcp_tick(connection, now_ms);
	if (resuming_is_on(connection)) {
		/* It was late, no more; where the question is out already, the gateway may have moved. */
		if (connection->resuming.silent && connection->tcp.current && !connection->tcp.next &&
			connection->heard_ms > connection->resuming.redial.began_ms)
			resuming_end(connection);
		return NULL;
	}
	gone = probe(connection, now_ms);
	return gone ? gone : keep_renewed(connection, now_ms);
}
