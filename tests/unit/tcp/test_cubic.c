/* SPDX-License-Identifier: Apache-2.0 */
/* How the window grows: slow start, HyStart++, CUBIC's curve. One ACK for each segment, a full window a round trip. */
#include "tcp/cubic.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MSS = 1000, RTT = 100000, SECOND = 1000000 };

static struct tcp_cubic cubic;
static uint64_t now;

static void round_trip(uint32_t rtt)
{
	uint32_t acked = cubic.cwnd / MSS;

	for (uint32_t i = 0; i < acked; i++) {
		tcp_cubic_rtt(&cubic, rtt);
		now += rtt / acked;
		tcp_cubic_acked(&cubic, MSS, rtt, now);
	}
	tcp_cubic_round(&cubic);
}

static int start(void **state)
{
	(void)state;
	now = 1000 * (uint64_t)SECOND;
	tcp_cubic_init(&cubic, MSS, 0, 0);
	return 0;
}

static void slow_start_doubles(void **state)
{
	(void)state;
	assert_int_equal(cubic.cwnd, 10 * MSS);
	for (uint32_t expected = 20; expected <= 320; expected *= 2) {
		round_trip(RTT);
		assert_int_equal(cubic.cwnd, expected * MSS);
	}
}

/* One ACK for many segments grows it as many ACKs do. */
static void bytes_count_not_acks(void **state)
{
	(void)state;
	tcp_cubic_acked(&cubic, 10 * MSS, RTT, now);
	assert_int_equal(cubic.cwnd, 20 * MSS);
}

static void slow_start_ends_at_the_threshold(void **state)
{
	(void)state;
	tcp_cubic_init(&cubic, MSS, 0, 15 * MSS);
	tcp_cubic_acked(&cubic, 5 * MSS, RTT, now);
	assert_int_equal(cubic.cwnd, 15 * MSS);
	assert_false(tcp_cubic_slow_start(&cubic));
}

/* RFC 9406: the delay grows by an eighth: slower, and after five rounds, no more. */
static void slow_start_ends_when_the_delay_grows(void **state)
{
	uint32_t before;

	(void)state;
	round_trip(RTT);
	round_trip(RTT);
	assert_int_equal(cubic.cwnd, 40 * MSS);
	round_trip(RTT + RTT / 8 - 1);
	assert_int_equal(cubic.cwnd, 80 * MSS);
	round_trip(2 * RTT);
	assert_true(cubic.in_css);
	for (int i = 0; i < 4; i++) {
		before = cubic.cwnd;
		round_trip(2 * RTT);
		assert_in_range(cubic.cwnd, before + before / 4 - MSS, before + before / 4);
	}
	assert_false(tcp_cubic_slow_start(&cubic));
	assert_int_equal(cubic.ssthresh, cubic.cwnd);
}

static void a_passing_delay_does_not_end_it(void **state)
{
	(void)state;
	round_trip(RTT);
	round_trip(2 * RTT);
	assert_true(cubic.in_css);
	round_trip(RTT);
	assert_false(cubic.in_css);
	assert_true(tcp_cubic_slow_start(&cubic));
}

/*
 * A window of 1,000 segments loses one: K = cbrt(300 / 0.4) = 9.09 s later it is back, flat there, then steep
 * (RFC 9438 sections 4.2 to 4.5). Compared with the formula, within 2 %.
 */
static void the_curve(void **state)
{
	uint64_t loss;
	double t, expected;

	(void)state;
	tcp_cubic_init(&cubic, MSS, 1000 * MSS, MSS);
	tcp_cubic_congestion(&cubic);
	assert_int_equal(cubic.ssthresh, 700 * MSS);
	cubic.cwnd = cubic.ssthresh;
	loss = now;
	for (int i = 0; i < 150; i++) {
		round_trip(RTT);
		t = (double)(now - loss) / SECOND;
		expected = 1000 + 0.4 * pow(t - cbrt(300 / 0.4), 3);
		assert_true(fabs(cubic.cwnd / (double)MSS - expected) < expected * 0.02);
	}
	assert_true(cubic.cwnd > 1070 * MSS);
}

/* Where the window is small, it is Reno's with a factor of 0.7: about half a segment a round trip. */
static void reno_friendly(void **state)
{
	(void)state;
	tcp_cubic_init(&cubic, MSS, 20 * MSS, MSS);
	tcp_cubic_congestion(&cubic);
	cubic.cwnd = cubic.ssthresh;
	for (int i = 0; i < 10; i++)
		round_trip(10000);
	assert_in_range(cubic.cwnd, 19 * MSS, 20 * MSS);
}

