/* SPDX-License-Identifier: Apache-2.0 */
/* Loss: timeouts (RFC 6298), what it does to the window (RFC 5681, RFC 6937), and how that is taken back. */
#include "solo.h"

static struct solo solo;

/* --- timeouts --------------------------------------------------------------------------------------------------------
 */

static void timeouts_back_off_and_give_up(void **state)
{
	uint64_t began, interval, before = 0;
	int timeouts = 0;

	(void)state;
	solo_under_way(&solo, SOLO_PLAIN, 20000, 5, 0); /* no SACK: no probes before */
	began = solo.now;
	for (;;) {
		interval = solo_wait_deadline(&solo);
		if (solo.tcp.state == TCP_STATE_CLOSED)
			break;
		if (timeouts++ > 0)
			assert_int_equal(
				interval, 2 * before < solo.settings.rto_max ? 2 * before : solo.settings.rto_max);
		before = interval;
		assert_int_equal(solo.tcp.cubic.cwnd, SOLO_MSS); /* RFC 5681: the loss window */
		solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
		solo_expect_nothing(&solo);
	}
	assert_int_equal(solo.tcp.cubic.ssthresh, 14000); /* once, not with each timeout */
	assert_int_equal(tcp_take_events(&solo.tcp), TCP_EVENT_DEAD);
	assert_true(solo.now - began >= solo.settings.user_timeout);
	assert_true(timeouts >= 7);
	solo_stop(&solo);
}

/* After a timeout all is repeated in slow start, but not what comes to be acknowledged meanwhile. */
static void after_a_timeout_slow_start(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_PLAIN, 20000, 8, 0);
	solo_wait_deadline(&solo);
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo_wait(&solo, SOLO_RTT);
	solo_ack(&solo, 1000, NULL);
	solo_expect(&solo, 1000, 1000, TCP_FLAG_PSH);
	solo_expect(&solo, 2000, 1000, TCP_FLAG_PSH);
	solo_expect_nothing(&solo);
	solo_wait(&solo, SOLO_RTT);
	solo_ack(&solo, 6000, NULL); /* the peer had most of it */
	solo_expect(&solo, 6000, 1000, TCP_FLAG_PSH);
	solo_expect(&solo, 7000, 1000, TCP_FLAG_PSH);
	solo_expect_nothing(&solo);
	solo_ack(&solo, 8000, NULL);
	assert_int_equal(solo.tcp.phase, TCP_PHASE_OPEN);
	assert_int_equal(tcp_deadline(&solo.tcp), UINT64_MAX);
	solo_stop(&solo);
}

/* What was sent so late that it may still arrive stays in flight, but doesn't keep the first from going again. */
static void a_timeout_repeats_the_first_whatever_is_in_flight(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 3, SOLO_RTT);
	solo_ack(&solo, 1000, NULL);
	solo_wait_deadline(&solo);
	solo_expect(&solo, 2000, 1000, TCP_FLAG_PSH); /* a tail loss probe */
	solo_wait(&solo, tcp_deadline(&solo.tcp) - solo.now - 10 * SOLO_MS);
	for (uint32_t at = 3000; at < 6000; at += 1000)
		solo_send(&solo, at, 1000);
	assert_int_equal(solo_drain(&solo), 3);
	solo_wait(&solo, 10 * SOLO_MS);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_TIMEOUTS), 1);
	assert_int_equal(solo.tcp.send.flight, 3000);
	solo_expect(&solo, 1000, 1000, TCP_FLAG_PSH);
	solo_expect_nothing(&solo); /* the second that is lost has to wait: RFC 5681's loss window */
	solo_stop(&solo);
}

