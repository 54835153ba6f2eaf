/* SPDX-License-Identifier: Apache-2.0 */
/* How a loss is found by what arrived: RACK, and probes of the tail (RFC 8985). */
#include "solo.h"

static struct solo solo;

/* --- RACK ------------------------------------------------------------------------------------------------------------
 */

/* Three segments behind a hole: it is repeated at once (section 6.2.1's dupthresh), and only it. */
static void a_hole_with_three_behind_it_is_repeated_at_once(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 10, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({1000, 4000}));
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_RECOVERIES), 1);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_RETRANSMITTED), 1);
	solo_expect_nothing(&solo);
	assert_int_equal(solo.tcp.cubic.ssthresh, 14000); /* RFC 9438: 0.7 of it */
	solo_stop(&solo);
}

/* Three are three, however short: frames are seldom as long as the MSS. */
static void three_short_ones_are_enough(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 20000);
	for (uint32_t at = 0; at < 1000; at += 100)
		solo_send(&solo, at, 100);
	assert_int_equal(solo_drain(&solo), 10);
	solo_wait(&solo, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({100, 300}));
	solo_expect_nothing(&solo);
	solo_ack(&solo, 0, SOLO_BLOCKS({100, 400}));
	solo_expect(&solo, 0, 100, TCP_FLAG_PSH);
	solo_expect_nothing(&solo);
	solo_stop(&solo);
}

/* One segment behind a hole may be reordering: a quarter of the RTT is waited. */
static void what_is_late_gets_a_quarter_of_the_rtt(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 3, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({1000, 2000}));
	solo_expect_nothing(&solo);
	assert_int_equal(solo_wait_deadline(&solo), SOLO_RTT / 4);
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo_stop(&solo);
}

static void what_is_late_and_comes_is_not_repeated(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 3, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({1000, 2000}));
	solo_wait(&solo, SOLO_RTT / 5);
	solo_ack(&solo, 2000, NULL);
	solo_expect_nothing(&solo);
	assert_true(solo.tcp.rack.reordering_seen);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_RECOVERIES), 0);
	solo_stop(&solo);
}

/* Once reordering was seen, three behind the hole are no proof any more. */
static void reordering_seen_makes_patient(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 10, SOLO_RTT);
	solo.tcp.rack.reordering_seen = true;
	solo_ack(&solo, 0, SOLO_BLOCKS({1000, 9000}));
	solo_expect_nothing(&solo);
	assert_int_equal(solo_wait_deadline(&solo), SOLO_RTT / 4);
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo_stop(&solo);
}

/* A retransmission that gets lost is found by what was sent after it, without the timer. */
static void a_lost_retransmission_is_repeated(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK | SOLO_TIMESTAMPS, 20000, 10, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({1000, 10000}));
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo_wait(&solo, 1);
	solo_send(&solo, 10000, 3000);
	assert_int_equal(solo_drain(&solo), 3);
	solo_wait(&solo, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({1000, 13000}));
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_TIMEOUTS), 0);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_RECOVERIES), 1); /* one reduction for it all */
	solo_stop(&solo);
}

/* Several holes: the lowest first, each once; SACKed runs that grow together. */
static void holes_are_filled_from_below(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 40000, 20, SOLO_RTT);
	solo_ack(&solo, 1000, SOLO_BLOCKS({15000, 19000}, {9000, 12000}, {4000, 6000}));
	assert_int_equal(solo.tcp.send.sacked, 9000);
	solo_ack(&solo, 1000, SOLO_BLOCKS({9000, 13000}, {15000, 20000}));
	assert_int_equal(solo.tcp.send.sacked, 11000);
	assert_int_equal(solo.tcp.send.lost, 8000); /* all holes: the last byte has arrived */
	solo_expect(&solo, 1000, 1000, TCP_FLAG_PSH);
	for (int i = 0; i < 20; i++)
		solo_ack(&solo, 1000, SOLO_BLOCKS({9000, 13000}, {15000, 20000})); /* DSACK or not: nothing new */
	solo.tcp.cubic.cwnd = 40000;
	solo_expect(&solo, 2000, 1000, TCP_FLAG_PSH);
	solo_expect(&solo, 3000, 1000, TCP_FLAG_PSH);
	solo_expect(&solo, 6000, 1000, TCP_FLAG_PSH);
	solo_expect(&solo, 7000, 1000, TCP_FLAG_PSH);
	solo_expect(&solo, 8000, 1000, TCP_FLAG_PSH);
	solo_expect(&solo, 13000, 1000, TCP_FLAG_PSH);
	solo_expect(&solo, 14000, 1000, TCP_FLAG_PSH);
	solo_expect_nothing(&solo);
	solo_ack(&solo, 10500, SOLO_BLOCKS({15000, 20000})); /* into the middle of a run */
	assert_int_equal(solo.tcp.send.sacked, 2500 + 5000);
	solo_ack(&solo, 20000, NULL);
	assert_int_equal(solo.tcp.send.sacked, 0);
	assert_int_equal(solo.tcp.send.flight, 0);
	assert_int_equal(solo.released, 20);
	solo_stop(&solo);
}

