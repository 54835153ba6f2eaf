/* SPDX-License-Identifier: Apache-2.0 */
/* What ends a stream, once: what is no stream, its other side, its limits, and its owner from within a callback. */
#include "stream_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void expect_refusal(struct stream_pair *pair, const void *bytes, size_t len, const char *why)
{
	stream_pair_open_plain(pair, &stream_pair_defaults);
	stream_pair_send_plain(pair, bytes, len);
	stream_pair_run_until(pair, &pair->us.ends, 1);
	assert_non_null(strstr(pair->us.why, why));
	assert_null(pair->us.stream);
	close(pair->plain);
	pair->us = (struct stream_end){0};
}

static void test_what_is_no_stream_ends_it(void **state)
{
	struct stream_pair *pair = *state;
	static const uint8_t zero[] = {'I', 'K', 'E', 'T', 'C', 'P', 0, 5, 'a', 'a', 'a', 0, 0};
	static const uint8_t one[] = {'I', 'K', 'E', 'T', 'C', 'P', 0, 1, 0};

	expect_refusal(pair, "GET / HTTP/1.1\r\n", 16, "IKETCP");
	expect_refusal(pair, zero, sizeof(zero), "0 or 1");
	expect_refusal(pair, one, sizeof(one), "0 or 1");
	pair->plain = -1;
}

static void test_cap(void **state)
{
	struct stream_pair *pair = *state;
	static const uint8_t bytes[] = {'I', 'K', 'E', 'T', 'C', 'P', 0, 103};
	struct stream_options options = stream_pair_defaults;

	options.payload_max = 100;
	stream_pair_open_plain(pair, &options);
	stream_pair_send_plain(pair, bytes, sizeof(bytes));
	stream_pair_run_until(pair, &pair->us.ends, 1);
	assert_non_null(strstr(pair->us.why, "longer"));
}

static void test_ends_once_when_the_other_side_goes(void **state)
{
	struct stream_pair *pair = *state;

	stream_pair_open(pair);
	stream_end(pair->them.stream, "told to");
	assert_int_equal(pair->them.ends, 1);
	assert_string_equal(pair->them.why, "told to");
	assert_null(pair->them.stream);
	stream_pair_run_until(pair, &pair->us.ends, 1);
	assert_non_null(strstr(pair->us.why, "closed"));
	assert_int_equal(pair->us.ends, 1);
}

static void end_within(struct stream_end *end)
{
	stream_end(end->stream, "from within");
}

static void free_within(struct stream_end *end)
{
	stream_free(end->stream);
	end->stream = NULL;
}

static void test_may_end_from_within(void **state)
{
	struct stream_pair *pair = *state;

	stream_pair_open(pair);
	pair->us.on_ike = end_within;
	assert_int_equal(stream_pair_send_ike(&pair->them, 'A', 30), 0);
	assert_int_equal(stream_pair_send_ike(&pair->them, 'B', 30), 0);
	stream_pair_run_until(pair, &pair->us.ends, 1);
	assert_string_equal(pair->us.log, "A");
	assert_string_equal(pair->us.why, "from within");
}

static void test_may_be_freed_from_within(void **state)
{
	struct stream_pair *pair = *state;
	static const uint8_t bytes[] = {
		'I', 'K', 'E', 'T', 'C', 'P', 0, 8, 0, 0, 0, 0, 'A', 'A', 0, 8, 0, 0, 0, 0, 'B', 'B'};

	/* The message in pieces, so that it lies in memory of the stream's. */
	stream_pair_open_plain(pair, &stream_pair_defaults);
	pair->us.on_ike = free_within;
	stream_pair_send_plain(pair, bytes, 9);
	stream_pair_run_until(pair, &pair->settled, 1);
	stream_pair_send_plain(pair, bytes + 9, sizeof(bytes) - 9);
	stream_pair_run_until(pair, &pair->us.log_len, 1);
	assert_string_equal(pair->us.log, "A");
	assert_int_equal(pair->us.ends, 0);
}

static void test_freed_from_within_a_burst(void **state)
{
	struct stream_pair *pair = *state;

	stream_pair_open(pair);
	pair->us.on_esp = free_within;
	stream_pair_send_esp(&pair->them, "abc", 100);
	stream_pair_run_until(pair, &pair->us.log_len, 1);
	assert_int_equal(pair->us.ends, 0);
	stream_pair_run_until(pair, &pair->them.ends, 1);
}

static void test_must_be_confirmed(void **state)
{
	struct stream_pair *pair = *state;
	struct stream_options options = stream_pair_defaults;

	options.confirm_ms = 1;
	stream_pair_open_plain(pair, &options);
	stream_pair_run_until(pair, &pair->us.ends, 1);
	assert_non_null(strstr(pair->us.why, "proved"));
}

static void test_confirmed_stays(void **state)
{
	struct stream_pair *pair = *state;
	struct stream_options options = stream_pair_defaults;

	options.confirm_ms = 1;
	options.idle_ms = 50;
	stream_pair_open_plain(pair, &options);
	stream_confirm(pair->us.stream);
	/* What ends it is the other limit. */
	stream_pair_run_until(pair, &pair->us.ends, 1);
	assert_non_null(strstr(pair->us.why, "nothing has come"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(test_what_is_no_stream_ends_it),
		STREAM_TEST(test_cap),
		STREAM_TEST(test_ends_once_when_the_other_side_goes),
		STREAM_TEST(test_may_end_from_within),
		STREAM_TEST(test_may_be_freed_from_within),
		STREAM_TEST(test_freed_from_within_a_burst),
		STREAM_TEST(test_must_be_confirmed),
		STREAM_TEST(test_confirmed_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
