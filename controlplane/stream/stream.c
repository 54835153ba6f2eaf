/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/stream.h"

#include "stream/stream_socket.h"
#include "stream/stream_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream_loop *stream_loop_new(struct event_base *base, void (*settle)(void *context), void *context)
{
	struct stream_loop *loop = malloc(sizeof(*loop));

	if (!loop)
		return NULL;
	loop->base = base;
	loop->settle = settle;
	loop->context = context;
	return loop;
}

void stream_loop_free(struct stream_loop *loop)
{
	free(loop);
}

static void release(struct stream *stream)
{
	struct event *events[] = {stream->readable, stream->writable, stream->unconfirmed};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	free(stream->moving);
	free(stream);
}

/* Between the two, the handler may end the stream or let it go. */
void stream_call_begin(struct stream *stream)
{
	stream->calls++;
}

/* False: it is gone, or has ended. */
bool stream_call_end(struct stream *stream)
{
	bool alive = stream->fd >= 0;

	if (--stream->calls == 0 && stream->freed)
		release(stream);
	return alive;
}

static void close_socket(struct stream *stream)
{
	struct event *events[] = {stream->readable, stream->writable, stream->unconfirmed};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_del(events[i]);
	/* While it is frozen the kernel has no say in it any more. */
	if (!stream->moving)
		(void)shutdown(stream->fd, SHUT_WR);
	close(stream->fd);
	stream->fd = -1;
	free(stream->rest);
	stream->rest = NULL;
	stream->rest_len = stream->rest_wanted = 0;
	send_queue_clear(&stream->queue);
}

/* Ends it where it has not ended; what could not be written any more is of no use. */
void stream_finish(struct stream *stream, const char *why)
{
	if (stream->fd < 0)
		return;
	close_socket(stream);
	stream_call_begin(stream);
	if (!stream->freed)
		stream->handler.ended(stream->handler.context, stream, why);
	(void)stream_call_end(stream);
}

void stream_end(struct stream *stream, const char *why)
{
	if (stream->fd < 0)
		return;
	/* A failure of this write may end it already. */
	stream_call_begin(stream);
	stream_flush(stream);
	stream_finish(stream, why);
	(void)stream_call_end(stream);
}

void stream_free(struct stream *stream)
{
	if (!stream)
		return;
	stream->freed = true;
	if (stream->fd >= 0)
		close_socket(stream);
	if (stream->calls == 0)
		release(stream);
}

void stream_close(struct stream *stream)
{
	stream->freed = true;
	/* A failure of this write may end it already. */
	stream_call_begin(stream);
	if (stream->fd >= 0)
		stream_flush(stream);
	stream_finish(stream, "");
	(void)stream_call_end(stream);
}

void stream_fail(struct stream *stream, int error)
{
	char why[128];

	switch (error) {
	case ECONNRESET:
	case EPIPE: stream_finish(stream, "the other side reset the connection"); break;
	case ETIMEDOUT: stream_finish(stream, "the other side does not answer any more"); break;
	default: snprintf(why, sizeof(why), "the connection failed: %s", strerror(error)); stream_finish(stream, why);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct stream *stream = context;
	struct stream_loop *loop = stream->loop;

	(void)fd;
	stream_call_begin(stream);
	if (what & EV_READ)
		stream_read(stream);
	else
		stream_end(stream, "nothing has come for too long");
	(void)stream_call_end(stream);
	loop->settle(loop->context);
}

static void on_unconfirmed(evutil_socket_t fd, short what, void *context)
{
	struct stream *stream = context;
	struct stream_loop *loop = stream->loop;

	(void)fd;
	(void)what;
	stream_end(stream, "the other side has not proved in time who it is");
	loop->settle(loop->context);
}

static struct timeval timeval_of(uint32_t ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

int stream_watch(struct stream *stream)
{
	struct timeval idle = timeval_of(stream->idle_ms);

	return event_add(stream->readable, stream->idle_ms ? &idle : NULL) < 0 ? -ENOMEM : 0;
}

static int open_events(struct stream *stream, const struct stream_options *options)
{
	struct timeval confirm = timeval_of(options->confirm_ms);

	stream->readable = event_new(stream->loop->base, stream->fd, EV_READ | EV_PERSIST, on_readable, stream);
	stream->writable = event_new(stream->loop->base, stream->fd, EV_WRITE, stream_on_writable, stream);
	stream->unconfirmed = evtimer_new(stream->loop->base, on_unconfirmed, stream);
	if (!stream->readable || !stream->writable || !stream->unconfirmed)
		return -ENOMEM;
	if (options->confirm_ms && event_add(stream->unconfirmed, &confirm) < 0)
		return -ENOMEM;
	return stream_watch(stream);
}

struct stream *stream_open(
	struct stream_loop *loop, int fd, const struct stream_options *options, const struct stream_handler *handler)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	int rc = -ENOMEM;

	if (!stream)
		goto no_stream;
	*stream = (struct stream){.loop = loop, .handler = *handler, .fd = fd, .idle_ms = options->idle_ms};
	stream->framing = (struct framing){.awaits_prefix = !options->originator, .payload_max = options->payload_max};
	send_queue_init(&stream->queue, &options->queue);
	rc = stream_socket_prepare(fd, options->keepalive);
	if (rc == 0)
		rc = stream_socket_ends(fd, &stream->local, &stream->remote);
	if (rc == 0)
		rc = open_events(stream, options);
	/* The prefix leaves with the first frame. */
	if (rc == 0 && options->originator)
		rc = send_queue_add_prefix(&stream->queue);
	if (rc == 0)
		return stream;
	stream->fd = -1; /* it has not begun, so there is no end to be told */
	release(stream);
no_stream:
	close(fd);
	errno = -rc;
	return NULL;
}

void stream_set_context(struct stream *stream, void *context)
{
	stream->handler.context = context;
}

void stream_confirm(struct stream *stream)
{
	event_del(stream->unconfirmed);
	stream->framing.payload_max = FRAMING_PAYLOAD_MAX;
}

const struct endpoint *stream_local(const struct stream *stream)
{
	return &stream->local;
}

const struct endpoint *stream_remote(const struct stream *stream)
{
	return &stream->remote;
}

const struct stream_counters *stream_counters(const struct stream *stream)
{
	return &stream->counters;
}

const struct send_queue *stream_queue(const struct stream *stream)
{
	return &stream->queue;
}

int stream_path(const struct stream *stream, struct stream_path *path)
{
	return stream->fd < 0 ? -ENOTCONN : stream_socket_path(stream->fd, path);
}
