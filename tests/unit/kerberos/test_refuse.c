/* SPDX-License-Identifier: Apache-2.0 */
/* Who is not let in by Kerberos: each for its reason, which the administrator is told, and the peer is not. */
#include "world.h"

#include <gssapi/gssapi_ext.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

enum { MINUTE = 60, HOUR = 3600, WANTED = GSS_C_MUTUAL_FLAG | GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG };

static void assert_refused(struct world *world, const char *why)
{
	assert_int_equal(world->state, KERBEROS_REFUSED);
	assert_says(world->why, why);
}

/* The token at hand to a gateway that has seen nothing of this peer. */
static void show_gateway(struct world *world)
{
	kerberos_end(world->context);
	world_gateway_begin(world);
	world_gateway_step(world);
}

static void refuse_raw(struct world *world, unsigned flags, const uint8_t *binding, const char *why)
{
	world_raw_token(world, flags, binding);
	show_gateway(world);
	assert_refused(world, why);
}

static void bindings_must_be_there_and_right(void **state)
{
	struct world *world = *state;
	uint8_t other[KERBEROS_BINDING_LEN];

	assert_true(world_open(world));
	memcpy(other, world->gateway_binding, sizeof(other));
	other[sizeof(other) - 1] ^= 1;
	refuse_raw(world, WANTED, NULL, "is not bound to this TLS channel");
	assert_string_equal(world->principal, "alice@" WORLD_REALM); /* whose client is to be mended */
	refuse_raw(world, WANTED, other, "is bound to another TLS channel");
	refuse_raw(world, WANTED | GSS_C_CHANNEL_BOUND_FLAG, other, "is bound to another TLS channel");
	/* The same by our own client: somebody relays from one channel into another. */
	memcpy(world->client_binding, other, sizeof(other));
	world_meet(world);
	assert_refused(world, "is bound to another TLS channel");
}

static void proof_must_be_mutual(void **state)
{
	struct world *world = *state;

	assert_true(world_open(world));
	refuse_raw(world, GSS_C_REPLAY_FLAG, world->gateway_binding, "does not ask for mutual authentication");
}

static void token_is_good_once(void **state)
{
	struct world *world = *state;
	uint8_t token[WORLD_TOKEN_MAX];
	size_t token_len;

	assert_true(world_open(world));
	world_client_begin(world);
	memcpy(token, world->token, world->token_len);
	token_len = world->token_len;
	show_gateway(world);
	assert_int_equal(world->state, KERBEROS_ACCEPTED);
	memcpy(world->token, token, token_len);
	world->token_len = token_len;
	show_gateway(world);
	assert_refused(world, "was used before (replay)");
	/* Nor after a restart of sluiced. */
	kerberos_end(world->context);
	world->context = NULL;
	kerberos_free(world->kerberos);
	assert_true(world_open(world));
	memcpy(world->token, token, token_len);
	world->token_len = token_len;
	show_gateway(world);
	assert_refused(world, "was used before (replay)");
}

static void clocks_must_agree(void **state)
{
	struct world *world = *state;

	assert_true(world_open(world));
	world->gateway_end.clock = 10 * MINUTE;
	world_meet(world);
	assert_refused(world, "the clock of alice@" WORLD_REALM " shows ");
	assert_says(world->why, "10 minutes apart");
	world->gateway_end.clock = -2 * HOUR; /* the ticket is not even valid then */
	world_meet(world);
	assert_refused(world, "the ticket of alice@" WORLD_REALM " begins only at ");
	world->gateway_end.clock = 4 * MINUTE;
	world_meet(world);
	assert_int_equal(world->state, KERBEROS_ACCEPTED);
}

static void tickets_end(void **state)
{
	struct world *world = *state;

	assert_true(world_open(world));
	world->gateway_end.clock = 11 * HOUR;
	world_meet(world);
	assert_refused(world, "the ticket of alice@" WORLD_REALM " ended at ");
}

