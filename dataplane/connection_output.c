/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_output.h"

#include "connection_segment.h"
#include "connection_worker.h"
#include "connections.h"
#include "dataplane.h"
#include "exits.h"
#include "header.h"
#include "numbers.h"
#include "outbound.h"

#include <errno.h>

enum {
	SERVED = 32, /* connections a turn, */
	FRAMES = 64, /* and of each so many frames and segments: what came in meanwhile must not wait long */
};

/* Packets that are encrypted together; position i of each array is one. */
struct sealing {
	uint16_t count;
	struct connection *connections[BURST];
	uint32_t children[BURST];
	struct esp_packet esp[BURST];
};

/* --- into the backlog --------------------------------------------------------------------------------------------- */

static void drop(struct worker *worker, struct connection *connection, struct rte_mbuf *packet, enum reason reason)
{
	if (reason == REASON_DROP_CONNECTION_LATE)
		connection->counters.dropped_late++;
	else
		connection->counters.dropped_full++;
	exit_drop(worker, packet, reason);
}

/* The oldest go where more waits than may. */
static void drop_excess(struct worker *worker, struct connection *connection)
{
	const struct backlog *backlog = &connection->backlog;
	struct rte_mbuf *packet;

	if (likely(backlog->data.bytes <= backlog->settings->bytes_min))
		return;
	while ((packet = backlog_excess(
			&connection->backlog, tcp_rate(&connection->tcp), connection_worker_now(worker))) != NULL)
		drop(worker, connection, packet, REASON_DROP_CONNECTION_LATE);
}

static void enqueue(struct worker *worker, struct connection *connection, struct rte_mbuf *packet, bool is_ike)
{
	struct connection_worker *own = worker->connections;
	const struct backlog_packet entry = {
		.owner = packet,
		.len = rte_pktmbuf_data_len(packet),
		.is_ike = is_ike,
		.ecn_capable = !is_ike && header_tos(rte_pktmbuf_mtod(packet, const void *)) & ECN_MASK,
	};

	if (unlikely(connection->phase != CONNECTION_LIVE)) {
		exit_drop(worker, packet, REASON_DROP_CONNECTION_ENDED);
		return;
	}
	if (unlikely(!is_ike && own->pool.n_free < own->backlog_reserve) ||
		unlikely(backlog_push(&connection->backlog, &entry, connection_worker_now(worker)) < 0)) {
		drop(worker, connection, packet, REASON_DROP_CONNECTION_FULL);
		return;
	}
	if (!is_ike)
		drop_excess(worker, connection);
	connection_touch(worker, connection);
}

/*
 * By then its SA may have gone, and the slot be another's: what is remembered is no index but the inbound SPI, which
 * has a generation.
 */
void connection_send(struct worker *worker, struct rte_mbuf *packet, uint32_t child, uint32_t index)
{
	struct dataplane *dataplane = worker->dataplane;
	struct connection *connection = connections_find(&dataplane->connections, index);
	struct packet *meta = packet_of(packet);

	if (unlikely(!connection)) {
		exit_drop(worker, packet, REASON_DROP_CONNECTION_ENDED);
		return;
	}
	meta->kind = PACKET_SEND;
	meta->spi = atomic_load_explicit(&dataplane->sas.in[child].spi, memory_order_relaxed);
	if (connection->owner == worker->number)
		enqueue(worker, connection, packet, false);
	else
		exit_handoff(worker, packet, connection->owner);
}

/* The connection that a packet was handed over for; NULL: it has gone. */
static struct connection *connection_of(struct worker *worker, const struct packet *meta)
{
	struct dataplane *dataplane = worker->dataplane;
	const struct sa_in *in;
	uint32_t index = meta->index;

	if (meta->kind == PACKET_SEND) {
		in = sa_find_in(&dataplane->sas, meta->spi);
		if (!in)
			return NULL;
		index = atomic_load_explicit(&in->outer, memory_order_acquire)->connection;
	}
	return connections_find(&dataplane->connections, index);
}

void connection_take_sends(struct worker *worker, struct rte_mbuf **packets, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		const struct packet *meta = packet_of(packets[i]);
		struct connection *connection = connection_of(worker, meta);

		if (connection && connection->owner == worker->number)
			enqueue(worker, connection, packets[i], meta->kind == PACKET_IKE);
		else
			exit_drop(worker, packets[i], REASON_DROP_CONNECTION_ENDED);
	}
}

