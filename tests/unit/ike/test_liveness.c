/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the peer is there (RFC 3706), exchanges that are given up, and ESP in UDP without a NAT. */
#include "exchange.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct exchange x;

static uint64_t heard(int side)
{
	return ike_peer_heard(x.sides[side].ike, &x.sides[side].peers[0]);
}

static int probe(int side)
{
	return ike_peer_probe(x.sides[side].ike, &x.sides[side].peers[0]);
}

/* Either side may ask; an answer is news, silence is not. */
static void probe_is_answered(void **state)
{
	(void)state;
	for (int side = 0; side < 2; side++) {
		exchange_start(&x);
		assert_int_equal(probe(side), -ENOENT);
		assert_int_equal(heard(side), 0);
		exchange_connect(&x);
		exchange_pass(&x, 90000);
		for (int i = 0; i < 3; i++) {
			exchange_pass(&x, 10000);
			assert_true(heard(side) < x.now_ms);
			assert_int_equal(probe(side), 0);
			exchange_lose(&x);
			assert_true(heard(side) < x.now_ms);
			assert_int_equal(probe(side), 0);
			exchange_run(&x);
			assert_int_equal(heard(side), x.now_ms);
		}
		exchange_stop(&x);
	}
}

/* An old answer, or the right one twice, says nothing about now. */
static void old_answer_is_no_news(void **state)
{
	struct exchange_message answers[2];
	uint64_t before;

	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	exchange_pass(&x, 90000);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(probe(BRANCH), 0);
		exchange_deliver(&x);
		answers[i] = exchange_take(&x);
	}
	exchange_pass(&x, 5000);
	exchange_hand_over(&x, &answers[0]);
	assert_true(heard(BRANCH) < x.now_ms);
	exchange_hand_over(&x, &answers[1]);
	assert_int_equal(heard(BRANCH), x.now_ms);
	before = x.now_ms;
	exchange_pass(&x, 5000);
	exchange_hand_over(&x, &answers[1]);
	assert_int_equal(heard(BRANCH), before);
	for (int i = 0; i < 2; i++)
		exchange_free(&answers[i]);
	exchange_stop(&x);
}

/* Side by side: those that lost are given up, the one that is established stays. */
static void abandoned(void **state)
{
	struct ike *ike;

	(void)state;
	exchange_start(&x);
	ike = x.sides[BRANCH].ike;
	assert_int_equal(ike_peer_abandon(ike, &x.sides[BRANCH].peers[0]), 0);
	for (int i = 0; i < 3; i++)
		exchange_begin(&x);
	assert_int_equal(exchange_sas(&x, BRANCH), 3);
	for (int i = 0; i < 4; i++) /* three first messages and an answer */
		exchange_deliver(&x);
	assert_int_equal(exchange_established(&x, BRANCH), 1);
	assert_int_equal(ike_peer_abandon(ike, &x.sides[BRANCH].peers[0]), 2);
	assert_int_equal(exchange_sas(&x, BRANCH), 1);
	exchange_run(&x);
	exchange_check_pair(&x);
	assert_int_equal(exchange_established(&x, BRANCH), 1);
	assert_int_equal(ike_peer_abandon(ike, &x.sides[BRANCH].peers[0]), 0);
	assert_int_equal(ike_peer_abandon(x.sides[GATEWAY].ike, &x.sides[GATEWAY].peers[0]), 0);
	exchange_stop(&x);
}

/* A new IKE SA in place of the old one: its child SAs take over, and what they replace lingers for what is under way.
 */
static void newest_is_kept(void **state)
{
	struct ike *ike;
	uint32_t old;

	(void)state;
	exchange_start(&x);
	ike = x.sides[BRANCH].ike;
	ike_peer_keep_newest(ike, &x.sides[BRANCH].peers[0]); /* there is none */
	exchange_connect(&x);
	ike_peer_keep_newest(ike, &x.sides[BRANCH].peers[0]); /* it is the only one */
	assert_int_equal(exchange_established(&x, BRANCH), 1);
	old = exchange_newest(&x, BRANCH)->terms.spi_in;
	exchange_begin(&x);
	exchange_deliver(&x);
	exchange_deliver(&x);
	assert_int_equal(exchange_established(&x, BRANCH), 2);
	/* The newest has no child SA yet: the old one's stays as it is. */
	ike_peer_keep_newest(ike, &x.sides[BRANCH].peers[0]);
	exchange_run(&x);
	ike_peer_keep_newest(ike, &x.sides[BRANCH].peers[0]);
	exchange_run(&x);
	assert_int_equal(exchange_established(&x, BRANCH), 1);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	assert_int_equal(exchange_installed(&x, BRANCH), 2);
	exchange_pass(&x, 10000);
	for (int side = 0; side < 2; side++)
		assert_int_equal(exchange_installed(&x, side), 1);
	assert_int_not_equal(exchange_newest(&x, BRANCH)->terms.spi_in, old);
	exchange_check_pair(&x);
	exchange_stop(&x);
}

/* Whichever side wants it, and whichever port it begins on. */
static void udp_without_nat(void **state)
{
	(void)state;
	for (int side = 0; side < 2; side++)
		for (int floated = 0; floated < 2; floated++) {
			exchange_prepare(&x);
			x.sides[side].peers[0].force_udp = true;
			for (int i = 0; floated && i < 2; i++)
				x.sides[i].endpoint.port = 4500;
			exchange_open(&x);
			exchange_connect(&x);
			assert_true(exchange_newest(&x, GATEWAY)->terms.udp_encapsulation);
			assert_int_equal(exchange_newest(&x, GATEWAY)->terms.remote.port, 4500);
			exchange_stop(&x);
		}
	exchange_start(&x);
	exchange_connect(&x);
	assert_false(exchange_newest(&x, GATEWAY)->terms.udp_encapsulation);
	exchange_stop(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probe_is_answered),
		cmocka_unit_test(old_answer_is_no_news),
		cmocka_unit_test(abandoned),
		cmocka_unit_test(newest_is_kept),
		cmocka_unit_test(udp_without_nat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
