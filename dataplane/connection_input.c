/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_input.h"

#include "connection_output.h"
#include "connection_worker.h"
#include "dataplane.h"
#include "encap.h"
#include "exits.h"
#include "header.h"
#include "inbound.h"
#include "outbound.h"

#include <rte_prefetch.h>

#include <errno.h>
#include <string.h>

enum {
	AHEAD = 6,  /* segments: what their ACKs are for first is fetched while others are taken, */
	SECOND = 3, /* and when they have come nearer by so many, what next */
};

/* Before a segment's payload: the outer header takes the place of the segment's own headers. */
_Static_assert((int)RTE_PKTMBUF_HEADROOM >= (int)FRAME_KEPT_MAX, "there is room for what is kept of a frame");

/* ESP packets on their way to decryption, of any connections. */
struct gathered {
	struct rte_mbuf *packets[BURST];
	uint16_t count;
};

static void gathered_pass_on(struct worker *worker, struct gathered *gathered)
{
	uint16_t inner = inbound_process(worker, gathered->packets, gathered->count);

	if (inner > 0)
		outbound_process(worker, gathered->packets, inner);
	gathered->count = 0;
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

/* An ESP packet, data at its ESP header; before that an outer header of addresses alone. */
static void esp_begin(
	struct worker *worker, const struct connection *connection, struct rte_mbuf *packet, struct gathered *gathered)
{
	*packet_of(packet) = (struct packet){
		.kind = PACKET_ESP,
		.stream = true,
		.outer_len = encap_write_addresses(
			rte_pktmbuf_mtod(packet, uint8_t *), &connection->ends.remote, &connection->ends.local),
	};
	sa_prefetch_in(&worker->dataplane->sas, esp_read_spi(rte_pktmbuf_mtod(packet, const uint8_t *)));
	gathered->packets[gathered->count++] = packet;
	if (gathered->count == BURST)
		gathered_pass_on(worker, gathered);
}

/* A buffer of which `len` bytes are data; NULL: none is free that is so long. */
static struct rte_mbuf *buffer_take(struct worker *worker, uint32_t len)
{
	struct rte_mbuf *buffer = rte_pktmbuf_alloc(worker->dataplane->packets);

	if (buffer && rte_pktmbuf_tailroom(buffer) < len) {
		rte_pktmbuf_free(buffer);
		buffer = rte_pktmbuf_alloc(worker->dataplane->jumbos);
		if (buffer && rte_pktmbuf_tailroom(buffer) < len) {
			rte_pktmbuf_free(buffer);
			return NULL;
		}
	}
	if (buffer)
		packet_len_set(buffer, len);
	return buffer;
}

/*
 * The buffer that has a frame's bytes and nothing behind them, data at their beginning: that of its segment, which is
 * used up then; the one that the reader was lent; or a copy. NULL: there is none.
 */
static struct rte_mbuf *frame_buffer(
	struct worker *worker, struct connection *connection, const struct frame *frame, struct tcp_piece *piece)
{
	struct rte_mbuf *buffer;

	if (!frame->in_place) {
		buffer = connection->lent;
		if (!buffer)
			return NULL;
		connection->lent = NULL;
		worker->connections->n_aside--;
	} else if (piece->owner && (piece->len == 0 || frame_is_begun(&connection->reader, piece))) {
		if (piece->len > 0)
			frame_keep(&connection->reader, piece);
		buffer = piece->owner;
		piece->owner = NULL;
	} else {
		buffer = buffer_take(worker, frame->len);
		if (buffer)
			memcpy(rte_pktmbuf_mtod(buffer, void *), frame->data, frame->len);
		return buffer;
	}
	buffer->data_off = (uint16_t)(frame->data - (uint8_t *)buffer->buf_addr);
	packet_len_set(buffer, frame->len);
	return buffer;
}

static void take_frame(struct worker *worker, struct connection *connection, const struct frame *frame,
	struct tcp_piece *piece, struct gathered *gathered)
{
	struct rte_mbuf *buffer = frame_buffer(worker, connection, frame, piece);

	worker_count(worker, REASON_IN_FRAME, 1);
	if (unlikely(!buffer)) {
		worker_count(worker, REASON_DROP_NO_BUFFER, 1);
	} else if (frame->kind == FRAME_ESP && frame->len >= ESP_HDR_LEN) {
		connection->frames_in++;
		esp_begin(worker, connection, buffer, gathered);
	} else if (frame->kind == FRAME_IKE && frame->len > 0) {
		connection->counters.ike_in++;
		exit_ike(worker, buffer, connection);
	} else {
		exit_drop(worker, buffer, REASON_DROP_CONNECTION_FRAME);
	}
}

/* Is there room for a frame that begins at `data`, behind what is there of it? */
static bool has_room(const struct rte_mbuf *buffer, const uint8_t *data, uint32_t len)
{
	return len <= (size_t)((const uint8_t *)buffer->buf_addr + buffer->buf_len - data);
}

/*
 * For a frame that spans segments: a few bytes go before the next one; else the buffer of the one that it begins in is
 * lent, where the rest fits behind it, or another. Without one its bytes are read nevertheless, for the next frame is
 * behind them.
 */
static void lend(struct worker *worker, struct connection *connection, uint32_t len, struct tcp_piece *piece)
{
	struct connection_worker *own = worker->connections;

	if (piece->owner && piece->len <= FRAME_KEPT_MAX) {
		frame_keep(&connection->reader, piece);
		return;
	}
	if (unlikely(own->n_aside >= own->aside_max)) {
		connection->lent = NULL;
	} else if (piece->owner && has_room(piece->owner, piece->data, len)) {
		connection->lent = piece->owner;
		piece->owner = NULL;
		own->n_aside++;
		frame_stay(&connection->reader, piece);
		return;
	} else {
		connection->lent = buffer_take(worker, len);
	}
	if (connection->lent)
		own->n_aside++;
	frame_lend(&connection->reader, connection->lent ? rte_pktmbuf_mtod(connection->lent, uint8_t *) : own->sink);
}

/* All frames that a piece of the stream ends. False: it can't be read any more. */
static bool take_piece(
	struct worker *worker, struct connection *connection, struct tcp_piece *piece, struct gathered *gathered)
{
	struct frame frame;

	for (;;) {
		switch (frame_next(&connection->reader, piece, &frame)) {
		case FRAME_READY: take_frame(worker, connection, &frame, piece, gathered); break;
		case FRAME_NEEDS_BUFFER: lend(worker, connection, frame.len, piece); break;
		case FRAME_PIECE_DONE: return true;
		case FRAME_BROKEN: return false;
		}
	}
}

/* --- the stream --------------------------------------------------------------------------------------------------- */

static void stream_break(struct worker *worker, struct connection *connection)
{
	tcp_abort(&connection->tcp);
	connection_end(worker, connection, -EPROTO);
}

static void read_stream(struct worker *worker, struct connection *connection, struct gathered *gathered)
{
	struct tcp_piece piece;

	while (tcp_read(&connection->tcp, &piece)) {
		bool readable = connection->phase == CONNECTION_LIVE || connection->ending;

		if (readable && !take_piece(worker, connection, &piece, gathered))
			stream_break(worker, connection);
		rte_pktmbuf_free(piece.owner);
	}
}

/* --- segments ----------------------------------------------------------------------------------------------------- */

static bool checksum_holds(const struct rte_mbuf *packet, const void *header, const uint8_t *tcp, uint32_t len)
{
	const struct rte_ipv4_hdr *ipv4 = header;
	const struct rte_ipv6_hdr *ipv6 = header;

	if ((packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	if (header_is_ipv6(header))
		return tcp_checksum(ipv6->src_addr, ipv6->dst_addr, sizeof(ipv6->src_addr), tcp, len, NULL, 0) == 0;
	return tcp_checksum(&ipv4->src_addr, &ipv4->dst_addr, sizeof(ipv4->src_addr), tcp, len, NULL, 0) == 0;
}

/* A segment as bytes, from its TCP header on; classification has seen that this is whole. */
struct bytes {
	uint8_t *tcp;
	uint32_t len;
};

static inline struct bytes bytes_of(struct rte_mbuf *packet)
{
	uint16_t header_len = packet_of(packet)->outer_len;

	return (struct bytes){.tcp = rte_pktmbuf_mtod_offset(packet, uint8_t *, header_len),
		.len = rte_pktmbuf_data_len(packet) - (uint32_t)header_len};
}

/* The segment of a packet, taken apart. False: it has left. */
static bool segment_read(
	struct worker *worker, struct rte_mbuf *packet, const struct bytes *bytes, struct tcp_segment *segment)
{
	if (tcp_segment_parse(bytes->tcp, bytes->len, segment) < 0) {
		exit_drop(worker, packet, REASON_DROP_CONNECTION_SEGMENT);
		return false;
	}
	segment->congestion_experienced = (header_tos(rte_pktmbuf_mtod(packet, const void *)) & ECN_MASK) == ECN_CE;
	return true;
}

bool connection_is_overtaken(
	struct worker *worker, struct connection *connection, struct rte_mbuf *packet, struct rte_mbuf *next)
{
	struct bytes first, second;

	if (connection->phase != CONNECTION_LIVE || !connection_may_acknowledge(packet) ||
		!connection_may_acknowledge(next))
		return false;
	first = bytes_of(packet);
	second = bytes_of(next);
	if (!tcp_is_overtaken(&connection->tcp, first.tcp, first.len, second.tcp, second.len))
		return false;
	worker_count(worker, REASON_OUT_SEGMENT, 1);
	connection_release(&worker->connections->released, packet);
	return true;
}

static void take_segment(
	struct worker *worker, struct connection *connection, struct rte_mbuf *packet, struct gathered *gathered)
{
	struct bytes bytes = bytes_of(packet);
	uint64_t now = connection_worker_now(worker);
	struct tcp_segment segment;

	if (unlikely(!checksum_holds(packet, rte_pktmbuf_mtod(packet, const void *), bytes.tcp, bytes.len))) {
		exit_drop(worker, packet, REASON_DROP_CHECKSUM);
		return;
	}
	if (connection_may_acknowledge(packet) && tcp_input_ack(&connection->tcp, bytes.tcp, bytes.len, now)) {
		worker_count(worker, REASON_OUT_SEGMENT, 1);
		connection_release(&worker->connections->released, packet);
		return;
	}
	if (!segment_read(worker, packet, &bytes, &segment))
		return;
	worker_count(worker, REASON_OUT_SEGMENT, 1);
	if (tcp_input(&connection->tcp, &segment, packet, now))
		read_stream(worker, connection, gathered);
	else
		connection_release(&worker->connections->released, packet);
}

static void hold(struct worker *worker, struct connection *connection, struct rte_mbuf *packet)
{
	struct connection_worker *own = worker->connections;

	if (connection->n_held == CONNECTION_HELD_MAX || own->n_aside >= own->aside_max) {
		exit_drop(worker, packet, REASON_DROP_CONNECTION_HELD);
		return;
	}
	packet->next = NULL;
	if (connection->held_first)
		connection->held_last->next = packet;
	else
		connection->held_first = packet;
	connection->held_last = packet;
	connection->n_held++;
	own->n_aside++;
}

/* What the ACK of segment `at` is for; each step follows where the one before it leads, which has arrived by then. */
static __rte_always_inline void prefetch_ahead(
	struct connection **connections, struct rte_mbuf **segments, uint16_t at, uint16_t count)
{
	if (at < count && connection_may_acknowledge(segments[at]))
		tcp_prefetch_first(&connections[at]->tcp);
	if (at >= SECOND && at - SECOND < count && connection_may_acknowledge(segments[at - SECOND]))
		tcp_prefetch_second(&connections[at - SECOND]->tcp);
}

void connection_input(
	struct worker *worker, struct connection **connections, struct rte_mbuf **segments, uint16_t count)
{
	struct gathered gathered;

	gathered.count = 0;
	for (uint16_t i = 0; i < AHEAD; i++)
		prefetch_ahead(connections, segments, i, count);
	for (uint16_t i = 0; i < count; i++) {
		struct connection *connection = connections[i];
		bool last = i + 1 == count || connections[i + 1] != connection;

		prefetch_ahead(connections, segments, i + AHEAD, count);
		if (likely(connection->phase == CONNECTION_LIVE || connection->phase == CONNECTION_ENDING)) {
			take_segment(worker, connection, segments[i], &gathered);
			if (last)
				connection_rest(worker, connection);
		} else if (connection->phase == CONNECTION_HELD) {
			hold(worker, connection, segments[i]);
		} else {
			exit_drop(worker, segments[i], REASON_DROP_CONNECTION_ENDED);
		}
	}
	gathered_pass_on(worker, &gathered);
}

void connection_input_bytes(struct worker *worker, struct connection *connection, const uint8_t *bytes, uint32_t len)
{
	struct tcp_piece piece = {.data = (uint8_t *)bytes, .len = len}; /* no owner: what it has is copied */
	struct gathered gathered = {.count = 0};

	if (len > 0 && !take_piece(worker, connection, &piece, &gathered))
		stream_break(worker, connection);
	gathered_pass_on(worker, &gathered);
}
