/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/stream_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct burst {
	struct stream_packet packets[STREAM_BURST_MAX];
	size_t count;
};

/* False: the stream has ended. */
static bool tell_burst(struct stream *stream, struct burst *burst)
{
	size_t count = burst->count;

	burst->count = 0;
	if (count > 0)
		stream->handler.esp(stream->handler.context, stream, burst->packets, count);
	return stream->fd >= 0;
}

/* False: the stream has ended. What came before an IKE message is told before it. */
static bool take_frame(struct stream *stream, const struct framing_frame *frame, struct burst *burst)
{
	switch (frame->kind) {
	case FRAMING_ESP:
		stream->counters.esp_in++;
		stream->counters.esp_in_bytes += frame->payload_len;
		burst->packets[burst->count++] =
			(struct stream_packet){.data = frame->payload, .len = frame->payload_len};
		return burst->count < STREAM_BURST_MAX || tell_burst(stream, burst);
	case FRAMING_IKE:
		stream->counters.ike_in++;
		if (!tell_burst(stream, burst))
			return false;
		stream->handler.ike(stream->handler.context, stream, frame->payload, frame->payload_len);
		return stream->fd >= 0;
	case FRAMING_KEEPALIVE: stream->counters.keepalives_in++; return true;
	case FRAMING_RUNT: stream->counters.runts_in++; return true;
	default: return true;
	}
}

/* Adds bytes to the rest, which grows to what its frame wants, known or not. False: there is no memory. */
static bool rest_add(struct stream *stream, const uint8_t *data, size_t len, size_t wanted)
{
	uint8_t *rest = realloc(stream->rest, stream->rest_len + len + wanted);

	if (!rest)
		return false;
	memcpy(rest + stream->rest_len, data, len);
	stream->rest = rest;
	stream->rest_len += len;
	stream->rest_wanted = wanted;
	return true;
}

/* False: the stream has ended. Its end does not take the frame away from whoever is reading it. */
static bool tell_rest(struct stream *stream, const struct framing_frame *frame, struct burst *burst)
{
	uint8_t *rest = stream->rest;
	bool alive;

	stream->rest = NULL;
	stream->rest_len = stream->rest_wanted = 0;
	alive = take_frame(stream, frame, burst) && tell_burst(stream, burst);
	free(rest);
	return alive;
}

/*
 * A frame that comes in pieces is put together in memory of its own: each byte is copied once, however small the pieces
 * are. Takes what it wants from `data` and returns how much that is; 0: the stream has ended.
 */
static size_t complete_rest(struct stream *stream, const uint8_t *data, size_t len, struct burst *burst)
{
	size_t want = stream->rest_wanted, use = want < len ? want : len, prefix_len;
	struct framing_frame frame;

	if (!rest_add(stream, data, use, want - use)) {
		stream_finish(stream, "no memory");
		return 0;
	}
	if (use < want)
		return use;
	prefix_len = framing_read(&stream->framing, stream->rest, stream->rest_len, &frame);
	if (framing_refusal(frame.kind)) {
		stream_finish(stream, framing_refusal(frame.kind));
		return 0;
	}
	if (frame.kind != FRAMING_PARTIAL)
		return tell_rest(stream, &frame, burst) ? use : 0;
	/* Only now its head says what it wants. */
	stream->rest_len -= prefix_len;
	memmove(stream->rest, stream->rest + prefix_len, stream->rest_len);
	stream->rest_wanted = frame.payload_len;
	return use;
}

/* Whole frames where they lie; the bytes of one that is not whole stay. */
static void take_frames(struct stream *stream, uint8_t *data, size_t len, struct burst *burst)
{
	struct framing_frame frame;
	size_t taken;

	do {
		taken = framing_read(&stream->framing, data, len, &frame);
		data += taken;
		len -= taken;
		if (!take_frame(stream, &frame, burst))
			return;
	} while (taken > 0);
	if (!tell_burst(stream, burst))
		return;
	if (framing_refusal(frame.kind))
		stream_finish(stream, framing_refusal(frame.kind));
	else if (len > 0 && !rest_add(stream, data, len, frame.payload_len))
		stream_finish(stream, "no memory");
}

static void take_bytes(struct stream *stream, uint8_t *data, size_t len)
{
	struct burst burst = {.count = 0};

	while (len > 0 && stream->rest_len > 0) {
		size_t used = complete_rest(stream, data, len, &burst);

		if (used == 0)
			return;
		data += used;
		len -= used;
	}
	if (len > 0)
		take_frames(stream, data, len, &burst);
}

void stream_read(struct stream *stream)
{
	uint8_t *buffer = stream->loop->buffer;
	ssize_t received = recv(stream->fd, buffer, STREAM_READ_LEN, MSG_DONTWAIT);

	if (received > 0)
		take_bytes(stream, buffer, (size_t)received);
	else if (received == 0)
		stream_finish(stream, "the other side closed the connection");
	else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		stream_fail(stream, errno);
}
