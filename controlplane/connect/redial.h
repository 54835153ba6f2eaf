/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tunnel's TCP connection is of no use any more: when to dial another one for the same SAs, and for how long. The
 * first dial is at once, the next ones after 1, 2, 4 ... seconds, a little more or less, so that the clients of a
 * gateway that has been away don't come back all at once. Sends nothing and has no clock: the caller does what the
 * steps say (resuming.h). One thread.
 *
 *   idle -- begin --> dialing -- end (answered) --> idle
 *                     |     ^ pause over
 *     failed, or late v     |
 *                     pausing -- too long --> idle (given up)
 */
#pragma once

#include "connect/dial.h"

enum redial_state { REDIAL_IDLE, REDIAL_DIALING, REDIAL_PAUSING };

enum redial_step {
	REDIAL_NOTHING, /* not yet */
	REDIAL_DIAL,	/* dial, and ask in the connection */
	REDIAL_LATE,	/* nothing has come of that dial: it is over, and counts as failed */
	REDIAL_GIVE_UP, /* it has been tried for long enough; begun no more */
};

enum { REDIAL_FOR_MS = 60000 }; /* after which it is given up */

struct redial {
	enum redial_state state;
	unsigned tries;
	uint64_t began_ms, due_ms; /* due: when redial_run has something to do; UINT64_MAX: never */
};

void redial_init(struct redial *redial);

/* Begins, unless it is on. */
void redial_begin(struct redial *redial, uint64_t now_ms);

/* What is due. `settings` for patience with a dial, and pauses; `jitter` is random. */
enum redial_step redial_run(
	struct redial *redial, const struct dial_settings *settings, uint64_t now_ms, uint32_t jitter);

/* The dial has come to nothing. */
void redial_failed(struct redial *redial, const struct dial_settings *settings, uint64_t now_ms, uint32_t jitter);

/* Something has changed for the better: a pause is over now. */
void redial_hurry(struct redial *redial, uint64_t now_ms);

/* It has been answered, or is of no use any more. */
void redial_end(struct redial *redial);