static void keys_must_be_the_service_s(void **state)
{
	static const struct {
		const char *keytab, *gateway, *client, *why;
	} rows[] = {
		{"wrong.keytab", "vpn/hq.test", "vpn/hq.test", "encrypted with another key than the keytab has"},
		{"old.keytab", "vpn/old.test", "vpn/old.test",
			"another version of the service's key than the keytab has"},
		{"hq.keytab", "vpn/hq.test", "vpn/other.test",
			"for another service than registration.kerberos.service"},
		{"hq.keytab", "vpn", "vpn/other.test", "for another service than registration.kerberos.service"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(world->config.keytab, world_path(world, rows[i].keytab));
		strcpy(world->config.service, rows[i].gateway);
		strcpy(world->client_config.service, rows[i].client);
		assert_true(world_open(world));
		world_meet(world);
		assert_refused(world, rows[i].why);
		world_end(world);
		kerberos_free(world->kerberos);
		world->kerberos = NULL;
	}
}

static void keytab_must_be_usable(void **state)
{
	struct world *world = *state;

	strcpy(world->config.service, "vpn/nobody.test");
	assert_false(world_open(world));
	assert_says(world->report, "no key of service \"vpn/nobody.test\"");
	strcpy(world->config.service, "http");
	assert_false(world_open(world));
	strcpy(world->config.keytab, world_path(world, "none.keytab"));
	assert_false(world_open(world));
	assert_says(world->report, "none.keytab");
}

static void principals_without_a_rule_are_nobody(void **state)
{
	struct world *world = *state;

	strcpy(world->config.rules[0].principal, "bob@" WORLD_REALM);
	assert_true(world_open(world));
	world_meet(world);
	assert_refused(world, "alice@" WORLD_REALM " has a good ticket, but is nobody here: no rule");
	assert_string_equal(world->principal, "alice@" WORLD_REALM);
}

static void tokens_have_limits(void **state)
{
	struct world *world = *state;

	world->config.token_max = 4096;
	assert_true(world_open(world));
	world->token_len = 4097;
	RAND_bytes(world->token, (int)world->token_len);
	show_gateway(world);
	assert_refused(world, "has 4097 bytes, and registration.kerberos.token_max is 4096");
}

/* Nothing that a stranger sends is taken, and none of it disturbs. */
static void noise_is_noise(void **state)
{
	static const uint8_t spnego[] = {0x60, 0x0a, 0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02, 0xa0, 0x00};
	struct world *world = *state;

	world->config.token_max = WORLD_TOKEN_MAX;
	assert_true(world_open(world));
	world->token_len = WORLD_TOKEN_MAX;
	RAND_bytes(world->token, WORLD_TOKEN_MAX);
	show_gateway(world);
	assert_refused(world, "is no GSS-API token");
	world->token_len = 0;
	show_gateway(world);
	assert_refused(world, "is no GSS-API token");
	memcpy(world->token, spnego, sizeof(spnego));
	world->token_len = sizeof(spnego);
	show_gateway(world);
	assert_refused(world, "is of another mechanism");
	memcpy(world->token, "NTLMSSP", 8);
	world->token_len = 8;
	show_gateway(world);
	assert_refused(world, "is no GSS-API token");
}

/*
 * A good token with one byte altered, any of them. A few stand outside of what is encrypted, such as reserved bits
 * among the options (RFC 4120 section 5.5.1): such a token is still alice's, and nobody else's.
 */
static void each_byte_counts(void **state)
{
	struct world *world = *state;
	size_t accepted = 0, token_len = SIZE_MAX, i;

	assert_true(world_open(world));
	for (i = 0; i < token_len; i++) {
		world_raw_token(world, WANTED, world->gateway_binding);
		token_len = world->token_len;
		world->token[i] ^= (uint8_t)(1 + i % 255);
		show_gateway(world);
		if (world->state == KERBEROS_REFUSED)
			continue;
		accepted++;
		assert_string_equal(world->principal, "alice@" WORLD_REALM);
	}
	assert_in_range(accepted, 0, i / 10);
	for (i = 0; i < token_len; i += 17) {
		world_raw_token(world, WANTED, world->gateway_binding);
		world->token_len = i;
		show_gateway(world);
		assert_int_equal(world->state, KERBEROS_REFUSED);
	}
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(bindings_must_be_there_and_right),
		WORLD_TEST(proof_must_be_mutual),
		WORLD_TEST(token_is_good_once),
		WORLD_TEST(clocks_must_agree),
		WORLD_TEST(tickets_end),
		WORLD_TEST(keys_must_be_the_service_s),
		WORLD_TEST(keytab_must_be_usable),
		WORLD_TEST(principals_without_a_rule_are_nobody),
		WORLD_TEST(tokens_have_limits),
		WORLD_TEST(noise_is_noise),
		WORLD_TEST(each_byte_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
