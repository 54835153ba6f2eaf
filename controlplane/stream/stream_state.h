/* SPDX-License-Identifier: Apache-2.0 */
/* Inside stream/ only: a stream's state, and what its parts (life, writing, reading, moving) ask of each other. */
#pragma once

#include "stream/stream.h"

struct takeover;

enum {
	STREAM_READ_LEN = 256 << 10, /* a wake-up and stream, so that others get their turn */
};

struct stream_loop {
	struct event_base *base;
	void (*settle)(void *context);
	void *context;
	uint8_t buffer[STREAM_READ_LEN];
};

struct stream {
	struct stream_loop *loop;
	struct stream_handler handler;
	struct event *readable, *writable, *unconfirmed;
	struct endpoint local, remote;
	struct framing framing;
	struct send_queue queue;
	struct stream_counters counters;
	uint8_t *rest;		      /* of what came, not a whole frame yet; NULL: nothing */
	size_t rest_len, rest_wanted; /* bytes that are there, and that are missing as far as is known */
	int fd;			      /* -1: it has ended */
	uint32_t idle_ms;	      /* as in the options */
	struct takeover *moving;      /* NULL: it is not frozen */
	unsigned calls;		      /* of the handler, that may be under way */
	bool freed;		      /* when these have returned */
};

/* stream.c. Between the first two a handler may end the stream or free it. `end` returns false where it is gone. */
void stream_call_begin(struct stream *stream);
bool stream_call_end(struct stream *stream);
/* Ends it where it has not ended; what was not written is of no use any more. */
void stream_finish(struct stream *stream, const char *why);
/* The same for an errno of the socket's. */
void stream_fail(struct stream *stream, int error);
/* Reads from now on; it ends where nothing has come for idle_ms. 0 or -ENOMEM. */
int stream_watch(struct stream *stream);

/* stream_write.c: writes what waits until the kernel takes no more, and goes on when it does again. */
void stream_flush(struct stream *stream);
void stream_on_writable(evutil_socket_t fd, short what, void *context);

/* stream_read.c: reads what there is, up to a bound, and tells the handler of whole frames. */
void stream_read(struct stream *stream);
