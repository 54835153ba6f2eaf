/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_output.h"

#include "connection_seal.h"
#include "connection_segment.h"
#include "connection_worker.h"
#include "connections.h"
#include "dataplane.h"
#include "exits.h"
#include "header.h"

#include <errno.h>

enum {
	SERVED = 32, /* connections a turn, */
	FRAMES = 64, /* and of each so many frames and segments: what came in meanwhile must not wait long */
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

/* Enough for all frames of a burst: what is encrypted is never dropped for want of them. */
static inline bool slots_are_left(const struct connection_worker *own)
{
	return own->pool.n_free > own->frame_reserve;
}

/* There is room for one frame more, beside those that are about to be sealed. */
static inline bool has_room(const struct connection *connection)
{
	return tcp_send_room(&connection->tcp) > connection->gathered;
}

/*
 * When it leaves the backlog its SA may have gone, and the slot be another's: what is remembered is no index but the
 * inbound SPI, which has a generation. So it is where another worker takes it.
 */
static void remember_child(struct worker *worker, struct rte_mbuf *packet, uint32_t child)
{
	struct packet *meta = packet_of(packet);

	meta->kind = PACKET_SEND;
	meta->spi = atomic_load_explicit(&worker->dataplane->sas.in[child].spi, memory_order_relaxed);
}

void connection_send(struct worker *worker, struct rte_mbuf *packet, uint32_t child, struct connection *connection)
{
	struct esp_extent extent;
	bool at_once;

	if (unlikely(!connection)) {
		exit_drop(worker, packet, REASON_DROP_CONNECTION_ENDED);
		return;
	}
	if (connection->owner != worker->number) {
		remember_child(worker, packet, child);
		exit_handoff(worker, packet, connection->owner);
		return;
	}
	extent = connection_seal_extent(worker, packet, child);
	if (likely(connection->phase == CONNECTION_LIVE && backlog_is_empty(&connection->backlog) &&
		    slots_are_left(worker->connections))) {
		at_once = connection_may_leave_at_once(connection, &extent);
		if (likely(at_once || has_room(connection))) {
			connection_seal_add(worker, connection, packet, child, &extent, at_once);
			return;
		}
	}
	remember_child(worker, packet, child);
	enqueue(worker, connection, packet, false);
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

/* Half of what it may wait has passed: its transport is told, before drops have to tell it (RFC 6040, RFC 3168). */
static void mark(struct connection *connection, struct rte_mbuf *packet)
{
	(void)header_ecn_decapsulate(rte_pktmbuf_mtod(packet, void *), ECN_CE);
	connection->counters.marked++;
}

/* To be encrypted, as its SA says now. */
static void seal_one(struct worker *worker, struct connection *connection, const struct backlog_packet *packet)
{
	const struct sa_in *in = sa_find_in(&worker->dataplane->sas, packet_of(packet->owner)->spi);
	struct esp_extent extent;

	if (unlikely(!in)) {
		exit_drop(worker, packet->owner, REASON_DROP_NO_OUTBOUND);
		return;
	}
	if (unlikely(packet->ecn_capable))
		mark(connection, packet->owner);
	extent = connection_seal_extent(worker, packet->owner, in->index);
	connection_seal_add(worker, connection, packet->owner, in->index, &extent,
		connection_may_leave_at_once(connection, &extent));
}

/* What of a connection's backlog may leave now, no more than FRAMES: IKE at once, the rest into the burst. */
static void gather(struct worker *worker, struct connection *connection)
{
	const struct connection_worker *own = worker->connections;
	struct backlog_packet packet;

	if (likely(backlog_is_empty(&connection->backlog)))
		return;
	for (uint16_t n = 0; n < FRAMES && has_room(connection) && slots_are_left(own); n++) {
		if (!backlog_pop(&connection->backlog, &packet, connection_worker_now(worker)))
			break;
		if (unlikely(packet.is_ike))
			connection_frame_ike(worker, connection, packet.owner);
		else
			seal_one(worker, connection, &packet);
	}
}

/* --- a turn ------------------------------------------------------------------------------------------------------- */

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

/*
 * The wheel looks at it in time, for its figures too, which have changed since they were published. Most deadlines move
 * away with each segment, and the wheel is not told of that (wheel.h).
 */
static inline bool is_scheduled(const struct connection *connection)
{
	return connection->changed && connection->scheduled &&
	       !tcp_may_be_due_before(&connection->tcp, connection->due);
}

static void schedule(struct connection_worker *own, struct connection *connection)
{
	uint64_t publish_at = connection->changed ? connection->publish_at : UINT64_MAX;

	wheel_schedule(&own->wheel, connection, RTE_MIN(tcp_deadline(&connection->tcp), publish_at));
}

/*
 * After it was served, or found to have nothing to send: its figures, and when it is looked at next. `more`: it has
 * something that may leave in the next turn.
 */
static void settle(struct worker *worker, struct connection *connection, bool more)
{
	connection->changed = true;
	if (unlikely(connection->tcp.state == TCP_STATE_CLOSED)) {
		ended(worker, connection);
		return;
	}
	if (unlikely(connection_worker_now(worker) >= connection->publish_at))
		connection_publish(worker, connection);
	schedule(worker->connections, connection);
	if (more || (!backlog_is_empty(&connection->backlog) && tcp_send_room(&connection->tcp) > 0))
		connection_touch(worker, connection);
}

void connection_rest(struct worker *worker, struct connection *connection)
{
	if (connection->waits)
		return;
	if (unlikely(connection->phase != CONNECTION_LIVE || !tcp_is_silent(&connection->tcp) ||
		     !backlog_is_empty(&connection->backlog) ||
		     atomic_load_explicit(&connection->too_big, memory_order_relaxed) != 0)) {
		connection_touch(worker, connection);
		return;
	}
	connection_sent(worker, connection);
}

void connection_sent(struct worker *worker, struct connection *connection)
{
	if (unlikely(connection->waits))
		return;
	tcp_sent_at_once(&connection->tcp, connection_worker_now(worker));
	if (unlikely(!is_scheduled(connection)))
		settle(worker, connection, false);
}

unsigned int connection_output(struct worker *worker)
{
	struct connection_worker *own = worker->connections;
	struct connection *served[SERVED];
	unsigned int n = 0;

	for (; n < SERVED && !TAILQ_EMPTY(&own->waiting); n++) {
		served[n] = TAILQ_FIRST(&own->waiting);
		TAILQ_REMOVE(&own->waiting, served[n], waiting);
		connection_prefetch(served[n]);
	}
	for (unsigned int i = 0; i < n; i++) {
		take_events(worker, served[i]);
		connection_obey_mtu(worker, served[i]);
		gather(worker, served[i]);
	}
	connection_seal(worker);
	for (unsigned int i = 0; i < n; i++) {
		struct connection *connection = served[i];

		connection->waits = false;
		if (unlikely(connection->phase == CONNECTION_ENDING) && backlog_is_empty(&connection->backlog))
			tcp_close(&connection->tcp);
		settle(worker, connection, connection_segments_send(worker, connection, FRAMES));
	}
	return n;
}
