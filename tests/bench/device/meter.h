/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stopwatch of a measurement: one in the process, run by the core that runs both of its devices. It cuts time into
 * windows of 20 ms and keeps for each how many packets came out of the gateway and how many cycles the devices
 * themselves took, which it does not charge to the gateway. On a machine with neighbours a mean says little; the
 * rate that the best tenth of all windows reach repeats within a few percent.
 */
#pragma once

#include "arguments.h"

#include <rte_cycles.h>

#include <stdbool.h>
#include <stdint.h>

enum { METER_WINDOW_MS = 20, METER_WINDOWS_MAX = 3000 };

/* Written by the devices on their way. */
struct meter {
	uint64_t due;		/* TSC: when meter_turn is to be called next */
	bool running;		/* packets are wanted */
	uint64_t sent;		/* handed to the gateway */
	uint64_t received;	/* came back from it */
	uint64_t device_cycles; /* spent inside the devices */
	uint64_t checked, bad;	/* samples of what came back */
	uint64_t starved;	/* bursts that could not be sent: the gateway's packet pool was empty */
};
extern struct meter meter;

/* Begins to warm up: the sessions are there. `arguments` must stay. */
void meter_begin(const struct arguments *arguments, uint64_t now);

/* To be called when `now` has reached meter.due. Writes the result after the last window and stops the traffic. */
void meter_turn(uint64_t now);

/* Charges what has passed since `begin` to the devices. */
static inline void meter_exclude(uint64_t begin)
{
	meter.device_cycles += rte_rdtsc() - begin;
}
