/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_worker.h"

#include "connection_output.h"
#include "connections.h"
#include "dataplane.h"
#include "exits.h"
#include "mtu.h"

#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_tcp.h>

#include <errno.h>

enum {
	MICROSECONDS = 1000000, /* of a second */
	MILLISECOND = 1000,
	SHARE = 2,	     /* all connections together take no more than a part of the packet buffers: 1 / SHARE, */
	ASIDE_SHARE = 4,     /* of which this part is for those beside the slots', */
	RESERVE_SHARE = 4,   /* and this part of the slots is not for data that waits to be encrypted; */
	HELD_SHARE = 2,	     /* nor does one connection hold more than this part out of order */
	FRAME_SLOTS = 256,   /* that a burst of frames may need, where there are so many slots */
	PAUSE = MILLISECOND, /* between two turns, and the worker did not run */
	PATIENCE = 5 * MILLISECOND,   /* that deadlines have then: more than a full queue takes */
	TIME_WAIT = 2 * MICROSECONDS, /* a FIN that is sent again finds us; longer, and slots of records run short */
};

/* All of it is its own: then it goes back as it is, and what stands on its second line is not read. */
static bool is_whole(const struct rte_mbuf *buffer)
{
	return RTE_MBUF_DIRECT(buffer) && buffer->nb_segs == 1;
}

void connection_released_free(struct connection_released *released)
{
	void *whole[CONNECTION_RELEASED_MAX];
	struct rte_mempool *pool = NULL;
	unsigned int n = 0;

	for (uint32_t i = 0; i < released->count; i++) {
		struct rte_mbuf *buffer = released->buffers[i];

		if (rte_mbuf_refcnt_read(buffer) > 1) {
			rte_mbuf_refcnt_set(buffer, (uint16_t)(rte_mbuf_refcnt_read(buffer) - 1));
			continue;
		}
		if (!is_whole(buffer)) {
			rte_pktmbuf_free_seg(buffer);
			continue;
		}
		if (n > 0 && buffer->pool != pool) {
			rte_mempool_put_bulk(pool, whole, n);
			n = 0;
		}
		pool = buffer->pool;
		whole[n++] = buffer;
	}
	if (n > 0)
		rte_mempool_put_bulk(pool, whole, n);
	released->count = 0;
}

static void release(void *context, void *owner)
{
	connection_release(context, owner);
}

static void settings_fill(struct connection_worker *own, const struct config *config, uint32_t buffers)
{
	tcp_settings_default(&own->tcp);
	own->tcp.held_max = RTE_MIN(own->tcp.held_max, own->pool.count / HELD_SHARE);
	own->tcp.keepalive_idle = (uint64_t)config->ike.keepalive * MICROSECONDS;
	own->tcp.time_wait = TIME_WAIT;
	own->tcp.release = release;
	own->tcp.context = &own->released;
	backlog_settings_default(&own->backlog);
	own->backlog.time_max = (uint64_t)config->ike.tcp_delay * MILLISECOND;
	own->backlog_reserve = own->pool.count / RESERVE_SHARE;
	own->frame_reserve = RTE_MIN((uint32_t)FRAME_SLOTS, own->backlog_reserve / 2);
	own->aside_max = buffers / ASIDE_SHARE;
}

int connection_worker_init(struct worker *worker)
{
	const struct config *config = worker->dataplane->config;
	uint32_t buffers = config->dataplane.packet_buffers / SHARE / worker->dataplane->n_workers;
	uint32_t n_slots = buffers - buffers / ASIDE_SHARE;
	struct connection_worker *own = rte_zmalloc("connection-worker", sizeof(*own), RTE_CACHE_LINE_SIZE);

	worker->connections = own;
	if (!own)
		return -ENOMEM;
	TAILQ_INIT(&own->waiting);
	own->slots = rte_malloc("tcp-slots", n_slots * sizeof(struct tcp_slot), RTE_CACHE_LINE_SIZE);
	own->sink = rte_malloc("frame-sink", FRAME_MAX, RTE_CACHE_LINE_SIZE);
	if (!own->slots || !own->sink)
		return -ENOMEM;
	tcp_pool_init(&own->pool, own->slots, n_slots);
	settings_fill(own, config, buffers);
	worker->now = rte_rdtsc();
	wheel_init(&own->wheel, connection_worker_now(worker));
	return 0;
}

void connection_worker_fini(struct worker *worker)
{
	struct connection_store *store = &worker->dataplane->connections;

	if (!worker->connections)
		return;
	for (uint32_t i = 0; store->by_index && i < store->capacity; i++) {
		struct connection *connection = connections_find(store, i);

		if (connection && connection->owner == worker->number)
			connection_let_go(worker, connection);
	}
	connection_released_free(&worker->connections->released);
	rte_free(worker->connections->slots);
	rte_free(worker->connections->sink);
	rte_free(worker->connections);
	worker->connections = NULL;
}

uint64_t connection_worker_turn_begins(struct worker *worker)
{
	struct connection_worker *own = worker->connections;
	uint64_t hz = rte_get_tsc_hz(), tsc = worker->now;

	own->now_tsc = tsc;
	own->now = tsc / hz * MICROSECONDS + tsc % hz * MICROSECONDS / hz + 1;
	return own->now;
}

