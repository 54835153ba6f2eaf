/* SPDX-License-Identifier: Apache-2.0 */
/* Negotiations that must come to nothing: both sides are told why, and nothing is left. */
#include "exchange.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct exchange x;

static void says(int side, enum ike_event_kind kind, const char *part)
{
	if (!strstr(x.sides[side].why[kind], part))
		fail_msg("\"%s\" does not say \"%s\"", x.sides[side].why[kind], part);
}

/* Nothing addressable is left: not even message 1 again finds something. */
static void nothing_is_left(int side)
{
	assert_int_equal(exchange_sas(&x, side), 0);
	assert_int_equal(exchange_installed(&x, side), 0);
	assert_int_equal(ike_run_timers(x.sides[side].ike), UINT64_MAX);
}

static void unknown_identity(void **state)
{
	(void)state;
	exchange_prepare(&x);
	strcpy(x.sides[BRANCH].config.ike.identity, "stranger.example.org");
	exchange_open(&x);
	exchange_begin(&x);
	exchange_deliver(&x);
	assert_int_equal(x.queued, 1); /* it is told so, and test_unproven.c how */
	says(GATEWAY, IKE_EVENT_REFUSED, "not that of a configured peer");
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_REFUSED), 1);
	nothing_is_left(GATEWAY);
	exchange_stop(&x);
}

static void no_opt_in(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		exchange_prepare(&x);
		*(i ? &x.sides[GATEWAY].peers[0].ikev1 : &x.sides[GATEWAY].peers[0].aggressive) = false;
		exchange_open(&x);
		exchange_begin(&x);
		exchange_deliver(&x);
		assert_int_equal(x.queued, 1);
		says(GATEWAY, IKE_EVENT_REFUSED, "configuration does not allow");
		nothing_is_left(GATEWAY);
		exchange_stop(&x);
	}
}

static void no_common_proposal(void **state)
{
	(void)state;
	exchange_prepare(&x);
	x.sides[BRANCH].peers[0].ike[0] =
		(struct ike_proposal){IKE_CIPHER_AES_CBC, 128, IKE_HASH_SHA256, IKE_GROUP_MODP2048};
	exchange_open(&x);
	exchange_begin(&x);
	exchange_deliver(&x);
	says(GATEWAY, IKE_EVENT_REFUSED,
		"no proposal in common: offered aes128-sha256-modp2048 with psk; acceptable aes256-sha256-ecp256 with "
		"psk");
	nothing_is_left(GATEWAY);
	assert_int_equal(x.queued, 1); /* one small notification, shorter than what was received */
	assert_true(x.log[1].len < x.log[0].len);
	exchange_deliver(&x);
	assert_int_equal(exchange_sas(&x, BRANCH), 1); /* anybody could have sent that */
	exchange_pass_silent(&x, 40000);
	says(BRANCH, IKE_EVENT_EXPIRED, "a refusal came");
	exchange_stop(&x);
}

/* The best method that both have; without one the sentence names what either side has. */
static void methods_differ(void **state)
{
	(void)state;
	exchange_prepare(&x);
	x.sides[BRANCH].peers[0].auth[0] = IKE_AUTH_RSA;
	x.sides[BRANCH].peers[0].auth[1] = IKE_AUTH_PSK;
	x.sides[BRANCH].peers[0].n_auth = 2;
	exchange_open(&x);
	exchange_connect(&x);
	exchange_stop(&x);
	exchange_prepare(&x);
	x.sides[BRANCH].peers[0].auth[0] = IKE_AUTH_XAUTH_INIT_PSK;
	exchange_open(&x);
	exchange_begin(&x);
	exchange_deliver(&x);
	says(GATEWAY, IKE_EVENT_REFUSED,
		"offered aes256-sha256-ecp256 with xauth-psk; acceptable aes256-sha256-ecp256 with psk");
	nothing_is_left(GATEWAY);
	exchange_stop(&x);
}

