/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of IKE messages and ESP packets (RFC 9329) on a connected TCP socket of the kernel's. It is the transport of
 * one session for as long as that lives, from its "IKETCP" to its end. Whoever opens it owns it, hears of each frame
 * and of the end by callbacks, and frees it then. One thread, one event loop.
 *
 * What is written leaves at once (TCP_NODELAY): a lone packet in segments of its own, PSH on the last one; packets that
 * come in a burst go in one write. What the kernel does not take waits in a queue that is bounded (send_queue.h), and
 * the kernel is kept from queueing much more than what is on its way.
 */
#pragma once

#include "stream/framing.h"
#include "stream/send_queue.h"
#include "tables/address.h"

#include <event2/event.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STREAM_BURST_MAX = 64, /* ESP packets that are told at once, and that are sent in one write */
};

/*
 * What all streams of one event loop share: the buffer that they read into, and whom to tell at the end of each of the
 * loop's callbacks, so that what came about may take effect.
 */
struct stream_loop;
struct stream_loop *stream_loop_new(
	struct event_base *base, void (*settle)(void *context), void *context); /* or NULL */
void stream_loop_free(struct stream_loop *loop);				/* after the last of its streams */

struct stream_options {
	bool originator;      /* we dialed: "IKETCP" is ours to say */
	uint32_t payload_max; /* of a frame that is taken before stream_confirm, bytes; marker included */
	struct send_queue_limits queue;
	uint32_t confirm_ms; /* it ends where stream_confirm is not called by then; 0: never */
	uint32_t idle_ms;    /* it ends where nothing has come for so long; 0: never */
	uint32_t keepalive;  /* seconds of silence before the kernel asks whether the other side is there; 0: never */
};

/* Frames and payload bytes; of esp_out those count too that the queue dropped. */
struct stream_counters {
	uint64_t ike_in, esp_in, ike_out, esp_out;
	uint64_t esp_in_bytes, esp_out_bytes;
	uint64_t keepalives_in, runts_in;
};

struct stream;

struct stream_packet {
	uint8_t *data;
	uint32_t len;
};

struct stream_handler {
	void *context;
	/* One IKE message, without marker. */
	void (*ike)(void *context, struct stream *stream, const uint8_t *message, size_t message_len);
	/* ESP packets in their order; they may be changed in place, and are gone afterwards. */
	void (*esp)(void *context, struct stream *stream, const struct stream_packet *packets, size_t count);
	/* It has ended, for the reason `why`; told once, and nothing after it. May free the stream. */
	void (*ended)(void *context, struct stream *stream, const char *why);
};

/*
 * Takes the socket over, in every case. NULL with errno. Nothing is told before the event loop runs. `loop` must stay.
 */
struct stream *stream_open(
	struct stream_loop *loop, int fd, const struct stream_options *options, const struct stream_handler *handler);

/* Whom the handler's functions are told from now on. Before the event loop runs. */
void stream_set_context(struct stream *stream, void *context);

/* Ends it: what waits is written as far as it can be now, then FIN. `ended` is called where it was not yet. */
void stream_end(struct stream *stream, const char *why);

/* Ends it and frees it, `ended` not being called: what waits is written as far as it can be now, then FIN. */
void stream_close(struct stream *stream);

/* Ends it without a word to anybody, and frees it. May be called from its own callbacks. NULL is allowed. */
void stream_free(struct stream *stream);

/* The other side has proved who it is: confirm_ms and payload_max are of no concern any more. */
void stream_confirm(struct stream *stream);

/* 0 or negative errno: the message is too long, or too much waits because the peer does not read; -EPIPE: it has ended.
 */
int stream_send_ike(struct stream *stream, const void *message, size_t message_len);

/*
 * Sends ESP packets, or lets them wait, or drops them: the counters tell. The packets are the caller's and are not
 * changed. Each is of 1 to FRAMING_PAYLOAD_MAX bytes.
 */
void stream_send_esp(struct stream *stream, const struct stream_packet *packets, size_t count);

/*
 * The connection leaves the kernel's hands, for whoever else goes on with it (takeover.h). Its segments are held
 * elsewhere already. Not from within a callback.
 *
 *   stream_freeze   nothing is read or written any more; what is sent waits, within the queue's bounds
 *   stream_leave    it has moved: the socket closes without a word, the stream is freed
 *   stream_thaw     it has not: it goes on as if nothing had been
 */
struct stream_frozen {
	int transfer; /* a sealed memfd, as tables/transfer.h says; the caller's to close */
	uint32_t unacknowledged_len, unsent_len, unread_len; /* bytes in it */
};

/* 0; negative errno as takeover_read's and transfer_make's: it was not frozen then. */
int stream_freeze(struct stream *stream, struct stream_frozen *frozen);
/*
 * IKE messages that were sent since stream_freeze are told by `ike`. Returns how many ESP packets that were sent since
 * are lost.
 */
size_t stream_leave(
	struct stream *stream, void (*ike)(void *context, const uint8_t *message, size_t message_len), void *context);
void stream_thaw(struct stream *stream);

/* Ends of the connection, with their transport set. */
const struct endpoint *stream_local(const struct stream *stream);
const struct endpoint *stream_remote(const struct stream *stream);

/* What the kernel says of the path; bytes and microseconds. 0 or negative errno. */
struct stream_path {
	bool established;
	uint32_t srtt, rto, cwnd, flight, mss;
	uint32_t retransmitted; /* segments */
};
int stream_path(const struct stream *stream, struct stream_path *path);

const struct stream_counters *stream_counters(const struct stream *stream);
const struct send_queue *stream_queue(const struct stream *stream);
