/* SPDX-License-Identifier: Apache-2.0 */
/* Main mode that must come to nothing: each side is told why, and nothing is left. */
#include "exchange.h"

#include "ike/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { GARBAGE_AT = 40 };

static struct exchange x;

static void prepare(void)
{
	exchange_prepare(&x);
	for (int side = 0; side < 2; side++)
		x.sides[side].peers[0].aggressive = false;
}

static void says(int side, enum ike_event_kind kind, const char *part)
{
	if (!strstr(x.sides[side].why[kind], part))
		fail_msg("\"%s\" does not say \"%s\"", x.sides[side].why[kind], part);
}

/* The branch tries as long as it does, and both forget it. */
static void expect_nothing(void)
{
	exchange_open(&x);
	exchange_begin(&x);
	exchange_pass(&x, 200000);
	for (int side = 0; side < 2; side++) {
		assert_int_equal(x.sides[side].events[IKE_EVENT_ESTABLISHED], 0);
		assert_int_equal(exchange_sas(&x, side), 0);
		assert_int_equal(ike_run_timers(x.sides[side].ike), UINT64_MAX);
	}
}

static void nobody_there(void **state)
{
	(void)state;
	prepare();
	for (int i = 0; i < 2; i++)
		address_parse("192.0.2.77", &x.sides[GATEWAY].peers[i].address);
	expect_nothing();
	says(GATEWAY, IKE_EVENT_REFUSED, "main mode was offered from an address that is no configured peer's");
	says(BRANCH, IKE_EVENT_EXPIRED, "message 1 was not answered");
	assert_int_equal(x.logged, 5);
	exchange_stop(&x);
}

static void not_switched_on(void **state)
{
	(void)state;
	prepare();
	x.sides[GATEWAY].peers[0].ikev1 = false;
	expect_nothing();
	says(GATEWAY, IKE_EVENT_REFUSED, "main mode was offered");
	exchange_stop(&x);
}

static void no_common_proposal(void **state)
{
	(void)state;
	prepare();
	x.sides[BRANCH].peers[0].ike[0].key_bits = 128;
	expect_nothing();
	says(GATEWAY, IKE_EVENT_REFUSED,
		"offered aes128-sha256-ecp256 with psk; acceptable aes256-sha256-ecp256 with psk");
	says(BRANCH, IKE_EVENT_EXPIRED, "a refusal came");
	exchange_stop(&x);
}

static void wrong_key(void **state)
{
	(void)state;
	prepare();
	x.sides[GATEWAY].peers[0].secret[0] ^= 1;
	expect_nothing();
	says(GATEWAY, IKE_EVENT_EXPIRED,
		"message 4 was not answered; message 5 does not fit the pre-shared key of the one peer that it may be "
		"of");
	says(BRANCH, IKE_EVENT_EXPIRED, "message 5 was not answered");
	exchange_stop(&x);
}

/* Who has no key at all encrypts with one that anybody can make. */
static void no_key(void **state)
{
	(void)state;
	prepare();
	x.sides[BRANCH].peers[0].secret_len = 0;
	expect_nothing();
	says(GATEWAY, IKE_EVENT_REFUSED, "no pre-shared key fits");
	exchange_stop(&x);
}

static void unknown_identity(void **state)
{
	(void)state;
	prepare();
	strcpy(x.sides[BRANCH].config.ike.identity, "stranger@example.org");
	expect_nothing();
	says(GATEWAY, IKE_EVENT_REFUSED, "the identity is not that of a configured peer");
	exchange_stop(&x);
}

/* A peer with a key of its own takes another peer's name. */
static void stolen_identity(void **state)
{
	struct config_peer *other;

	(void)state;
	prepare();
	other = &x.sides[GATEWAY].peers[1];
	*other = x.sides[GATEWAY].peers[0];
	strcpy(other->identity, "other@example.org");
	memcpy(other->secret, "another key of another peer here", 32);
	strcpy(x.sides[BRANCH].config.ike.identity, "other@example.org");
	expect_nothing();
	says(GATEWAY, IKE_EVENT_REFUSED, "the pre-shared key is that of another peer");
	exchange_stop(&x);
}

/* The same key, but what was agreed on for the one is not allowed to the other. */
static void proposal_of_another(void **state)
{
	struct config_peer *other;

	(void)state;
	prepare();
	other = &x.sides[GATEWAY].peers[1];
	*other = x.sides[GATEWAY].peers[0];
	strcpy(other->identity, "other@example.org");
	other->ike[0].group = IKE_GROUP_ECP384;
	strcpy(x.sides[BRANCH].config.ike.identity, "other@example.org");
	expect_nothing();
	says(GATEWAY, IKE_EVENT_REFUSED,
		"is not one of this peer's (settings auth and ike): give the peer its address");
	exchange_stop(&x);
}

static void other_gateway_answers(void **state)
{
	(void)state;
	prepare();
	strcpy(x.sides[GATEWAY].config.ike.identity, "other.example.org");
	exchange_open(&x);
	exchange_begin(&x);
	exchange_pass(&x, 60000);
	says(BRANCH, IKE_EVENT_REFUSED, "the identity that answered is not the configured one");
	assert_int_equal(x.sides[BRANCH].events[IKE_EVENT_ESTABLISHED], 0);
	exchange_stop(&x);
}

/* Garbage in the place of message 5 costs so much and no more, and is answered by one refusal in the clear. */
static void endless_garbage(void **state)
{
	size_t total;

	(void)state;
	prepare();
	exchange_open(&x);
	exchange_begin(&x);
	for (int i = 0; i < 4; i++)
		exchange_deliver(&x);
	total = x.logged;
	for (int i = 0; i < 3000; i++) {
		bytes_put32(x.queue[0].data + GARBAGE_AT, (uint32_t)i);
		exchange_hand_over(&x, &x.queue[0]);
	}
	assert_int_equal(x.logged, total + 1);
	assert_int_equal(x.log[total].len, 40);
	assert_int_equal(exchange_established(&x, GATEWAY), 0);
	exchange_pass_silent(&x, 60000);
	assert_int_equal(exchange_sas(&x, GATEWAY), 0);
	exchange_stop(&x);
}

static void randomness_ends(void **state)
{
	(void)state;
	for (int side = 0; side < 2; side++)
		for (size_t calls = 1; calls < 12; calls++) {
			prepare();
			x.sides[GATEWAY].peers[0].pfs = x.sides[BRANCH].peers[0].pfs = IKE_GROUP_ECP256;
			exchange_open(&x);
			x.sides[side].random_until_failure = calls;
			(void)ike_initiate(x.sides[BRANCH].ike, &x.sides[BRANCH].peers[0], &x.sides[BRANCH].endpoint,
				&x.sides[GATEWAY].endpoint);
			exchange_pass(&x, 60000);
			assert_true(exchange_active(&x, GATEWAY) == exchange_active(&x, BRANCH));
			assert_true(exchange_installed(&x, GATEWAY) == exchange_active(&x, GATEWAY));
			exchange_stop(&x);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(not_switched_on),
		cmocka_unit_test(no_common_proposal),
		cmocka_unit_test(wrong_key),
		cmocka_unit_test(no_key),
		cmocka_unit_test(unknown_identity),
		cmocka_unit_test(stolen_identity),
		cmocka_unit_test(proposal_of_another),
		cmocka_unit_test(other_gateway_answers),
		cmocka_unit_test(endless_garbage),
		cmocka_unit_test(randomness_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