/* A timeout within a recovery: ssthresh stays, and slow start up to it counts what arrives, not what is ACKed. */
static void after_a_timeout_old_sacks_open_no_window(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 12, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({2000, 10000}));
	assert_true(solo_drain(&solo) > 0);
	assert_int_equal(solo.tcp.phase, TCP_PHASE_RECOVERY);
	assert_true(solo.tcp.cubic.w_max > 0);
	while (solo_counter(&solo, TCP_COUNT_TIMEOUTS) == 0) {
		solo_drain(&solo);
		solo_wait_deadline(&solo);
	}
	assert_int_equal(solo.tcp.cubic.ssthresh, 14000);
	assert_true(solo.tcp.cubic.w_max == 0); /* RFC 9438 section 4.8 */
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo_wait(&solo, SOLO_RTT);
	solo_ack(&solo, 1000, SOLO_BLOCKS({2000, 10000}));
	assert_int_equal(solo.tcp.cubic.cwnd, 2000);
	solo_drain(&solo);
	solo_wait(&solo, SOLO_RTT);
	solo_ack(&solo, 10000, NULL); /* nine segments are acknowledged, and one of them has just arrived */
	assert_int_equal(solo.tcp.cubic.cwnd, 3000);
	assert_int_equal(solo.tcp.phase, TCP_PHASE_LOSS);
	solo_stop(&solo);
}

/* A peer that throws away what it has SACKed (RFC 2018 section 8): the timer believes nothing of it. */
static void a_peer_that_reneges(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 4, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({1000, 4000}));
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo_wait(&solo, SOLO_RTT);
	solo_ack(&solo, 1000, NULL); /* and not 4,000 */
	solo_expect_nothing(&solo);
	solo_wait_deadline(&solo);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_TIMEOUTS), 1);
	assert_int_equal(solo.tcp.send.sacked, 0);
	solo_expect(&solo, 1000, 1000, TCP_FLAG_PSH);
	solo_ack(&solo, 2000, NULL);
	solo_expect(&solo, 2000, 1000, TCP_FLAG_PSH);
	solo_stop(&solo);
}

/* RFC 6298: from what is measured; what was sent twice measures nothing (Karn), unless timestamps tell which it was. */
static void the_timeout_follows_the_rtt(void **state)
{
	struct tcp_rtt rtt;

	(void)state;
	tcp_rtt_init(&rtt, 0);
	assert_int_equal(tcp_rtt_timeout(&rtt, 200000, 60000000), 1000000);
	tcp_rtt_sample(&rtt, 400000, 0);
	assert_int_equal(rtt.srtt, 400000);
	assert_int_equal(rtt.rttvar, 200000);
	assert_int_equal(tcp_rtt_timeout(&rtt, 200000, 60000000), 1200000);
	tcp_rtt_sample(&rtt, 480000, 0);
	assert_int_equal(rtt.srtt, 410000);
	assert_int_equal(rtt.rttvar, 170000);
	for (int i = 0; i < 100; i++)
		tcp_rtt_sample(&rtt, 400000, 0);
	assert_in_range(tcp_rtt_timeout(&rtt, 200000, 60000000), 600000, 600100); /* 200 ms at least above it */
	rtt.backoff = 3;
	assert_in_range(tcp_rtt_timeout(&rtt, 200000, 60000000), 4800000, 4800800);
	rtt.backoff = 255;
	assert_int_equal(tcp_rtt_timeout(&rtt, 200000, 60000000), 60000000);
}

/* Karn's algorithm: nor does its ACK end the backoff, which a measurement does (RFC 6298 section 5). */
static void what_was_sent_twice_measures_nothing(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_PLAIN, 20000, 1, 0);
	solo_wait_deadline(&solo);
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo_wait(&solo, 1);
	solo_ack(&solo, 1000, NULL);
	assert_int_equal(solo.tcp.rtt.srtt, SOLO_RTT);
	assert_int_equal(solo.tcp.rtt.backoff, 1);
	solo_send(&solo, 1000, 1000);
	solo_expect(&solo, 1000, 1000, TCP_FLAG_PSH);
	solo_wait(&solo, SOLO_RTT);
	solo_ack(&solo, 2000, NULL);
	assert_int_equal(solo.tcp.rtt.backoff, 0);
	solo_stop(&solo);
}

/* --- the window ------------------------------------------------------------------------------------------------------
 */

/* RFC 6937: while the window comes down, about 0.7 segments leave for each that arrives, and in the end it is ssthresh.
 */