static void sack_blocks_that_lie_are_ignored(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 5, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({4000, 6000}));			/* beyond what was sent */
	solo_ack(&solo, 0, SOLO_BLOCKS({3000, 2000}));			/* backwards */
	solo_ack(&solo, 2000, SOLO_BLOCKS({1000, 3000}));		/* across SND.UNA */
	solo_ack(&solo, 2000, SOLO_BLOCKS({2100, 2900}, {2500, 2500})); /* parts of a segment */
	assert_int_equal(solo.tcp.send.sacked, 0);
	solo_stop(&solo);
}

/* A DSACK a round trip makes the reordering window a quarter of the RTT longer, up to SRTT; 16 recoveries end that. */
static void dsacks_make_patient(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 5, SOLO_RTT);
	solo_ack(&solo, 1000, SOLO_BLOCKS({0, 1000}));
	assert_int_equal(solo.tcp.rack.reo_wnd_mult, 2);
	solo_ack(&solo, 1000, SOLO_BLOCKS({0, 1000})); /* the same round trip */
	assert_int_equal(solo.tcp.rack.reo_wnd_mult, 2);
	solo_ack(&solo, 1000, SOLO_BLOCKS({2000, 3000}));
	assert_int_equal(solo_wait_deadline(&solo), SOLO_RTT / 2);
	solo_expect(&solo, 1000, 1000, TCP_FLAG_PSH);
	solo_stop(&solo);
}

/*
 * Segments overtake others by 45 ms, and some overtook all: min_RTT is a millisecond. The first time that repeats a
 * segment for nothing, as its echo tells; from then on the window is as long as it was late, while DSACKs go on.
 */
static void how_late_a_segment_came_is_the_window(void **state)
{
	struct tcp_segment late = {
		.header = {.seq = SOLO_PEER, .ack = SOLO_US + 9000, .flags = TCP_FLAG_ACK, .has_timestamps = true}};

	(void)state;
	solo_under_way(&solo, SOLO_SACK | SOLO_TIMESTAMPS, 20000, 10, 0);
	late.header.window = solo.peer_window;
	late.header.ts_echo = tcp_timestamp(&solo.tcp, solo.now);
	solo_wait(&solo, SOLO_RTT / 2);
	solo_ack(&solo, 0, SOLO_BLOCKS({8000, 9000}));
	solo.tcp.rtt.min = SOLO_MS;
	solo_wait(&solo, SOLO_RTT / 4);
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo_wait(&solo, 20 * SOLO_MS);
	late.header.ts_value = solo.peer_ts++;
	solo_in_segment(&solo, &late, true);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_UNDONE), 1);
	assert_int_equal(solo.tcp.rack.lateness, 45 * SOLO_MS);
	assert_int_equal(solo.tcp.rack.reo_wnd_persist, 16);
	solo_ack(&solo, 10000, NULL);
	for (uint32_t at = 10000; at < 20000; at += 1000)
		solo_send(&solo, at, 1000);
	assert_int_equal(solo_drain(&solo), 10);
	solo_wait(&solo, SOLO_RTT / 2);
	solo_ack(&solo, 10000, SOLO_BLOCKS({18000, 19000}));
	assert_int_equal(solo.tcp.timers[TCP_TIMER_REORDER] - solo.now, 45 * SOLO_MS);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_RECOVERIES), 1);
	solo_stop(&solo);
}

/* The sixteenth recovery since anything came later than the usual window allows, and it is as at the start. */
static void lateness_is_forgotten(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 10, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({1000, 2000}));
	solo_wait(&solo, 10 * SOLO_MS);
	solo_ack(&solo, 2000, NULL);
	assert_int_equal(solo.tcp.rack.lateness, 10 * SOLO_MS);
	assert_int_equal(solo.tcp.rack.reo_wnd_persist, 0);
	solo.tcp.rack.reo_wnd_persist = 2;
	for (uint32_t hole = 2000; hole <= 10000; hole += 8000) {
		assert_int_equal(solo.tcp.rack.lateness, 10 * SOLO_MS);
		solo_ack(&solo, hole, SOLO_BLOCKS({hole + 1000, hole + 8000}));
		solo_wait(&solo, SOLO_RTT);
		solo_expect(&solo, hole, 1000, TCP_FLAG_PSH);
		for (uint32_t at = hole + 8000; at < hole + 16000; at += 1000)
			solo_send(&solo, at, 1000);
		solo_drain(&solo);
		solo_wait(&solo, SOLO_RTT);
		solo_ack(&solo, hole + 8000, NULL);
	}
	assert_int_equal(solo.tcp.rack.lateness, 0);
	assert_int_equal(solo.tcp.rack.reo_wnd_mult, 1);
	solo_stop(&solo);
}