void connection_end(struct worker *worker, struct connection *connection, int result)
{
	connection_drop_backlog(worker, connection);
	connection->phase = CONNECTION_ENDING;
	connection_touch(worker, connection);
	if (!connection->ending && !atomic_load_explicit(&connection->ended, memory_order_relaxed))
		connections_report_end(worker, connection, result);
}

void connection_let_go(struct worker *worker, struct connection *connection)
{
	struct connection_worker *own = worker->connections;
	struct rte_mbuf *held;

	while ((held = connection->held_first) != NULL) {
		connection->held_first = held->next;
		held->next = NULL;
		exit_drop(worker, held, REASON_DROP_CONNECTION_ENDED);
	}
	own->n_aside -= connection->n_held;
	connection->n_held = 0;
	if (connection->phase != CONNECTION_HELD && connection->phase != CONNECTION_GONE) {
		connection_drop_backlog(worker, connection);
		tcp_uninstall(&connection->tcp);
		if (connection->lent) {
			rte_pktmbuf_free(connection->lent);
			connection->lent = NULL;
			own->n_aside--;
		}
	}
	if (connection->waits)
		TAILQ_REMOVE(&own->waiting, connection, waiting);
	connection->waits = false;
	wheel_remove(&own->wheel, connection);
	connection->phase = CONNECTION_GONE;
}

void connection_learn_mtu(struct worker *worker, const struct learn_message *message)
{
	const struct connection_ends ends = {
		.local = message->local,
		.remote = message->remote,
		.local_port = rte_cpu_to_be_16(message->local_port),
		.remote_port = rte_cpu_to_be_16(message->remote_port),
		.ipv6 = !ip_is_ipv4(&message->local),
	};
	struct connection *connection = connection_lookup_find(&worker->dataplane->connections.lookup, &ends);

	if (!connection)
		return;
	atomic_store_explicit(
		&connection->too_big, (uint64_t)message->sequence << 32 | message->mtu, memory_order_relaxed);
	if (connection->owner == worker->number && connection->phase == CONNECTION_LIVE)
		connection_touch(worker, connection);
}

void connection_obey_mtu(struct worker *worker, struct connection *connection)
{
	uint64_t told = atomic_load_explicit(&connection->too_big, memory_order_relaxed);
	uint32_t header_len = sizeof(struct rte_tcp_hdr), mtu = (uint32_t)told, floor;
	struct tcp *tcp = &connection->tcp;

	if (likely(told == 0))
		return;
	atomic_store_explicit(&connection->too_big, 0, memory_order_relaxed);
	if ((uint32_t)(told >> 32) - tcp->send.una >= tcp->send.nxt - tcp->send.una)
		return;
	header_len += connection->ends.ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	floor = connection->ends.ipv6 ? MTU_FLOOR_IPV6 : MTU_FLOOR;
	mtu = RTE_MAX(mtu, floor);
	if (mtu - header_len < tcp->send.mss + (tcp->timestamps.enabled ? TCP_TIMESTAMPS_LEN : 0u))
		tcp_set_mss(tcp, (uint16_t)(mtu - header_len), connection_worker_now(worker));
}

/* What has come due: the endpoint's timers, and figures to be published. */
static unsigned int look_at_due(struct worker *worker)
{
	struct connection_worker *own = worker->connections;
	uint64_t now = connection_worker_now(worker);
	struct connection *connection;
	unsigned int n = 0;

	for (; (connection = wheel_next(&own->wheel, now)) != NULL; n++) {
		if (tcp_deadline(&connection->tcp) <= now)
			tcp_timeout(&connection->tcp, now);
		connection_touch(worker, connection);
	}
	return n;
}

/*
 * A worker that has not run for a while, since its processor was needed elsewhere, finds that everything is due, and in
 * its queues, behind what it takes in one turn, the ACKs that came meanwhile: these go first.
 */
static bool may_look_at_due(struct worker *worker)
{
	struct connection_worker *own = worker->connections;
	uint64_t now = connection_worker_now(worker);

	if (now - own->looked > PAUSE)
		own->patient = now + PATIENCE;
	own->looked = now;
	return !worker->is_behind || now >= own->patient;
}

/*
 * An idle data plane, and one whose peers all come by UDP, does no more here than a few comparisons. What was gathered
 * goes first, as long as its connections and SAs are what they were.
 */
unsigned int connection_worker_turn(struct worker *worker)
{
	struct connection_worker *own = worker->connections;
	struct connection_command *command;
	unsigned int n = 0;

	connection_seal(worker);
	for (; unlikely((command = connections_command(worker)) != NULL); n++) {
		connection_obey(worker, command);
		connection_seal(worker);
	}
	if (own->wheel.count > 0 && may_look_at_due(worker))
		n += look_at_due(worker);
	if (!TAILQ_EMPTY(&own->waiting))
		n += connection_output(worker);
	connection_released_free(&own->released);
	return n;
}
