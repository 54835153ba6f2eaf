/* SPDX-License-Identifier: Apache-2.0 */
/* What is believed of a segment: RFC 9293's checks, RFC 7323, RFC 5961. */
#include "solo.h"

#include "tcp/receive.h"

#include <errno.h>

static struct solo solo;

/* --- acceptability ---------------------------------------------------------------------------------------------------
 */

/* One segment that brings `len` bytes at `seq`, to a fresh endpoint that has 1,000 bytes held from 3,000 on. */
static void arrive(uint32_t seq, uint32_t len, bool taken, uint32_t readable)
{
	solo_start(&solo, SOLO_SACK, 0);
	assert_true(solo_in(&solo, TCP_FLAG_ACK, 3000, 1000, 0));
	solo_drain(&solo);
	assert_int_equal(solo_in(&solo, TCP_FLAG_ACK, seq, len, 0), taken);
	assert_int_equal(solo_read(&solo, 0), readable);
	solo_stop(&solo);
}

static void bytes_are_taken_once(void **state)
{
	(void)state;
	arrive(0, 1000, true, 1000);
	arrive(0, 3000, true, 4000);  /* fills the gap */
	arrive(0, 3500, true, 4000);  /* and repeats some of what is behind it */
	arrive(0, 4000, true, 4000);  /* all of it */
	arrive(0, 5000, true, 5000);  /* and more */
	arrive(1000, 1000, true, 0);  /* another island */
	arrive(2500, 1000, true, 0);  /* overlaps the island's front */
	arrive(3500, 1000, true, 0);  /* its back */
	arrive(2000, 4000, true, 0);  /* covers it */
	arrive(3000, 1000, false, 0); /* is it */
	arrive(3200, 100, false, 0);  /* lies within */
	arrive((uint32_t)-500, 1000, true, 500);
	arrive((uint32_t)-500, 500, false, 0);
	arrive(SOLO_WINDOW, 100, false, 0);
	arrive(SOLO_WINDOW + 5000, 100, false, 0);
}

static void the_window_cuts_what_is_beyond(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo.tcp.receive.edge = SOLO_PEER + 500;
	assert_true(solo_in(&solo, TCP_FLAG_ACK | TCP_FLAG_FIN, 0, 1000, 0));
	assert_int_equal(solo_read(&solo, 0), 500);
	assert_false(solo.tcp.receive.fin_known); /* cut off with them */
	solo_stop(&solo);
}

static void what_is_not_read_closes_the_window(void **state)
{
	uint32_t right;

	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	for (uint32_t seq = 0; seq < 7007; seq += 1001)
		assert_true(solo_in(&solo, TCP_FLAG_ACK, seq, 1001, 0));
	solo_expect_ack(&solo, 7007);
	right = 7007 + ((uint32_t)solo.out.header.window << 5);
	assert_in_range(right, SOLO_WINDOW, SOLO_WINDOW + 31); /* the edge did not move, nor get lost in the scale */
	assert_int_equal(solo_read(&solo, 0), 7007);
	solo_in(&solo, TCP_FLAG_ACK, (uint32_t)-1, 0, 0);
	solo_expect_ack(&solo, 7007);
	assert_int_equal(solo.out.header.window, SOLO_WINDOW >> 5);
	solo_stop(&solo);
}

/* A reader that was away long tells the peer when it is back. */
static void a_window_that_opens_again_is_announced(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo.settings.receive_window = 8000;
	solo.tcp.receive.edge = SOLO_PEER + 8000;
	for (uint32_t seq = 0; seq < 8000; seq += 1000)
		assert_true(solo_in(&solo, TCP_FLAG_ACK, seq, 1000, 0));
	solo_expect_ack(&solo, 8000);
	assert_int_equal(solo.out.header.window, 0);
	assert_false(solo_in(&solo, TCP_FLAG_ACK, 8000, 1, 0)); /* the peer's window probe */
	solo_expect_ack(&solo, 8000);
	assert_int_equal(solo.out.header.window, 0);
	assert_int_equal(solo_read(&solo, 0), 8000);
	solo_expect_ack(&solo, 8000);
	assert_int_equal(solo.out.header.window, 8000 >> 5);
	solo_stop(&solo);
}

