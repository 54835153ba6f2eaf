/* SPDX-License-Identifier: Apache-2.0 */
/* The timing wheel: nothing before its time is called due, nothing late, and what does not move costs nothing. */
#include "connection.h"
#include "wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
	MANY = 10000,
	MILLISECOND = 1000,
	SECOND = 1000 * MILLISECOND,
	TICK = 1 << WHEEL_TICK_BITS,
};

static struct wheel wheel;
static struct connection *connections;
static uint64_t wanted[MANY]; /* when each wants to be looked at */
static uint64_t now;

static int setup(void **state)
{
	(void)state;
	srand(1);
	now = 1234567890123;
	connections = calloc(MANY, sizeof(*connections));
	wheel_init(&wheel, now);
	return connections ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(connections);
	return 0;
}

static uint64_t within(uint64_t most)
{
	return ((uint64_t)rand() << 31 | (uint64_t)rand()) % most;
}

static void schedule(uint32_t i, uint64_t deadline)
{
	wanted[i] = deadline;
	wheel_schedule(&wheel, &connections[i], deadline);
}

/* Takes out what is due; each must have wanted it, or be what a deadline that moved away has left. How many. */
static uint32_t take_due(uint64_t step)
{
	struct connection *connection;
	uint32_t count = 0;

	now += step;
	for (; (connection = wheel_next(&wheel, now)) != NULL; count++) {
		uint32_t i = (uint32_t)(connection - connections);

		assert_false(connection->scheduled);
		if (wanted[i] > now) {
			schedule(i, wanted[i]);
			continue;
		}
		assert_true(now - wanted[i] <= step + 2 * TICK);
		wanted[i] = UINT64_MAX;
	}
	return count;
}

static void expect_none_missed(void)
{
	for (uint32_t i = 0; i < MANY; i++)
		assert_true(wanted[i] == UINT64_MAX || wanted[i] + 2 * TICK > now);
}

/* From a moment to minutes, and beyond what both rings hold. */
static void test_each_at_its_time(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		schedule(i, now + within(i % 3 == 0    ? 10 * MILLISECOND
					  : i % 3 == 1 ? 2 * SECOND
						       : 300 * (uint64_t)SECOND));
	for (int turn = 0; wheel.count > 0; turn++) {
		assert_true(turn < 1000000);
		take_due(within(3 * MILLISECOND));
		if (turn % 1000 == 0)
			expect_none_missed();
	}
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(wanted[i], UINT64_MAX);
}

/* Deadlines that move all the time, both ways, as an endpoint's do. */
static void test_moving(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		wanted[i] = UINT64_MAX;
	for (int turn = 0; turn < 20000; turn++) {
		for (int n = 0; n < 10; n++) {
			uint32_t i = (uint32_t)within(MANY);

			if (n == 0) {
				wheel_remove(&wheel, &connections[i]);
				wanted[i] = UINT64_MAX;
			} else {
				schedule(i, now + within(turn % 2 ? 5 * MILLISECOND : 100 * (uint64_t)SECOND));
			}
		}
		take_due(within(2 * MILLISECOND));
		if (turn % 100 == 0)
			expect_none_missed();
	}
}

/* A clock that stood still for long, as that of a machine that was suspended. */
static void test_long_pause(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		schedule(i, now + within(60 * SECOND));
	take_due(3600 * (uint64_t)SECOND);
	assert_int_equal(wheel.count, 0);
	schedule(0, now + 5 * MILLISECOND);
	assert_int_equal(take_due(4 * MILLISECOND), 0);
	assert_int_equal(take_due(4 * MILLISECOND), 1);
}

/* Ten thousand that are idle: each is looked at no more than twice a minute, and a later deadline moves nothing. */
static void test_idle_ones_cost_nothing(void **state)
{
	uint32_t looks = 0;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		schedule(i, now + 300 * (uint64_t)SECOND + within(60 * SECOND));
	for (int turn = 0; turn < 60000; turn++)
		looks += take_due(MILLISECOND);
	assert_true(looks <= 2 * MANY);
	for (int n = 0; n < 1000; n++) {
		uint64_t due = connections[0].due;

		schedule(0, due + (uint64_t)n);
		assert_int_equal(connections[0].due, due);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_at_its_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moving, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_pause, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle_ones_cost_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
