/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/noticing.h"

#include "clock.h"
#include "config/log.h"
#include "connect/connection.h"

#include <errno.h>
#include <string.h>

enum { PORT_IKE = 500 }; /* has no marker, so notices don't go there */

static void send_notice(struct connection *connection, const struct notice_datagram *datagram, uint64_t now_ms)
{
	int rc = tun_path_send_notice(
		&connection->path, &datagram->to, datagram->bytes, datagram->len, datagram->whole);

	if (rc == -EMSGSIZE)
		notice_client_too_long(&connection->noticing.client, now_ms);
}

static void tell(struct connection *connection, enum notice_client_step step)
{
	struct noticing *noticing = &connection->noticing;
	char text[NOTICE_CLIENT_TEXT_LEN];

	notice_client_explain(&noticing->client, step, text);
	switch (step) {
	case NOTICE_STEP_REACHED:
		log_info("event=udp_reached reason=\"%s\"", text);
		connection_noticed(connection);
		return;
	case NOTICE_STEP_FAILED:
		noticing->in_vain = true;
		connection_unnoticed(connection, text);
		return;
	case NOTICE_STEP_MEASURED:
		log_info("event=path_measured mtu=%u reason=\"%s\"", noticing->client.path_mtu, text);
		connection->path.outer_mtu = noticing_mtu(connection, connection->path.outer_mtu);
		connection_network_fit(connection);
		return;
	default: return;
	}
}

/* Does what is due, and sets the next time. */
static void run(struct connection *connection)
{
	static struct notice_datagram datagram; /* there is one thread */
	struct noticing *noticing = &connection->noticing;
	uint64_t now_ms = clock_now_ms(), wait;
	enum notice_client_step step;
	struct timeval timeout;

	while ((step = notice_client_run(&noticing->client, now_ms, &datagram)) != NOTICE_STEP_NOTHING) {
		if (step == NOTICE_STEP_SEND)
			send_notice(connection, &datagram, now_ms);
		else
			tell(connection, step);
	}
	if (noticing->client.due_ms == UINT64_MAX) {
		event_del(noticing->timer);
		return;
	}
	wait = noticing->client.due_ms > now_ms ? noticing->client.due_ms - now_ms : 0;
	timeout = (struct timeval){.tv_sec = (time_t)(wait / 1000), .tv_usec = (suseconds_t)(wait % 1000 * 1000)};
	event_add(noticing->timer, &timeout);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	run(context);
	connection_settle(context);
}

int noticing_begin(struct connection *connection, const struct registration_accepted *accepted,
	const struct registration_keys *keys)
{
	struct noticing *noticing = &connection->noticing;
	struct notice_client_settings settings = {
		.local = connection->path.socket.local,
		.registered = accepted->seen,
		.wait_ms = accepted->timers.udp_wait * 1000,
		.dial_tries = accepted->timers.dial_tries,
		.mtu = (uint16_t)(connection->path.outer_mtu < NOTICE_LEN_MAX ? connection->path.outer_mtu : NOTICE_LEN_MAX),
	};

	noticing_end(connection);
	for (size_t i = 0; i < connection->n_candidates; i++)
		if (connection->candidates[i] != PORT_IKE)
			settings.candidates[settings.n_candidates++] = (struct endpoint){
				.address = connection->gateway.address, .port = connection->candidates[i]};
	memcpy(settings.session, accepted->session, sizeof(settings.session));
	memcpy(settings.key, keys->notice, sizeof(settings.key));
	noticing->in_vain = false;
	noticing->fallback = accepted->fallback;
	noticing->timer = evtimer_new(connection->base, on_timer, connection);
	if (!noticing->timer)
		return -ENOMEM;
	notice_client_init(&noticing->client, &settings, clock_now_ms());
	explicit_bzero(&settings, sizeof(settings));
	run(connection);
	return 0;
}

void noticing_input(
	struct connection *connection, const struct endpoint *remote, const uint8_t *datagram, size_t datagram_len)
{
	if (!connection->noticing.timer)
		return;
	notice_client_input(&connection->noticing.client, clock_now_ms(), remote, datagram, datagram_len);
	run(connection);
}

void noticing_end(struct connection *connection)
{
	struct noticing *noticing = &connection->noticing;

	if (noticing->timer)
		event_free(noticing->timer);
	noticing->timer = NULL;
	notice_client_clear(&noticing->client);
}

const struct endpoint *noticing_gateway(const struct connection *connection)
{
	const struct noticing *noticing = &connection->noticing;

	return noticing->timer && noticing->client.state == NOTICE_CLIENT_REACHED ? &noticing->client.gateway : NULL;
}

uint32_t noticing_mtu(const struct connection *connection, uint32_t interface)
{
	uint32_t measured = noticing_gateway(connection) ? connection->noticing.client.path_mtu : 0;

	return measured && measured < interface ? measured : interface;
}
