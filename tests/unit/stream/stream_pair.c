/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_pair.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

const struct stream_options stream_pair_defaults = {
	.payload_max = FRAMING_PAYLOAD_MAX,
	.queue = {.esp_bytes = 1 << 20, .esp_ms = 60000, .ike_bytes = 64 << 10},
	.keepalive = 20,
};

static void note(struct stream_end *end, uint8_t name, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(bytes[i], name);
	assert_true(end->log_len < STREAM_PAIR_LOG_MAX - 1);
	end->log[end->log_len++] = (char)name;
}

static void on_ike(void *context, struct stream *stream, const uint8_t *message, size_t message_len)
{
	struct stream_end *end = context;

	assert_ptr_equal(stream, end->stream);
	if (end->on_ike)
		end->on_ike(end);
	/* The message is there for as long as the call lasts, whatever becomes of the stream. */
	note(end, message[0], message, message_len);
}

static void on_esp(void *context, struct stream *stream, const struct stream_packet *packets, size_t count)
{
	struct stream_end *end = context;

	(void)stream;
	assert_in_range(count, 1, STREAM_BURST_MAX);
	for (size_t i = 0; i < count; i++) {
		note(end, packets[i].data[0], packets[i].data, packets[i].len);
		memset(packets[i].data, 0, packets[i].len); /* it is the callee's to change */
	}
	if (end->on_esp)
		end->on_esp(end);
}

static void on_settle(void *context)
{
	++*(size_t *)context;
}

static void on_ended(void *context, struct stream *stream, const char *why)
{
	struct stream_end *end = context;

	end->ends++;
	strncpy(end->why, why, sizeof(end->why) - 1);
	if (end->stream == stream) {
		stream_free(end->stream);
		end->stream = NULL;
	}
}

void stream_pair_connect(int fds[2])
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(name);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &len), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fds[0], (struct sockaddr *)&name, sizeof(name)), 0);
	fds[1] = accept(listener, NULL, NULL);
	assert_true(fds[1] >= 0);
	close(listener);
}

struct stream *stream_pair_open_end(
	struct stream_pair *pair, struct stream_end *end, int fd, const struct stream_options *options)
{
	const struct stream_handler handler = {.context = end, .ike = on_ike, .esp = on_esp, .ended = on_ended};

	return end->stream = stream_open(pair->loop, fd, options, &handler);
}

void stream_pair_open(struct stream_pair *pair)
{
	struct stream_options dialed = stream_pair_defaults;
	int fds[2];

	stream_pair_connect(fds);
	dialed.originator = true;
	assert_non_null(stream_pair_open_end(pair, &pair->us, fds[1], &stream_pair_defaults));
	assert_non_null(stream_pair_open_end(pair, &pair->them, fds[0], &dialed));
}

void stream_pair_open_plain(struct stream_pair *pair, const struct stream_options *options)
{
	int fds[2];

	stream_pair_connect(fds);
	assert_non_null(stream_pair_open_end(pair, &pair->us, fds[1], options));
	pair->plain = fds[0];
}

int stream_pair_set_up(void **state)
{
	static struct stream_pair the_pair;
	struct stream_pair *pair = *state = &the_pair;

	*pair = (struct stream_pair){.plain = -1};
	pair->base = event_base_new();
	pair->loop = pair->base ? stream_loop_new(pair->base, on_settle, &pair->settled) : NULL;
	return pair->loop ? 0 : -1;
}

int stream_pair_tear_down(void **state)
{
	struct stream_pair *pair = *state;

	stream_free(pair->us.stream);
	stream_free(pair->them.stream);
	if (pair->plain >= 0)
		close(pair->plain);
	stream_loop_free(pair->loop);
	event_base_free(pair->base);
	return 0;
}

static void on_impatient(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	*(bool *)context = true;
}

void stream_pair_run_until(struct stream_pair *pair, const size_t *value, size_t least)
{
	static const struct timeval patience = {.tv_sec = STREAM_PAIR_PATIENCE_S};
	bool over = false;
	struct event *timer = evtimer_new(pair->base, on_impatient, &over);

	event_add(timer, &patience);
	while (*value < least && !over)
		event_base_loop(pair->base, EVLOOP_ONCE);
	event_free(timer);
	assert_true(*value >= least);
}

void stream_pair_send_esp(struct stream_end *end, const char *names, size_t len)
{
	struct stream_packet packets[300];
	uint8_t *bytes = malloc(strlen(names) * len);
	size_t count = strlen(names);

	for (size_t i = 0; i < count; i++) {
		packets[i] = (struct stream_packet){.data = bytes + i * len, .len = (uint32_t)len};
		memset(packets[i].data, names[i], len);
	}
	stream_send_esp(end->stream, packets, count);
	free(bytes);
}

int stream_pair_send_ike(struct stream_end *end, char name, size_t len)
{
	uint8_t message[2000];

	memset(message, name, len);
	return stream_send_ike(end->stream, message, len);
}

void stream_pair_send_plain(struct stream_pair *pair, const void *bytes, size_t len)
{
	assert_int_equal(send(pair->plain, bytes, len, MSG_NOSIGNAL), len);
}
