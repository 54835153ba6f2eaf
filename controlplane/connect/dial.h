/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to try which port of the gateway, and when to wait: a round goes through the candidate ports, the one that
 * answered last in front; between two rounds in vain there is a pause that doubles, a little more or less each time, so
 * that many clients of one gateway don't come back at once. Sends nothing and has no clock: the caller does what the
 * steps say. One thread.
 *
 *   idle -- start --> trying -- established --> up -- lost --> trying ...
 *                       |  ^ pause over, or network changed
 *                       v  |
 *                     waiting
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum dial_state { DIAL_IDLE, DIAL_TRYING, DIAL_UP, DIAL_WAITING };

enum dial_step {
	DIAL_NOTHING, /* not yet */
	DIAL_TRY,     /* begin at port number dial->port of the configuration */
	DIAL_GIVE_UP, /* all ports were tried in vain: say so, and wait */
};

struct dial_settings {
	uint16_t n_ports;
	uint32_t patience_ms, retry_max_ms;
};

struct dial {
	struct dial_settings settings;
	enum dial_state state;
	uint16_t port, first; /* of this try; of this round */
	uint16_t tried;	      /* in this round */
	unsigned vain;	      /* rounds that came to nothing that lasted, one after the other */
	uint64_t up_ms;	      /* when the tunnel came to stand */
	uint64_t tries;	      /* since the start */
	uint64_t due_ms;      /* when dial_run has something to do; UINT64_MAX: never by itself */
};

void dial_init(struct dial *dial, const struct dial_settings *settings);

/* Begins a round now: at the start, and when the network has changed. */
void dial_start(struct dial *dial, uint64_t now_ms);

/* What is due. `jitter` is random. To be called again until it says DIAL_NOTHING. */
enum dial_step dial_run(struct dial *dial, uint64_t now_ms, uint32_t jitter);

/* The gateway has begun to answer: it gets its time anew for what follows. */
void dial_answered(struct dial *dial, uint64_t now_ms);

/* Nothing will come of this port, or, when `everywhere`, of any: dial_run goes on at once. */
void dial_failed(struct dial *dial, uint64_t now_ms, bool everywhere);

/* What the try waits for says itself when it is over: dial_run has nothing to do until then. */
void dial_hold(struct dial *dial);

/* A refusal that anybody could have sent: the port gets a moment more for the truth to come. */
void dial_doubted(struct dial *dial, uint64_t now_ms);

/* Of a pause that has begun: it lasts so long at least. */
void dial_rest(struct dial *dial, uint64_t now_ms, uint32_t pause_ms);

/* The tunnel stands. */
void dial_established(struct dial *dial, uint64_t now_ms);

/* It stands no more: a round begins at once, or after a pause where it had not stood for long. */
void dial_lost(struct dial *dial, uint64_t now_ms, uint32_t jitter);

/* How long the pause after so many rounds in vain is, milliseconds. */
uint32_t dial_pause_ms(const struct dial_settings *settings, unsigned vain, uint32_t jitter);

const char *dial_state_name(enum dial_state state);
