/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP connections that workers own (connection.h), from the main thread's side: it makes one when the control plane
 * asks for it (tables/layout.h), shows it to the workers' lookup, asks its owner by commands, one at a time, and frees it
 * when no worker can look at it any more.
 *
 *   HOLD      shown -> every worker has seen it -> what went to the kernel before has been written there -> DONE
 *   transfer  INSTALL to the owner -> its answer -> the session goes by it -> DONE
 *   RELEASE   hidden -> the owner lets go -> grace period -> freed, DONE
 *   END       the owner ends it -> hidden -> grace period -> freed, DONE
 *
 * Both rings have room for a command of each connection there can be.
 */
#pragma once

#include "connection_lookup.h"
#include "worker.h"

#include <rte_ring.h>

#include <stdatomic.h>
#include <stdint.h>

struct connection;
struct connection_command;
struct dataplane;

struct connection_store {
	uint32_t capacity; /* records */
	_Atomic(struct connection *) *by_index; /* main: writes; workers: read */
	struct connection_lookup lookup;
	struct rte_ring *answers; /* workers: put; main: takes */
};

/* 0 or -ENOMEM. */
int connections_init(struct dataplane *dataplane, const char *name);
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
void connections_answer(struct worker *worker, struct connection_command *command);
