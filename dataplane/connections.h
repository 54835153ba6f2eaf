/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP connections that workers own (connection.h), from the main thread's side: it makes one when the control plane
 * asks for it (tables/layout.h), shows it to the workers' lookup, asks its owner by commands, one at a time, and frees it
 * when no worker can look at it any more.
 *
 *   HOLD      shown -> every worker has seen it -> what went to the kernel before has been written there -> DONE
 *   transfer  INSTALL to the owner -> its answer -> its session goes by it -> DONE
 *   RELEASE   hidden -> the owner lets go -> grace period -> freed, DONE
 *   END       its session goes by it no more -> the owner ends it -> hidden -> grace period -> freed, DONE
 *
 * RELEASE and END wait where something else is under way. One that was held is released, one that is live ends, whichever
 * of the two was asked for: the kernel's end of a live one is no more.
 */
#pragma once

#include "connection_lookup.h"
#include "worker.h"

#include <rte_ring.h>

#include <stdatomic.h>
#include <stdint.h>
#include <sys/queue.h>

struct connection;
struct connection_command;
struct connection_entry;
struct dataplane;
struct endpoint;
struct tables_change;
struct transfer_head;

TAILQ_HEAD(connection_entries, connection_entry);

struct connection_store {
	uint32_t capacity; /* records */
	_Atomic(struct connection *) *by_index; /* main: writes; workers: read */
	struct connection_lookup lookup;
	/*
	 * Workers: put a connection when they have done what it was asked for, and when it has ended; main: takes. As
	 * each worker's for commands, it has room for all there can be.
	 */
	struct rte_ring *reports;
	/* main thread */
	struct connection_entry **entries; /* by record; NULL: none */
	struct connection_entries watched; /* those that wait for all workers or the kernel's rings, not for an answer */
	uint32_t n_live;
};

/* After the workers were made. 0 or -ENOMEM. */
int connections_init(struct dataplane *dataplane, const char *name);
/* After the workers have let go. */
void connections_fini(struct dataplane *dataplane);

/* Worker: the connection that an outer header names; it stays until the end of the turn. NULL: it has gone. */
static inline struct connection *connections_find(const struct connection_store *store, uint32_t index)
{
	return index < store->capacity ? atomic_load_explicit(&store->by_index[index], memory_order_acquire) : NULL;
}

/* Worker, in each turn: what the main thread wants of its connections. NULL: nothing more. */
static inline struct connection_command *connections_command(struct worker *worker)
{
	void *command;

	return rte_ring_sc_dequeue(worker->commands, &command) == 0 ? command : NULL;
}

/* Worker: the command has been done. */
void connections_answer(struct worker *worker, const struct connection_command *command);

/* Worker, once: it has ended with this result, before it was asked for. What IKE said in it arrives before that word.
 */
void connections_report_end(struct worker *worker, struct connection *connection, int result);

/* --- main thread -------------------------------------------------------------------------------------------------- */

/* HOLD, RELEASE, END. There is room for one answer. */
void connections_change(struct dataplane *dataplane, const struct tables_change *change);

/* A transfer for a connection that is held; `memfd` stays the caller's. There is room for one answer. */
void connections_install(struct dataplane *dataplane, const struct transfer_head *head, int memfd);

/* In each turn: takes the workers' reports, and goes on with those that waited. Returns how many reports there were. */
unsigned int connections_turn(struct dataplane *dataplane);

/* Are there any that will go on by themselves in a moment, without an answer that wakes the main thread? */
static inline bool connections_are_watched(const struct connection_store *store)
{
	return !TAILQ_EMPTY(&store->watched);
}

/* The one in that record, as its owner sees it; NULL unless it is live. */
struct connection *connections_live(const struct dataplane *dataplane, uint32_t index, uint64_t id);

/* Payload bytes of a segment of that connection, when it was taken over; 0: there is none. */
uint16_t connections_mss(const struct dataplane *dataplane, uint32_t index);

/*
 * The live connection of a session between these ends: what its outer header names. One whose session has gone becomes
 * this one's. TABLES_NONE: sluiced has it.
 */
uint32_t connections_between(const struct dataplane *dataplane, uint32_t session, const struct endpoint *local,
	const struct endpoint *remote);