/* Section 4.7: who is losing twice below its old maximum makes room. */
static void fast_convergence(void **state)
{
	(void)state;
	tcp_cubic_init(&cubic, MSS, 100 * MSS, MSS);
	tcp_cubic_congestion(&cubic);
	assert_in_range(cubic.w_max * 1000, 99999, 100001);
	cubic.cwnd = 80 * MSS;
	tcp_cubic_congestion(&cubic);
	assert_in_range(cubic.w_max * 1000, 67999, 68001);
	assert_int_equal(cubic.ssthresh, 56 * MSS);
}

static void never_below_two_segments(void **state)
{
	(void)state;
	tcp_cubic_init(&cubic, MSS, 2 * MSS, 0);
	tcp_cubic_congestion(&cubic);
	assert_int_equal(cubic.ssthresh, 2 * MSS);
	tcp_cubic_timeout(&cubic);
	assert_int_equal(cubic.cwnd, MSS);
}

/* Time in which nothing was sent is no time to grow in (section 4.2), and a long pause begins anew. */
static void pauses(void **state)
{
	uint32_t before;

	(void)state;
	tcp_cubic_init(&cubic, MSS, 1000 * MSS, MSS);
	tcp_cubic_congestion(&cubic);
	cubic.cwnd = cubic.ssthresh;
	round_trip(RTT);
	before = cubic.cwnd;
	now += 60 * SECOND;
	tcp_cubic_idle(&cubic, 60 * SECOND, 120 * SECOND);
	round_trip(RTT);
	assert_in_range(cubic.cwnd, before, before + 15 * MSS);
	tcp_cubic_idle(&cubic, 2 * SECOND, SECOND);
	assert_int_equal(cubic.cwnd, 10 * MSS);
	assert_true(tcp_cubic_slow_start(&cubic));
}

/* A sender that has less to send than the window allows is no more ahead on the curve afterwards (section 5.8). */
static void an_unused_window_is_no_time_to_grow(void **state)
{
	uint32_t before;

	(void)state;
	tcp_cubic_init(&cubic, MSS, 1000 * MSS, MSS);
	tcp_cubic_congestion(&cubic);
	cubic.cwnd = cubic.ssthresh;
	round_trip(RTT);
	before = cubic.cwnd;
	for (int i = 0; i < 600; i++) {
		now += RTT;
		tcp_cubic_unused(&cubic, now);
	}
	assert_int_equal(cubic.cwnd, before);
	round_trip(RTT);
	assert_in_range(cubic.cwnd, before, before + 15 * MSS);
}

/* Section 4.3: Reno's estimate is the window as soon as the curve is below it now, though not in a round trip. */
static void the_greater_of_the_two_now(void **state)
{
	(void)state;
	tcp_cubic_init(&cubic, MSS, 100 * MSS, MSS);
	tcp_cubic_congestion(&cubic);
	cubic.cwnd = cubic.ssthresh;
	tcp_cubic_acked(&cubic, 10 * MSS, RTT, now);
	cubic.w_est = 73; /* the curve: 70.4 now, 76.3 in a round trip */
	tcp_cubic_acked(&cubic, 10 * MSS, 3 * RTT, now + RTT / 5);
	assert_in_range(cubic.cwnd, 73 * MSS, 74 * MSS);
}

/* RFC 9406 section 4.3: once there is a threshold, slow start goes up to it whatever the delay does. */
static void only_the_first_slow_start_heeds_the_delay(void **state)
{
	(void)state;
	tcp_cubic_init(&cubic, MSS, 10 * MSS, 500 * MSS);
	round_trip(RTT);
	round_trip(RTT);
	round_trip(2 * RTT);
	assert_false(cubic.in_css);
	assert_int_equal(cubic.cwnd, 80 * MSS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(slow_start_doubles, start),
		cmocka_unit_test_setup(bytes_count_not_acks, start),
		cmocka_unit_test_setup(slow_start_ends_at_the_threshold, start),
		cmocka_unit_test_setup(slow_start_ends_when_the_delay_grows, start),
		cmocka_unit_test_setup(a_passing_delay_does_not_end_it, start),
		cmocka_unit_test_setup(the_curve, start),
		cmocka_unit_test_setup(reno_friendly, start),
		cmocka_unit_test_setup(fast_convergence, start),
		cmocka_unit_test_setup(never_below_two_segments, start),
		cmocka_unit_test_setup(pauses, start),
		cmocka_unit_test_setup(an_unused_window_is_no_time_to_grow, start),
		cmocka_unit_test_setup(the_greater_of_the_two_now, start),
		cmocka_unit_test_setup(only_the_first_slow_start_heeds_the_delay, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
