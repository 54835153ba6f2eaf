/* SPDX-License-Identifier: Apache-2.0 */
/* Inside writer*.c only: the writer's state, and what its parts (sessions and children, connections) share. */
#pragma once

#include "tables/slots.h"
#include "tables/writer.h"

struct waiting;

struct writer {
	struct tables *tables;
	int changes_fd;
	uint64_t last_id;
	struct slots sessions, children, connections; /* FREE records */
	struct waiting *first, **last;
	size_t n_waiting;
	bool wake; /* something was pushed since the data plane was last woken */
};

static inline uint32_t writer_phase_get(_Atomic uint32_t *phase)
{
	return atomic_load_explicit(phase, memory_order_acquire);
}

static inline void writer_phase_set(_Atomic uint32_t *phase, uint32_t value)
{
	atomic_store_explicit(phase, value, memory_order_release);
}

/* Straight into the ring where nothing waits before it; else it waits. The change is wiped. -ENOMEM only. */
int writer_send(struct writer *writer, struct tables_change *change);

/* writer_connections.c: what a former control plane left. */
void writer_connections_find(struct writer *writer);
/* The same for a TABLES_EVENT_DONE of a connection's change. */
void writer_connection_done(struct writer *writer, const struct tables_event *event);
