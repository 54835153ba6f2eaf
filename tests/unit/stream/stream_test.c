/* SPDX-License-Identifier: Apache-2.0 */
/* What goes through a stream: in order, in pieces of any size, and past a reader that is slow. */
#include "stream_pair.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static void test_both_ways_in_order(void **state)
{
	struct stream_pair *pair = *state;

	stream_pair_open(pair);
	assert_int_equal(stream_pair_send_ike(&pair->them, 'A', 300), 0);
	stream_pair_send_esp(&pair->them, "bcd", 1500);
	assert_int_equal(stream_pair_send_ike(&pair->them, 'E', 2000), 0);
	stream_pair_run_until(pair, &pair->us.log_len, 5);
	assert_string_equal(pair->us.log, "AbcdE");
	assert_int_equal(stream_pair_send_ike(&pair->us, 'F', 40), 0);
	stream_pair_send_esp(&pair->us, "gh", 60);
	stream_pair_run_until(pair, &pair->them.log_len, 3);
	assert_string_equal(pair->them.log, "Fgh");
	assert_true(pair->settled > 0);
	assert_int_equal(stream_counters(pair->us.stream)->esp_in, 3);
	assert_int_equal(stream_counters(pair->us.stream)->esp_in_bytes, 4500);
	assert_int_equal(stream_counters(pair->them.stream)->ike_out, 2);
}

static void test_both_ends_know_each_other(void **state)
{
	struct stream_pair *pair = *state;

	stream_pair_open(pair);
	assert_true(endpoint_equal(stream_local(pair->us.stream), stream_remote(pair->them.stream)));
	assert_true(endpoint_equal(stream_remote(pair->us.stream), stream_local(pair->them.stream)));
	assert_int_equal(stream_local(pair->us.stream)->transport, ENDPOINT_TCP);
}

static void test_many_in_one_call(void **state)
{
	struct stream_pair *pair = *state;
	char names[3 * STREAM_BURST_MAX + 2] = {0};

	memset(names, 'x', sizeof(names) - 1);
	stream_pair_open(pair);
	stream_pair_send_esp(&pair->them, names, 1000);
	stream_pair_run_until(pair, &pair->us.log_len, sizeof(names) - 1);
	assert_string_equal(pair->us.log, names);
}

/* Prefix, IKE, ESP, the longest ESP, a keepalive, ESP: byte by byte as far as that takes no time. */
static void test_pieces_of_any_size(void **state)
{
	struct stream_pair *pair = *state;
	static uint8_t longest[FRAMING_HEAD_LEN + FRAMING_PAYLOAD_MAX];
	static const uint8_t begin[] = {
		'I', 'K', 'E', 'T', 'C', 'P', 0, 8, 0, 0, 0, 0, 'A', 'A', 0, 7, 'b', 'b', 'b', 'b', 'b'};
	static const uint8_t end[] = {0, 3, 0xff, 0, 4, 1, 2, 0, 7, 'd', 'd', 'd', 'd', 'd'};
	size_t at, sizes[] = {1, 2, 5000, 60000};

	stream_pair_open_plain(pair, &stream_pair_defaults);
	for (at = 0; at < sizeof(begin); at++) {
		size_t before = pair->settled;

		stream_pair_send_plain(pair, begin + at, 1);
		stream_pair_run_until(pair, &pair->settled, before + 1);
	}
	framing_write_head(longest, FRAMING_PAYLOAD_MAX);
	memset(longest + FRAMING_HEAD_LEN, 'c', FRAMING_PAYLOAD_MAX);
	for (size_t i = at = 0; at < sizeof(longest); i++) {
		size_t size = sizes[i % 4] < sizeof(longest) - at ? sizes[i % 4] : sizeof(longest) - at;

		stream_pair_send_plain(pair, longest + at, size);
		at += size;
		event_base_loop(pair->base, EVLOOP_NONBLOCK);
	}
	stream_pair_send_plain(pair, end, sizeof(end));
	stream_pair_run_until(pair, &pair->us.log_len, 4);
	assert_string_equal(pair->us.log, "Abcd");
	assert_int_equal(stream_counters(pair->us.stream)->keepalives_in, 1);
	assert_int_equal(stream_counters(pair->us.stream)->runts_in, 1);
}

/* Reads what there is at the plain end and counts frames by kind; they must be whole. */
static void drain_plain(struct stream_pair *pair, size_t esp_len, size_t *esp, size_t *ike)
{
	static uint8_t bytes[4 << 20];
	struct framing framing = {.payload_max = FRAMING_PAYLOAD_MAX};
	struct framing_frame frame;
	size_t len = 0, at = 0, taken;
	struct pollfd wait = {.fd = pair->plain, .events = POLLIN};

	*esp = *ike = 0;
	while (*ike == 0) {
		ssize_t received;

		event_base_loop(pair->base, EVLOOP_NONBLOCK);
		assert_int_equal(poll(&wait, 1, STREAM_PAIR_PATIENCE_S * 1000), 1);
		assert_true(len < sizeof(bytes));
		received = recv(pair->plain, bytes + len, sizeof(bytes) - len, MSG_DONTWAIT);
		assert_true(received > 0);
		len += (size_t)received;
		while ((taken = framing_read(&framing, bytes + at, len - at, &frame)) > 0) {
			*esp += frame.kind == FRAMING_ESP;
			*ike += frame.kind == FRAMING_IKE;
			assert_int_equal(frame.payload_len, frame.kind == FRAMING_ESP ? esp_len : 77);
			at += taken;
		}
	}
}

static void test_a_reader_that_is_slow_loses_esp_and_no_ike(void **state)
{
	struct stream_pair *pair = *state;
	enum { BURSTS = 100, LEN = 1500 };
	struct stream_options options = stream_pair_defaults;
	size_t esp, ike;
	int small = 1 << 16;
	int fds[2];

	options.queue.esp_bytes = 100 * LEN;
	stream_pair_connect(fds);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_non_null(stream_pair_open_end(pair, &pair->us, fds[1], &options));
	pair->plain = fds[0];
	for (size_t i = 0; i < BURSTS; i++)
		stream_pair_send_esp(&pair->us, "0123456789012345678901234567890123456789", LEN);
	assert_int_equal(stream_pair_send_ike(&pair->us, 'I', 77), 0);
	assert_true(stream_queue(pair->us.stream)->dropped_full > 0);
	assert_true(stream_queue(pair->us.stream)->esp_bytes <= options.queue.esp_bytes);
	drain_plain(pair, LEN, &esp, &ike);
	assert_int_equal(ike, 1);
	assert_true(esp > 0);
	/* IKE overtook what waited, and the rest arrives, too. */
	assert_true(esp + stream_queue(pair->us.stream)->dropped_full <= 40 * BURSTS);
}

static void test_ike_that_nobody_reads(void **state)
{
	struct stream_pair *pair = *state;
	int rc = 0;

	stream_pair_open_plain(pair, &stream_pair_defaults);
	for (size_t i = 0; i < 100000 && rc == 0; i++)
		rc = stream_pair_send_ike(&pair->us, 'A', 2000);
	assert_int_equal(rc, -ENOBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(test_both_ways_in_order),
		STREAM_TEST(test_both_ends_know_each_other),
		STREAM_TEST(test_many_in_one_call),
		STREAM_TEST(test_pieces_of_any_size),
		STREAM_TEST(test_a_reader_that_is_slow_loses_esp_and_no_ike),
		STREAM_TEST(test_ike_that_nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
