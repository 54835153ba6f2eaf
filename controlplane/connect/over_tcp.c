/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/over_tcp.h"

#include "clock.h"
#include "config/log.h"
#include "connect/connection.h"
#include "registration/dial_tcp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	QUEUE_ESP_MAX = 4 << 20,
	QUEUE_IKE_MAX = 256 << 10,
};

/* What the try came to, as far as TCP tells; the dial goes on to the next port. */
static void note_failure(struct connection *connection, int error)
{
	struct explain_try *try =
		explain_note(&connection->round, error == ECONNREFUSED ? EXPLAIN_REFUSED : EXPLAIN_UNREACHABLE, NULL);

	if (try)
		try->error = error;
	dial_failed(&connection->dial, clock_now_ms(), false);
}

static void on_settle(void *context)
{
	connection_settle(context);
}

static void on_ike(void *context, struct stream *stream, const uint8_t *message, size_t message_len)
{
	struct connection *connection = context;
	struct endpoint local = *stream_local(stream), remote = *stream_remote(stream);

	tun_path_count(&connection->path, TUN_COUNT_IKE_IN, 1);
	connection_message(connection, &local, &remote, true, message, message_len);
}

static void on_esp(void *context, struct stream *stream, const struct stream_packet *packets, size_t count)
{
	struct tun_departure arrivals[STREAM_BURST_MAX];
	struct connection *connection = context;

	(void)stream;
	for (size_t i = 0; i < count; i++)
		arrivals[i] = (struct tun_departure){.data = packets[i].data, .len = packets[i].len};
	tun_path_take_packets(&connection->path, arrivals, count);
}

static void on_ended(void *context, struct stream *stream, const char *why)
{
	struct connection *connection = context;
	char text[ENDPOINT_TEXT_LEN];

	log_info("event=stream_ended remote=%s reason=\"%s\"", endpoint_format(stream_remote(stream), text), why);
	connection->stream = NULL;
	stream_free(stream);
	if (connection->dial.state == DIAL_TRYING) {
		explain_note(&connection->round, EXPLAIN_CLOSED, why);
		dial_failed(&connection->dial, clock_now_ms(), false);
	} else if (!connection->lost_why[0]) {
		snprintf(connection->lost_why, sizeof(connection->lost_why), "the TCP connection has ended: %s", why);
	}
}

static void stream_drop(struct connection *connection)
{
	struct stream *stream = connection->stream;

	/* Of what we end ourselves there is nothing to tell. */
	connection->stream = NULL;
	if (stream)
		stream_close(stream);
}

/* The socket is taken over in every case. */
static int begin(struct connection *connection, int fd)
{
	const struct connect_config *config = connection->config;
	const struct stream_options options = {
		.originator = true,
		.payload_max = FRAMING_PAYLOAD_MAX,
		.queue = {.esp_bytes = QUEUE_ESP_MAX, .esp_ms = config->base.ike.tcp_delay, .ike_bytes = QUEUE_IKE_MAX},
		.keepalive = config->base.ike.keepalive,
	};
	const struct stream_handler handler = {.context = connection, .ike = on_ike, .esp = on_esp, .ended = on_ended};
	char local[ENDPOINT_TEXT_LEN];

	stream_drop(connection);
	connection->path.stream = true;
	connection->stream = stream_open(connection->stream_loop, fd, &options, &handler);
	if (!connection->stream)
		return -errno;
	log_info("event=stream_opened local=%s", endpoint_format(stream_local(connection->stream), local));
	return connection_exchanges_begin(
		connection, stream_local(connection->stream), stream_remote(connection->stream));
}

static void dialing_forget(struct connection *connection)
{
	if (connection->stream_dialing)
		event_free(connection->stream_dialing);
	connection->stream_dialing = NULL;
}

static void on_dialed(evutil_socket_t fd, short what, void *context)
{
	struct connection *connection = context;
	int error = dial_tcp_error(fd), rc = 0;

	(void)what;
	dialing_forget(connection);
	if (error)
		close(fd);
	else
		rc = begin(connection, fd);
	if (error || rc < 0)
		note_failure(connection, error ? error : -rc);
	connection_settle(connection);
}

static int dial(struct connection *connection)
{
	int fd = dial_tcp_open(&connection->gateway, &connection->stream_address);

	if (fd < 0)
		return fd;
	connection->stream_dialing = event_new(connection->base, fd, EV_WRITE, on_dialed, connection);
	if (connection->stream_dialing && event_add(connection->stream_dialing, NULL) == 0)
		return 0;
	dialing_forget(connection);
	close(fd);
	return -ENOMEM;
}

int over_tcp_try(struct connection *connection)
{
	int fd = connection->stream_handed;

	connection->stream_handed = -1;
	over_tcp_end(connection);
	return fd >= 0 ? begin(connection, fd) : dial(connection);
}

void over_tcp_hand(struct connection *connection, int fd)
{
	if (connection->stream_handed >= 0)
		close(connection->stream_handed);
	connection->stream_handed = fd;
}

bool over_tcp_is_meant(const struct connection *connection)
{
	if (connection->phase == CONNECTION_REGISTERED)
		return connection->stream_handed >= 0;
	return connection->phase == CONNECTION_ALONE && !connection->configured &&
	       connection->config->transport == CONNECT_TRANSPORT_TCP;
}

void over_tcp_end(struct connection *connection)
{
	if (connection->stream_dialing) {
		close(event_get_fd(connection->stream_dialing));
		dialing_forget(connection);
	}
	over_tcp_hand(connection, -1);
	stream_drop(connection);
}

bool over_tcp_is_lost(const struct connection *connection)
{
	return connection->path.stream && !connection->stream;
}

static size_t on_packets(void *context, const struct tun_departure *packets, size_t count)
{
	struct connection *connection = context;
	struct stream_packet sent[ESP_BURST_MAX];

	if (!connection->stream)
		return 0;
	for (size_t i = 0; i < count; i++)
		sent[i] = (struct stream_packet){.data = packets[i].data, .len = packets[i].len};
	stream_send_esp(connection->stream, sent, count);
	return count;
}

int over_tcp_open(struct connection *connection)
{
	connection->stream_handed = -1;
	connection->stream_loop = stream_loop_new(connection->base, on_settle, connection);
	connection->path.handler.stream = on_packets;
	return connection->stream_loop ? 0 : -ENOMEM;
}

void over_tcp_close(struct connection *connection)
{
	over_tcp_end(connection);
	stream_loop_free(connection->stream_loop);
	connection->stream_loop = NULL;
}
