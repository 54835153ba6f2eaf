/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker has for the TCP connections that it owns, all of them together: slots, settings, the list of those that
 * have something to send, and their deadlines. Once a turn, when the worker has taken what came in,
 * connection_worker_turn obeys the main thread's commands, looks at what is due, and lets go what may leave.
 */
#pragma once

#include "connection.h"
#include "connection_lookup.h"
#include "connection_seal.h"
#include "wheel.h"
#include "worker.h"

#include <stdint.h>

TAILQ_HEAD(connection_list, connection);

enum { CONNECTION_RELEASED_MAX = 64 };

/*
 * Buffers that endpoints need no more. They were last looked at a round trip ago: by the time that they go, their first
 * lines are in the cache. One that still lies in a port's queue lies in this worker's (connection_segment.c), so that
 * nobody else counts its references meanwhile, and no locked instruction is needed.
 */
struct connection_released {
	struct rte_mbuf *buffers[CONNECTION_RELEASED_MAX];
	uint32_t count;
};

void connection_released_free(struct connection_released *released);

/* It goes at the end of the turn, if not before. */
static inline void connection_release(struct connection_released *released, struct rte_mbuf *buffer)
{
	rte_prefetch0_write(buffer);
	released->buffers[released->count++] = buffer;
	if (unlikely(released->count == CONNECTION_RELEASED_MAX))
		connection_released_free(released);
}

struct connection_worker {
	struct connection_list waiting; /* to be looked at when the turn ends: something came, or is to be sent */
	struct tcp_pool pool;
	struct tcp_slot *slots;
	struct tcp_settings tcp;
	struct backlog_settings backlog;
	uint32_t frame_reserve;	     /* slots that are free before a packet is encrypted: then its frame finds room */
	uint32_t backlog_reserve;    /* slots that data waiting to be encrypted leaves free */
	uint32_t n_aside, aside_max; /* buffers beside the slots': of segments held, and lent to frame readers */
	uint64_t now, now_tsc;	     /* this turn's time in microseconds, and in what it was computed of */
	uint64_t looked, patient;    /* when deadlines were thought of last, and until when they wait for what came */
	uint8_t *sink;		     /* where a frame goes for which there is no buffer */
	struct wheel wheel;
	struct connection_released released;
	struct connection_memory memory;
	bool segments_on[TABLES_PORTS_MAX]; /* ports to which segments of connections came */
	struct connection_sealing sealing;
};

/* 0 or -ENOMEM. */
int connection_worker_init(struct worker *worker);

/* Buffers of all connections go back; the connections are the main thread's to free. */
void connection_worker_fini(struct worker *worker);

/* Returns how much there was to do; 0: nothing. */
unsigned int connection_worker_turn(struct worker *worker);

/* Another turn than that of own->now. */
uint64_t connection_worker_turn_begins(struct worker *worker);

/* Microseconds, never 0: of when this turn began. */
static inline uint64_t connection_worker_now(struct worker *worker)
{
	const struct connection_worker *own = worker->connections;

	return likely(own->now_tsc == worker->now && own->now != 0) ? own->now : connection_worker_turn_begins(worker);
}

/* It is looked at when this turn ends. */
static inline void connection_touch(struct worker *worker, struct connection *connection)
{
	if (connection->waits)
		return;
	connection->waits = true;
	TAILQ_INSERT_TAIL(&worker->connections->waiting, connection, waiting);
}

/* It carries nothing any more: what waits is dropped, and the control plane told; see TABLES_EVENT_CONNECTION_ENDED. */
void connection_end(struct worker *worker, struct connection *connection, int result);

/* All buffers and slots go back; nothing of it is in the worker's lists any more. */
void connection_let_go(struct worker *worker, struct connection *connection);

/* What the main thread asks for. */
void connection_obey(struct worker *worker, struct connection_command *command);

/*
 * A router says that a segment was too long for the path (RFC 1191, RFC 8201), in whichever worker that came: the owner
 * looks at it when the connection is served next.
 */
void connection_learn_mtu(struct worker *worker, const struct learn_message *message);
void connection_obey_mtu(struct worker *worker, struct connection *connection);

/* Writes its figures into the shared tables, where they may have changed and it is time. */
void connection_publish(struct worker *worker, struct connection *connection);
