/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include "peers.h"
#include "plan.h"

#include <rte_malloc.h>

#include <errno.h>

enum {
	LENGTH_LEN = 2,
	FRAME_MOST = 2048,
	WRITE_MOST = 65536,
};

struct stream {
	struct turn *turn;
	struct peers *peers;
	struct segment_way way;
	uint32_t mss;

	/* The write that is being cut. */
	struct peer *peer;
	uint32_t session;
	uint32_t len, at;
	uint32_t n_frames;
	uint8_t bytes[WRITE_MOST];
};

struct stream *stream_new(struct turn *turn, struct peers *peers, const struct segment_way *way)
{
	struct stream *stream = rte_zmalloc("stream", sizeof(*stream), RTE_CACHE_LINE_SIZE);

	if (!stream) {
		errno = ENOMEM;
		return NULL;
	}
	stream->turn = turn;
	stream->peers = peers;
	stream->way = *way;
	stream->mss = (uint32_t)(PLAN_TCP_MSS - (segment_payload_at(way->timestamps) - segment_payload_at(false)));
	return stream;
}

void stream_free(struct stream *stream)
{
	rte_free(stream);
}

/* One more frame: length field and ESP. */
static void frame_append(struct stream *stream)
{
	const struct template_session *own;
	const struct template_shape *shape;
	struct turn_session *session;
	uint8_t whole[FRAME_MOST], *to = stream->bytes + stream->len;
	uint16_t len;

	shape = turn_take(stream->turn, &session, &own);
	template_write(shape, own, whole);
	turn_number(session, shape, whole);
	len = (uint16_t)(shape->frame_len - shape->esp_at + LENGTH_LEN);
	to[0] = (uint8_t)(len >> 8);
	to[1] = (uint8_t)len;
	rte_memcpy(to + LENGTH_LEN, whole + shape->esp_at, len - LENGTH_LEN);
	stream->len += len;
	stream->n_frames++;
}

/* What the next branch writes at once. False: it may not, the gateway's window is full. */
static bool write_begin(struct stream *stream)
{
	struct turn *turn = stream->turn;
	uint32_t session = turn->sessions[turn->at].session, last = turn->at;
	struct peer *peer = peers_get(stream->peers, session);

	if (!peer || (int32_t)(peer->window_end - peer->sent) < WRITE_MOST)
		return false;
	stream->peer = peer;
	stream->session = session;
	stream->len = stream->at = stream->n_frames = 0;
	do
		frame_append(stream);
	while (turn->at == last && turn->left < turn->device->arguments->train &&
		stream->len + FRAME_MOST <= WRITE_MOST);
	return true;
}

uint16_t stream_fill(struct stream *stream, struct rte_mbuf **packets, uint16_t count, uint32_t *ended)
{
	uint16_t payload_at = segment_payload_at(stream->way.timestamps);
	uint16_t n = 0;

	*ended = 0;
	for (; n < count; n++) {
		struct segment segment;
		uint16_t len;

		if (stream->at == stream->len && !write_begin(stream))
			break;
		len = (uint16_t)RTE_MIN(stream->mss, stream->len - stream->at);
		rte_memcpy(rte_pktmbuf_mtod_offset(packets[n], uint8_t *, payload_at), stream->bytes + stream->at, len);
		stream->at += len;
		segment = (struct segment){
			.session = stream->session,
			.sequence = stream->peer->sent,
			.acknowledgement = stream->peer->next,
			.ts_value = peers_timestamp(),
			.ts_echo = stream->peer->recent,
			.push = stream->at == stream->len,
		};
		stream->peer->sent += len;
		segment_write(packets[n], &stream->way, &segment, len);
		if (segment.push)
			*ended += stream->n_frames;
	}
	return n;
}
