/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves and when: segments, windows, probes, keepalives. */
#include "solo.h"

#include "tcp/backlog.h"
#include "tcp/frames.h"

#include <errno.h>

_Static_assert(sizeof(struct tcp) + sizeof(struct frame_reader) + sizeof(struct backlog) <= 2048,
	"what an idle connection may take");

static struct solo solo;

static void frames_are_cut_to_the_mss_and_pushed(void **state)
{
	(void)state;
	for (int timestamps = 0; timestamps < 2; timestamps++) {
		solo_start(&solo, SOLO_SACK | (timestamps ? SOLO_TIMESTAMPS : 0), 0);
		solo_send(&solo, 0, 2500);
		solo_send(&solo, 2500, 1000);
		solo_send(&solo, 3500, 1);
		solo_expect(&solo, 0, 1000, 0);
		solo_expect(&solo, 1000, 1000, 0);
		solo_expect(&solo, 2000, 500, TCP_FLAG_PSH);
		solo_expect(&solo, 2500, 1000, TCP_FLAG_PSH); /* no segment has parts of two frames */
		solo_expect(&solo, 3500, 1, TCP_FLAG_PSH);
		solo_expect_nothing(&solo);
		assert_int_equal(solo.out.header.window, SOLO_WINDOW >> 5);
		solo_ack(&solo, 2499, NULL);
		assert_int_equal(solo.released, 0);
		solo_ack(&solo, 2500, NULL);
		assert_int_equal(solo.released, 1); /* a frame comes back when its last byte is acknowledged */
		solo_ack(&solo, 3501, NULL);
		assert_int_equal(solo.released, 3);
		solo_stop(&solo);
	}
}

static void a_frame_of_the_greatest_length(void **state)
{
	unsigned int count;

	(void)state;
	solo_start(&solo, SOLO_SACK, 100000);
	solo_send(&solo, 0, 65535);
	count = solo_drain(&solo);
	assert_int_equal(count, 66);
	assert_int_equal(solo.out.payload_len, 535);
	solo_stop(&solo);
}

static void without_slots_nothing_is_taken(void **state)
{
	uint32_t taken[SOLO_SLOTS], count = 0;

	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	while (solo.pool.n_free > 2)
		taken[count++] = tcp_pool_take(&solo.pool);
	assert_int_equal(tcp_send(&solo.tcp, solo.bytes, 2001, &solo), -ENOBUFS);
	assert_int_equal(solo.pool.n_free, 2);
	solo_send(&solo, 0, 2000);
	while (count > 0)
		tcp_pool_give(&solo.pool, taken[--count]);
	solo_stop(&solo);
}

/* What may be encrypted now: by cwnd and window, less what is given already. */
static void room(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 10000);
	assert_int_equal(tcp_send_room(&solo.tcp), 10000);
	assert_int_equal(tcp_rate(&solo.tcp), 100000); /* 10,000 bytes in 100 ms */
	solo_send(&solo, 0, 4000);
	assert_int_equal(tcp_send_room(&solo.tcp), 6000);
	solo_drain(&solo);
	assert_int_equal(tcp_send_room(&solo.tcp), 6000);
	solo_send(&solo, 4000, 7000);
	assert_int_equal(tcp_send_room(&solo.tcp), 0);
	assert_int_equal(solo_drain(&solo), 6); /* the seventh waits for cwnd */
	solo.peer_window = 320 >> 5;
	solo_wait(&solo, 100 * SOLO_MS);
	solo_ack(&solo, 10000, NULL);
	assert_int_equal(tcp_send_room(&solo.tcp), 0);
	solo.peer_window = 3200 >> 5;
	solo_ack(&solo, 10000, NULL);
	assert_int_equal(tcp_send_room(&solo.tcp), 2200);
	assert_int_equal(tcp_rate(&solo.tcp), 32000);
	tcp_close(&solo.tcp);
	assert_int_equal(tcp_send_room(&solo.tcp), 0);
	solo_stop(&solo);
}

static void the_peers_window_is_kept(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo.peer_window = 3008 >> 5;
	solo_in(&solo, TCP_FLAG_ACK, 0, 0, 0);
	solo_send(&solo, 0, 5000);
	assert_int_equal(solo_drain(&solo), 3); /* and no sliver of 8 bytes: RFC 9293 section 3.8.6.2.1 */
	solo_ack(&solo, 1000, NULL);
	assert_int_equal(solo_drain(&solo), 1);
	solo_stop(&solo);
}

