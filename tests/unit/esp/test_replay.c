/* SPDX-License-Identifier: Apache-2.0 */
/* The replay window as truth tables, and against a list of all numbers ever accepted. */
#include "esp/replay.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t next_random(void)
{
	static uint64_t state = UINT64_C(0x853c49e6748fea9b);

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static struct replay *make(uint32_t window)
{
	struct replay *replay = malloc(replay_size(window));

	assert_non_null(replay);
	assert_int_equal(replay_init(replay, window), 0);
	return replay;
}

static void size_and_limits(void **state)
{
	static const uint32_t refused[] = {0, 1, 32, 63, 65, 96, 1000, 65535, 65537, 131072, UINT32_MAX};
	struct replay replay;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(replay_size(refused[i]), 0);
		assert_int_equal(replay_init(&replay, refused[i]), -EINVAL);
	}
	for (uint32_t window = REPLAY_WINDOW_MIN; window <= REPLAY_WINDOW_MAX; window *= 2) {
		assert_int_equal(replay_size(window) % 8, 0);
		assert_true(replay_size(window) >= sizeof(struct replay) + window / 8 + 8);
	}
}

/* One step: the number, and whether it is accepted. W stands for the window of 64. */
struct step {
	uint64_t sequence;
	bool accepted;
};

/* Runs steps; check must foretell accept, and change nothing. */
static void run_steps(struct replay *replay, const struct step *steps, size_t count)
{
	uint8_t before[sizeof(struct replay) + 16];

	assert_int_equal(replay_size(replay->window), sizeof(before));
	for (size_t i = 0; i < count; i++) {
		memcpy(before, replay, sizeof(before));
		assert_int_equal(replay_check(replay, steps[i].sequence), steps[i].accepted);
		assert_memory_equal(replay, before, sizeof(before));
		assert_int_equal(replay_accept(replay, steps[i].sequence), steps[i].accepted);
		if (!steps[i].accepted)
			assert_memory_equal(replay, before, sizeof(before));
	}
}

#define RUN(replay, ...)                                                                                               \
	do {                                                                                                           \
		static const struct step steps[] = {__VA_ARGS__};                                                      \
		run_steps(replay, steps, sizeof(steps) / sizeof(steps[0]));                                            \
	} while (0)

static void zero_is_never_valid(void **state)
{
	struct replay *replay = make(64);

	(void)state;
	RUN(replay, {0, false}, {1, true}, {0, false}, {1, false}, {2, true}, {0, false});
	free(replay);
}

static void order_and_repetition(void **state)
{
	struct replay *replay = make(64);

	(void)state;
	RUN(replay, {5, true}, {5, false}, {3, true}, {4, true}, {3, false}, {1, true}, {2, true}, {1, false},
		{6, true}, {7, true}, {6, false});
	free(replay);
}

/* highest - sequence = 63 is inside, 64 is not; at each place in a word. */
static void edges_of_the_window(void **state)
{
	(void)state;
	for (uint64_t highest = 65; highest <= 65 + 3 * 64; highest++) {
		struct replay *replay = make(64);
		struct step steps[] = {{highest, true}, {highest - 64, false}, {highest - 63, true},
			{highest - 63, false}, {highest - 62, true}, {highest - 1, true}, {highest, false},
			{highest + 1, true}, {highest - 63, false}, {highest - 62, false}, {highest - 61, true}};

		run_steps(replay, steps, sizeof(steps) / sizeof(steps[0]));
		free(replay);
	}
}

/* Words that a jump passes over are empty afterwards, however far it goes: inside, to the end of, beyond the ring. */
static void jumps_empty_what_they_pass(void **state)
{
	static const uint64_t jumps[] = {1, 2, 62, 63, 64, 65, 66, 126, 127, 128, 129, 130, 191, 192, 193, 255, 256,
		257, 1000, 1024, UINT64_C(1) << 40};

	(void)state;
	for (uint64_t start = 64; start <= 128 + 64; start++) {
		for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
			struct replay *replay = make(64);
			uint64_t landed = start + jumps[i];

			for (uint64_t sequence = start - 63; sequence <= start; sequence++)
				assert_true(replay_accept(replay, sequence));
			assert_true(replay_accept(replay, landed));
			for (uint64_t sequence = landed - 63; sequence <= landed; sequence++)
				assert_int_equal(
					replay_accept(replay, sequence), sequence > start && sequence < landed);
			free(replay);
		}
	}
}