static void legacy_is_off(void **state)
{
	(void)state;
	exchange_prepare(&x);
	for (int side = 0; side < 2; side++)
		x.sides[side].peers[0].ike[0] =
			(struct ike_proposal){IKE_CIPHER_3DES_CBC, 0, IKE_HASH_MD5, IKE_GROUP_MODP1024};
	x.sides[BRANCH].config.ike.legacy = true;
	exchange_open(&x);
	exchange_begin(&x);
	exchange_deliver(&x);
	says(GATEWAY, IKE_EVENT_REFUSED, "offered 3des-md5-modp1024 with psk; acceptable nothing");
	says(GATEWAY, IKE_EVENT_REFUSED, "ike.legacy is false");
	nothing_is_left(GATEWAY);
	assert_int_equal(ike_initiate(x.sides[GATEWAY].ike, &x.sides[GATEWAY].peers[0], &x.sides[GATEWAY].endpoint,
				 &x.sides[BRANCH].endpoint),
		-EINVAL);
	exchange_stop(&x);
}

static void wrong_key(void **state)
{
	(void)state;
	exchange_prepare(&x);
	x.sides[GATEWAY].peers[0].secret[0] ^= 1;
	exchange_open(&x);
	exchange_begin(&x);
	exchange_pass(&x, 60000);
	says(BRANCH, IKE_EVENT_EXPIRED, "HASH_R is wrong");
	says(GATEWAY, IKE_EVENT_EXPIRED, "message 2 was not answered");
	assert_int_equal(x.sides[BRANCH].events[IKE_EVENT_ESTABLISHED], 0);
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_ESTABLISHED], 0);
	nothing_is_left(GATEWAY);
	nothing_is_left(BRANCH);
	exchange_stop(&x);
}

/* A client that does not check HASH_R and whose HASH_I is wrong: the gateway never takes it. */
static void wrong_proof(void **state)
{
	struct exchange_message third;

	(void)state;
	exchange_start(&x);
	exchange_begin(&x);
	exchange_deliver(&x);
	exchange_deliver(&x);
	third = exchange_take(&x);
	third.data[28 + 16] ^= 1; /* within HASH_I */
	exchange_hand_over(&x, &third);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_BAD_HASH), 1);
	assert_int_equal(exchange_established(&x, GATEWAY), 0);
	third.data[28 + 16] ^= 1; /* the true one is still welcome */
	exchange_hand_over(&x, &third);
	exchange_free(&third);
	exchange_run(&x);
	exchange_check_pair(&x);
	exchange_stop(&x);
}

static void other_gateway_answers(void **state)
{
	(void)state;
	exchange_prepare(&x);
	strcpy(x.sides[GATEWAY].config.ike.identity, "other.example.org");
	exchange_open(&x);
	exchange_begin(&x);
	exchange_pass(&x, 60000);
	says(BRANCH, IKE_EVENT_EXPIRED, "the identity that answered is not the configured one");
	exchange_stop(&x);
}

static void selectors_not_allowed(void **state)
{
	(void)state;
	for (int remote = 0; remote < 2; remote++) {
		struct config_peer *peer;

		exchange_prepare(&x);
		peer = &x.sides[GATEWAY].peers[0];
		prefix_parse("10.1.0.0/17", remote ? &peer->remote_networks[0] : &peer->local_networks[0]);
		exchange_open(&x);
		exchange_begin(&x);
		exchange_run(&x);
		says(GATEWAY, IKE_EVENT_REFUSED, "traffic selectors 10.1.0.0/16 to 10.2.0.0/16 are not within");
		says(BRANCH, IKE_EVENT_REFUSED, "INVALID-ID-INFORMATION");
		assert_int_equal(exchange_established(&x, GATEWAY), 1);
		assert_int_equal(exchange_installed(&x, GATEWAY) + exchange_installed(&x, BRANCH), 0);
		exchange_stop(&x);
	}
}