/* --- tail loss probes ------------------------------------------------------------------------------------------------
 */

static void the_tail_is_probed(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 5, 0);
	assert_int_equal(solo_wait_deadline(&solo), 2 * SOLO_RTT);
	solo_expect(&solo, 4000, 1000, TCP_FLAG_PSH); /* the last one */
	solo_expect_nothing(&solo);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_PROBES), 1);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_TIMEOUTS), 0);
	/* It tells that the four before are missing. */
	solo_wait(&solo, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({4000, 5000}));
	solo_wait(&solo, SOLO_RTT / 4);
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo_stop(&solo);
}

static void new_data_is_the_better_probe(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 5000, 5, 0);
	solo_send(&solo, 5000, 1000); /* no window for it */
	solo_expect_nothing(&solo);
	assert_int_equal(solo_wait_deadline(&solo), 2 * SOLO_RTT);
	solo_expect(&solo, 5000, 1000, TCP_FLAG_PSH);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_RETRANSMITTED), 0);
	solo_stop(&solo);
}

/* A single segment may only wait for the peer's delayed ACK. */
static void one_segment_alone_gets_time(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 1, 0);
	solo.settings.rto_min = SOLO_SECOND;
	solo_ack(&solo, 0, NULL);
	assert_true(tcp_deadline(&solo.tcp) - solo.now > 2 * SOLO_RTT);
	solo_stop(&solo);
}

/* While holes are known, RACK's own timer does the work. */
static void no_probe_beside_known_holes(void **state)
{
	(void)state;
	solo_under_way(&solo, SOLO_SACK, 20000, 3, SOLO_RTT);
	solo_ack(&solo, 0, SOLO_BLOCKS({2000, 3000}));
	assert_int_equal(solo.tcp.timers[TCP_TIMER_PROBE], UINT64_MAX);
	assert_true(solo.tcp.timers[TCP_TIMER_REORDER] != UINT64_MAX);
	solo_stop(&solo);
}

/* The probe itself filled the hole: that was a loss, and congestion control hears of it; with a DSACK it was none. */
static void what_a_probe_repairs_was_lost(void **state)
{
	(void)state;
	for (int needless = 0; needless < 2; needless++) {
		solo_under_way(&solo, SOLO_SACK, 20000, 5, 0);
		solo_ack(&solo, 4000, NULL);
		solo_wait_deadline(&solo);
		solo_expect(&solo, 4000, 1000, TCP_FLAG_PSH);
		solo_wait(&solo, SOLO_RTT);
		solo_send(&solo, 5000, 1000);
		solo_drain(&solo);
		if (needless)
			solo_ack(&solo, 5000, SOLO_BLOCKS({4000, 5000}));
		else
			solo_ack(&solo, 6000, NULL);
		assert_int_equal(solo.tcp.probing, false);
		assert_int_equal(solo.tcp.cubic.ssthresh == CUBIC_SSTHRESH_NONE, needless);
		solo_stop(&solo);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hole_with_three_behind_it_is_repeated_at_once),
		cmocka_unit_test(three_short_ones_are_enough),
		cmocka_unit_test(what_is_late_gets_a_quarter_of_the_rtt),
		cmocka_unit_test(what_is_late_and_comes_is_not_repeated),
		cmocka_unit_test(reordering_seen_makes_patient),
		cmocka_unit_test(a_lost_retransmission_is_repeated),
		cmocka_unit_test(holes_are_filled_from_below),
		cmocka_unit_test(sack_blocks_that_lie_are_ignored),
		cmocka_unit_test(dsacks_make_patient),
		cmocka_unit_test(how_late_a_segment_came_is_the_window),
		cmocka_unit_test(lateness_is_forgotten),
		cmocka_unit_test(the_tail_is_probed),
		cmocka_unit_test(new_data_is_the_better_probe),
		cmocka_unit_test(one_segment_alone_gets_time),
		cmocka_unit_test(no_probe_beside_known_holes),
		cmocka_unit_test(what_a_probe_repairs_was_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