static void what_is_held_is_bounded(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo.settings.held_max = 3;
	for (uint32_t seq = 1000; seq <= 3000; seq += 1000)
		assert_true(solo_in(&solo, TCP_FLAG_ACK, seq, 10, 0));
	assert_false(solo_in(&solo, TCP_FLAG_ACK, 4000, 10, 0));
	assert_int_equal(solo_counter(&solo, TCP_COUNT_NOT_HELD), 1);
	/* What is next in order always finds room, or nothing would ever go on: be there no slot in the pool either. */
	while (tcp_pool_take(&solo.pool) != TCP_NONE)
		;
	assert_true(solo_in(&solo, TCP_FLAG_ACK, 0, 1000, 0));
	assert_int_equal(solo_read(&solo, 0), 1010);
	tcp_uninstall(&solo.tcp);
}

/* --- RFC 7323 --------------------------------------------------------------------------------------------------------
 */

static bool arrive_stamped(uint32_t seq, uint32_t len, uint32_t ts_value, bool has_timestamps)
{
	struct tcp_segment segment = {
		.header = {.seq = SOLO_PEER + seq,
			.ack = SOLO_US,
			.flags = TCP_FLAG_ACK,
			.window = solo.peer_window,
			.has_timestamps = has_timestamps,
			.ts_value = ts_value},
		.payload = solo_peer_bytes(&solo, seq),
		.payload_len = len,
	};

	return solo_in_segment(&solo, &segment, true);
}

static void old_timestamps_are_refused(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_TIMESTAMPS | SOLO_SACK, 0);
	assert_true(arrive_stamped(0, 100, 5000, true)); /* whatever it is: the kernel could not tell */
	solo_read(&solo, 0);
	solo_drain(&solo);
	assert_false(arrive_stamped(100, 100, 4999, true)); /* PAWS */
	assert_int_equal(solo_counter(&solo, TCP_COUNT_OLD_TIMESTAMPS), 1);
	solo_expect_ack(&solo, 100);
	assert_int_equal(solo.out.header.ts_echo, 5000);
	assert_false(arrive_stamped(100, 100, 0, false)); /* none at all: dropped without a word */
	assert_int_equal(solo_counter(&solo, TCP_COUNT_OLD_TIMESTAMPS), 2);
	solo_expect_nothing(&solo);
	assert_true(arrive_stamped(100, 100, 5000, true));
	solo_read(&solo, 100);
	/* After 24 days, TS.Recent is no measure any more. */
	solo.now += UINT64_C(25) * 24 * 3600 * SOLO_SECOND;
	assert_true(arrive_stamped(200, 100, 4000, true));
	solo_stop(&solo);
}

/* Rule 2 of section 4.3: with delayed ACKs and gaps, the echo is that of the segment that moved RCV.NXT first. */
static void the_echo_is_of_the_earliest(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_TIMESTAMPS | SOLO_SACK, 0);
	arrive_stamped(0, 1000, 1, true);
	arrive_stamped(1000, 1000, 2, true);
	solo_read(&solo, 0);
	solo_expect_ack(&solo, 2000);
	assert_int_equal(solo.out.header.ts_echo, 1);
	arrive_stamped(3000, 1000, 4, true); /* a gap before it */
	solo_expect_ack(&solo, 2000);
	assert_int_equal(solo.out.header.ts_echo, 1);
	arrive_stamped(2000, 1000, 5, true);
	solo_read(&solo, 2000);
	solo_expect_ack(&solo, 4000);
	assert_int_equal(solo.out.header.ts_echo, 5);
	assert_int_equal(solo.out.header.ts_value, tcp_timestamp(&solo.tcp, solo.now));
	solo_stop(&solo);
}

/* --- RFC 5961 --------------------------------------------------------------------------------------------------------
 */

