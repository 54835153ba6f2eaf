/* SPDX-License-Identifier: Apache-2.0 */
/* What the IKE engine wants done. Nothing here calls the engine back: what follows waits for connection_settle. */
#include "clock.h"
#include "config/log.h"
#include "connect/connection.h"
#include "ike/isakmp.h"
#include "journal.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

static uint64_t host_now_ms(void *context)
{
	(void)context;
	return clock_now_ms();
}

static int host_random(void *context, void *out, size_t len)
{
	(void)context;
	return len <= INT32_MAX && RAND_priv_bytes(out, (int)len) == 1 ? 0 : -EIO;
}

static void host_send(void *context, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len)
{
	struct connection *connection = context;
	struct stream *stream;
	int rc;

	/* The end of a TCP connection is told by itself. */
	if (local->transport == ENDPOINT_TCP) {
		stream = over_tcp_find(connection, local);
		if (stream)
			(void)stream_send_ike(stream, message, message_len);
		return;
	}
	rc = tun_path_send_message(&connection->path, local, remote, message, message_len);
	if (rc < 0 && connection->dial.state == DIAL_TRYING) {
		struct explain_try *try = explain_note(&connection->round, EXPLAIN_UNREACHABLE, NULL);

		if (try)
			try->error = -rc;
	}
}

static void host_keepalive(void *context, const struct endpoint *local, const struct endpoint *remote)
{
	struct connection *connection = context;

	/* TCP has its own (RFC 9329 section 7.6). */
	if (local->transport != ENDPOINT_TCP)
		(void)tun_path_send_keepalive(&connection->path, remote);
}

static int host_spi_reserve(void *context, uint32_t *spi)
{
	struct connection *connection = context;

	return tun_child_reserve(&connection->path.children, spi);
}

static void host_spi_release(void *context, uint32_t spi)
{
	struct connection *connection = context;

	tun_child_release(&connection->path.children, spi);
}

/* Why this host has no use for a pair; NULL: it has. */
static const char *child_refusal(const struct ike_child *child)
{
	if (!child->udp_encapsulation && child->local.transport != ENDPOINT_TCP)
		return "the gateway wants ESP without UDP, which needs NAT traversal (RFC 3947) switched on there";
	if (child->transport)
		return "the gateway wants transport mode";
	return NULL;
}

static int host_child_install(void *context, const struct ike_child *child)
{
	struct connection *connection = context;
	struct tun_child_terms terms = {
		.id = child->id,
		.spi_out = child->spi_out,
		.suite = child->suite,
		.extended = child->extended,
		.window = connection->config->base.dataplane.replay_window,
		.local_network = child->local_network,
		.remote_network = child->remote_network,
		.limit_bytes = child->lifetime_bytes,
		.keymat_in = child->keymat_in,
		.keymat_out = child->keymat_out,
	};
	const char *why = child_refusal(child);
	char local[PREFIX_TEXT_LEN], remote[PREFIX_TEXT_LEN];
	int rc;

	if (why) {
		explain_note(&connection->round, EXPLAIN_LOCAL, why);
		tun_child_release(&connection->path.children, child->spi_in);
		return -EPROTONOSUPPORT;
	}
	rc = tun_child_install(&connection->path.children, connection->path.engine, child->spi_in, &terms);
	if (rc < 0)
		return rc;
	connection->remotes[child->spi_in % TUN_CHILDREN_MAX] = child->remote;
	log_info("event=child_installed spi_in=%08x spi_out=%08x suite=%s esn=%s local=%s remote=%s", child->spi_in,
		child->spi_out, esp_suite_get(child->suite)->name, child->extended ? "yes" : "no",
		prefix_format(&child->local_network, local), prefix_format(&child->remote_network, remote));
	return 0;
}

static void host_child_activate(void *context, uint64_t child_id, uint32_t spi_in)
{
	struct connection *connection = context;

	if (!tun_child_activate(&connection->path.children, child_id, spi_in))
		return;
	connection->path.remote = connection->remotes[spi_in % TUN_CHILDREN_MAX];
	connection_network_fit(connection);
}

static void host_child_remove(void *context, uint64_t child_id, uint32_t spi_in)
{
	struct connection *connection = context;

	if (!tun_child_remove(&connection->path.children, child_id, spi_in))
		return;
	log_info("event=child_removed spi_in=%08x", spi_in);
	connection_network_fit(connection);
}

/* The gateway's IKE came from elsewhere, authentic: what shares its port goes there too. */
static void host_peer_moved(void *context, const struct config_peer *peer, const char *identity, uint64_t ike_sa,
	const struct endpoint *local, const struct endpoint *remote)
{
	struct connection *connection = context;

	(void)peer;
	(void)identity;
	(void)ike_sa;
	if (local->transport == ENDPOINT_TCP)
		resuming_answered(connection, local);
	if (local->transport == ENDPOINT_TCP || local->port != connection->path.socket.local.port)
		return;
	connection->path.remote = *remote;
	for (size_t i = 0; i < TUN_CHILDREN_MAX; i++)
		connection->remotes[i] = *remote;
}

static bool is_of_this_try(const struct connection *connection, const uint8_t *cookie)
{
	for (size_t i = 0; i < connection->n_cookies; i++)
		if (memcmp(connection->cookies[i], cookie, IKE_COOKIE_LEN) == 0)
			return true;
	return false;
}