/* A window that never holds a whole segment is used all the same, once half of it is free. */
static void a_peer_with_a_tiny_window(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo.tcp.send.max_wnd = 0;
	solo.peer_window = 320 >> 5;
	solo_in(&solo, TCP_FLAG_ACK, 0, 0, 0);
	solo_send(&solo, 0, 700);
	solo_expect(&solo, 0, 320, 0);
	solo_expect_nothing(&solo);
	solo_ack(&solo, 320, NULL);
	solo_expect(&solo, 320, 320, 0);
	solo_ack(&solo, 640, NULL);
	solo_expect(&solo, 640, 60, TCP_FLAG_PSH);
	solo_ack(&solo, 700, NULL);
	assert_int_equal(solo.released, 1);
	solo_stop(&solo);
}

/* RFC 9293 section 3.8.6.1: probes at growing intervals, for as long as the peer answers. */
static void a_closed_window_is_probed(void **state)
{
	uint64_t interval, before = 0;

	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo.peer_window = 0;
	solo_in(&solo, TCP_FLAG_ACK, 0, 0, 0);
	solo_send(&solo, 0, 1000);
	solo_expect_nothing(&solo);
	for (int i = 0; i < 20; i++) {
		interval = solo_wait_deadline(&solo);
		assert_true(interval == 2 * before || before == 0 || interval == solo.settings.rto_max);
		before = interval;
		assert_true(solo_out(&solo));
		assert_int_equal(solo.out.header.seq, SOLO_US - 1); /* what the peer must answer */
		assert_int_equal(solo.out.payload_len, 0);
		solo_in(&solo, TCP_FLAG_ACK, 0, 0, 0);
	}
	assert_int_equal(solo.tcp.state, TCP_STATE_ESTABLISHED); /* after many minutes */
	solo.peer_window = 1000;
	solo_in(&solo, TCP_FLAG_ACK, 0, 0, 0);
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo_stop(&solo);
}

/* Too small for the segment, with nothing under way: after a while, what fits goes. */
static void a_small_window_gets_what_fits(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo.peer_window = 96 >> 5;
	solo_in(&solo, TCP_FLAG_ACK, 0, 0, 0);
	solo_send(&solo, 0, 1000);
	solo_expect_nothing(&solo);
	solo_wait_deadline(&solo);
	solo_expect(&solo, 0, 96, 0);
	solo.peer_window = 1000;
	solo_ack(&solo, 96, NULL);
	solo_expect(&solo, 96, 904, TCP_FLAG_PSH);
	solo_stop(&solo);
}

static void a_peer_that_does_not_answer_probes_is_dead(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo.peer_window = 0;
	solo_in(&solo, TCP_FLAG_ACK, 0, 0, 0);
	solo_send(&solo, 0, 1000);
	for (int i = 0; i < 20 && solo.tcp.state == TCP_STATE_ESTABLISHED; i++) {
		solo_drain(&solo);
		solo_wait_deadline(&solo);
	}
	assert_int_equal(tcp_take_events(&solo.tcp), TCP_EVENT_DEAD);
	assert_int_equal(solo.released, 1);
	assert_true(solo_out(&solo));
	assert_int_equal(solo.out.header.flags, TCP_FLAG_RST | TCP_FLAG_ACK);
	solo_stop(&solo);
}

static void silence_is_probed(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo.settings.keepalive_idle = 60 * SOLO_SECOND;
	solo.settings.keepalive_interval = 10 * SOLO_SECOND;
	solo.settings.keepalive_probes = 3;
	solo.tcp.timers[TCP_TIMER_KEEPALIVE] = solo.now + solo.settings.keepalive_idle;
	solo_wait(&solo, 50 * SOLO_SECOND);
	solo_in(&solo, TCP_FLAG_ACK, 0, 0, 0); /* heard: a minute from now */
	solo_wait(&solo, 59 * SOLO_SECOND);
	solo_expect_nothing(&solo);
	solo_wait(&solo, SOLO_SECOND);
	assert_true(solo_out(&solo));
	assert_int_equal(solo.out.header.seq, SOLO_US - 1);
	solo_expect_nothing(&solo);
	solo_in(&solo, TCP_FLAG_ACK, 0, 0, 0); /* the answer */
	for (int i = 0; i < 3; i++) {
		solo_wait(&solo, i ? 10 * SOLO_SECOND : 60 * SOLO_SECOND);
		assert_true(solo_out(&solo));
		assert_int_equal(solo.tcp.state, TCP_STATE_ESTABLISHED);
	}
	solo_wait(&solo, 10 * SOLO_SECOND);
	assert_int_equal(tcp_take_events(&solo.tcp), TCP_EVENT_DEAD);
	solo_stop(&solo);
}

