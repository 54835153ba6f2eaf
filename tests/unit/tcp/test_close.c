/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a connection: who closes first, and who never does. */
#include "solo.h"

#include <errno.h>

static struct solo solo;

static void the_peer_closes_first(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo_in(&solo, TCP_FLAG_ACK | TCP_FLAG_FIN, 1000, 500, 0); /* ahead of what is before it */
	assert_int_equal(tcp_take_events(&solo.tcp), 0);
	assert_false(solo_in(&solo, TCP_FLAG_ACK, 1500, 100, 0)); /* behind the FIN is nothing */
	solo_in(&solo, TCP_FLAG_ACK, 0, 1000, 0);
	assert_int_equal(tcp_take_events(&solo.tcp), TCP_EVENT_PEER_CLOSED);
	assert_int_equal(solo.tcp.state, TCP_STATE_CLOSE_WAIT);
	assert_int_equal(solo_read(&solo, 0), 1500);
	solo_expect_ack(&solo, 1501);
	solo_send(&solo, 0, 100); /* our direction is open */
	tcp_close(&solo.tcp);
	assert_int_equal(tcp_send(&solo.tcp, solo.bytes, 1, &solo), -EPIPE);
	solo_expect(&solo, 0, 100, TCP_FLAG_PSH);
	solo_expect(&solo, 100, 0, TCP_FLAG_FIN);
	assert_int_equal(solo.tcp.state, TCP_STATE_LAST_ACK);
	solo_in(&solo, TCP_FLAG_ACK, 1501, 0, 100);
	assert_int_equal(solo.tcp.state, TCP_STATE_LAST_ACK);
	solo_in(&solo, TCP_FLAG_ACK, 1501, 0, 101);
	assert_int_equal(solo.tcp.state, TCP_STATE_CLOSED);
	assert_int_equal(tcp_take_events(&solo.tcp), TCP_EVENT_CLOSED);
	solo_stop(&solo);
}

static void we_close_first(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	tcp_close(&solo.tcp);
	tcp_close(&solo.tcp);
	solo_expect(&solo, 0, 0, TCP_FLAG_FIN);
	solo_wait_deadline(&solo); /* lost: a probe repeats it */
	solo_expect(&solo, 0, 0, TCP_FLAG_FIN);
	solo_in(&solo, TCP_FLAG_ACK, 0, 0, 1);
	assert_int_equal(solo.tcp.state, TCP_STATE_FIN_WAIT_2);
	solo_in(&solo, TCP_FLAG_ACK, 0, 700, 1); /* it has still something to say */
	assert_int_equal(solo_read(&solo, 0), 700);
	solo_in(&solo, TCP_FLAG_ACK | TCP_FLAG_FIN, 700, 0, 1);
	assert_int_equal(solo.tcp.state, TCP_STATE_TIME_WAIT);
	assert_int_equal(tcp_take_events(&solo.tcp), TCP_EVENT_PEER_CLOSED | TCP_EVENT_CLOSED);
	solo_expect_ack(&solo, 701);
	solo_wait(&solo, solo.settings.time_wait / 2);
	solo_in(&solo, TCP_FLAG_ACK | TCP_FLAG_FIN, 700, 0, 1); /* our ACK was lost */
	solo_expect_ack(&solo, 701);
	assert_int_equal(solo_wait_deadline(&solo), solo.settings.time_wait);
	assert_int_equal(solo.tcp.state, TCP_STATE_CLOSED);
	solo_stop(&solo);
}

static void both_close_at_once(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	tcp_close(&solo.tcp);
	solo_expect(&solo, 0, 0, TCP_FLAG_FIN);
	solo_in(&solo, TCP_FLAG_ACK | TCP_FLAG_FIN, 0, 0, 0);
	assert_int_equal(solo.tcp.state, TCP_STATE_CLOSING);
	solo_expect_ack(&solo, 1);
	solo_in(&solo, TCP_FLAG_ACK, 1, 0, 1);
	assert_int_equal(solo.tcp.state, TCP_STATE_TIME_WAIT);
	solo_stop(&solo);
}

static void a_peer_that_never_closes_is_given_up(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	tcp_close(&solo.tcp);
	solo_drain(&solo);
	solo_in(&solo, TCP_FLAG_ACK, 0, 0, 1);
	solo_wait(&solo, solo.settings.user_timeout);
	assert_int_equal(tcp_take_events(&solo.tcp), TCP_EVENT_DEAD);
	solo_stop(&solo);
}

static void abort_resets(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo_send(&solo, 0, 3000);
	solo_drain(&solo);
	tcp_abort(&solo.tcp);
	assert_int_equal(solo.released, 1);
	assert_true(solo_out(&solo));
	assert_int_equal(solo.out.header.flags, TCP_FLAG_RST | TCP_FLAG_ACK);
	assert_int_equal(solo.out.header.seq, SOLO_US + 3000); /* the number that the peer believes */
	solo_expect_nothing(&solo);
	assert_false(solo_in(&solo, TCP_FLAG_ACK, 0, 10, 0));
	solo_stop(&solo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_peer_closes_first),
		cmocka_unit_test(we_close_first),
		cmocka_unit_test(both_close_at_once),
		cmocka_unit_test(a_peer_that_never_closes_is_given_up),
		cmocka_unit_test(abort_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
