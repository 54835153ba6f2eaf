/* SPDX-License-Identifier: Apache-2.0 */
/* Messages lost, doubled, late and crossed, at each place of the negotiation. */
#include "exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MESSAGES = 6 }; /* three of aggressive mode, three of quick mode */

static struct exchange x;

/* Whichever of the six is lost: the tunnel comes up all the same, once. */
static void each_message_lost(void **state)
{
	(void)state;
	for (int nat = 0; nat < 2; nat++)
		for (int lost = 0; lost < MESSAGES; lost++) {
			exchange_start(&x);
			x.nat = nat ? EXCHANGE_NAT_POOL : EXCHANGE_NO_NAT;
			exchange_begin(&x);
			for (int i = 0; i < lost; i++)
				exchange_deliver(&x);
			exchange_lose(&x);
			exchange_pass(&x, 5000);
			exchange_check_pair(&x);
			assert_int_equal(exchange_active(&x, GATEWAY), 1);
			assert_int_equal(exchange_active(&x, BRANCH), 1);
			assert_int_equal(exchange_established(&x, BRANCH), 1);
			exchange_stop(&x);
		}
}

static void each_message_doubled(void **state)
{
	(void)state;
	for (int doubled = 0; doubled < MESSAGES; doubled++) {
		struct exchange_message message;

		exchange_start(&x);
		exchange_begin(&x);
		for (int i = 0; i < doubled; i++)
			exchange_deliver(&x);
		message = exchange_take(&x);
		exchange_hand_over(&x, &message);
		exchange_hand_over(&x, &message);
		exchange_free(&message);
		exchange_run(&x);
		exchange_check_pair(&x);
		assert_int_equal(exchange_active(&x, GATEWAY), 1);
		assert_int_equal(exchange_active(&x, BRANCH), 1);
		assert_int_equal(exchange_sas(&x, GATEWAY), 1);
		exchange_stop(&x);
	}
}

/* Every message comes once more long after the end, and changes nothing. */
static void each_message_late(void **state)
{
	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	exchange_pass(&x, 120000);
	for (size_t i = 0; i < MESSAGES; i++) {
		exchange_hand_over(&x, &x.log[i]);
		assert_int_equal(x.queued, 0);
	}
	assert_int_equal(exchange_sas(&x, GATEWAY), 1);
	assert_int_equal(exchange_sas(&x, BRANCH), 1);
	assert_int_equal(exchange_active(&x, GATEWAY), 1);
	assert_int_equal(x.sides[GATEWAY].n_children, 1);
	exchange_stop(&x);
}

/* Quick mode overtakes message 3: it is held, nothing is sent twice. */
static void quick_mode_overtakes(void **state)
{
	struct exchange_message third;

	(void)state;
	for (int nat = EXCHANGE_NO_NAT; nat <= EXCHANGE_NAT_POOL; nat++) {
		exchange_start(&x);
		x.nat = (enum exchange_nat)nat;
		exchange_begin(&x);
		exchange_deliver(&x);
		exchange_deliver(&x);
		third = exchange_take(&x);
		exchange_deliver(&x); /* message 1 of quick mode */
		assert_int_equal(exchange_sas(&x, GATEWAY), 1);
		assert_int_equal(exchange_established(&x, GATEWAY), 0);
		assert_int_equal(x.queued, 0);
		exchange_hand_over(&x, &third);
		exchange_free(&third);
		exchange_run(&x);
		exchange_check_pair(&x);
		assert_int_equal(x.logged, MESSAGES);
		exchange_stop(&x);
	}
}

/* Message 3 is lost and quick mode arrives: message 2 goes out again at once, not seconds later. */
static void third_lost_quick_mode_came(void **state)
{
	(void)state;
	exchange_start(&x);
	exchange_begin(&x);
	exchange_deliver(&x);
	exchange_deliver(&x);
	exchange_lose(&x);
	exchange_run(&x);
	assert_int_equal(exchange_established(&x, GATEWAY), 0);
	exchange_pass(&x, 400);
	exchange_check_pair(&x);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_RETRANSMITTED), 1);
	exchange_stop(&x);
}

