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

enum { AHEAD = 4 /* connections that are fetched while others are served */ };

/* A segment that is no longer is taken for an ACK alone. */
enum { ACK_LEN_MAX = sizeof(struct rte_ipv6_hdr) + TCP_HEADER_MAX };

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
		connection->counters.frames_in++;
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

/* The segment of a packet, taken apart. False: it has left. */
static bool segment_read(struct worker *worker, struct rte_mbuf *packet, struct tcp_segment *segment)
{
	const void *header = rte_pktmbuf_mtod(packet, const void *);
	uint16_t header_len = packet_of(packet)->outer_len;
	uint8_t *tcp = rte_pktmbuf_mtod_offset(packet, uint8_t *, header_len);
	uint32_t len = rte_pktmbuf_data_len(packet) - (uint32_t)header_len;

	if (tcp_segment_parse(tcp, len, segment) < 0) {
		exit_drop(worker, packet, REASON_DROP_CONNECTION_SEGMENT);
		return false;
	}
	if (!checksum_holds(packet, header, tcp, len)) {
		exit_drop(worker, packet, REASON_DROP_CHECKSUM);
		return false;
	}
	segment->congestion_experienced = (header_tos(header) & ECN_MASK) == ECN_CE;
	return true;
}

/* An ACK that the next one of the burst makes needless; classification has seen that both have whole headers. */
static bool is_overtaken(struct connection *connection, struct rte_mbuf *packet, struct rte_mbuf *next)
{
	uint16_t header_len = packet_of(packet)->outer_len, next_len = packet_of(next)->outer_len;

	return tcp_is_overtaken(&connection->tcp, rte_pktmbuf_mtod_offset(packet, const uint8_t *, header_len),
		rte_pktmbuf_data_len(packet) - (uint32_t)header_len,
		rte_pktmbuf_mtod_offset(next, const uint8_t *, next_len),
		rte_pktmbuf_data_len(next) - (uint32_t)next_len);
}

/* `next`: of the same connection, right behind it; NULL: there is none. */
static void take_segment(struct worker *worker, struct connection *connection, struct rte_mbuf *packet,
	struct rte_mbuf *next, struct gathered *gathered)
{
	struct tcp_segment segment;

	if (next && is_overtaken(connection, packet, next)) {
		worker_count(worker, REASON_OUT_SEGMENT, 1);
		connection_release(&worker->connections->released, packet);
		return;
	}
	if (!segment_read(worker, packet, &segment))
		return;
	worker_count(worker, REASON_OUT_SEGMENT, 1);
	if (!tcp_input(&connection->tcp, &segment, packet, connection_worker_now(worker)))
		connection_release(&worker->connections->released, packet);
	read_stream(worker, connection, gathered);
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

static inline bool may_acknowledge(const struct rte_mbuf *segment)
{
	return rte_pktmbuf_data_len(segment) <= ACK_LEN_MAX;
}

/* What a segment needs of its connection: less where it brings data, as most connections do in one direction alone. */
static inline void prefetch_for(const struct connection *connection, const struct rte_mbuf *segment)
{
	if (may_acknowledge(segment))
		connection_prefetch(connection);
	else
		connection_prefetch_receive(connection);
}

/* While one connection is served, another is fetched, and of one in between what its ACK is for. */
static inline void prefetch_ahead(
	struct connection **connections, struct rte_mbuf **segments, uint16_t at, uint16_t count)
{
	if (at + AHEAD < count && connections[at + AHEAD] != connections[at + AHEAD - 1])
		prefetch_for(connections[at + AHEAD], segments[at + AHEAD]);
	if (at + AHEAD / 2 < count && may_acknowledge(segments[at + AHEAD / 2]))
		tcp_prefetch_first(&connections[at + AHEAD / 2]->tcp);
	if (at + AHEAD / 4 < count && may_acknowledge(segments[at + AHEAD / 4]))
		tcp_prefetch_second(&connections[at + AHEAD / 4]->tcp);
}

void connection_input(
	struct worker *worker, struct connection **connections, struct rte_mbuf **segments, uint16_t count)
{
	struct gathered gathered;

	gathered.count = 0;
	for (uint16_t i = 0; i < RTE_MIN(count, AHEAD); i++)
		prefetch_for(connections[i], segments[i]);
	for (uint16_t i = 0; i < count; i++) {
		struct connection *connection = connections[i];
		bool last = i + 1 == count || connections[i + 1] != connection;

		prefetch_ahead(connections, segments, i, count);
		if (likely(connection->phase == CONNECTION_LIVE || connection->phase == CONNECTION_ENDING)) {
			take_segment(worker, connection, segments[i], last ? NULL : segments[i + 1], &gathered);
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