static void the_window_comes_down_in_proportion(void **state)
{
	unsigned int left = 0;

	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 20, SOLO_RTT);
	for (uint32_t i = 20; i < 60; i++)
		solo_send(&solo, i * SOLO_MSS, SOLO_MSS);
	for (uint32_t sacked = 2; sacked <= 20; sacked++) {
		solo_ack(&solo, 0, SOLO_BLOCKS({1000, sacked * 1000}));
		left += solo_drain(&solo);
		assert_true(solo.tcp.send.flight <= 20000);
	}
	assert_in_range(left, 13, 15);
	assert_in_range(solo.tcp.send.flight, 13000, 15000);
	solo_wait(&solo, SOLO_RTT);
	solo_ack(&solo, solo.tcp.recovery.point - SOLO_US, NULL);
	assert_int_equal(solo.tcp.cubic.cwnd, 14000);
	assert_int_equal(solo.tcp.phase, TCP_PHASE_OPEN);
	solo_stop(&solo);
}

/* However little has arrived, the first hole is filled at once. */
static void the_first_retransmission_waits_for_nothing(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 4000, 4, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({3000, 4000}));
	solo.tcp.phase = TCP_PHASE_OPEN;
	solo.tcp.cubic.cwnd = 1000;
	solo_wait_deadline(&solo);
	assert_int_equal(solo.tcp.send.lost, 3000);
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo_stop(&solo);
}

/* An ECN echo does the same without a loss, once a round trip, and is answered by CWR on new data. */
static void an_ecn_echo_counts_as_loss(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK | SOLO_ECN, 20000, 20, SOLO_RTT);
	assert_true(solo.out_ecn_capable);
	solo_send(&solo, 20000, 20000);
	solo_in(&solo, TCP_FLAG_ACK | TCP_FLAG_ECE, 0, 0, 2000);
	assert_int_equal(solo.tcp.cubic.ssthresh, 14000);
	solo_in(&solo, TCP_FLAG_ACK | TCP_FLAG_ECE, 0, 0, 4000);
	assert_int_equal(solo.tcp.cubic.ssthresh, 14000);
	assert_true(solo_out(&solo));
	assert_int_equal(solo.out.header.flags & TCP_FLAG_CWR, TCP_FLAG_CWR);
	assert_true(solo_out(&solo));
	assert_int_equal(solo.out.header.flags & TCP_FLAG_CWR, 0);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_ECN_ECHOES), 1);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_RETRANSMITTED), 0);
	solo_stop(&solo);
	/* What goes again has neither CWR nor ECT (sections 6.1.2 and 6.1.5). */
	solo_under_way(&solo, SOLO_SACK | SOLO_ECN, 20000, 20, SOLO_RTT);
	solo_in(&solo, TCP_FLAG_ACK | TCP_FLAG_ECE, 0, 0, 1000);
	solo_ack(&solo, 1000, SOLO_BLOCKS({2000, 8000}));
	solo_expect(&solo, 1000, 1000, TCP_FLAG_PSH);
	assert_false(solo.out_ecn_capable);
	solo_stop(&solo);
	/* Who has not negotiated it does not listen. */
	solo_under_way(&solo, SOLO_SACK, 20000, 20, SOLO_RTT);
	assert_false(solo.out_ecn_capable);
	solo_in(&solo, TCP_FLAG_ACK | TCP_FLAG_ECE, 0, 0, 2000);
	assert_int_equal(solo.tcp.cubic.ssthresh, CUBIC_SSTHRESH_NONE);
	solo_stop(&solo);
}

/* --- taking it back --------------------------------------------------------------------------------------------------
 */

static void ack_echoing(uint32_t ack, uint32_t echo)
{
	struct tcp_segment segment = {
		.header = {.seq = SOLO_PEER,
			.ack = SOLO_US + ack,
			.flags = TCP_FLAG_ACK,
			.window = solo.peer_window,
			.has_timestamps = true,
			.ts_value = solo.peer_ts++,
			.ts_echo = echo},
	};

	solo_in_segment(&solo, &segment, true);
}