static void no_common_esp(void **state)
{
	(void)state;
	exchange_prepare(&x);
	x.sides[BRANCH].peers[0].esp[0] = ESP_AES128_CBC_SHA1_96;
	exchange_open(&x);
	exchange_begin(&x);
	exchange_run(&x);
	says(GATEWAY, IKE_EVENT_REFUSED, "offered aes128-sha1; acceptable aes256gcm with or without PFS");
	says(BRANCH, IKE_EVENT_REFUSED, "NO-PROPOSAL-CHOSEN");
	assert_int_equal(exchange_installed(&x, GATEWAY) + exchange_installed(&x, BRANCH), 0);
	exchange_stop(&x);
}

static void pfs_demanded(void **state)
{
	(void)state;
	exchange_prepare(&x);
	x.sides[GATEWAY].peers[0].pfs = IKE_GROUP_ECP384;
	exchange_open(&x);
	exchange_begin(&x);
	exchange_run(&x);
	says(GATEWAY, IKE_EVENT_REFUSED, "with PFS ecp384");
	assert_int_equal(exchange_installed(&x, GATEWAY), 0);
	exchange_stop(&x);
}

static void half_open_limits(void **state)
{
	(void)state;
	exchange_prepare(&x);
	x.sides[GATEWAY].config.ike.half_open_per_source = 3;
	x.sides[GATEWAY].config.ike.half_open_max = 5;
	exchange_open(&x);
	for (int i = 0; i < 4; i++)
		exchange_begin(&x);
	for (int i = 0; i < 4; i++)
		exchange_deliver(&x);
	assert_int_equal(exchange_sas(&x, GATEWAY), 3);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_LIMITED), 1);
	x.sides[BRANCH].endpoint.port = 501; /* another peer behind the same address */
	for (int i = 0; i < 3; i++)
		exchange_begin(&x);
	for (int i = 0; i < 6; i++) /* message 2 of the first three, then the new ones */
		i < 3 ? exchange_lose(&x) : exchange_deliver(&x);
	assert_int_equal(exchange_sas(&x, GATEWAY), 5);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_LIMITED), 2);
	exchange_pass_silent(&x, 31000);
	assert_int_equal(exchange_sas(&x, GATEWAY), 0);
	x.sides[BRANCH].endpoint.port = 500;
	exchange_connect(&x);
	exchange_stop(&x);
}

static void host_fails(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++)
		for (int side = 0; side < 2; side++) {
			exchange_start(&x);
			*(which ? &x.sides[side].fail_install : &x.sides[side].fail_spi) = true;
			exchange_begin(&x);
			exchange_pass(&x, 60000);
			assert_int_equal(exchange_active(&x, GATEWAY) + exchange_active(&x, BRANCH), 0);
			assert_int_equal(exchange_installed(&x, GATEWAY) + exchange_installed(&x, BRANCH), 0);
			assert_true(x.sides[side].events[IKE_EVENT_REFUSED] > 0);
			x.sides[side].fail_install = x.sides[side].fail_spi = false;
			exchange_connect(&x); /* and it recovers */
			exchange_stop(&x);
		}
}

/* Randomness ends at the first, second, third ... call: nothing breaks, and no half of anything is left. */
static void randomness_ends(void **state)
{
	(void)state;
	for (int side = 0; side < 2; side++)
		for (size_t calls = 1; calls < 12; calls++) {
			exchange_prepare(&x);
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
		cmocka_unit_test(unknown_identity),
		cmocka_unit_test(no_opt_in),
		cmocka_unit_test(no_common_proposal),
		cmocka_unit_test(methods_differ),
		cmocka_unit_test(legacy_is_off),
		cmocka_unit_test(wrong_key),
		cmocka_unit_test(wrong_proof),
		cmocka_unit_test(other_gateway_answers),
		cmocka_unit_test(selectors_not_allowed),
		cmocka_unit_test(no_common_esp),
		cmocka_unit_test(pfs_demanded),
		cmocka_unit_test(half_open_limits),
		cmocka_unit_test(host_fails),
		cmocka_unit_test(randomness_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