static void only_the_exact_reset_resets(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	assert_false(solo_in(&solo, TCP_FLAG_RST, 1, 0, 0)); /* in the window: may be forged */
	assert_int_equal(solo.tcp.state, TCP_STATE_ESTABLISHED);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_CHALLENGES), 1);
	solo_expect_ack(&solo, 0); /* a peer that meant it answers with the exact number */
	solo_in(&solo, TCP_FLAG_RST, (uint32_t)-1, 0, 0);
	solo_in(&solo, TCP_FLAG_RST, SOLO_WINDOW + 1, 0, 0);
	solo_expect_nothing(&solo); /* outside: nothing at all */
	solo_in(&solo, TCP_FLAG_RST, 0, 0, 0);
	assert_int_equal(solo.tcp.state, TCP_STATE_CLOSED);
	assert_int_equal(tcp_take_events(&solo.tcp), TCP_EVENT_RESET);
	assert_int_equal(tcp_take_events(&solo.tcp), 0);
	solo_expect_nothing(&solo);
	assert_int_equal(tcp_deadline(&solo.tcp), UINT64_MAX);
	assert_int_equal(tcp_send(&solo.tcp, solo.bytes, 1, &solo), -EPIPE);
	solo_stop(&solo);
}

static void challenges_are_limited(void **state)
{
	unsigned int answers = 0;

	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	for (int i = 0; i < 1000; i++) {
		solo_in(&solo, i % 2 ? TCP_FLAG_RST : TCP_FLAG_SYN, 5, 0, 0);
		answers += solo_drain(&solo);
		solo_wait(&solo, 10 * SOLO_MS);
	}
	assert_int_equal(solo_counter(&solo, TCP_COUNT_CHALLENGES), 1000);
	assert_int_equal(answers, 20); /* ten seconds, two a second */
	solo_stop(&solo);
}

static void a_syn_changes_nothing(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	assert_false(solo_in(&solo, TCP_FLAG_SYN, 0, 0, 0));
	solo_expect_ack(&solo, 0);
	assert_false(solo_in(&solo, TCP_FLAG_SYN | TCP_FLAG_ACK, 10, 20, 0));
	assert_int_equal(solo.tcp.state, TCP_STATE_ESTABLISHED);
	assert_int_equal(solo_read(&solo, 0), 0);
	solo_stop(&solo);
}

/* Bytes with an ACK that no peer could send are a forger's (section 5). */
static void bytes_with_an_incredible_ack_are_refused(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo_send(&solo, 0, 1000);
	solo_drain(&solo);
	assert_false(solo_in(&solo, TCP_FLAG_ACK, 0, 100, 1001)); /* nothing sent of that */
	assert_false(solo_in(&solo, TCP_FLAG_ACK, 0, 100, (uint32_t)-SOLO_WINDOW - 1));
	assert_false(solo_in(&solo, 0, 0, 100, 0)); /* no ACK at all */
	assert_int_equal(solo_read(&solo, 0), 0);
	assert_true(solo_in(&solo, TCP_FLAG_ACK, 0, 100, (uint32_t)-SOLO_WINDOW)); /* old, but can have been */
	assert_true(solo_in(&solo, TCP_FLAG_ACK, 100, 100, 1000));
	assert_int_equal(solo.released, 1);
	solo_stop(&solo);
}

static void old_acks_do_nothing(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo_send(&solo, 0, 1000);
	solo_drain(&solo);
	solo_ack(&solo, 1000, NULL);
	solo.peer_window = 1;
	solo_in(&solo, TCP_FLAG_ACK, 0, 0, 500); /* overtaken by the one before */
	assert_int_equal(solo.tcp.send.una, SOLO_US + 1000);
	assert_int_equal(solo.tcp.send.wnd, SOLO_WINDOW);
	solo_stop(&solo);
}

/* --- the expected segment, and what differs from it in one thing ------------------------------------------------- */

enum { STEADY = 3 /* segments that came in order, so that the next one is expected; and acknowledged then */ };

static struct tcp_segment steady(unsigned int options)
{
	struct tcp_segment next = {
		.header = {.seq = SOLO_PEER + STEADY * SOLO_MSS, .ack = SOLO_US, .flags = TCP_FLAG_ACK},
		.payload = solo_peer_bytes(&solo, STEADY * SOLO_MSS),
		.payload_len = SOLO_MSS,
	};

