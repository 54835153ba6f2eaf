/* SPDX-License-Identifier: Apache-2.0 */
/* Whole negotiations that succeed: algorithms, NAT, NAT pool, several networks, what is told to the host. */
#include "exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct exchange x;

static void plain_negotiation(void **state)
{
	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	assert_int_equal(exchange_established(&x, BRANCH), 1);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_STARTED], 1);
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_ESTABLISHED], 1);
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_BAD_MESSAGE], 0);
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_LEGACY], 0);
	assert_false(exchange_newest(&x, GATEWAY)->terms.udp_encapsulation);
	assert_true(exchange_newest(&x, BRANCH)->terms.initiator);
	assert_false(exchange_newest(&x, GATEWAY)->terms.initiator);
	assert_string_equal(exchange_newest(&x, GATEWAY)->terms.identity, "branch@example.org");
	assert_int_equal(exchange_newest(&x, GATEWAY)->terms.remote.port, 500);
	assert_int_equal(x.logged, 6); /* three of aggressive mode, three of quick mode */
	assert_int_equal(x.sides[BRANCH].moves + x.sides[GATEWAY].moves, 0);
	exchange_stop(&x);
}

static void every_proposal(void **state)
{
	static const struct ike_proposal proposals[] = {
		{IKE_CIPHER_AES_CBC, 128, IKE_HASH_SHA256, IKE_GROUP_MODP2048},
		{IKE_CIPHER_AES_CBC, 192, IKE_HASH_SHA384, IKE_GROUP_ECP384},
		{IKE_CIPHER_AES_CBC, 256, IKE_HASH_SHA512, IKE_GROUP_ECP256},
		{IKE_CIPHER_AES_CBC, 256, IKE_HASH_SHA1,
			IKE_GROUP_MODP1536}, /* the key is longer than the PRF's output */
		{IKE_CIPHER_3DES_CBC, 0, IKE_HASH_MD5, IKE_GROUP_MODP1024},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(proposals) / sizeof(proposals[0]); i++) {
		exchange_prepare(&x);
		for (int side = 0; side < 2; side++) {
			x.sides[side].peers[0].ike[0] = proposals[i];
			x.sides[side].config.ike.legacy = true;
		}
		exchange_open(&x);
		exchange_connect(&x);
		assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_LEGACY], i >= 3);
		exchange_stop(&x);
	}
}

static void every_suite(void **state)
{
	(void)state;
	for (uint8_t suite = ESP_SUITE_NONE + 1; suite < ESP_SUITE_COUNT; suite++) {
		uint8_t count = 0;

		if (suite == ESP_CHACHA20_POLY1305) /* has no number in IKEv1 */
			continue;
		exchange_prepare(&x);
		/* The branch offers as many as it can, from three before the one that the gateway takes. */
		for (int i = suite - 3; count < CONFIG_PROPOSALS_MAX && i < ESP_SUITE_COUNT; i++)
			if (i > ESP_SUITE_NONE)
				x.sides[BRANCH].peers[0].esp[count++] = (uint8_t)i;
		x.sides[BRANCH].peers[0].n_esp = count;
		x.sides[GATEWAY].peers[0].esp[0] = suite;
		exchange_open(&x);
		exchange_connect(&x);
		assert_int_equal(exchange_newest(&x, BRANCH)->terms.suite, suite);
		exchange_stop(&x);
	}
}

static void our_order_decides(void **state)
{
	(void)state;
	exchange_prepare(&x);
	x.sides[BRANCH].peers[0].esp[0] = ESP_AES128_CBC_SHA1_96;
	x.sides[BRANCH].peers[0].esp[1] = ESP_AES256_GCM;
	x.sides[GATEWAY].peers[0].esp[0] = ESP_AES256_GCM;
	x.sides[GATEWAY].peers[0].esp[1] = ESP_AES128_CBC_SHA1_96;
	x.sides[BRANCH].peers[0].n_esp = x.sides[GATEWAY].peers[0].n_esp = 2;
	exchange_open(&x);
	exchange_connect(&x);
	assert_int_equal(exchange_newest(&x, GATEWAY)->terms.suite, ESP_AES256_GCM);
	exchange_stop(&x);
}

static void perfect_forward_secrecy(void **state)
{
	static const uint16_t groups[] = {IKE_GROUP_MODP2048, IKE_GROUP_ECP256, IKE_GROUP_ECP384};

	(void)state;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		for (int demanded = 0; demanded < 2; demanded++) {
			exchange_prepare(&x);
			x.sides[BRANCH].peers[0].pfs = groups[i];
			x.sides[GATEWAY].peers[0].pfs = demanded ? groups[i] : IKE_GROUP_NONE;
			exchange_open(&x);
			exchange_connect(&x);
			exchange_stop(&x);
		}
}

static void behind_nat(void **state)
{
	(void)state;
	exchange_start(&x);
	x.nat = EXCHANGE_NAT;
	exchange_connect(&x);
	assert_true(exchange_newest(&x, GATEWAY)->terms.udp_encapsulation);
	assert_true(exchange_newest(&x, GATEWAY)->terms.peer_behind_nat);
	assert_false(exchange_newest(&x, GATEWAY)->terms.we_behind_nat);
	assert_true(exchange_newest(&x, BRANCH)->terms.we_behind_nat);
	assert_false(exchange_newest(&x, BRANCH)->terms.peer_behind_nat);
	assert_int_equal(exchange_newest(&x, GATEWAY)->terms.local.port, 4500);
	assert_int_equal(exchange_newest(&x, GATEWAY)->terms.remote.port, 24500);
	exchange_pass(&x, 65000);
	assert_int_equal(x.sides[BRANCH].keepalives, 3);
	assert_int_equal(x.sides[GATEWAY].keepalives, 0);
	exchange_stop(&x);
}

