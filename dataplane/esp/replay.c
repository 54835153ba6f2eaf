/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/replay.h"

#include <errno.h>
#include <string.h>

enum { WORD_BITS = 64 };

static bool replay_window_valid(uint32_t window)
{
	return window >= REPLAY_WINDOW_MIN && window <= REPLAY_WINDOW_MAX && (window & (window - 1)) == 0;
}

/*
 * The window rarely begins on a word, so it touches one word more than its bits fill (RFC 6479 section 2). The next
 * power of two above that is twice the words of the window, and the ring's index becomes a mask.
 */
static uint32_t replay_word_count(uint32_t window)
{
	return 2 * (window / WORD_BITS);
}

size_t replay_size(uint32_t window)
{
	if (!replay_window_valid(window))
		return 0;
	return sizeof(struct replay) + replay_word_count(window) * sizeof(uint64_t);
}

int replay_init(struct replay *replay, uint32_t window)
{
	if (!replay_window_valid(window))
		return -EINVAL;
	replay->highest = 0;
	replay->window = window;
	replay->word_mask = replay_word_count(window) - 1;
	memset(replay->words, 0, replay_word_count(window) * sizeof(uint64_t));
	return 0;
}

uint64_t replay_infer(const struct replay *replay, uint32_t low)
{
	/* Cases A and B of appendix A2.1 are one: the window's left edge, be it in this subspace or the one before. */
	uint64_t bottom = replay->highest >= replay->window ? replay->highest - replay->window + 1 : 0;

	return bottom + (uint32_t)(low - (uint32_t)bottom);
}

/* Empties the words that the window enters; after a jump beyond the ring each word needs it only once. */
void replay_advance(struct replay *replay, uint64_t sequence)
{
	uint64_t word = replay->highest / WORD_BITS;
	uint64_t steps = sequence / WORD_BITS - word;

	if (steps > replay->word_mask)
		steps = (uint64_t)replay->word_mask + 1;
	for (uint64_t i = 1; i <= steps; i++)
		replay->words[(word + i) & replay->word_mask] = 0;
}