	solo_start(&solo, options, 0);
	for (uint32_t i = 0; i < STEADY; i++) {
		assert_true(solo_in(&solo, TCP_FLAG_ACK | (i & 1 ? TCP_FLAG_PSH : 0), i * SOLO_MSS, SOLO_MSS, 0));
		assert_int_equal(solo_read(&solo, i * SOLO_MSS), SOLO_MSS);
		solo_drain(&solo);
	}
	next.header.window = solo.peer_window;
	next.header.has_timestamps = solo.tcp.timestamps.enabled;
	next.header.ts_value = solo.peer_ts;
	return next;
}

static void the_expected_brings_bytes_and_moves_the_edges(void **state)
{
	struct tcp_segment next = steady(SOLO_TIMESTAMPS | SOLO_SACK);

	(void)state;
	solo.now += SOLO_MS;
	next.header.ts_value += 5;
	assert_true(solo_in_segment(&solo, &next, true));
	assert_int_equal(solo.tcp.heard, solo.now);
	assert_int_equal(solo.tcp.send.wl1, next.header.seq);
	assert_int_equal(solo_read(&solo, STEADY * SOLO_MSS), SOLO_MSS);
	solo_expect_ack(&solo, (STEADY + 1) * SOLO_MSS);
	assert_int_equal(solo.out.header.ts_echo, solo.peer_ts - 1); /* of the earliest that it acknowledges */
	solo_stop(&solo);
}

static void one_thing_that_differs_is_noticed(void **state)
{
	struct tcp_segment next = steady(SOLO_TIMESTAMPS | SOLO_SACK);

	(void)state;
	next.header.ts_value -= 3;
	assert_false(solo_in_segment(&solo, &next, true));
	next.header.has_timestamps = false;
	assert_false(solo_in_segment(&solo, &next, true));
	assert_int_equal(solo_counter(&solo, TCP_COUNT_OLD_TIMESTAMPS), 2);
	solo_stop(&solo);

	next = steady(SOLO_SACK);
	next.header.ack++;
	assert_false(solo_in_segment(&solo, &next, true));
	next.header.ack--;
	next.header.window /= 2;
	assert_true(solo_in_segment(&solo, &next, true));
	assert_int_equal(solo.tcp.send.wnd, (uint32_t)next.header.window << solo.tcp.send.scale);
	solo_stop(&solo);

	next = steady(SOLO_SACK | SOLO_ECN);
	next.congestion_experienced = true;
	assert_true(solo_in_segment(&solo, &next, true));
	solo_expect_ack(&solo, (STEADY + 1) * SOLO_MSS);
	assert_int_equal(solo.out.header.flags, TCP_FLAG_ACK | TCP_FLAG_ECE);
	solo_stop(&solo);

	next = steady(SOLO_SACK);
	solo.tcp.receive.edge = next.header.seq + 60;
	assert_true(solo_in_segment(&solo, &next, true));
	assert_int_equal(solo_read(&solo, STEADY * SOLO_MSS), 60);
	solo_stop(&solo);

	next = steady(SOLO_SACK);
	next.header.flags |= TCP_FLAG_FIN;
	assert_true(solo_in_segment(&solo, &next, true));
	assert_int_equal(solo.tcp.state, TCP_STATE_CLOSE_WAIT);
	solo_stop(&solo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_taken_once),
		cmocka_unit_test(the_window_cuts_what_is_beyond),
		cmocka_unit_test(what_is_not_read_closes_the_window),
		cmocka_unit_test(a_window_that_opens_again_is_announced),
		cmocka_unit_test(what_is_held_is_bounded),
		cmocka_unit_test(old_timestamps_are_refused),
		cmocka_unit_test(the_echo_is_of_the_earliest),
		cmocka_unit_test(only_the_exact_reset_resets),
		cmocka_unit_test(challenges_are_limited),
		cmocka_unit_test(a_syn_changes_nothing),
		cmocka_unit_test(bytes_with_an_incredible_ack_are_refused),
		cmocka_unit_test(old_acks_do_nothing),
		cmocka_unit_test(the_expected_brings_bytes_and_moves_the_edges),
		cmocka_unit_test(one_thing_that_differs_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