/* The responder sends message 2 once for each first message, whatever time passes. */
static void message_2_only_when_asked(void **state)
{
	(void)state;
	exchange_start(&x);
	exchange_begin(&x);
	exchange_deliver(&x);
	exchange_lose(&x);
	for (int i = 0; i < 29; i++) {
		x.now_ms += 1000;
		ike_run_timers(x.sides[GATEWAY].ike);
		assert_int_equal(x.queued, 0);
	}
	for (int i = 0; i < 20; i++)
		exchange_hand_over(&x, &x.log[0]);
	assert_int_equal(x.queued, 8); /* and not without end */
	exchange_stop(&x);
}

/* A first message that comes again through another address of the pool is answered there, with the same message. */
static void first_message_again_from_elsewhere(void **state)
{
	(void)state;
	exchange_start(&x);
	x.nat = EXCHANGE_NAT;
	exchange_begin(&x);
	exchange_deliver(&x);
	exchange_lose(&x);
	x.nat_generation++;
	exchange_hand_over(&x, &x.log[0]);
	assert_int_equal(x.queued, 1);
	assert_int_equal(x.queue[0].destination.port, 20501);
	assert_memory_equal(x.queue[0].data, x.log[1].data, x.log[1].len);
	exchange_run(&x);
	exchange_check_pair(&x);
	assert_int_equal(exchange_sas(&x, GATEWAY), 1);
	exchange_stop(&x);
}

/* Three exchanges of one client, of which it answers only the newest; and one of another client of that name. */
static void side_by_side(void **state)
{
	(void)state;
	exchange_start(&x);
	for (int i = 0; i < 3; i++)
		exchange_begin(&x);
	x.sides[BRANCH].endpoint.port = 501;
	exchange_begin(&x);
	for (int i = 0; i < 4; i++)
		exchange_deliver(&x);
	assert_int_equal(exchange_sas(&x, GATEWAY), 4);
	exchange_lose(&x);
	exchange_lose(&x);
	exchange_deliver(&x); /* message 2 of the newest */
	exchange_lose(&x);
	exchange_run(&x);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	assert_int_equal(exchange_sas(&x, GATEWAY), 2);
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_DELETED], 2);
	exchange_check_pair(&x);
	exchange_stop(&x);
}

static void quick_mode_never_answered(void **state)
{
	(void)state;
	exchange_start(&x);
	exchange_begin(&x);
	for (int i = 0; i < 4; i++)
		exchange_deliver(&x);
	assert_int_equal(exchange_installed(&x, GATEWAY), 1);
	assert_int_equal(exchange_active(&x, GATEWAY), 0);
	exchange_pass_silent(&x, 32000);
	assert_int_equal(exchange_installed(&x, GATEWAY), 0); /* message 3 never came */
	assert_int_equal(exchange_installed(&x, BRANCH), 0);
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_EXPIRED], 1);
	assert_int_equal(x.logged, 5 + 4 + 4); /* both sides sent theirs four times more */
	exchange_stop(&x);
}

static void gateway_absent(void **state)
{
	(void)state;
	exchange_start(&x);
	exchange_begin(&x);
	exchange_pass_silent(&x, 60000);
	assert_int_equal(x.logged, 5);
	assert_int_equal(exchange_sas(&x, BRANCH), 0);
	assert_int_equal(x.sides[BRANCH].events[IKE_EVENT_EXPIRED], 1);
	assert_int_equal(ike_run_timers(x.sides[BRANCH].ike), UINT64_MAX);
	exchange_stop(&x);
}

/* The pair that a side sends through; fails when there is none. */
static const struct exchange_child *outbound(int side)
{
	const struct exchange_side *at = &x.sides[side];

	for (size_t i = 0; i < at->n_children; i++)
		if (at->children[i].outbound && !at->children[i].gone)
			return &at->children[i];
	fail_msg("side %d has nothing to send through", side);
	return NULL;
}