static void behind_nat_pool(void **state)
{
	struct exchange_child *child;
	char text[ENDPOINT_TEXT_LEN];

	(void)state;
	exchange_start(&x);
	x.nat = EXCHANGE_NAT_POOL;
	exchange_connect(&x);
	child = exchange_newest(&x, GATEWAY);
	assert_string_equal(endpoint_format(&child->terms.remote, text), "203.0.113.9:24500");
	assert_non_null(strstr(x.sides[GATEWAY].why[IKE_EVENT_ESTABLISHED],
		"message 3 came from 203.0.113.9:24500, message 1 from 203.0.113.4:20500"));
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_RETRANSMITTED), 0);
	exchange_stop(&x);
}

/*
 * Side by side with other cookies; the client answers one of them and forgets those before it. One from another port is
 * another client's, one that was begun later may be answered yet.
 */
static void several_at_once(void **state)
{
	(void)state;
	exchange_start(&x);
	x.nat = EXCHANGE_NAT_POOL;
	x.sides[BRANCH].endpoint.port = 501;
	exchange_begin(&x);
	x.sides[BRANCH].endpoint.port = 500;
	for (int i = 0; i < 4; i++)
		exchange_begin(&x);
	for (int i = 0; i < 5; i++)
		exchange_deliver(&x);
	assert_int_equal(exchange_sas(&x, GATEWAY), 5);
	for (int i = 0; i < 3; i++)
		exchange_lose(&x);
	exchange_deliver(&x); /* the answer to the third from port 500 */
	exchange_lose(&x);
	exchange_run(&x);
	exchange_check_pair(&x);
	assert_int_equal(exchange_sas(&x, GATEWAY), 3);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_DELETED], 2);
	exchange_pass_silent(&x, 40000);
	assert_int_equal(exchange_sas(&x, GATEWAY), 1);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	assert_int_equal(exchange_installed(&x, GATEWAY), 1);
	exchange_stop(&x);
}

static void every_pair_of_networks(void **state)
{
	(void)state;
	exchange_prepare(&x);
	for (int side = 0; side < 2; side++) {
		struct config_peer *peer = &x.sides[side].peers[0];

		prefix_parse(side == BRANCH ? "10.10.0.0/24" : "10.20.3.4", &peer->local_networks[1]);
		prefix_parse(side == BRANCH ? "10.20.3.4" : "10.10.0.0/24", &peer->remote_networks[1]);
		peer->n_local = peer->n_remote = 2;
	}
	exchange_open(&x);
	exchange_connect(&x);
	assert_int_equal(exchange_active(&x, BRANCH), 4);
	assert_int_equal(exchange_active(&x, GATEWAY), 4);
	exchange_stop(&x);
}

static void smaller_lifetime_counts(void **state)
{
	(void)state;
	exchange_prepare(&x);
	x.sides[GATEWAY].peers[0].lifetime = 900;
	x.sides[GATEWAY].peers[0].lifetime_bytes = 10 << 20;
	exchange_open(&x);
	exchange_connect(&x);
	assert_int_equal(exchange_newest(&x, GATEWAY)->terms.lifetime, 900);
	assert_int_equal(exchange_newest(&x, BRANCH)->terms.lifetime, 900); /* told by RESPONDER-LIFETIME */
	assert_int_equal(exchange_newest(&x, BRANCH)->terms.lifetime_bytes, 10 << 20);
	exchange_stop(&x);

	exchange_prepare(&x);
	x.sides[BRANCH].peers[0].lifetime = 600;
	exchange_open(&x);
	exchange_connect(&x);
	assert_int_equal(exchange_newest(&x, GATEWAY)->terms.lifetime, 600);
	exchange_stop(&x);
}

/* The gateway begins quick mode under an IKE SA that the branch began. */
static void responder_begins_quick_mode(void **state)
{
	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	assert_int_equal(ike_child_rekey(x.sides[GATEWAY].ike, exchange_newest(&x, GATEWAY)->terms.spi_in), 0);
	exchange_run(&x);
	exchange_check_pair(&x);
	assert_true(exchange_newest(&x, GATEWAY)->terms.initiator);
	assert_int_equal(exchange_active(&x, BRANCH), 2);
	exchange_pass(&x, 6000);
	assert_int_equal(exchange_active(&x, BRANCH), 1);
	assert_int_equal(exchange_active(&x, GATEWAY), 1);
	exchange_check_pair(&x);
	exchange_stop(&x);
}

static void status_tells_all(void **state)
{
	(void)state;
	exchange_start(&x);
	exchange_begin(&x);
	assert_int_equal(exchange_sas(&x, BRANCH), 1);
	assert_int_equal(exchange_established(&x, BRANCH), 0);
	exchange_run(&x);
	for (int i = 0; i < IKE_COUNTER_COUNT; i++)
		assert_true(strlen(ike_counter_name((enum ike_counter)i)) > 0);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_DATAGRAMS), 4);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_ESTABLISHED), 1);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_CHILDREN), 1);
	exchange_stop(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_negotiation),
		cmocka_unit_test(every_proposal),
		cmocka_unit_test(every_suite),
		cmocka_unit_test(our_order_decides),
		cmocka_unit_test(perfect_forward_secrecy),
		cmocka_unit_test(behind_nat),
		cmocka_unit_test(behind_nat_pool),
		cmocka_unit_test(several_at_once),
		cmocka_unit_test(every_pair_of_networks),
		cmocka_unit_test(smaller_lifetime_counts),
		cmocka_unit_test(responder_begins_quick_mode),
		cmocka_unit_test(status_tells_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
