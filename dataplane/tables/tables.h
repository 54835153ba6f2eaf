/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared tables as one process sees them: made by the data plane (tables_create), mapped by the control plane from
 * the descriptor that it was handed (tables_map). Both check every dimension of the header once and keep them in
 * private memory; what is in the shared header afterwards is never read again for arithmetic.
 */
#pragma once

#include "tables/layout.h"

#include <stdbool.h>
#include <stddef.h>

struct tables {
	int fd; /* the memfd */
	void *memory;
	size_t memory_len;
	const struct tables_header *header;
	uint32_t n_sessions, n_children, n_connections, n_workers, n_reasons, n_figures, n_ports;
	uint32_t replay_window;
	struct tables_session *sessions;
	struct tables_child *children;
	struct tables_connection *connections;
	struct ring changes;
	struct ring events[TABLES_WORKERS_MAX + 1]; /* 0: main thread */
	size_t counters_stride;
	uint8_t *counters;
};

struct tables_dimensions {
	uint32_t n_sessions, n_children, n_workers, n_ports;
	uint32_t n_reasons;
	const char *const *reason_names;
	const uint8_t *reason_kinds; /* enum tables_reason_kind; NULL: all of them notes */
	uint32_t n_figures;          /* of a TCP connection */
	const char *const *figure_names;
	const char *port_names[TABLES_PORTS_MAX];
	const struct crypto_choice *crypto; /* ESP_SUITE_COUNT of them, by suite; NULL: nothing to tell */
	uint32_t replay_window;
	uint64_t tsc_hz;
	bool huge_pages; /* try them first */
};

enum { TABLES_ERROR_LEN = 256 };

/* Makes, seals and maps the memory, all records free. 0, or negative errno with a sentence in `error`. */
int tables_create(struct tables *tables, const struct tables_dimensions *dimensions, char error[TABLES_ERROR_LEN]);

/* Takes over `fd` in every case. 0, or negative errno with a sentence: another layout, wrong sizes, not sealed. */
int tables_map(struct tables *tables, int fd, char error[TABLES_ERROR_LEN]);

void tables_unmap(struct tables *tables);

/* The counters of a thread: 0 the main thread, 1 the first worker. */
static inline struct tables_counters *tables_counters(const struct tables *tables, uint32_t thread)
{
	return (struct tables_counters *)(tables->counters + thread * tables->counters_stride);
}

/* Adds to a counter that this thread alone writes: a plain load and store, no locked instruction. */
static inline void tables_count(_Atomic uint64_t *counter, uint64_t add)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + add, memory_order_relaxed);
}

/* Sums over all threads. */
uint64_t tables_sum_reason(const struct tables *tables, uint32_t reason);
uint64_t tables_sum_events_lost(const struct tables *tables);
void tables_sum_traffic(const struct tables *tables, uint32_t child, struct tables_traffic *sum);