/* What either side sends now is taken by the other. */
static void nothing_is_lost(void)
{
	for (int side = 0; side < 2; side++) {
		const struct exchange_child *from = outbound(side);
		const struct exchange_side *to = &x.sides[!side];
		bool taken = false;

		for (size_t i = 0; i < to->n_children; i++)
			taken |= !to->children[i].gone && to->children[i].terms.spi_in == from->terms.spi_out;
		assert_true(taken);
	}
}

/* Both sides renew at once: never a moment without a pair, and in the end one, the same for both. */
static void crossed_rekeys(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++)
		for (int swap = 0; swap < 3; swap++) {
			exchange_start(&x);
			exchange_connect(&x);
			x.sides[GATEWAY].next_spi += swap == 1 ? 0x10000 : 0; /* so that either may be the one that goes */
			x.sides[BRANCH].next_spi += swap == 2 ? 0x10000 : 0;
			for (int i = 0; i < 2; i++) {
				int side = i ? !first : first;

				assert_int_equal(ike_child_rekey(x.sides[side].ike,
							 exchange_newest(&x, side)->terms.spi_in), 0);
			}
			assert_int_equal(x.queued, 2);
			while (x.queued) {
				exchange_deliver(&x);
				nothing_is_lost();
			}
			assert_int_equal(exchange_installed(&x, GATEWAY), 3);
			for (int i = 0; i < 100; i++) {
				exchange_pass(&x, 100);
				nothing_is_lost();
			}
			assert_int_equal(exchange_installed(&x, GATEWAY), 1);
			assert_int_equal(exchange_installed(&x, BRANCH), 1);
			assert_int_equal(outbound(GATEWAY)->terms.spi_out, outbound(BRANCH)->terms.spi_in);
			assert_int_equal(outbound(BRANCH)->terms.spi_out, outbound(GATEWAY)->terms.spi_in);
			exchange_stop(&x);
		}
}

/* One side renews and a moment later the other: that is no crossing, and the last one stays. */
static void rekeys_in_turn(void **state)
{
	(void)state;
	for (int turn = 0; turn < 4; turn++) {
		uint32_t last;

		exchange_start(&x);
		exchange_connect(&x);
		for (int i = 0; i < 6; i++) {
			int side = (i ^ turn) & 1;

			/* Newer pairs may have the lower SPIs. */
			for (int each = 0; each < 2; each++)
				x.sides[each].next_spi -= turn & 2 ? 0x10 : 0;
			assert_int_equal(
				ike_child_rekey(x.sides[side].ike, exchange_newest(&x, side)->terms.spi_in), 0);
			exchange_run(&x);
			nothing_is_lost();
			exchange_pass(&x, 500);
			nothing_is_lost();
		}
		last = exchange_newest(&x, GATEWAY)->terms.spi_in;
		for (int i = 0; i < 100; i++) {
			exchange_pass(&x, 100);
			nothing_is_lost();
		}
		assert_int_equal(exchange_newest(&x, GATEWAY)->terms.spi_in, last);
		assert_int_equal(exchange_installed(&x, GATEWAY), 1);
		assert_int_equal(exchange_installed(&x, BRANCH), 1);
		exchange_check_pair(&x);
		exchange_stop(&x);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_lost),
		cmocka_unit_test(each_message_doubled),
		cmocka_unit_test(each_message_late),
		cmocka_unit_test(quick_mode_overtakes),
		cmocka_unit_test(third_lost_quick_mode_came),
		cmocka_unit_test(message_2_only_when_asked),
		cmocka_unit_test(first_message_again_from_elsewhere),
		cmocka_unit_test(side_by_side),
		cmocka_unit_test(quick_mode_never_answered),
		cmocka_unit_test(gateway_absent),
		cmocka_unit_test(crossed_rekeys),
		cmocka_unit_test(rekeys_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