static void note_cookie(struct connection *connection, const uint8_t *cookie)
{
	if (connection->n_cookies < CONNECTION_EXCHANGES_MAX)
		memcpy(connection->cookies[connection->n_cookies++], cookie, IKE_COOKIE_LEN);
}

/*
 * Whose word a refusal is: the gateway's, which it can give as soon as there are keys; ours about what answered; or ours,
 * that this host can't go on.
 */
static enum explain_outcome outcome_of(const struct connection *connection, const struct ike_event *event)
{
	if (connection->answered || strncmp(event->why, "the peer ", strlen("the peer ")) == 0)
		return EXPLAIN_DENIED;
	if (strstr(event->why, "certificate") || strstr(event->why, "the identity that answered"))
		return EXPLAIN_DISPROVED;
	return EXPLAIN_LOCAL;
}

/* What an event says about the try that is under way. */
static void note_event(struct connection *connection, const struct ike_event *event)
{
	bool established = connection->answered;

	switch (event->kind) {
	case IKE_EVENT_REFUSED:
		explain_note(&connection->round, outcome_of(connection, event), event->why);
		dial_failed(&connection->dial, clock_now_ms(), true);
		break;
	case IKE_EVENT_EXPIRED:
		explain_note(&connection->round, established ? EXPLAIN_HALF : EXPLAIN_SILENT, event->why);
		break;
	case IKE_EVENT_BAD_MESSAGE:
		/* What a refusal in the clear says is noted already. */
		if (established || connection->notified)
			break;
		explain_note(&connection->round, EXPLAIN_DISPROVED, event->why);
		dial_doubted(&connection->dial, clock_now_ms());
		break;
	default: break;
	}
}

static void host_event(void *context, const struct ike_event *event)
{
	struct connection *connection = context;
	bool ours = is_of_this_try(connection, event->initiator_cookie);

	if (event->kind != IKE_EVENT_ENDED && event->kind != IKE_EVENT_VENDORS)
		journal_ike_event(event);
	if (event->kind == IKE_EVENT_STARTED && (connection->dial.state == DIAL_TRYING || connection->renewing))
		note_cookie(connection, event->initiator_cookie);
	if (event->kind == IKE_EVENT_ESTABLISHED && ours) {
		connection->answered = true;
		dial_answered(&connection->dial, clock_now_ms());
	}
	if (event->kind == IKE_EVENT_DELETED)
		snprintf(connection->lost_why, sizeof(connection->lost_why), "%s", event->why);
	if (connection->dial.state == DIAL_TRYING && (ours || event->ike_sa == 0))
		note_event(connection, event);
	/* A successor that got no answer: the gateway may have forgotten the IKE SA. */
	if (connection->dial.state == DIAL_UP && event->kind == IKE_EVENT_EXPIRED)
		connection->renew = true;
}

/* A refusal before anything is agreed on could be anybody's: it is noted, and the truth gets a moment to come. */
static void host_message(void *context, const struct ike_message *message)
{
	struct connection *connection = context;
	struct explain_try *try;

	if (message->sent)
		return;
	connection->notified = !message->encrypted && message->notify != 0;
	if (connection->notified && message->notify == ISAKMP_INVALID_COOKIE)
		resuming_disowned(connection, &message->local);
	if (!connection->notified || connection->dial.state != DIAL_TRYING ||
		!is_of_this_try(connection, message->initiator_cookie))
		return;
	try = explain_note(&connection->round, EXPLAIN_NOTIFIED, NULL);
	if (try && try->outcome == EXPLAIN_NOTIFIED)
		try->notify = message->notify;
	dial_doubted(&connection->dial, clock_now_ms());
}

/* Asked again means that it was wrong: the file has no other. */
static int host_ask_user(void *context, const struct config_peer *peer, unsigned asked, struct ike_user *out)
{
	const struct connect_config *config = ((struct connection *)context)->config;

	(void)peer;
	if (asked > 0 || !config->login[0] || config->password_len == 0)
		return -ENOENT;
	snprintf(out->name, sizeof(out->name), "%s", config->login);
	snprintf(out->password, sizeof(out->password), "%s", config->password);
	return 0;
}

static void host_assigned(void *context, const struct config_peer *peer, const struct ike_assignment *assignment)
{
	struct connection *connection = context;

	(void)peer;
	connection->assignment = *assignment;
	connection->assigned = true;
}

struct ike_host connection_host(struct connection *connection)
{
	return (struct ike_host){
		.context = connection,
		.credentials = connection->credentials,
		.now_ms = host_now_ms,
		.random = host_random,
		.send = host_send,
		.keepalive = host_keepalive,
		.spi_reserve = host_spi_reserve,
		.spi_release = host_spi_release,
		.child_install = host_child_install,
		.child_activate = host_child_activate,
		.child_remove = host_child_remove,
		.peer_moved = host_peer_moved,
		.event = host_event,
		.message = host_message,
		.ask_user = host_ask_user,
		.assigned = host_assigned,
	};
}

bool connection_admits(const struct connection *connection, const uint8_t *message, size_t message_len)
{
	const struct isakmp_hdr *hdr = (const struct isakmp_hdr *)message;

	if (connection->dial.state != DIAL_TRYING || connection->answered || connection->n_cookies < 2 ||
		message_len < sizeof(*hdr) || !is_of_this_try(connection, hdr->initiator_cookie))
		return true;
	return memcmp(connection->cookies[connection->n_cookies - 1], hdr->initiator_cookie, IKE_COOKIE_LEN) == 0;
}
