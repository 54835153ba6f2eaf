/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that have registered: who they are and their key come from the host, for one IKE SA each. */
#include "exchange.h"

#include "ike/ike_sa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ONE_TIME "00112233445566778899aabbccddeeff@registered"

static struct exchange x;
static struct ike_registered alice;

static struct prefix network(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

/* The gateway's only entry is for those who register; alice has, and got an address and a network of her own. */
static void start(void)
{
	struct config_peer *entry;

	exchange_prepare(&x);
	entry = &x.sides[GATEWAY].peers[0];
	entry->registration = true;
	strcpy(entry->name, "members");
	strcpy(entry->pool, "clients");
	entry->identity[0] = '\0';
	entry->secret_len = 0;
	entry->n_remote = 0;
	alice = (struct ike_registered){.peer = entry, .number = 7, .identity = "alice", .n_networks = 2};
	memcpy(alice.key, x.sides[BRANCH].peers[0].secret, sizeof(alice.key));
	alice.address = address_ipv4(0x0a630007);
	alice.networks[0] = network("10.99.0.7/32");
	alice.networks[1] = network("192.168.1.0/24");
	x.sides[GATEWAY].registered = &alice;
	x.sides[GATEWAY].registered_as = ONE_TIME;
	strcpy(x.sides[BRANCH].config.ike.identity, ONE_TIME);
	x.sides[BRANCH].peers[0].local_networks[0] = network("10.99.0.7/32");
}

static void connect_as_alice(void)
{
	exchange_connect(&x);
	assert_string_equal(ike_sa_identity(TAILQ_LAST(&x.sides[GATEWAY].ike->sas, ike_sa_list)), "alice");
}

static void connects(void **state)
{
	struct exchange_child *child;
	struct ike_sa *sa;

	(void)state;
	start();
	exchange_open(&x);
	connect_as_alice();
	child = exchange_newest(&x, GATEWAY);
	assert_ptr_equal(child->terms.peer, &x.sides[GATEWAY].peers[0]);
	assert_int_equal(x.sides[GATEWAY].registered_taken, 1);
	assert_true(ike_peer_is_known(x.sides[GATEWAY].ike, &x.sides[GATEWAY].peers[0], "alice"));
	/* The key goes with the proof, though the handshake stays a while to answer what is repeated. */
	sa = TAILQ_LAST(&x.sides[GATEWAY].ike->sas, ike_sa_list);
	assert_true(!sa->handshake || !sa->handshake->registered);
	exchange_stop(&x);
}

static void network_of_its_own(void **state)
{
	(void)state;
	start();
	x.sides[BRANCH].peers[0].local_networks[1] = network("192.168.1.0/25");
	x.sides[BRANCH].peers[0].n_local = 2;
	exchange_open(&x);
	connect_as_alice();
	assert_int_equal(exchange_installed(&x, GATEWAY), 2);
	exchange_stop(&x);
}

static void network_of_others(void **state)
{
	(void)state;
	start();
	x.sides[BRANCH].peers[0].local_networks[0] = network("10.99.0.8/32");
	exchange_open(&x);
	exchange_begin(&x);
	exchange_run(&x);
	assert_int_equal(exchange_installed(&x, GATEWAY), 0);
	assert_non_null(strstr(
		x.sides[GATEWAY].why[IKE_EVENT_REFUSED], "configured are 10.99.0.7/32, 192.168.1.0/24 to 10.2.0.0/16"));
	exchange_stop(&x);
}

static void nobody_of_that_name(void **state)
{
	(void)state;
	start();
	x.sides[GATEWAY].registered_as = "ffeeddccbbaa99887766554433221100@registered";
	exchange_open(&x);
	exchange_begin(&x);
	exchange_deliver(&x);
	assert_int_equal(x.queued, 1);
	assert_int_equal(x.queue[0].data[18], ISAKMP_INFORMATIONAL);
	assert_int_equal(exchange_sas(&x, GATEWAY), 0);
	exchange_stop(&x);
}

static void another_key(void **state)
{
	(void)state;
	start();
	alice.key[0] ^= 1;
	exchange_open(&x);
	exchange_begin(&x);
	exchange_run(&x);
	assert_int_equal(exchange_established(&x, GATEWAY), 0);
	assert_int_equal(exchange_established(&x, BRANCH), 0);
	assert_int_equal(x.sides[GATEWAY].registered_taken, 0);
	exchange_stop(&x);
}

/* Of two exchanges with one key the second to prove itself is refused, and nothing is left of it. */
static void key_is_good_for_once(void **state)
{
	struct exchange_message message_3;

	(void)state;
	start();
	exchange_open(&x);
	exchange_begin(&x);
	exchange_deliver(&x);
	exchange_deliver(&x);
	x.sides[GATEWAY].registered_used = true;
	message_3 = exchange_take(&x);
	exchange_hand_over(&x, &message_3);
	assert_int_equal(exchange_sas(&x, GATEWAY), 0);
	assert_non_null(strstr(x.sides[GATEWAY].why[IKE_EVENT_REFUSED], "has been used"));
	exchange_free(&message_3);
	exchange_stop(&x);
}

/* What the entry itself is called opens nothing, in neither mode. */
static void entry_is_nobody(void **state)
{
	(void)state;
	for (int main_mode = 0; main_mode < 2; main_mode++) {
		start();
		x.sides[GATEWAY].registered = NULL;
		strcpy(x.sides[GATEWAY].peers[0].identity, "members");
		strcpy(x.sides[BRANCH].config.ike.identity, "members");
		x.sides[GATEWAY].config.n_peers = 1;
		x.sides[BRANCH].peers[0].aggressive = !main_mode;
		exchange_open(&x);
		exchange_begin(&x);
		exchange_deliver(&x);
		assert_int_equal(exchange_sas(&x, GATEWAY), 0);
		exchange_stop(&x);
	}
}

/* Another registration of the same identity: its IKE SA is the newest, and the other one can be told to go. */
static void newest_wins(void **state)
{
	struct exchange_side *gateway = &x.sides[GATEWAY];

	(void)state;
	start();
	exchange_open(&x);
	connect_as_alice();
	alice.number = 8;
	gateway->registered_used = false;
	connect_as_alice();
	assert_int_equal(exchange_established(&x, GATEWAY), 2);
	ike_identity_keep_newest(gateway->ike, &gateway->peers[0], "alice", "alice registered anew");
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	assert_string_equal(gateway->why[IKE_EVENT_DELETED], "alice registered anew");
	exchange_run(&x);
	assert_int_equal(exchange_established(&x, BRANCH), 1);
	exchange_stop(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects),
		cmocka_unit_test(network_of_its_own),
		cmocka_unit_test(network_of_others),
		cmocka_unit_test(nobody_of_that_name),
		cmocka_unit_test(another_key),
		cmocka_unit_test(key_is_good_for_once),
		cmocka_unit_test(entry_is_nobody),
		cmocka_unit_test(newest_wins),
	};

	return cmocka_run_group_tests_name("registered", tests, NULL, NULL);
}
