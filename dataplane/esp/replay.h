/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anti-replay window of one inbound SA (RFC 4303 section 3.4.3) as a ring of 64-bit words that is never shifted
 * (RFC 6479). One writer. The order is: replay_check, verify the ICV, replay_check again (another packet of the same
 * burst may carry the same number) together with the update: replay_accept does both.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REPLAY_WINDOW_MIN = 64, REPLAY_WINDOW_MAX = 65536 };

struct replay {
	uint64_t highest;   /* the highest number accepted; 0: none yet */
	uint32_t window;    /* packets */
	uint32_t word_mask; /* words in the ring, less one */
	uint64_t words[];   /* one word more than the window, rounded up to a power of two */
};

/* Bytes of a struct replay for that window, a multiple of 8; 0 unless a power of two within the limits above. */
size_t replay_size(uint32_t window);

/* An empty window. 0, or -EINVAL for another size: zero is refused, never taken as "off". */
int replay_init(struct replay *replay, uint32_t window);

/*
 * For SAs with extended numbers: the one that a packet's low 32 bits stand for (RFC 4303 appendix A2). Of all numbers
 * with these, it is the lowest that is not left of the window. So a sender more than 2^32 - window ahead is misread,
 * and its packets fail at their ICV. Whether the number is new, replay_check tells.
 */
uint64_t replay_infer(const struct replay *replay, uint32_t low);

/* Fetches the word that a number's bit is in. */
static inline void replay_prefetch(const struct replay *replay, uint64_t sequence)
{
	__builtin_prefetch(&replay->words[sequence / 64 & replay->word_mask]);
}

/* May this number still be new? Number 0 is never valid (RFC 4303 section 3.3.3). */
static inline bool replay_check(const struct replay *replay, uint64_t sequence)
{
	if (sequence > replay->highest)
		return true;
	if (sequence == 0 || replay->highest - sequence >= replay->window)
		return false;
	return !(replay->words[sequence / 64 & replay->word_mask] >> sequence % 64 & 1);
}

/* Part of replay_accept: the window's right edge goes on to `sequence`, which is beyond the word that it was in. */
void replay_advance(struct replay *replay, uint64_t sequence);

/* For an authentic packet: false when the number was seen or is too old, else marks it and moves the window. */
static inline bool replay_accept(struct replay *replay, uint64_t sequence)
{
	if (!replay_check(replay, sequence))
		return false;
	if (sequence / 64 > replay->highest / 64)
		replay_advance(replay, sequence);
	if (sequence > replay->highest)
		replay->highest = sequence;
	replay->words[sequence / 64 & replay->word_mask] |= UINT64_C(1) << sequence % 64;
	return true;
}