void connection_drop_backlog(struct worker *worker, struct connection *connection)
{
	struct backlog_packet packet;

	while (backlog_pop(&connection->backlog, &packet, connection_worker_now(worker)))
		exit_drop(worker, packet.owner, REASON_DROP_CONNECTION_ENDED);
}

/* --- out of it ---------------------------------------------------------------------------------------------------- */

/* One frame, in the buffer whose data it is, to the endpoint. */
static void frame_give(
	struct worker *worker, struct connection *connection, struct rte_mbuf *packet, enum frame_kind kind)
{
	uint32_t len;
	uint8_t *frame = NULL;

	if (likely(rte_pktmbuf_headroom(packet) >= frame_head_len(kind)))
		frame = frame_write_head(kind, rte_pktmbuf_mtod(packet, uint8_t *), rte_pktmbuf_data_len(packet), &len);
	if (unlikely(!frame)) {
		exit_drop(worker, packet, REASON_DROP_NO_ROOM);
		return;
	}
	packet_begin_move(packet, -(int)frame_head_len(kind));
	packet_of(packet)->frame_offset = packet->data_off;
	if (unlikely(tcp_send(&connection->tcp, frame, len, packet) < 0)) {
		drop(worker, connection, packet, REASON_DROP_CONNECTION_FULL);
		return;
	}
	worker_count(worker, REASON_OUT_FRAME, 1);
	*(kind == FRAME_ESP ? &connection->counters.frames_out : &connection->counters.ike_out) += 1;
}

static void sealed_give(struct worker *worker, struct connection *connection, struct esp_packet *esp, uint32_t child)
{
	struct tables_traffic *traffic = &worker->counters->traffic[child];
	struct rte_mbuf *packet = esp->owner;

	if (unlikely(esp->status != ESP_OK)) {
		exit_drop(worker, packet, esp->status == ESP_NO_ROOM ? REASON_DROP_NO_ROOM : REASON_DROP_CRYPTO);
		return;
	}
	tables_count(&traffic->packets_out, 1);
	tables_count(&traffic->bytes_out, rte_pktmbuf_data_len(packet));
	packet_begin_move(packet, (int)(esp->data - rte_pktmbuf_mtod(packet, uint8_t *)));
	packet_len_set(packet, esp->len);
	frame_give(worker, connection, packet, FRAME_ESP);
}

/* Takes out the packets that got no number. */
static void keep_numbered(struct worker *worker, struct sealing *sealing)
{
	uint16_t good = 0;

	for (uint16_t i = 0; i < sealing->count; i++) {
		if (sealing->esp[i].sequence == 0) {
			exit_drop(worker, sealing->esp[i].owner, REASON_DROP_HARD_LIFETIME);
			continue;
		}
		sealing->esp[good] = sealing->esp[i];
		sealing->connections[good] = sealing->connections[i];
		sealing->children[good++] = sealing->children[i];
	}
	sealing->count = good;
}

static void seal(struct worker *worker, struct sealing *sealing)
{
	if (sealing->count == 0)
		return;
	if (unlikely(numbers_take(worker, sealing->children, sealing->esp, sealing->count) != sealing->count))
		keep_numbered(worker, sealing);
	esp_seal(worker->engine, sealing->esp, sealing->count);
	for (uint16_t i = 0; i < sealing->count; i++)
		sealed_give(worker, sealing->connections[i], &sealing->esp[i], sealing->children[i]);
	sealing->count = 0;
}

/* Half of what it may wait has passed: its transport is told, before drops have to tell it (RFC 6040, RFC 3168). */
static void mark(struct connection *connection, struct rte_mbuf *packet)
{
	(void)header_ecn_decapsulate(rte_pktmbuf_mtod(packet, void *), ECN_CE);
	connection->counters.marked++;
}

/* Into the burst that is to be encrypted. Returns how long its frame will be; 0: it has left. */
static uint32_t sealing_add(
	struct worker *worker, struct sealing *sealing, struct connection *connection, struct rte_mbuf *packet)
{
	const struct sa_store *sas = &worker->dataplane->sas;
	const struct sa_in *in = sa_find_in(sas, packet_of(packet)->spi);
	struct esp_packet *esp = &sealing->esp[sealing->count];
	const struct sa_out *out;

