/* SPDX-License-Identifier: Apache-2.0 */
/* When another TCP connection is dialed for the tunnel, and when that is given up. */
#include "connect/redial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct dial_settings settings = {.n_ports = 1, .patience_ms = 4000, .retry_max_ms = 60000};
static struct redial redial;

static enum redial_step run(uint64_t now_ms, uint32_t jitter)
{
	return redial_run(&redial, &settings, now_ms, jitter);
}

static int setup(void **state)
{
	(void)state;
	redial_init(&redial);
	return 0;
}

static void test_idle(void **state)
{
	(void)state;
	assert_int_equal(run(UINT64_MAX, 0), REDIAL_NOTHING);
	redial_failed(&redial, &settings, 5, 0);
	redial_hurry(&redial, 5);
	assert_int_equal(redial.due_ms, UINT64_MAX);
	assert_int_equal(run(UINT64_MAX, 0), REDIAL_NOTHING);
}

/* At once, then after 1, 2, 4 ... seconds from three quarters to five quarters of it. */
static void test_pauses(void **state)
{
	const uint32_t jitters[] = {0, UINT32_MAX};

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint64_t now_ms = 1000;

		redial_init(&redial);
		redial_begin(&redial, now_ms);
		for (uint64_t pause = 1000; pause <= 16000; pause *= 2) {
			assert_int_equal(run(now_ms, jitters[i]), REDIAL_DIAL);
			assert_int_equal(run(now_ms, jitters[i]), REDIAL_NOTHING);
			redial_failed(&redial, &settings, now_ms, jitters[i]);
			assert_int_equal(redial.due_ms - now_ms, i ? pause * 5 / 4 : pause * 3 / 4);
			assert_int_equal(run(redial.due_ms - 1, jitters[i]), REDIAL_NOTHING);
			now_ms = redial.due_ms;
		}
		assert_int_equal(redial.tries, 5);
	}
}

/* Begun again while it is on, it goes on. */
static void test_begun_once(void **state)
{
	(void)state;
	redial_begin(&redial, 1000);
	assert_int_equal(run(1000, 0), REDIAL_DIAL);
	redial_begin(&redial, 2000);
	assert_int_equal(redial.began_ms, 1000);
	assert_int_equal(redial.tries, 1);
	redial_end(&redial);
	redial_begin(&redial, 3000);
	assert_int_equal(redial.began_ms, 3000);
	assert_int_equal(redial.tries, 0);
}

static void test_no_answer(void **state)
{
	(void)state;
	redial_begin(&redial, 1000);
	assert_int_equal(run(1000, 0), REDIAL_DIAL);
	assert_int_equal(run(4999, 0), REDIAL_NOTHING);
	assert_int_equal(run(5000, 0), REDIAL_LATE);
	assert_int_equal(redial.state, REDIAL_PAUSING);
	assert_int_equal(redial.due_ms, 5750);
	redial_hurry(&redial, 5100);
	assert_int_equal(run(5100, 0), REDIAL_DIAL);
	redial_hurry(&redial, 5200); /* no pause */
	assert_int_equal(redial.due_ms, 9100);
}

/* Whether dials fail at once or are never answered, it ends when it has to: a last pause is cut short, a last dial is
 * not. */
static void test_given_up(void **state)
{
	(void)state;
	for (int fails = 0; fails < 2; fails++) {
		uint64_t now_ms = 1000;
		enum redial_step step;

		redial_init(&redial);
		redial_begin(&redial, now_ms);
		while ((step = run(now_ms, UINT32_MAX / 2)) != REDIAL_GIVE_UP) {
			assert_int_not_equal(step, REDIAL_NOTHING);
			if (step == REDIAL_DIAL && fails)
				redial_failed(&redial, &settings, now_ms, UINT32_MAX / 2);
			assert_true(redial.due_ms >= now_ms);
			now_ms = redial.due_ms;
		}
		assert_true(now_ms >= 1000 + REDIAL_FOR_MS);
		assert_true(now_ms <= 1000 + REDIAL_FOR_MS + (fails ? 0 : settings.patience_ms));
		assert_int_equal(redial.state, REDIAL_IDLE);
		assert_int_equal(run(now_ms, 0), REDIAL_NOTHING);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_idle, setup),
		cmocka_unit_test_setup(test_pauses, setup),
		cmocka_unit_test_setup(test_begun_once, setup),
		cmocka_unit_test_setup(test_no_answer, setup),
		cmocka_unit_test_setup(test_given_up, setup),
	};

	return cmocka_run_group_tests_name("redial", tests, NULL, NULL);
}