static void numbers_pass_2_to_the_32(void **state)
{
	struct replay *replay = make(64);

	(void)state;
	RUN(replay, {0xfffffff0, true}, {0xffffffff, true}, {0x100000000, true}, {0xffffffff, false},
		{0x100000001, true}, {0xfffffff0, false}, {0xfffffff1, true}, {0x100000000, false}, {1, false},
		{0x10000002f, true}, {0xfffffff0, false}, {0xffffffef, false}, {0xfffffff2, true}, {0x200000001, true},
		{0x100000002, false});
	free(replay);
}

/* One row: the highest number accepted, a packet's low half, and the number that it is taken for. */
struct inference {
	uint64_t highest;
	uint32_t low;
	uint64_t sequence;
};

static void check_inferences(uint32_t window, const struct inference *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct replay *replay = make(window);

		if (rows[i].highest)
			assert_true(replay_accept(replay, rows[i].highest));
		if (replay_infer(replay, rows[i].low) != rows[i].sequence)
			fail_msg("window %u, row %zu: %#lx", window, i,
				(unsigned long)replay_infer(replay, rows[i].low));
		free(replay);
	}
}

/* RFC 4303 appendix A2.1 at every edge: T the top, W = 64. */
static void low_halves_are_completed(void **state)
{
	static const struct inference rows[] = {
		/* nothing received yet, or less than a window: the first subspace */
		{0, 0, 0},
		{0, 1, 1},
		{0, 0xffffffff, 0xffffffff},
		{1, 0xffffffff, 0xffffffff},
		{62, 0, 0},
		{62, 0xffffffff, 0xffffffff},
		{63, 0, 0},
		/* case A, the window in one subspace: left of its left edge is the next one */
		{64, 0, 0x100000000},
		{64, 1, 1},
		{1000, 936, 0x1000003a8},
		{1000, 937, 937},
		{1000, 1000, 1000},
		{1000, 1001, 1001},
		{1000, 0xffffffff, 0xffffffff},
		{0xffffffff, 0xffffffbf, 0x1ffffffbf},
		{0xffffffff, 0xffffffc0, 0xffffffc0},
		{0xffffffff, 0xffffffff, 0xffffffff},
		{0xffffffff, 0, 0x100000000},
		{0xffffffff, 1, 0x100000001},
		/* case B, the window in two: its left part is in the subspace before */
		{0x100000000, 0xffffffc0, 0x1ffffffc0},
		{0x100000000, 0xffffffc1, 0xffffffc1},
		{0x100000000, 0xffffffff, 0xffffffff},
		{0x100000000, 0, 0x100000000},
		{0x100000000, 1, 0x100000001},
		{0x10000003e, 0xfffffffe, 0x1fffffffe},
		{0x10000003e, 0xffffffff, 0xffffffff},
		{0x10000003e, 0, 0x100000000},
		/* and the first top whose window is in one again */
		{0x10000003f, 0xffffffff, 0x1ffffffff},
		{0x10000003f, 0, 0x100000000},
		{0x100000040, 0, 0x200000000},
		{0x100000040, 1, 0x100000001},
		/* further on */
		{0x7fffffff00000005, 0xffffffc5, 0x7fffffffffffffc5},
		{0x7fffffff00000005, 0xffffffc6, 0x7ffffffeffffffc6},
		/* no number is left: what wraps is old, and no packet's */
		{0xffffffffffffffff, 0xffffffbf, 0x00000000ffffffbf},
		{0xffffffffffffffff, 0xffffffc0, 0xffffffffffffffc0},
		{0xffffffffffffffff, 0, 0},
	};

	(void)state;
	check_inferences(64, rows, sizeof(rows) / sizeof(rows[0]));
}

/* The same by definition: the only number with these low bits that is in the window or within 2^32 - window ahead. */
static void inferred_number_is_the_nearest(void **state)
{
	(void)state;
	for (uint32_t window = REPLAY_WINDOW_MIN; window <= REPLAY_WINDOW_MAX; window *= 2) {
		struct replay *replay = make(window);

		for (size_t i = 0; i < 20000; i++) {
			uint64_t sequence;

			replay->highest = next_random() >> next_random() % 34;
			if (replay->highest < window)
				continue;
			sequence = replay->highest - window + 1 + (next_random() & 0xffffffff);
			assert_int_equal(replay_infer(replay, (uint32_t)sequence), sequence);
		}
		free(replay);
	}
}

