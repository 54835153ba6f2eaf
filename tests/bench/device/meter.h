/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stopwatch of a measurement: one in the process. It cuts time into windows of 20 ms and keeps for each how many
 * packets came out of the gateway and how many cycles the devices themselves took, which it does not charge to the
 * gateway. On a machine with neighbours a mean says little; the rate that the best tenth of all windows reach repeats
 * within a few percent.
 *
 * Every worker has a queue of both devices, and counts for itself; the one with queue 0 turns the windows for all.
 */
#pragma once

#include "arguments.h"

#include <rte_cycles.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { METER_WINDOW_MS = 20, METER_WINDOWS_MAX = 3000 };

enum { METER_QUEUES_MAX = 8 };

/* Of one queue of both devices; its worker alone writes, and nothing else is on these lines. */
struct meter_counts {
	_Atomic uint64_t sent;		  /* handed to the gateway */
	_Atomic uint64_t received;	  /* came back from it */
	_Atomic uint64_t device_cycles;	  /* spent inside the devices */
	_Atomic uint64_t checked, bad;	  /* samples of what came back */
	_Atomic uint64_t segments, again; /* TCP: of the gateway; those of data that had come already */
	_Atomic uint64_t starved;	  /* bursts that could not be sent: the gateway's packet pool was empty */
} __attribute__((aligned(128)));

struct meter {
	struct meter_counts counts[METER_QUEUES_MAX];
	atomic_bool running; /* packets are wanted */
	uint64_t due;	     /* queue 0: the TSC when meter_turn is to be called next */
	uint16_t n_queues;
};
extern struct meter meter;

/* Begins to warm up: the sessions are there. `arguments` must stay. */
void meter_begin(const struct arguments *arguments, uint64_t now);

/* Queue 0, when `now` has reached meter.due. Writes the result after the last window and stops the traffic. */
void meter_turn(uint64_t now);

/* One writer: no need for a locked addition. */
static inline void meter_add(_Atomic uint64_t *counter, uint64_t count)
{
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + count, memory_order_relaxed);
}

/* Charges what has passed since `begin` to the devices. */
static inline void meter_exclude(struct meter_counts *counts, uint64_t begin)
{
	meter_add(&counts->device_cycles, rte_rdtsc() - begin);
}