/* The path turns out to carry less: what is under way goes again in pieces, with no word about congestion. */
static void a_smaller_mss(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK | SOLO_TIMESTAMPS, 10000);
	solo_send(&solo, 0, 1000);
	solo_send(&solo, 1000, 300);
	solo_expect(&solo, 0, 1000, TCP_FLAG_PSH);
	solo_expect(&solo, 1000, 300, TCP_FLAG_PSH);
	solo_send(&solo, 1300, 1000);
	tcp_set_mss(&solo.tcp, 400 + TCP_TIMESTAMPS_LEN, solo.now);
	solo_expect(&solo, 0, 400, 0);
	solo_expect(&solo, 400, 400, 0);
	solo_expect(&solo, 800, 200, TCP_FLAG_PSH);
	solo_expect(&solo, 1300, 400, 0);
	solo_expect(&solo, 1700, 400, 0);
	solo_expect(&solo, 2100, 200, TCP_FLAG_PSH);
	solo_expect_nothing(&solo);
	assert_int_equal(solo.tcp.cubic.cwnd, 10000);
	solo_ack(&solo, 2300, NULL);
	assert_int_equal(solo.released, 3);
	assert_int_equal(solo.tcp.send.flight, 0);
	solo_stop(&solo);
}

/* RFC 5681 section 4.1: after a pause longer than an RTO, the window begins small again. */
static void a_pause_is_followed_by_the_initial_window(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 40000);
	solo_send(&solo, 0, 1000);
	solo_drain(&solo);
	solo_ack(&solo, 1000, NULL);
	solo_wait(&solo, 200 * SOLO_MS);
	solo_send(&solo, 1000, 30000);
	assert_int_equal(solo_drain(&solo), 30);
	solo_ack(&solo, 31000, NULL);
	solo_wait(&solo, 5 * SOLO_SECOND);
	solo_send(&solo, 31000, 30000);
	assert_int_equal(solo_drain(&solo), 10);
	solo_stop(&solo);
}

/* What the kernel had sent and nobody acknowledged is ours to repeat. */
static void an_installed_connection_repeats_what_was_under_way(void **state)
{
	struct tcp_established established = {
		.snd_una = SOLO_US,
		.snd_nxt = SOLO_US + 2500,
		.snd_wnd = SOLO_WINDOW,
		.rcv_nxt = SOLO_PEER,
		.rcv_wnd = SOLO_WINDOW,
		.mss = SOLO_MSS,
		.sack = true,
	};

	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	tcp_uninstall(&solo.tcp);
	assert_int_equal(tcp_install(&solo.tcp, &solo.settings, &solo.pool, &established, solo.now), -EINVAL);
	established.unacknowledged = solo.bytes;
	established.unacknowledged_owner = &solo;
	established.snd_scale = 15;
	assert_int_equal(tcp_install(&solo.tcp, &solo.settings, &solo.pool, &established, solo.now), -EINVAL);
	established.snd_scale = 0;
	assert_int_equal(tcp_install(&solo.tcp, &solo.settings, &solo.pool, &established, solo.now), 0);
	solo_expect_nothing(&solo);
	solo_wait(&solo, SOLO_SECOND);
	solo_expect(&solo, 0, 1000, 0); /* the timer: no RTT was known */
	solo_ack(&solo, 2500, NULL);
	assert_int_equal(solo.released, 1);
	solo_send(&solo, 2500, 100);
	solo_expect(&solo, 2500, 100, TCP_FLAG_PSH);
	solo_stop(&solo);
}

