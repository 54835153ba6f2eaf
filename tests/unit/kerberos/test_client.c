/* SPDX-License-Identifier: Apache-2.0 */
/* What sluice-connect's user is told when Kerberos fails on this side: what, why, and what to do. */
#include "world.h"

#include <stdio.h>
#include <string.h>

enum { HOUR = 3600 };

/* Fails before anything is sent. */
static void assert_fails(struct world *world, enum kerberos_client_failure failure, const char *why)
{
	world_end(world);
	world_client_begin(world);
	assert_int_equal(world->client_state, KERBEROS_CLIENT_FAILED);
	assert_says(world->client_why, why);
	assert_int_equal(world->failure, failure);
	assert_int_equal(world->token_len, 0);
}

static void use_password(struct world *world, const char *principal, const char *password)
{
	strcpy(world->client_config.principal, principal);
	world->client_config.password_len =
		(uint16_t)snprintf((char *)world->client_config.password, CONFIG_KERBEROS_PASSWORD_LEN, "%s", password);
}

static void no_ticket(void **state)
{
	struct world *world = *state;

	strcpy(world->client_config.cache, world_path(world, "none.cache"));
	assert_fails(world, KERBEROS_CLIENT_NO_TICKET, "there is no Kerberos ticket: run kinit USER@REALM");
	strcpy(world->client_config.principal, "bob@" WORLD_REALM);
	assert_fails(world, KERBEROS_CLIENT_NO_TICKET, "run kinit bob@" WORLD_REALM);
	/* Nor one of somebody else's cache. */
	strcpy(world->client_config.cache, world_path(world, "alice.cache"));
	assert_fails(world, KERBEROS_CLIENT_NO_TICKET, "run kinit bob@" WORLD_REALM);
	strcpy(world->client_config.keytab, world_path(world, "none.keytab"));
	assert_fails(world, KERBEROS_CLIENT_NO_TICKET, "none.keytab");
}

static void ticket_has_expired(void **state)
{
	struct world *world = *state;

	world->client_end.clock = 11 * HOUR;
	assert_fails(world, KERBEROS_CLIENT_TICKET_EXPIRED, "the Kerberos ticket of alice@" WORLD_REALM " has expired");
	assert_says(world->client_why, "run kinit alice@" WORLD_REALM);
}

static void clock_is_wrong(void **state)
{
	struct world *world = *state;

	world->client_end.clock = 600;
	use_password(world, "alice@" WORLD_REALM, "secret of alice");
	assert_fails(world, KERBEROS_CLIENT_CLOCK_SKEW, "more than 5 minutes apart");
}

static void names_are_unknown(void **state)
{
	struct world *world = *state;

	strcpy(world->client_config.service, "vpn/nobody.test");
	assert_fails(world, KERBEROS_CLIENT_UNKNOWN_SERVICE,
		"the KDC does not know the gateway's service vpn/nobody.test@" WORLD_REALM);
	use_password(world, "mallory@" WORLD_REALM, "a guess");
	assert_fails(world, KERBEROS_CLIENT_UNKNOWN_PRINCIPAL, "the KDC does not know mallory@" WORLD_REALM);
	use_password(world, "alice@" WORLD_REALM, "a guess");
	assert_fails(world, KERBEROS_CLIENT_WRONG_PASSWORD, "the KDC does not take the password of alice@" WORLD_REALM);
}

static void kdc_is_out_of_reach(void **state)
{
	struct world *world = *state;

	/* Port 9 (discard) of this host: whatever listens there is no KDC. */
	world_write_conf(world, "cut_off.conf", "127.0.0.1", 9, world->client_end.krb5_conf);
	use_password(world, "alice@" WORLD_REALM, "secret of alice");
	assert_fails(
		world, KERBEROS_CLIENT_KDC_UNREACHABLE, "the KDC for alice@" WORLD_REALM " can't be reached from here");
	strcpy(world->client_config.principal, "alice@ELSEWHERE.TEST");
	assert_fails(
		world, KERBEROS_CLIENT_KDC_UNREACHABLE, "the KDC for alice@ELSEWHERE.TEST can't be reached from here");
}

static void the_gateway_is_somebody_else(void **state)
{
	struct world *world = *state;

	assert_true(world_open(world));
	world_gateway_begin(world);
	world_client_begin(world);
	world_gateway_step(world);
	assert_int_equal(world->state, KERBEROS_ACCEPTED);
	world->token[world->token_len - 1] ^= 1; /* who has not the key can't do better */
	world_client_step(world);
	assert_int_equal(world->client_state, KERBEROS_CLIENT_FAILED);
	assert_int_equal(world->failure, KERBEROS_CLIENT_BAD_GATEWAY);
	assert_says(world->client_why, "the gateway has not the key of vpn/hq.test@" WORLD_REALM);
	/* Noise is no better. */
	world_end(world);
	world_client_begin(world);
	memset(world->token, 0x60, 100);
	world->token_len = 100;
	world_client_step(world);
	assert_int_equal(world->failure, KERBEROS_CLIENT_BAD_GATEWAY);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(no_ticket),
		WORLD_TEST(ticket_has_expired),
		WORLD_TEST(clock_is_wrong),
		WORLD_TEST(names_are_unknown),
		WORLD_TEST(kdc_is_out_of_reach),
		WORLD_TEST(the_gateway_is_somebody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