/* RFC 4015: the ACK of what was repeated echoes a time before the repetition, so it was the first that arrived. */
static void an_early_echo_takes_the_reduction_back(void **state)
{
	uint32_t first;

	(void)state;
	for (int original = 0; original < 2; original++) {
		solo_under_way(&solo, SOLO_SACK | SOLO_TIMESTAMPS, 20000, 10, 0);
		first = tcp_timestamp(&solo.tcp, solo.now);
		solo_wait(&solo, SOLO_RTT);
		solo_ack(&solo, 0, SOLO_BLOCKS({1000, 9000}));
		solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
		solo_wait(&solo, 5 * SOLO_MS);
		ack_echoing(9000, original ? first : tcp_timestamp(&solo.tcp, solo.now) - 5);
		assert_int_equal(solo_counter(&solo, TCP_COUNT_UNDONE), original);
		if (original) {
			assert_true(solo.tcp.cubic.cwnd >= 20000);
			assert_int_equal(solo.tcp.cubic.ssthresh, CUBIC_SSTHRESH_NONE);
			assert_int_equal(solo.tcp.phase, TCP_PHASE_OPEN);
		}
		solo_stop(&solo);
	}
}

/*
 * What an earlier recovery had to repeat is acknowledged in the next, with an echo from before the first repetition of
 * that: it says nothing of the reduction under way, nor does its DSACK.
 */
static void an_earlier_repetition_takes_nothing_back(void **state)
{
	uint32_t echo;

	(void)state;
	for (int dsack = 0; dsack < 2; dsack++) {
		solo_under_way(&solo, SOLO_SACK | SOLO_TIMESTAMPS, 20000, 10, 0);
		solo_wait(&solo, SOLO_RTT);
		solo_ack(&solo, 0, SOLO_BLOCKS({1000, 5000}));
		solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
		solo.tcp.cubic.cwnd = 20000;
		solo_send(&solo, 10000, 1000); /* will be lost */
		solo_send(&solo, 11000, 1000);
		assert_int_equal(solo_drain(&solo), 2);
		solo_wait(&solo, 50 * SOLO_MS);
		solo_ack(&solo, 0, SOLO_BLOCKS({6000, 10000}, {1000, 5000}));
		solo_expect(&solo, 5000, 1000, TCP_FLAG_PSH);
		solo.tcp.cubic.cwnd = 20000;
		for (uint32_t at = 12000; at < 15000; at += 1000) /* the second will be lost */
			solo_send(&solo, at, 1000);
		assert_int_equal(solo_drain(&solo), 3);
		solo_wait(&solo, 50 * SOLO_MS);
		solo_ack(&solo, 5000, SOLO_BLOCKS({11000, 12000}, {6000, 10000}));
		solo_expect(&solo, 10000, 1000, TCP_FLAG_PSH); /* in the first recovery, and beyond its end */
		echo = tcp_timestamp(&solo.tcp, solo.now);
		solo_wait(&solo, 50 * SOLO_MS);
		solo_ack(&solo, 10000, SOLO_BLOCKS({14000, 15000}, {11000, 13000}));
		assert_int_equal(solo_counter(&solo, TCP_COUNT_RECOVERIES), 2);
		solo_expect(&solo, 13000, 1000, TCP_FLAG_PSH);
		solo_wait(&solo, 50 * SOLO_MS);
		if (dsack)
			solo_ack(&solo, 10000, SOLO_BLOCKS({10000, 11000}, {10000, 13000}, {14000, 15000}));
		else
			ack_echoing(13000, echo);
		assert_int_equal(solo_counter(&solo, TCP_COUNT_UNDONE), 0);
		assert_int_equal(solo.tcp.phase, TCP_PHASE_RECOVERY);
		solo_stop(&solo);
	}
}

