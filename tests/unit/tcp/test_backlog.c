/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams that wait: bounded in time and bytes, the oldest go first, IKE never. */
#include "tcp/backlog.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SLOTS = 400, MS = 1000, RATE = 12500000 /* 100 Mbit/s: 50 ms are 625,000 bytes */ };

static struct tcp_slot slots[SLOTS];
static struct tcp_pool pool;
static struct backlog_settings settings;
static struct backlog backlog;
static char names[SLOTS]; /* owners */

static int start(void **state)
{
	(void)state;
	tcp_pool_init(&pool, slots, SLOTS);
	backlog_settings_default(&settings);
	settings.bytes_min = 100000;
	settings.ike_max = 5000;
	backlog_init(&backlog, &settings, &pool);
	return 0;
}

static int push(unsigned int name, uint32_t len, bool is_ike, bool ecn_capable, uint64_t now)
{
	struct backlog_packet packet = {
		.owner = &names[name], .len = len, .is_ike = is_ike, .ecn_capable = ecn_capable};

	return backlog_push(&backlog, &packet, now);
}

static void expect(unsigned int name, bool is_ike, bool mark, uint64_t now)
{
	struct backlog_packet packet;

	assert_true(backlog_pop(&backlog, &packet, now));
	assert_ptr_equal(packet.owner, &names[name]);
	assert_int_equal(packet.is_ike, is_ike);
	assert_int_equal(packet.ecn_capable, mark);
}

static void ike_overtakes_data(void **state)
{
	struct backlog_packet packet;

	(void)state;
	assert_int_equal(push(1, 1000, false, false, 0), 0);
	assert_int_equal(push(2, 1000, false, false, 0), 0);
	assert_int_equal(push(3, 500, true, false, 0), 0);
	assert_int_equal(push(4, 500, true, false, 0), 0);
	expect(3, true, false, 0);
	expect(4, true, false, 0);
	expect(1, false, false, 0);
	expect(2, false, false, 0);
	assert_false(backlog_pop(&backlog, &packet, 0));
	assert_int_equal(pool.n_free, SLOTS);
}

static void ike_is_bounded_and_never_dropped(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(push(i, 1000, true, false, 0), 0);
	assert_int_equal(push(5, 1, true, false, 0), -ENOSPC);
	for (unsigned int i = 10; i < 310; i++)
		assert_int_equal(push(i, 1000, false, false, 0), 0);
	while (backlog_excess(&backlog, 0, 1000 * MS))
		;
	for (unsigned int i = 0; i < 5; i++)
		expect(i, true, false, 1000 * MS);
	assert_int_equal(backlog.data.bytes, 100000);
}

static void a_burst_after_silence_stays(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(push(i, 1000, false, false, 0), 0);
	assert_null(backlog_excess(&backlog, 0, 0)); /* though the rate is not known */
	assert_int_equal(push(100, 1, false, false, 0), 0);
	assert_ptr_equal(backlog_excess(&backlog, 0, 0), &names[0]);
	assert_null(backlog_excess(&backlog, 0, 0));
}

static void the_oldest_beyond_50_ms_at_the_rate_go(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 300; i++)
		assert_int_equal(push(i, 2100, false, false, i), 0);
	/* 630,000 bytes; 625,000 may wait. */
	for (unsigned int i = 0; i < 3; i++)
		assert_ptr_equal(backlog_excess(&backlog, RATE, 300), &names[i]);
	assert_null(backlog_excess(&backlog, RATE, 300));
	/* At half the rate, half of it. */
	for (unsigned int i = 3; i < 152; i++)
		assert_ptr_equal(backlog_excess(&backlog, RATE / 2, 300), &names[i]);
	assert_null(backlog_excess(&backlog, RATE / 2, 300));
	/* The stream stalls: those that have waited 50 ms go, down to the burst that may always wait. */
	assert_null(backlog_excess(&backlog, RATE / 2, 50 * MS + 152));
	assert_ptr_equal(backlog_excess(&backlog, RATE / 2, 50 * MS + 153), &names[152]);
	assert_null(backlog_excess(&backlog, RATE / 2, 50 * MS + 153));
	while (backlog_excess(&backlog, RATE / 2, 1000 * MS))
		;
	assert_true(backlog.data.bytes <= 100000 && backlog.data.bytes > 100000 - 2100);
}

static void bytes_are_bounded_however_fast(void **state)
{
	(void)state;
	settings.bytes_max = 200000;
	for (unsigned int i = 0; i < 210; i++)
		assert_int_equal(push(i, 1000, false, false, 0), 0);
	for (unsigned int i = 0; i < 10; i++)
		assert_ptr_equal(backlog_excess(&backlog, UINT64_C(1) << 50, 0), &names[i]);
	assert_null(backlog_excess(&backlog, UINT64_C(1) << 50, 0));
}

static void who_understands_is_marked_before_drops(void **state)
{
	(void)state;
	assert_int_equal(push(0, 1000, false, true, 0), 0);
	assert_int_equal(push(1, 1000, false, true, 0), 0);
	assert_int_equal(push(2, 1000, false, false, 0), 0);
	expect(0, false, false, 25 * MS);
	expect(1, false, true, 25 * MS + 1);
	expect(2, false, false, 40 * MS);
	assert_int_equal(backlog_wait(&backlog, 40 * MS), 0);
}

static void no_slot_no_packet(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SLOTS; i++)
		assert_int_equal(push(i, 1, false, false, 0), 0);
	assert_int_equal(push(0, 1, false, false, 0), -ENOBUFS);
	assert_int_equal(push(0, 1, true, false, 0), -ENOBUFS);
	expect(0, false, false, 0);
	assert_int_equal(push(0, 1, true, false, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ike_overtakes_data, start),
		cmocka_unit_test_setup(ike_is_bounded_and_never_dropped, start),
		cmocka_unit_test_setup(a_burst_after_silence_stays, start),
		cmocka_unit_test_setup(the_oldest_beyond_50_ms_at_the_rate_go, start),
		cmocka_unit_test_setup(bytes_are_bounded_however_fast, start),
		cmocka_unit_test_setup(who_understands_is_marked_before_drops, start),
		cmocka_unit_test_setup(no_slot_no_packet, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
