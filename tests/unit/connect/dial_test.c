/* SPDX-License-Identifier: Apache-2.0 */
/* When which port is tried, and how long the pauses are. */
#include "connect/dial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MIDDLE = UINT32_MAX / 2 };

static const struct dial_settings settings = {.n_ports = 3, .patience_ms = 4000, .retry_max_ms = 60000};
static struct dial dial;

static int setup(void **state)
{
	(void)state;
	dial_init(&dial, &settings);
	return 0;
}

static void expect_try(uint64_t now_ms, uint16_t port)
{
	assert_int_equal(dial_run(&dial, now_ms, MIDDLE), DIAL_TRY);
	assert_int_equal(dial.port, port);
	assert_int_equal(dial_run(&dial, now_ms, MIDDLE), DIAL_NOTHING);
}

static void test_idle(void **state)
{
	(void)state;
	assert_int_equal(dial_run(&dial, 1000000, MIDDLE), DIAL_NOTHING);
	assert_int_equal(dial.state, DIAL_IDLE);
}

/* A round: each port its time, then a pause that doubles from round to round. */
static void test_rounds(void **state)
{
	static const uint64_t pauses[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
	uint64_t now = 5000;

	(void)state;
	dial_start(&dial, now);
	for (size_t round = 0; round < sizeof(pauses) / sizeof(pauses[0]); round++) {
		for (uint16_t port = 0; port < 3; port++) {
			expect_try(now, port);
			assert_int_equal(dial_run(&dial, now + 3999, MIDDLE), DIAL_NOTHING);
			now += 4000;
		}
		assert_int_equal(dial_run(&dial, now, MIDDLE), DIAL_GIVE_UP);
		assert_int_equal(dial.state, DIAL_WAITING);
		assert_in_range(dial.due_ms - now, pauses[round] - 1, pauses[round] + 1);
		now = dial.due_ms;
	}
	assert_int_equal(dial.tries, 24);
}

static void test_jitter(void **state)
{
	(void)state;
	assert_int_equal(dial_pause_ms(&settings, 1, 0), 750);
	assert_int_equal(dial_pause_ms(&settings, 1, UINT32_MAX), 1250);
	assert_int_equal(dial_pause_ms(&settings, 100, 0), 45000);
	assert_int_equal(dial_pause_ms(&settings, 100, UINT32_MAX), 75000);
}

/* Who begins to answer has time for the rest; who refuses has none. */
static void test_answers_and_failures(void **state)
{
	(void)state;
	dial_start(&dial, 0);
	expect_try(0, 0);
	dial_answered(&dial, 3000);
	assert_int_equal(dial_run(&dial, 6999, MIDDLE), DIAL_NOTHING);
	dial_failed(&dial, 6999, false);
	expect_try(6999, 1);
	dial_doubted(&dial, 7000);
	assert_int_equal(dial_run(&dial, 8499, MIDDLE), DIAL_NOTHING);
	expect_try(8500, 2);
	dial_doubted(&dial, 12400); /* never longer than it would have been */
	assert_int_equal(dial.due_ms, 12500);
	dial_failed(&dial, 12400, false);
	assert_int_equal(dial_run(&dial, 12400, MIDDLE), DIAL_GIVE_UP);
}

/* What no other port can help against ends the round. */
static void test_failure_everywhere(void **state)
{
	(void)state;
	dial_start(&dial, 0);
	expect_try(0, 0);
	dial_failed(&dial, 10, true);
	assert_int_equal(dial_run(&dial, 10, MIDDLE), DIAL_GIVE_UP);
	dial_failed(&dial, 20, true); /* nothing is being tried */
	assert_int_equal(dial_run(&dial, 20, MIDDLE), DIAL_NOTHING);
}

/* What can't be helped by trying again soon waits for longer, but not for less. */
static void test_rest(void **state)
{
	(void)state;
	dial_start(&dial, 1000);
	expect_try(1000, 0);
	dial_rest(&dial, 1000, 120000);
	assert_int_equal(dial.due_ms, 1000 + settings.patience_ms);
	dial_failed(&dial, 1000, true);
	assert_int_equal(dial_run(&dial, 1000, 0), DIAL_GIVE_UP);
	dial_rest(&dial, 1000, 120000);
	assert_int_equal(dial.due_ms, 121000);
	dial_rest(&dial, 1000, 10);
	assert_int_equal(dial.due_ms, 121000);
}

/* The port that answered is the first of the next round, and all get their turn. */
static void test_port_that_answered(void **state)
{
	(void)state;
	dial_start(&dial, 0);
	expect_try(0, 0);
	expect_try(4000, 1);
	dial_established(&dial, 4100);
	assert_int_equal(dial_run(&dial, 1000000, MIDDLE), DIAL_NOTHING);
	dial_lost(&dial, 1000000, MIDDLE);
	expect_try(1000000, 1);
	expect_try(1004000, 2);
	expect_try(1008000, 0);
	assert_int_equal(dial_run(&dial, 1012000, MIDDLE), DIAL_GIVE_UP);
}

/* A gateway that throws us out each time is not asked in a frenzy. */
static void test_short_lives(void **state)
{
	uint64_t now = 0;

	(void)state;
	dial_start(&dial, now);
	for (unsigned i = 0; i < 4; i++) {
		expect_try(now, 0);
		dial_established(&dial, now + 10);
		dial_lost(&dial, now + 500, MIDDLE);
		assert_int_equal(dial.state, DIAL_WAITING);
		assert_in_range(dial.due_ms - now - 500, (1000u << i) - 1, (1000u << i) + 1);
		now = dial.due_ms;
	}
	/* One that lasted makes good for it. */
	expect_try(now, 0);
	dial_established(&dial, now);
	dial_lost(&dial, now + 10000, MIDDLE);
	expect_try(now + 10000, 0);
	assert_int_equal(dial.vain, 0);
}

static void test_network_changed(void **state)
{
	(void)state;
	dial_start(&dial, 0);
	expect_try(0, 0);
	dial_failed(&dial, 0, true);
	assert_int_equal(dial_run(&dial, 0, MIDDLE), DIAL_GIVE_UP);
	dial_start(&dial, 100);
	expect_try(100, 0);
}

int main(void)
{
#define DIAL_TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		DIAL_TEST(test_idle),
		DIAL_TEST(test_rounds),
		DIAL_TEST(test_jitter),
		DIAL_TEST(test_answers_and_failures),
		DIAL_TEST(test_failure_everywhere),
		DIAL_TEST(test_rest),
		DIAL_TEST(test_port_that_answered),
		DIAL_TEST(test_short_lives),
		DIAL_TEST(test_network_changed),
	};

	return cmocka_run_group_tests_name("dial", tests, NULL, NULL);
}
