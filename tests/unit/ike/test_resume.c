/* SPDX-License-Identifier: Apache-2.0 */
/* IKE in TCP: the SAs go on in another connection for the branch's question in it (RFC 3706), and for nobody else's. */
#include "exchange.h"
#include "ike/isakmp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { FIRST_PORT = 50000, NEXT_PORT = 50001, STRANGERS_PORT = 666 };

static struct exchange x;
static struct ike_message told; /* the last one that came to the branch */

static void on_message(struct exchange_side *side, const struct ike_message *message)
{
	(void)side;
	if (!message->sent)
		told = *message;
}

static void connect_in(enum endpoint_transport transport)
{
	exchange_prepare(&x);
	x.sides[BRANCH].endpoint.port = FIRST_PORT;
	x.sides[GATEWAY].endpoint.port = 4500;
	for (int side = 0; side < 2; side++)
		x.sides[side].endpoint.transport = transport;
	x.sides[BRANCH].on_message = on_message;
	exchange_open(&x);
	exchange_connect(&x);
}

static struct endpoint branch_at(uint16_t port)
{
	struct endpoint endpoint = x.sides[BRANCH].endpoint;

	endpoint.port = port;
	return endpoint;
}

static void ask_from(uint16_t port)
{
	struct endpoint local = branch_at(port);

	assert_int_equal(
		ike_peer_probe_at(x.sides[BRANCH].ike, &x.sides[BRANCH].peers[0], &local, &x.sides[GATEWAY].endpoint),
		0);
}

static uint16_t port_of_data(void)
{
	return exchange_newest(&x, GATEWAY)->terms.remote.port;
}

static void resumed(void **state)
{
	uint32_t spi;

	(void)state;
	connect_in(ENDPOINT_TCP);
	spi = exchange_newest(&x, GATEWAY)->terms.spi_in;
	ask_from(NEXT_PORT);
	exchange_deliver(&x);
	assert_int_equal(x.sides[GATEWAY].moves, 1);
	assert_int_equal(port_of_data(), NEXT_PORT);
	assert_int_equal(x.sides[BRANCH].moves, 0); /* only when the answer has come */
	exchange_deliver(&x);
	assert_int_equal(x.sides[BRANCH].moves, 1);
	assert_int_equal(exchange_newest(&x, BRANCH)->terms.local.port, NEXT_PORT);
	for (int side = 0; side < 2; side++) {
		assert_int_equal(exchange_installed(&x, side), 1);
		assert_int_equal(exchange_established(&x, side), 1);
	}
	assert_int_equal(exchange_newest(&x, GATEWAY)->terms.spi_in, spi);
	/* All that follows goes there. */
	assert_int_equal(ike_child_rekey(x.sides[GATEWAY].ike, spi), 0);
	exchange_run(&x);
	exchange_check_pair(&x);
	assert_int_equal(exchange_newest(&x, GATEWAY)->terms.remote.port, NEXT_PORT);
	exchange_stop(&x);
}

/* The old connection may still stand, and its peer's question in it may be late. */
static void late_question_moves_nothing_back(void **state)
{
	struct exchange_message late;

	(void)state;
	connect_in(ENDPOINT_TCP);
	assert_int_equal(ike_peer_probe(x.sides[BRANCH].ike, &x.sides[BRANCH].peers[0]), 0);
	late = exchange_take(&x);
	ask_from(NEXT_PORT);
	exchange_run(&x);
	exchange_hand_over(&x, &late);
	exchange_free(&late);
	assert_int_equal(x.queued, 0);
	assert_int_equal(port_of_data(), NEXT_PORT);
	exchange_stop(&x);
}

/* All that the branch has ever sent comes again, from a stranger's connection. Nothing moves to it. */
static void replay_all(void)
{
	size_t count = x.logged;

	for (size_t i = 0; i < count; i++) {
		struct exchange_message message = x.log[i];

		if (message.from != BRANCH)
			continue;
		message.source = branch_at(STRANGERS_PORT);
		exchange_hand_over(&x, &message);
		while (x.queued > 0) {
			if (message.data[offsetof(struct isakmp_hdr, exchange)] == ISAKMP_INFORMATIONAL)
				assert_int_equal(x.queue[0].destination.port, NEXT_PORT);
			exchange_lose(&x);
		}
	}
	assert_int_equal(x.sides[GATEWAY].moves, 1);
	for (size_t i = 0; i < x.sides[GATEWAY].n_children; i++)
		assert_int_equal(x.sides[GATEWAY].children[i].terms.remote.port, NEXT_PORT);
}

static void replayed_moves_nothing(void **state)
{
	(void)state;
	connect_in(ENDPOINT_TCP);
	exchange_pass(&x, 90000); /* what is remembered of its exchanges is forgotten */
	assert_int_equal(ike_peer_probe(x.sides[GATEWAY].ike, &x.sides[GATEWAY].peers[0]), 0);
	exchange_run(&x);
	ask_from(NEXT_PORT);
	exchange_run(&x);
	replay_all();
	/* Nor when so much has come since that the gateway remembers none of their message IDs. */
	for (int i = 0; i < 100; i++) {
		ask_from(NEXT_PORT);
		exchange_run(&x);
	}
	replay_all();
	exchange_stop(&x);
}

/* A gateway that has forgotten says so in TCP, once and to nobody in the clear; the SA is the branch's to give up. */
static void unknown_is_told(void **state)
{
	(void)state;
	for (int tcp = 0; tcp < 2; tcp++) {
		connect_in(tcp ? ENDPOINT_TCP : ENDPOINT_UDP);
		ike_free(x.sides[GATEWAY].ike);
		exchange_reopen(&x, GATEWAY);
		memset(&told, 0, sizeof(told));
		ask_from(NEXT_PORT);
		exchange_deliver(&x);
		assert_int_equal(x.queued, tcp);
		exchange_run(&x);
		assert_int_equal(told.notify, tcp ? ISAKMP_INVALID_COOKIE : 0);
		assert_false(told.encrypted);
		assert_int_equal(exchange_established(&x, BRANCH), 1);
		assert_int_equal(exchange_installed(&x, BRANCH), 1);
		exchange_stop(&x);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resumed),
		cmocka_unit_test(late_question_moves_nothing_back),
		cmocka_unit_test(replayed_moves_nothing),
		cmocka_unit_test(unknown_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
