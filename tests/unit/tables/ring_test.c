/* SPDX-License-Identifier: Apache-2.0 */
/* The ring's edges in one thread: empty, full, round the corner, wiped, and an other side that lies. */
#include "tables/ring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	SLOTS = 8,
	SLOT_LEN = 24,
	GUARD_LEN = 64,
};

struct fixture {
	struct ring producer, consumer;
	uint8_t *memory;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	size_t len = ring_size(SLOTS, SLOT_LEN);

	assert_non_null(fixture);
	/* A guard behind it shows a slot that was written one too far. */
	fixture->memory = aligned_alloc(64, (len + GUARD_LEN + 63) / 64 * 64);
	assert_non_null(fixture->memory);
	memset(fixture->memory, 0, len);
	memset(fixture->memory + len, 0xa5, GUARD_LEN);
	ring_attach(&fixture->producer, fixture->memory, SLOTS, SLOT_LEN);
	ring_attach(&fixture->consumer, fixture->memory, SLOTS, SLOT_LEN);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	const uint8_t *guard = fixture->memory + ring_size(SLOTS, SLOT_LEN);

	for (size_t i = 0; i < GUARD_LEN; i++)
		assert_int_equal(guard[i], 0xa5);
	free(fixture->memory);
	free(fixture);
	return 0;
}

static int push(struct fixture *fixture, uint8_t value)
{
	uint8_t slot[SLOT_LEN];

	memset(slot, value, sizeof(slot));
	return ring_push(&fixture->producer, slot);
}

static void pop_expect(struct fixture *fixture, uint8_t value)
{
	uint8_t slot[SLOT_LEN], expected[SLOT_LEN];

	memset(expected, value, sizeof(expected));
	memset(slot, ~value, sizeof(slot));
	assert_int_equal(ring_pop(&fixture->consumer, slot), 1);
	assert_memory_equal(slot, expected, sizeof(slot));
}

static void indices_set(struct fixture *fixture, uint64_t produced, uint64_t consumed)
{
	atomic_store(&fixture->producer.shared->produced, produced);
	atomic_store(&fixture->producer.shared->consumed, consumed);
}

static void test_empty(void **state)
{
	struct fixture *fixture = *state;
	uint8_t slot[SLOT_LEN] = "untouched";

	assert_int_equal(ring_pop(&fixture->consumer, slot), 0);
	assert_string_equal(slot, "untouched");
	assert_int_equal(ring_count(&fixture->consumer), 0);
	assert_int_equal(ring_room(&fixture->producer), SLOTS);
	push(fixture, 1);
	pop_expect(fixture, 1);
	assert_int_equal(ring_pop(&fixture->consumer, slot), 0);
}

static void test_full(void **state)
{
	struct fixture *fixture = *state;

	for (uint8_t i = 0; i < SLOTS; i++) {
		assert_int_equal(ring_room(&fixture->producer), SLOTS - i);
		assert_int_equal(push(fixture, i + 1), 0);
		assert_int_equal(ring_count(&fixture->consumer), i + 1);
	}
	assert_int_equal(push(fixture, 99), -ENOSPC);
	assert_int_equal(ring_room(&fixture->producer), 0);
	pop_expect(fixture, 1);
	assert_int_equal(push(fixture, 100), 0);
	assert_int_equal(push(fixture, 101), -ENOSPC);
	for (uint8_t i = 1; i < SLOTS; i++)
		pop_expect(fixture, i + 1);
	pop_expect(fixture, 100);
	assert_int_equal(ring_count(&fixture->consumer), 0);
}

/* Every offset of a full ring to the memory's end, and across the end of the 64-bit indices. */
static void test_wrap(void **state)
{
	struct fixture *fixture = *state;
	uint8_t next_in = 0, next_out = 0;

	indices_set(fixture, UINT64_MAX - 20, UINT64_MAX - 20);
	for (unsigned int turn = 0; turn < 5 * SLOTS + 3; turn++) {
		while (push(fixture, next_in) == 0)
			next_in++;
		assert_int_equal(ring_count(&fixture->consumer), SLOTS);
		for (unsigned int i = 0; i <= turn % SLOTS; i++)
			pop_expect(fixture, next_out++);
	}
	assert_true(atomic_load(&fixture->producer.shared->produced) < UINT64_MAX / 2);
}

static void test_wiped(void **state)
{
	static const uint8_t zero[SLOT_LEN];
	struct fixture *fixture = *state;
	const uint8_t *slots = fixture->producer.shared->slots;

	for (uint8_t i = 0; i < SLOTS; i++)
		push(fixture, 0xe0 + i);
	for (uint8_t i = 0; i < SLOTS; i++) {
		assert_memory_not_equal(slots + i * SLOT_LEN, zero, SLOT_LEN);
		pop_expect(fixture, 0xe0 + i);
		assert_memory_equal(slots + i * SLOT_LEN, zero, SLOT_LEN);
	}
}

/* What one side finds where the other's index, or its own in the other's hands, is no possible one. */
static void test_impossible_indices(void **state)
{
	static const struct {
		uint64_t produced, consumed;
		int push, pop;
		uint32_t count;
	} rows[] = {
		{SLOTS, 0, -ENOSPC, 1, SLOTS},
		{SLOTS + 1, 0, -EPROTO, -EPROTO, SLOTS},
		{1000000, 5, -EPROTO, -EPROTO, SLOTS},
		{UINT64_MAX, 0, -EPROTO, -EPROTO, SLOTS},
		{4, 5, -EPROTO, -EPROTO, SLOTS},
		{0, 1, -EPROTO, -EPROTO, SLOTS},
		{0, UINT64_MAX, 0, 1, 1},
		{(uint64_t)1 << 32, 0, -EPROTO, -EPROTO, SLOTS},
		{((uint64_t)1 << 32) + 3, 0, -EPROTO, -EPROTO, SLOTS},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t slot[SLOT_LEN];

		indices_set(fixture, rows[i].produced, rows[i].consumed);
		assert_int_equal(ring_count(&fixture->consumer), rows[i].count);
		assert_int_equal(ring_room(&fixture->producer), SLOTS - rows[i].count);
		assert_int_equal(push(fixture, 1), rows[i].push);
		indices_set(fixture, rows[i].produced, rows[i].consumed);
		assert_int_equal(ring_pop(&fixture->consumer, slot), rows[i].pop);
		if (rows[i].pop < 0) {
			assert_int_equal(atomic_load(&fixture->producer.shared->produced), rows[i].produced);
			assert_int_equal(atomic_load(&fixture->producer.shared->consumed), rows[i].consumed);
		}
	}
}

static void test_size(void **state)
{
	(void)state;
	assert_int_equal(ring_size(SLOTS, SLOT_LEN), sizeof(struct ring_shared) + SLOTS * SLOT_LEN);
	/* More than 32 bits hold. */
	assert_true(ring_size(1u << 31, 1u << 10) == sizeof(struct ring_shared) + ((size_t)1 << 41));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wiped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_impossible_indices, setup, teardown),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