/* Sent at once, a frame is the same segment as otherwise, and leaves the same behind. */
static void at_once_is_as_otherwise(void **state)
{
	static struct solo other;
	uint8_t *frame = solo.bytes + 2000;
	struct tcp_segment expected;
	uint32_t header_len;

	(void)state;
	for (int timestamps = 0; timestamps < 2; timestamps++) {
		unsigned int options = SOLO_SACK | SOLO_ECN | (timestamps ? SOLO_TIMESTAMPS : 0);

		solo_under_way(&other, options, 100000, 1, SOLO_MS);
		solo_send(&other, 1000, 900);
		solo_expect(&other, 1000, 900, TCP_FLAG_PSH);
		solo_expect_nothing(&other);
		expected = other.out;

		solo_under_way(&solo, options, 100000, 1, SOLO_MS);
		memmove(frame, solo.bytes + 1000, 900);
		assert_true(tcp_may_send_at_once(&solo.tcp, 900));
		header_len = tcp_send_at_once(&solo.tcp, frame, 900, &solo, solo.now);
		assert_int_equal(header_len, timestamps ? 32 : 20);
		tcp_sent_at_once(&solo.tcp, solo.now);
		solo_expect_nothing(&solo);
		assert_int_equal(tcp_segment_parse(frame - header_len, header_len + 900, &solo.out), 0);
		assert_memory_equal(&solo.out.header, &expected.header, offsetof(struct tcp_header, sack));
		assert_memory_equal(&solo.tcp.send, &other.tcp.send, sizeof(solo.tcp.send));
		assert_memory_equal(&solo.tcp.ack, &other.tcp.ack, sizeof(solo.tcp.ack));
		assert_memory_equal(solo.tcp.timers, other.tcp.timers, sizeof(solo.tcp.timers));
		assert_memory_equal(solo.tcp.counters, other.tcp.counters, sizeof(solo.tcp.counters));
		assert_int_equal(solo.tcp.flight_peak, other.tcp.flight_peak);
		solo_ack(&solo, 1900, NULL);
		assert_int_equal(solo.released, 2);
		solo_stop(&solo);
		solo_stop(&other);
	}
}

/* Not where something has to be said or sent before, or there is no room. */
static void at_once_only_what_may(void **state)
{
	uint8_t *frame = solo.bytes + 50000;
	const uint32_t len = SOLO_MSS;

	(void)state;
	solo_start(&solo, SOLO_SACK, 3000);
	assert_false(tcp_may_send_at_once(&solo.tcp, len)); /* the first after a pause */
	solo_send(&solo, 0, 1000);
	assert_false(tcp_may_send_at_once(&solo.tcp, len)); /* not before that */
	assert_int_equal(solo_drain(&solo), 1);
	assert_false(tcp_may_send_at_once(&solo.tcp, len + 1));
	assert_true(tcp_may_send_at_once(&solo.tcp, len));
	assert_int_not_equal(tcp_send_at_once(&solo.tcp, frame, len, &solo, solo.now), 0);
	solo_in(&solo, TCP_FLAG_ACK, 2000, 100, 0);
	assert_false(tcp_may_send_at_once(&solo.tcp, len)); /* a gap is to be told */
	solo_expect_ack(&solo, 0);
	solo_in(&solo, TCP_FLAG_ACK, 0, 2000, 0);
	solo_read(&solo, 0);
	solo_drain(&solo);
	assert_true(tcp_may_send_at_once(&solo.tcp, len));
	assert_int_not_equal(tcp_send_at_once(&solo.tcp, frame, len, &solo, solo.now), 0);
	assert_false(tcp_may_send_at_once(&solo.tcp, len)); /* the congestion window is full */
	solo.peer_window = 1;
	solo_ack(&solo, 2000, NULL);
	assert_false(tcp_may_send_at_once(&solo.tcp, len)); /* the peer's window, too */
	tcp_close(&solo.tcp);
	assert_false(tcp_may_send_at_once(&solo.tcp, len));
	solo_stop(&solo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_cut_to_the_mss_and_pushed),
		cmocka_unit_test(a_frame_of_the_greatest_length),
		cmocka_unit_test(at_once_is_as_otherwise),
		cmocka_unit_test(at_once_only_what_may),
		cmocka_unit_test(without_slots_nothing_is_taken),
		cmocka_unit_test(room),
		cmocka_unit_test(the_peers_window_is_kept),
		cmocka_unit_test(a_peer_with_a_tiny_window),
		cmocka_unit_test(a_closed_window_is_probed),
		cmocka_unit_test(a_small_window_gets_what_fits),
		cmocka_unit_test(a_peer_that_does_not_answer_probes_is_dead),
		cmocka_unit_test(silence_is_probed),
		cmocka_unit_test(a_smaller_mss),
		cmocka_unit_test(a_pause_is_followed_by_the_initial_window),
		cmocka_unit_test(an_installed_connection_repeats_what_was_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
