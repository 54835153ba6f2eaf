/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one pinned thread that owns one queue of every port and takes each packet to its end. All that it writes
 * is its own; all that it shares it only reads, but for an SA's outbound numbers and what is remembered of its route
 * (sa.h).
 */
#pragma once

#include "esp/esp.h"
#include "follow.h"
#include "learn.h"
#include "packet.h"
#include "reasons.h"
#include "tables/tables.h"

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <stdint.h>

struct connection_worker;
struct dataplane;
struct reassembly;

enum {
	WORKER_TRANSMIT = 64, /* frames gathered for a port before they go */
	WORKER_HANDOFF_RING = 2048,
	WORKER_IPV4_IDS = 1 << 16,
};

struct worker_transmit {
	struct rte_mbuf *frames[WORKER_TRANSMIT];
	uint16_t count;
};

/* How many packets a second may still do something: a bucket that fills with time. */
struct worker_allowance {
	uint64_t filled_at; /* TSC */
	uint32_t tokens;
};

struct worker {
	/* set before the thread starts */
	struct dataplane *dataplane;
	uint16_t number;
	struct tables_counters *counters;
	struct ring *events;
	struct esp_engine *engine;
	struct rte_ring *handoff; /* other workers: put; this one: takes */
	struct rte_ring *commands; /* main thread: puts; this one: takes; connections.h */

	/* this worker's own */
	struct reassembly *reassembly;
	struct connection_worker *connections; /* TCP connections that it owns */
	struct worker_transmit transmit[TABLES_PORTS_MAX];
	struct worker_allowance kernel, segments, icmp;
	uint16_t ipv4_id_first, ipv4_id_last; /* this worker's part of them */
	uint16_t ipv4_id;                     /* the last one taken */
	uint32_t ipv6_id, ipv6_id_step;       /* likewise */
	uint64_t now; /* TSC at the start of this turn */
	bool is_behind;	 /* where segments of connections come, there is more than this turn has taken */
	bool wants_main; /* something waits for the main thread: it is woken at the end of this turn */
	uint64_t told_unknown_at, told_neighbour_at;
	/* to the main thread, which looks often: on a line of its own */
	struct learn_message learn __attribute__((aligned(64)));
	struct follow_message follow;
} __attribute__((aligned(64)));

/* 0 or negative errno. */
int worker_init(struct worker *worker, struct dataplane *dataplane, uint16_t number, const char *name);
void worker_fini(struct worker *worker);

/* One turn: receive, work, transmit. Returns how much there was to do: packets that came in, and the like. */
unsigned int worker_turn(struct worker *worker);

/* The same at a time of the caller's, TSC, which never goes back. */
unsigned int worker_turn_at(struct worker *worker, uint64_t now);

/* Everything that a received burst needs; worker_turn calls it for each queue. */
void worker_input(struct worker *worker, uint16_t port, struct rte_mbuf **packets, uint16_t count);

/* The thread: turns until dataplane->stop. `argument` is the dataplane; the lcore's number tells which worker. */
int worker_run(void *argument);

static inline void worker_count(struct worker *worker, enum reason reason, uint64_t packets)
{
	tables_count(&worker->counters->reasons[reason], packets);
}

/* Takes one out of a bucket that gets `rate` a second and holds a tenth of that. False: it is empty. */
bool worker_allowance_take(struct worker *worker, struct worker_allowance *bucket, uint32_t rate);

/*
 * The next IPv4 ID, host order (RFC 6864 section 5.2: unique for as long as can be). Each worker has its part of the
 * numbers and goes round in it.
 */
static inline uint16_t worker_ipv4_id(struct worker *worker)
{
	worker->ipv4_id = worker->ipv4_id == worker->ipv4_id_last ? worker->ipv4_id_first : (uint16_t)(worker->ipv4_id + 1);
	return worker->ipv4_id;
}

/*
 * The next identification for fragments of an IPv6 packet, host order (RFC 8200 section 4.5). The workers take turns in
 * the numbers, from a beginning that is chance (RFC 7739 section 3).
 */
static inline uint32_t worker_ipv6_id(struct worker *worker)
{
	return worker->ipv6_id += worker->ipv6_id_step;
}

/* Raises an event; counts it as lost when the ring is full. */
void worker_event(struct worker *worker, const struct tables_event *event);
