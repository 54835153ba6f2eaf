/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a worker's connections want to be looked at. Lazy: a deadline that moves away leaves the entry where it is, and
 * whoever is looked at too early says when it wants to be looked at again; so nothing is done here for each segment,
 * and for an idle connection nothing but twice a minute. Two rings of lists: one of ticks, one of whole turns of the
 * first. What lies beyond both is looked at on the way.
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

struct connection;

enum {
	WHEEL_TICK_BITS = 10, /* a tick is 1,024 microseconds */
	WHEEL_SLOT_BITS = 8,
	WHEEL_SLOTS = 1 << WHEEL_SLOT_BITS,
};

LIST_HEAD(wheel_slot, connection);

struct wheel {
	uint64_t tick;	/* the next one to be looked at */
	uint32_t count; /* entries */
	struct wheel_slot fine[WHEEL_SLOTS], coarse[WHEEL_SLOTS];
};

/* Times are microseconds. */
void wheel_init(struct wheel *wheel, uint64_t now);

/* It is due at `deadline`, or has been put in earlier; UINT64_MAX: never. */
void wheel_schedule(struct wheel *wheel, struct connection *connection, uint64_t deadline);
void wheel_remove(struct wheel *wheel, struct connection *connection);

/* Takes out the next one that may be due, at most a tick late; NULL: no more. */
struct connection *wheel_next(struct wheel *wheel, uint64_t now);
