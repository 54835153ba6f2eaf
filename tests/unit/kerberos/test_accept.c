/* SPDX-License-Identifier: Apache-2.0 */
/* Who is let in by Kerberos, with a real KDC: tickets of a cache, a keytab and a password, and what both ends learn. */
#include "world.h"

#include <stdio.h>
#include <string.h>

static void assert_meeting(struct world *world, const char *principal, const char *identity)
{
	world_meet(world);
	assert_string_equal(world->client_why, "");
	assert_string_equal(world->why, "");
	assert_int_equal(world->state, KERBEROS_ACCEPTED);
	assert_int_equal(world->client_state, KERBEROS_CLIENT_COMPLETE);
	assert_string_equal(world->principal, principal);
	assert_string_equal(world->client_principal, principal);
	assert_string_equal(world->identity, identity);
}

static void by_cache(void **state)
{
	struct world *world = *state;

	assert_true(world_open(world));
	for (int i = 0; i < 3; i++) /* the replay cache takes each new token */
		assert_meeting(world, "alice@" WORLD_REALM, "alice");
	assert_int_equal(world->rounds, 1);
	assert_false(world->through_gateway);
}

static void by_password(void **state)
{
	struct world *world = *state;

	strcpy(world->client_config.principal, "carol@" WORLD_REALM);
	world->client_config.password_len = (uint16_t)sprintf((char *)world->client_config.password, "secret of carol");
	assert_true(world_open(world));
	assert_meeting(world, "carol@" WORLD_REALM, "carol");
}

static void by_keytab(void **state)
{
	struct world *world = *state;

	strcpy(world->client_config.principal, "branch/ulm@" WORLD_REALM);
	strcpy(world->client_config.keytab, world_path(world, "branch.keytab"));
	world->config.rules[0] = (struct config_kerberos_rule){"branch/*@" WORLD_REALM, "*.vpn.test"};
	assert_true(world_open(world));
	assert_meeting(world, "branch/ulm@" WORLD_REALM, "ulm.vpn.test");
	assert_meeting(world, "branch/ulm@" WORLD_REALM, "ulm.vpn.test");
}

static void service_by_the_name_that_was_dialed(void **state)
{
	struct world *world = *state;

	world->client_config.service[0] = '\0';
	strcpy(world->config.service, "vpn/hq.test@" WORLD_REALM);
	assert_true(world_open(world));
	assert_meeting(world, "alice@" WORLD_REALM, "alice");
}

static void several_at_once(void **state)
{
	struct world *world = *state;
	struct kerberos_context *abandoned[8];
	struct kerberos_client *clients[8];

	/* Ends of both sorts are forgotten while helpers work for them. */
	assert_true(world_open(world));
	world_be(&world->client_end);
	for (int i = 0; i < 8; i++) {
		clients[i] = kerberos_client_begin(
			&world->client_config, "hq.test", world->client_binding, world->base, world->jobs, NULL, NULL);
		assert_non_null(clients[i]);
		kerberos_client_end(clients[i]);
	}
	world_client_begin(world);
	for (int i = 0; i < 8; i++) {
		abandoned[i] = kerberos_begin(world->kerberos, world->gateway_binding, NULL, NULL);
		assert_int_equal(kerberos_step(abandoned[i], world->token, world->token_len), 0);
		kerberos_end(abandoned[i]);
	}
	assert_meeting(world, "alice@" WORLD_REALM, "alice");
}

/* All of them ended within their own answers. */
static struct kerberos_context *ended_context;
static unsigned ended;

static void end_within(void *context, const struct kerberos_answer *answer)
{
	(void)context;
	kerberos_end(ended_context);
	assert_int_equal(answer->state, KERBEROS_ACCEPTED);
	assert_string_equal(answer->identity, "alice"); /* it lasts */
	ended++;
}

static void ended_within_its_answer(void **state)
{
	struct world *world = *state;

	assert_true(world_open(world));
	world_client_begin(world);
	world_be(&world->gateway_end);
	ended_context = kerberos_begin(world->kerberos, world->gateway_binding, end_within, world);
	assert_int_equal(kerberos_step(ended_context, world->token, world->token_len), 0);
	world_await(world, &ended, 1);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(by_cache),
		WORLD_TEST(by_password),
		WORLD_TEST(by_keytab),
		WORLD_TEST(service_by_the_name_that_was_dialed),
		WORLD_TEST(several_at_once),
		WORLD_TEST(ended_within_its_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
