/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/channel.h"

#include "control/frame.h"
#include "loop.h"
#include "registration/message.h"
#include "stream/framing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUTPUT_MAX = 2 * (FRAME_HEAD_LEN + REGISTRATION_MESSAGE_MAX) };

enum channel_state {
	CHANNEL_HANDSHAKE,
	CHANNEL_OPEN,
	CHANNEL_FAILED, /* told; waits to be freed */
};

struct channel {
	enum channel_state state;
	int fd;
	struct tls *tls;
	struct channel_handler handler;
	struct event *readable, *writable; /* one of them is waited for */
	struct event *soon;		   /* what is pending without the socket's doing */
	bool peer_closed, closing, closed;
	bool busy, freed; /* it is freed when the callback returns */

	/* One frame: its head, then its text. */
	uint8_t head[FRAME_HEAD_LEN];
	size_t head_len;
	char *input;
	size_t input_len, input_size;

	uint8_t *output;
	size_t output_len, output_sent;
};

static void wipe(void *memory, size_t len)
{
	if (memory)
		explicit_bzero(memory, len);
	free(memory);
}

static void fail(struct channel *channel, enum tls_failure failure, const char *why)
{
	channel->state = CHANNEL_FAILED;
	event_del(channel->readable);
	event_del(channel->writable);
	event_del(channel->soon);
	channel->handler.failed(channel->handler.context, failure, why);
}

static void fail_by_tls(struct channel *channel)
{
	char why[TLS_WHY_LEN];

	/* The session may be freed in the callback. */
	memcpy(why, tls_why(channel->tls), sizeof(why));
	fail(channel, tls_failure(channel->tls), why);
}

/* TLS says what it needs next; nothing else happens before. */
static void await(struct channel *channel, enum tls_status status)
{
	event_del(status == TLS_WANT_WRITE ? channel->readable : channel->writable);
	event_add(status == TLS_WANT_WRITE ? channel->writable : channel->readable, NULL);
}

/* In the loop's next round, so that a fast peer doesn't keep the others waiting. */
static void go_on(struct channel *channel)
{
	static const struct timeval at_once = {.tv_sec = 0};

	event_add(channel->soon, &at_once);
}

/* The first byte tells: TLS's is another one. */
static bool begins_as_stream(const struct channel *channel)
{
	char first;

	return channel->handler.is_stream && recv(channel->fd, &first, sizeof(first), MSG_PEEK | MSG_DONTWAIT) == 1 &&
	       first == FRAMING_PREFIX[0];
}

static void handshake(struct channel *channel)
{
	enum tls_status status;

	if (begins_as_stream(channel)) {
		channel->state = CHANNEL_FAILED; /* for TLS */
		channel->handler.is_stream(channel->handler.context);
		return;
	}
	status = tls_handshake(channel->tls);
	if (status == TLS_WANT_READ || status == TLS_WANT_WRITE) {
		await(channel, status);
		return;
	}
	if (status != TLS_DONE) {
		fail_by_tls(channel);
		return;
	}
	channel->state = CHANNEL_OPEN;
	/* Messages may have come with the handshake's end. */
	go_on(channel);
	channel->handler.opened(channel->handler.context);
}

/* Sends what waits, close_notify at its end. True when there is nothing (more) of it. */
static bool flush(struct channel *channel)
{
	enum tls_status status = TLS_DONE;
	size_t written;

	while (status == TLS_DONE && channel->output_sent < channel->output_len) {
		status = tls_write(channel->tls, channel->output + channel->output_sent,
			channel->output_len - channel->output_sent, &written);
		if (status == TLS_DONE)
			channel->output_sent += written;
	}
	if (status == TLS_DONE && channel->output) {
		wipe(channel->output, channel->output_len);
		channel->output = NULL;
		channel->output_len = channel->output_sent = 0;
	}
	if (status == TLS_DONE && channel->closing && !channel->closed) {
		status = tls_close(channel->tls);
		channel->closed = status == TLS_DONE;
		if (channel->closed)
			channel->handler.sent_all(channel->handler.context);
	}
	if (status == TLS_WANT_READ || status == TLS_WANT_WRITE)
		await(channel, status);
	else if (status != TLS_DONE)
		fail_by_tls(channel);
	return status == TLS_DONE && !channel->freed;
}

/* Where the next bytes of the frame go to, and how many. */
static size_t input_room(struct channel *channel, uint8_t **room)
{
	if (channel->head_len < FRAME_HEAD_LEN) {
		*room = channel->head + channel->head_len;
		return FRAME_HEAD_LEN - channel->head_len;
	}
	*room = (uint8_t *)channel->input + channel->input_len;
	return channel->input_size - channel->input_len;
}

static void drop_input(struct channel *channel)
{
	wipe(channel->input, channel->input_size);
	channel->input = NULL;
	channel->head_len = channel->input_len = channel->input_size = 0;
}