	if (unlikely(!in)) {
		exit_drop(worker, packet, REASON_DROP_NO_OUTBOUND);
		return 0;
	}
	out = &sas->out[in->index];
	outbound_payload(out, packet, esp);
	esp->headroom = RTE_MAX(esp->headroom, (uint16_t)FRAME_LENGTH_LEN) - FRAME_LENGTH_LEN;
	sealing->children[sealing->count] = in->index;
	sealing->connections[sealing->count++] = connection;
	return FRAME_LENGTH_LEN + esp->len + (uint32_t)esp_overhead(esp_key_suite(out->key), esp->len);
}

/* What of a connection's backlog may leave now, no more than FRAMES: IKE at once, the rest into the burst. */
static void gather(struct worker *worker, struct connection *connection, struct sealing *sealing)
{
	const struct connection_worker *own = worker->connections;
	uint32_t room = tcp_send_room(&connection->tcp), len = 0;
	struct backlog_packet packet;

	for (uint16_t n = 0; n < FRAMES && room > 0 && own->pool.n_free > own->frame_reserve; n++) {
		if (!backlog_pop(&connection->backlog, &packet, connection_worker_now(worker)))
			break;
		if (unlikely(packet.is_ike)) {
			len = packet.len;
			frame_give(worker, connection, packet.owner, FRAME_IKE);
		} else {
			if (unlikely(packet.ecn_capable))
				mark(connection, packet.owner);
			len = sealing_add(worker, sealing, connection, packet.owner);
		}
		room -= RTE_MIN(room, len);
		if (sealing->count == BURST)
			seal(worker, sealing);
	}
}

/* --- a turn ------------------------------------------------------------------------------------------------------- */

static bool backlog_is_empty(const struct backlog *backlog)
{
	return backlog->data.head == TCP_NONE && backlog->ike.head == TCP_NONE;
}

/* What the endpoint has found out. Before the peer's FIN all could be read that was. */
static void take_events(struct worker *worker, struct connection *connection)
{
	unsigned int events = tcp_take_events(&connection->tcp);

	if (likely(events == 0))
		return;
	if (events & TCP_EVENT_RESET)
		connection_end(worker, connection, -ECONNRESET);
	if (events & TCP_EVENT_DEAD)
		connection_end(worker, connection, -ETIMEDOUT);
	if (events & TCP_EVENT_PEER_CLOSED)
		connection_end(worker, connection, 0);
}

/* All is said: the END command goes back, and with it the connection. */
static void ended(struct worker *worker, struct connection *connection)
{
	struct connection_command *command = connection->ending;

	connection->publish_at = 0;
	connection->changed = true;
	connection_publish(worker, connection);
	if (!command)
		return;
	command->result = 0;
	connection_let_go(worker, connection);
	connections_answer(worker, command);
}

/* After its segments have been sent: what follows for it. */
static void settle(struct worker *worker, struct connection *connection, bool more)
{
	struct connection_worker *own = worker->connections;
	uint64_t deadline;

	connection->changed = true;
	if (unlikely(connection->tcp.state == TCP_STATE_CLOSED)) {
		ended(worker, connection);
		return;
	}
	connection_publish(worker, connection);
	deadline = tcp_deadline(&connection->tcp);
	if (connection->changed)
		deadline = RTE_MIN(deadline, connection->publish_at);
	wheel_schedule(&own->wheel, connection, deadline);
	if (more || (tcp_send_room(&connection->tcp) > 0 && !backlog_is_empty(&connection->backlog)))
		connection_touch(worker, connection);
}

unsigned int connection_output(struct worker *worker)
{
	struct connection_worker *own = worker->connections;
	struct connection *served[SERVED];
	struct sealing sealing;
	unsigned int n = 0;

	sealing.count = 0;
	for (; n < SERVED && !TAILQ_EMPTY(&own->waiting); n++) {
		served[n] = TAILQ_FIRST(&own->waiting);
		if (TAILQ_NEXT(served[n], waiting))
			connection_prefetch(TAILQ_NEXT(served[n], waiting));
		take_events(worker, served[n]);
		connection_obey_mtu(worker, served[n]);
		TAILQ_REMOVE(&own->waiting, served[n], waiting);
		served[n]->waits = false;
		gather(worker, served[n], &sealing);
	}
	seal(worker, &sealing);
	for (unsigned int i = 0; i < n; i++) {
		struct connection *connection = served[i];

		if (i + 1 < n)
			connection_prefetch(served[i + 1]);
		if (unlikely(connection->phase == CONNECTION_ENDING) && backlog_is_empty(&connection->backlog))
			tcp_close(&connection->tcp);
		settle(worker, connection, connection_segments_send(worker, connection, FRAMES));
	}
	return n;
}