/* Numbers of which every one comes, late or not, are told apart over the border, and a replay stays one. */
static void inferred_numbers_are_accepted_once(void **state)
{
	struct replay *replay = make(64);

	(void)state;
	assert_true(replay_accept(replay, 0xffffff80));
	for (uint64_t sequence = 0xffffffc0; sequence < 0x100000080; sequence++) {
		uint64_t late = sequence ^ 7;

		assert_int_equal(replay_infer(replay, (uint32_t)late), late);
		assert_true(replay_accept(replay, replay_infer(replay, (uint32_t)late)));
		assert_false(replay_check(replay, replay_infer(replay, (uint32_t)late)));
	}
	free(replay);
}

static void numbers_reach_the_end(void **state)
{
	struct replay *replay = make(64);

	(void)state;
	RUN(replay, {1, true}, {UINT64_MAX - 64, true}, {UINT64_MAX, true}, {UINT64_MAX, false},
		{UINT64_MAX - 63, true}, {UINT64_MAX - 64, false}, {0, false}, {1, false});
	free(replay);
}

/* What the window is defined as: one byte a number, numbers counted from a base. */
struct naive {
	uint64_t base, highest, window;
	uint8_t *seen;
	size_t seen_len;
};

static bool naive_accept(struct naive *naive, uint64_t sequence)
{
	if (sequence == 0 || (sequence <= naive->highest && naive->highest - sequence >= naive->window))
		return false;
	assert_in_range(sequence - naive->base, 0, naive->seen_len - 1);
	if (naive->seen[sequence - naive->base])
		return false;
	naive->seen[sequence - naive->base] = 1;
	if (sequence > naive->highest)
		naive->highest = sequence;
	return true;
}

/* Near the front mostly, all over the window and behind it often, a jump now and then. */
static uint64_t choose(const struct naive *naive)
{
	uint64_t kind = next_random() % 64, back;

	if (kind == 0)
		return naive->highest + 1 + next_random() % (3 * naive->window);
	if (kind < 32)
		return naive->highest + 1 + next_random() % 4;
	back = kind < 48 ? next_random() % 32 : next_random() % (naive->window + naive->window / 4);
	return back < naive->highest - naive->base ? naive->highest - back : naive->base + 1;
}

static void run_differential(uint32_t window, uint64_t base, size_t steps)
{
	struct replay *replay = make(window);
	struct naive naive = {.base = base, .highest = base, .window = window};

	naive.seen_len = steps / 64 * 2 * 3 * window + 8 * steps;
	naive.seen = calloc(naive.seen_len, 1);
	assert_non_null(naive.seen);
	if (base)
		assert_int_equal(replay_accept(replay, base), naive_accept(&naive, base));
	for (size_t i = 0; i < steps; i++) {
		uint64_t sequence = choose(&naive);
		bool foretold = replay_check(replay, sequence);
		bool expected = naive_accept(&naive, sequence);

		assert_int_equal(foretold, expected);
		assert_int_equal(replay_accept(replay, sequence), expected);
		assert_int_equal(replay->highest, naive.highest);
	}
	free(naive.seen);
	free(replay);
}

static void every_window_agrees_with_the_definition(void **state)
{
	(void)state;
	for (uint32_t window = REPLAY_WINDOW_MIN; window <= REPLAY_WINDOW_MAX; window *= 2) {
		run_differential(window, 0, 4096);
		run_differential(window, UINT64_C(0x100000000) - 2 * window, 4096);
		run_differential(window, UINT64_C(0x7fffffffffff0000), 4096);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_and_limits),
		cmocka_unit_test(zero_is_never_valid),
		cmocka_unit_test(order_and_repetition),
		cmocka_unit_test(edges_of_the_window),
		cmocka_unit_test(jumps_empty_what_they_pass),
		cmocka_unit_test(numbers_pass_2_to_the_32),
		cmocka_unit_test(low_halves_are_completed),
		cmocka_unit_test(inferred_number_is_the_nearest),
		cmocka_unit_test(inferred_numbers_are_accepted_once),
		cmocka_unit_test(numbers_reach_the_end),
		cmocka_unit_test(every_window_agrees_with_the_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