/* A head is complete. */
static void begin_input(struct channel *channel)
{
	uint32_t len = frame_get_head(channel->head);

	if (len == 0 || len > REGISTRATION_MESSAGE_MAX) {
		fail(channel, TLS_FAILURE_PROTOCOL,
			"a message came that is empty or longer than 64 KiB, so what speaks there isn't Sluice");
		return;
	}
	channel->input = malloc(len);
	channel->input_size = channel->input ? len : 0;
	if (!channel->input)
		fail(channel, TLS_FAILURE_SYSTEM, "no memory for a message");
}

static void take_message(struct channel *channel)
{
	char *text = channel->input;
	size_t len = channel->input_size;

	channel->input = NULL;
	drop_input(channel);
	channel->handler.message(channel->handler.context, text, len);
	wipe(text, len);
}

/* `len` more bytes of the frame are here. */
static void take_input(struct channel *channel, size_t len)
{
	/* What TLS has read already would not make the socket readable. */
	go_on(channel);
	if (channel->head_len < FRAME_HEAD_LEN) {
		channel->head_len += len;
		if (channel->head_len == FRAME_HEAD_LEN)
			begin_input(channel);
		return;
	}
	channel->input_len += len;
	if (channel->input_len == channel->input_size)
		take_message(channel);
}

static void take_close(struct channel *channel)
{
	channel->peer_closed = true;
	event_del(channel->readable);
	event_del(channel->writable);
	if (channel->head_len > 0)
		fail(channel, TLS_FAILURE_ENDED, "the connection ended in the middle of a message");
	else
		channel->handler.closed(channel->handler.context);
}

static void receive(struct channel *channel)
{
	enum tls_status status;
	uint8_t *room;
	size_t size = input_room(channel, &room), len = 0;

	status = tls_read(channel->tls, room, size, &len);
	switch (status) {
	case TLS_DONE: take_input(channel, len); return;
	case TLS_WANT_READ:
	case TLS_WANT_WRITE: await(channel, status); return;
	case TLS_CLOSED: take_close(channel); return;
	case TLS_FAILED: fail_by_tls(channel); return;
	}
}

static void channel_destroy(struct channel *channel);

static void on_event(evutil_socket_t fd, short what, void *context)
{
	struct channel *channel = context;

	(void)fd;
	(void)what;
	channel->busy = true;
	if (channel->state == CHANNEL_HANDSHAKE)
		handshake(channel);
	else if (channel->state == CHANNEL_OPEN && flush(channel) && !channel->peer_closed)
		receive(channel);
	channel->busy = false;
	if (channel->freed)
		channel_destroy(channel);
}

struct channel *channel_new(struct event_base *base, int fd, struct tls *tls, const struct channel_handler *handler)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	channel->fd = fd;
	channel->handler = *handler;
	channel->readable = event_new(base, fd, EV_READ, on_event, channel);
	channel->writable = event_new(base, fd, EV_WRITE, on_event, channel);
	channel->soon = evtimer_new(base, on_event, channel);
	if (!channel->readable || !channel->writable || !channel->soon) {
		channel->fd = -1;
		channel_free(channel);
		return NULL;
	}
	/* Those who have a session come first. */
	loop_background(channel->readable);
	loop_background(channel->writable);
	loop_background(channel->soon);
	channel->tls = tls;
	go_on(channel);
	return channel;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void channel_destroy(struct channel *channel)
{
	free_event(channel->readable);
	free_event(channel->writable);
	free_event(channel->soon);
	tls_free(channel->tls);
	drop_input(channel);
	wipe(channel->output, channel->output_len);
	if (channel->fd >= 0)
		close(channel->fd);
	free(channel);
}

void channel_free(struct channel *channel)
{
	if (!channel)
		return;
	channel->freed = true;
	if (!channel->busy)
		channel_destroy(channel);
}

int channel_send(struct channel *channel, const char *text, size_t len)
{
	size_t frame_len = FRAME_HEAD_LEN + len;
	uint8_t *output;

	if (channel->closing || channel->state == CHANNEL_FAILED)
		return -EPIPE;
	if (len == 0 || len > REGISTRATION_MESSAGE_MAX || channel->output_len + frame_len > OUTPUT_MAX)
		return -EMSGSIZE;
	output = malloc(channel->output_len + frame_len);
	if (!output)
		return -ENOMEM;
	if (channel->output_len > 0)
		memcpy(output, channel->output, channel->output_len);
	frame_put_head(output + channel->output_len, (uint32_t)len);
	memcpy(output + channel->output_len + FRAME_HEAD_LEN, text, len);
	wipe(channel->output, channel->output_len);
	channel->output = output;
	channel->output_len += frame_len;
	go_on(channel);
	return 0;
}

int channel_send_message(struct channel *channel, const struct registration_message *message)
{
	size_t len;
	char *text = message_encode(message, &len);
	int rc = text ? channel_send(channel, text, len) : -errno;

	if (text)
		explicit_bzero(text, len);
	free(text);
	return rc;
}

void channel_close(struct channel *channel)
{
	if (channel->state == CHANNEL_FAILED)
		return;
	channel->closing = true;
	go_on(channel);
}

const struct tls *channel_tls(const struct channel *channel)
{
	return channel->tls;
}

int channel_release(struct channel *channel)
{
	int fd = channel->fd;

	channel->fd = -1;
	channel_free(channel);
	return fd;
}
