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
	FORMER_MS = 10000, /* for how long it is read; ours ends it before */
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

/* A place for a stream is empty from now on. */
static void stream_drop(struct stream **place)
{
	struct stream *stream = *place;

	/* Of what we end ourselves there is nothing to tell. */
	*place = NULL;
	if (stream)
		stream_close(stream);
}

/* The tunnel's, or of the try that would make one. */
static void on_current_ended(struct connection *connection, const char *why)
{
	snprintf(connection->tcp.ended_why, sizeof(connection->tcp.ended_why), "%s", why);
	if (connection->dial.state == DIAL_TRYING) {
		explain_note(&connection->round, EXPLAIN_CLOSED, why);
		dial_failed(&connection->dial, clock_now_ms(), false);
	}
}

static void on_ended(void *context, struct stream *stream, const char *why)
{
	struct connection *connection = context;
	struct over_tcp *tcp = &connection->tcp;
	char text[ENDPOINT_TEXT_LEN];

	log_info("event=stream_ended local=%s reason=\"%s\"", endpoint_format(stream_local(stream), text), why);
	if (stream == tcp->current) {
		tcp->current = NULL;
		on_current_ended(connection, why);
	} else if (stream == tcp->next) {
		tcp->next = NULL;
		resuming_failed(connection, why);
	} else {
		tcp->former = NULL;
	}
	stream_free(stream);
}

/* The socket is taken over in every case. NULL with errno. */
static struct stream *begin(struct connection *connection, int fd)
{
	const struct connect_config *config = connection->config;
	const struct stream_options options = {
		.originator = true,
		.payload_max = FRAMING_PAYLOAD_MAX,
		.queue = {.esp_bytes = QUEUE_ESP_MAX, .esp_ms = config->base.ike.tcp_delay, .ike_bytes = QUEUE_IKE_MAX},
		.keepalive = config->base.ike.keepalive,
	};
	const struct stream_handler handler = {.context = connection, .ike = on_ike, .esp = on_esp, .ended = on_ended};
	struct stream *stream = stream_open(connection->tcp.loop, fd, &options, &handler);
	char local[ENDPOINT_TEXT_LEN];

	if (stream)
		log_info("event=stream_opened local=%s", endpoint_format(stream_local(stream), local));
	return stream;
}

static int begin_exchanges(struct connection *connection, struct stream **place, int fd)
{
	stream_drop(place);
	*place = begin(connection, fd);
	return *place ? connection_exchanges_begin(connection, stream_local(*place), stream_remote(*place)) : -errno;
}

static int begin_try(struct connection *connection, int fd)
{
	connection->path.stream = true;
	return begin_exchanges(connection, &connection->tcp.current, fd);
}

static void begin_next(struct connection *connection, int fd)
{
	stream_drop(&connection->tcp.next);
	connection->tcp.next = begin(connection, fd);
	if (connection->tcp.next)
		resuming_opened(connection);
	else
		resuming_failed(connection, strerror(errno));
}

static void dialing_forget(struct connection *connection)
{
	if (connection->tcp.dialing)
		event_free(connection->tcp.dialing);
	connection->tcp.dialing = NULL;
}

/* Of a dial that is for `next`. */
static void on_next_dialed(evutil_socket_t fd, short what, void *context)
{
	struct connection *connection = context;
	int error = dial_tcp_error(fd);

	(void)what;
	dialing_forget(connection);
	if (error) {
		close(fd);
		resuming_failed(connection, strerror(error));
	} else {
		begin_next(connection, fd);
	}
	connection_settle(connection);
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
		rc = begin_try(connection, fd);
	if (error || rc < 0)
		note_failure(connection, error ? error : -rc);
	connection_settle(connection);
}