/* A timeout for nothing: the path was only slow. Nothing else is repeated. */
static void a_timeout_for_nothing_repeats_nothing_more(void **state)
{
	uint32_t first;

	(void)state;
	solo_under_way(&solo, SOLO_TIMESTAMPS, 20000, 10, 0);
	first = tcp_timestamp(&solo.tcp, solo.now);
	solo_wait_deadline(&solo);
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo_wait(&solo, 10 * SOLO_MS);
	ack_echoing(2000, first);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_UNDONE), 1);
	solo_expect_nothing(&solo);
	assert_int_equal(solo.tcp.send.flight, 8000);
	assert_int_equal(solo.tcp.send.lost, 0);
	assert_true(solo.tcp.cubic.cwnd >= 20000);
	ack_echoing(10000, first);
	assert_int_equal(tcp_deadline(&solo.tcp), UINT64_MAX);
	solo_stop(&solo);
}

/* RFC 3708: each repetition is reported as a duplicate; also after the recovery has ended. */
static void dsacks_of_all_repetitions_take_it_back(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 10, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({2000, 9000}));
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo.tcp.cubic.cwnd = 20000;
	solo_expect(&solo, 1000, 1000, TCP_FLAG_PSH);
	solo_ack(&solo, 10000, NULL);
	assert_int_equal(solo.tcp.cubic.cwnd, 14000);
	solo_ack(&solo, 10000, SOLO_BLOCKS({0, 1000}));
	assert_int_equal(solo_counter(&solo, TCP_COUNT_UNDONE), 0);
	solo_send(&solo, 10000, 1000); /* DSACKs count while anything is under way */
	solo_drain(&solo);
	solo_ack(&solo, 10000, SOLO_BLOCKS({0, 1000}));
	solo_ack(&solo, 10000, SOLO_BLOCKS({1000, 2000}));
	assert_int_equal(solo_counter(&solo, TCP_COUNT_UNDONE), 1);
	assert_true(solo.tcp.cubic.cwnd >= 20000);
	solo_stop(&solo);
}

/* --- peers without SACK ----------------------------------------------------------------------------------------------
 */

static void three_duplicates_without_sack(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_PLAIN, 20000, 10, SOLO_RTT);
	solo_ack(&solo, 1000, NULL);
	solo_ack(&solo, 1000, NULL);
	solo_ack(&solo, 1000, NULL);
	solo_expect_nothing(&solo);
	solo.peer_window--;
	solo_ack(&solo, 1000, NULL); /* a window update is no duplicate */
	solo_expect_nothing(&solo);
	solo_ack(&solo, 1000, NULL);
	solo_expect(&solo, 1000, 1000, TCP_FLAG_PSH);
	solo_expect_nothing(&solo);
	solo_ack(&solo, 5000, NULL); /* RFC 6582: a partial ACK shows the next hole */
	solo_expect(&solo, 5000, 1000, TCP_FLAG_PSH);
	solo_ack(&solo, 10000, NULL);
	assert_int_equal(solo.tcp.phase, TCP_PHASE_OPEN);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_RECOVERIES), 1);
	assert_int_equal(solo.tcp.cubic.cwnd, solo.tcp.cubic.ssthresh);
	solo_stop(&solo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timeouts_back_off_and_give_up),
		cmocka_unit_test(after_a_timeout_slow_start),
		cmocka_unit_test(a_timeout_repeats_the_first_whatever_is_in_flight),
		cmocka_unit_test(after_a_timeout_old_sacks_open_no_window),
		cmocka_unit_test(a_peer_that_reneges),
		cmocka_unit_test(the_timeout_follows_the_rtt),
		cmocka_unit_test(what_was_sent_twice_measures_nothing),
		cmocka_unit_test(the_window_comes_down_in_proportion),
		cmocka_unit_test(the_first_retransmission_waits_for_nothing),
		cmocka_unit_test(an_ecn_echo_counts_as_loss),
		cmocka_unit_test(an_early_echo_takes_the_reduction_back),
		cmocka_unit_test(an_earlier_repetition_takes_nothing_back),
		cmocka_unit_test(a_timeout_for_nothing_repeats_nothing_more),
		cmocka_unit_test(dsacks_of_all_repetitions_take_it_back),
		cmocka_unit_test(three_duplicates_without_sack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