static int dial(struct connection *connection, event_callback_fn dialed)
{
	struct over_tcp *tcp = &connection->tcp;
	int fd = dial_tcp_open(&connection->gateway, &tcp->address);

	if (fd < 0)
		return fd;
	tcp->dialing = event_new(connection->base, fd, EV_WRITE, dialed, connection);
	if (tcp->dialing && event_add(tcp->dialing, NULL) == 0)
		return 0;
	dialing_forget(connection);
	close(fd);
	return -ENOMEM;
}

static int take_handed(struct connection *connection)
{
	int fd = connection->tcp.handed;

	connection->tcp.handed = -1;
	return fd;
}

int over_tcp_try(struct connection *connection)
{
	int fd = take_handed(connection);

	over_tcp_end(connection);
	return fd >= 0 ? begin_try(connection, fd) : dial(connection, on_dialed);
}

int over_tcp_renew(struct connection *connection)
{
	return begin_exchanges(connection, &connection->tcp.next, take_handed(connection));
}

int over_tcp_dial_next(struct connection *connection)
{
	over_tcp_drop_next(connection);
	return dial(connection, on_next_dialed);
}

void over_tcp_promote(struct connection *connection)
{
	struct over_tcp *tcp = &connection->tcp;

	stream_drop(&tcp->former);
	tcp->former = tcp->current;
	tcp->former_ms = clock_now_ms();
	tcp->current = tcp->next;
	tcp->next = NULL;
}

static void dialing_end(struct connection *connection)
{
	if (!connection->tcp.dialing)
		return;
	close(event_get_fd(connection->tcp.dialing));
	dialing_forget(connection);
}

void over_tcp_drop_next(struct connection *connection)
{
	dialing_end(connection);
	stream_drop(&connection->tcp.next);
}

struct stream *over_tcp_find(const struct connection *connection, const struct endpoint *local)
{
	const struct over_tcp *tcp = &connection->tcp;
	struct stream *others[] = {tcp->next, tcp->former};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] && endpoint_equal(stream_local(others[i]), local))
			return others[i];
	/* What was begun in a connection that has ended goes on in the one that there is. */
	return tcp->current;
}

void over_tcp_tick(struct connection *connection, uint64_t now_ms)
{
	if (connection->tcp.former && now_ms - connection->tcp.former_ms >= FORMER_MS)
		stream_drop(&connection->tcp.former);
}

void over_tcp_hand(struct connection *connection, int fd)
{
	if (connection->tcp.handed >= 0)
		close(connection->tcp.handed);
	connection->tcp.handed = fd;
}

bool over_tcp_is_meant(const struct connection *connection)
{
	if (connection->phase == CONNECTION_REGISTERED)
		return connection->tcp.handed >= 0;
	return connection->phase == CONNECTION_ALONE && !connection->configured &&
	       connection->config->transport == CONNECT_TRANSPORT_TCP;
}

void over_tcp_end(struct connection *connection)
{
	over_tcp_hand(connection, -1);
	over_tcp_drop_next(connection);
	stream_drop(&connection->tcp.former);
	stream_drop(&connection->tcp.current);
}

bool over_tcp_is_lost(const struct connection *connection)
{
	return connection->path.stream && !connection->tcp.current;
}

static size_t on_packets(void *context, const struct tun_departure *packets, size_t count)
{
	struct connection *connection = context;
	struct stream_packet sent[ESP_BURST_MAX];

	if (!connection->tcp.current)
		return 0;
	for (size_t i = 0; i < count; i++)
		sent[i] = (struct stream_packet){.data = packets[i].data, .len = packets[i].len};
	stream_send_esp(connection->tcp.current, sent, count);
	return count;
}

int over_tcp_open(struct connection *connection)
{
	connection->tcp.handed = -1;
	connection->tcp.loop = stream_loop_new(connection->base, on_settle, connection);
	connection->path.handler.stream = on_packets;
	return connection->tcp.loop ? 0 : -ENOMEM;
}

void over_tcp_close(struct connection *connection)
{
	over_tcp_end(connection);
	stream_loop_free(connection->tcp.loop);
	connection->tcp.loop = NULL;
}
