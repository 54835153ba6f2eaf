/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that can't reach the KDC get their tickets through the gateway; and what becomes of it when it can't either. */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Something that takes a KDC's port, and never answers. */
struct silence {
	int udp, tcp;
	unsigned port;
};

/* A port that is free for both. */
static void silence_begin(struct silence *silence)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr *bound = (struct sockaddr *)&address;
	socklen_t len = sizeof(address);

	silence->tcp = socket(AF_INET, SOCK_STREAM, 0);
	do {
		silence->udp = socket(AF_INET, SOCK_DGRAM, 0);
		address.sin_port = 0;
		assert_int_equal(bind(silence->udp, bound, len), 0);
		assert_int_equal(getsockname(silence->udp, bound, &len), 0);
		if (bind(silence->tcp, bound, len) == 0)
			break;
		assert_int_equal(errno, EADDRINUSE);
		close(silence->udp);
	} while (true);
	assert_int_equal(listen(silence->tcp, 8), 0);
	silence->port = ntohs(address.sin_port);
}

/* From now on the port is closed, and says so. */
static void silence_end(struct silence *silence)
{
	close(silence->udp);
	close(silence->tcp);
}

/* The host of an end reaches no KDC, and is told so at once: the port is closed. */
static void cut_off(struct world *world, struct world_end *end)
{
	struct silence silence;

	silence_begin(&silence);
	silence_end(&silence);
	world_write_conf(world, "cut_off.conf", "127.0.0.1", silence.port, end->krb5_conf);
}

static void use_password(struct world *world, const char *password)
{
	strcpy(world->client_config.principal, "alice@" WORLD_REALM);
	world->client_config.cache[0] = '\0';
	world->client_config.password_len =
		(uint16_t)snprintf((char *)world->client_config.password, CONFIG_KERBEROS_PASSWORD_LEN, "%s", password);
}

/* Alice has nothing but her password and a way to the gateway. */
static void ask_through_the_gateway(struct world *world)
{
	cut_off(world, &world->client_end);
	use_password(world, "secret of alice");
	world->client_config.iakerb = CONFIG_IAKERB_ALWAYS;
}

static void assert_met(const struct world *world, const char *identity)
{
	assert_string_equal(world->client_why, "");
	assert_string_equal(world->why, "");
	assert_int_equal(world->client_state, KERBEROS_CLIENT_COMPLETE);
	assert_int_equal(world->state, KERBEROS_ACCEPTED);
	assert_string_equal(world->identity, identity);
	assert_true(world->through_gateway);
}

static void password_through_the_gateway(void **state)
{
	struct world *world = *state;

	ask_through_the_gateway(world);
	assert_true(world_open(world));
	world_meet(world);
	assert_met(world, "alice");
	/* First ticket (the KDC asks for proof, then gives it), service's ticket, and that one shown. */
	assert_int_equal(world->rounds, 4);
}

static void keytab_through_the_gateway(void **state)
{
	struct world *world = *state;

	cut_off(world, &world->client_end);
	strcpy(world->client_config.principal, "branch/ulm@" WORLD_REALM);
	strcpy(world->client_config.keytab, world_path(world, "branch.keytab"));
	world->client_config.cache[0] = '\0';
	strcpy(world->config.rules[0].principal, "branch/*@" WORLD_REALM);
	world->client_config.iakerb = CONFIG_IAKERB_ALWAYS;
	assert_true(world_open(world));
	for (int i = 0; i < 2; i++) {
		world_meet(world);
		assert_met(world, "ulm");
		assert_int_equal(world->rounds, 4);
	}
}

static void only_where_the_kdc_is_out_of_reach(void **state)
{
	struct world *world = *state;

	use_password(world, "secret of alice");
	world->client_config.iakerb = CONFIG_IAKERB_AUTO;
	assert_true(world_open(world));
	world_meet(world);
	assert_int_equal(world->state, KERBEROS_ACCEPTED);
	assert_false(world->through_gateway);
	cut_off(world, &world->client_end);
	world_meet(world);
	assert_met(world, "alice");
}

static void a_first_ticket_from_the_cache_suffices(void **state)
{
	struct world *world = *state;

	cut_off(world, &world->client_end);
	world->client_config.iakerb = CONFIG_IAKERB_AUTO;
	strcpy(world->client_config.service, "vpn/other.test");
	strcpy(world->config.keytab, world_path(world, "other.keytab"));
	assert_true(world_open(world));
	world_meet(world);
	assert_met(world, "alice");
	assert_int_equal(world->rounds, 2);
}

static void a_silent_kdc_is_not_waited_for(void **state)
{
	struct world *world = *state;
	struct silence silence;

	silence_begin(&silence);
	world_write_conf(world, "silent.conf", "127.0.0.1", silence.port, world->client_end.krb5_conf);
	use_password(world, "secret of alice");
	world->client_config.iakerb = CONFIG_IAKERB_AUTO;
	world->client_config.kdc_patience = 1;
	assert_true(world_open(world));
	world_meet(world);
	assert_met(world, "alice");
	silence_end(&silence); /* so that the helper, which still waits, comes back */
}

static void the_gateway_s_kdc_is_down(void **state)
{
	struct world *world = *state;

	ask_through_the_gateway(world);
	world->gateway_end = world->client_end;
	assert_true(world_open(world));
	world_meet(world);
	assert_int_equal(world->state, KERBEROS_REFUSED);
	assert_says(world->why, "no KDC of " WORLD_REALM " answers this gateway");
}

static void the_gateway_s_kdc_is_silent(void **state)
{
	struct world *world = *state;
	struct silence silence;

	ask_through_the_gateway(world);
	silence_begin(&silence);
	world_write_conf(world, "silent.conf", "127.0.0.1", silence.port, world->gateway_end.krb5_conf);
	world->config.kdc_timeout = 1;
	assert_true(world_open(world));
	world_meet(world);
	assert_int_equal(world->state, KERBEROS_REFUSED);
	assert_says(world->why, "the KDC of " WORLD_REALM " did not answer this gateway within 1 s");
	silence_end(&silence);
}

/* No more requests wait at once than are allowed, whoever sends them. */
static void requests_to_the_kdc_have_a_limit(void **state)
{
	struct kerberos_context *contexts[5];
	struct world *world = *state;
	struct silence silence;
	int rc;

	ask_through_the_gateway(world);
	silence_begin(&silence);
	world_write_conf(world, "silent.conf", "127.0.0.1", silence.port, world->gateway_end.krb5_conf);
	assert_true(world_open(world));
	world_client_begin(world);
	world_be(&world->gateway_end);
	for (unsigned i = 0; i < 5; i++) {
		contexts[i] = kerberos_begin(world->kerberos, world->gateway_binding, NULL, NULL);
		rc = kerberos_step(contexts[i], world->token, world->token_len);
		assert_int_equal(rc, i < world->config.kdc_pending ? 0 : -EBUSY);
	}
	for (unsigned i = 0; i < 5; i++)
		kerberos_end(contexts[i]);
	silence_end(&silence);
}

static void a_wrong_password_is_told(void **state)
{
	struct world *world = *state;

	use_password(world, "a guess");
	assert_true(world_open(world));
	for (int i = 0; i < 2; i++) {
		world_meet(world);
		assert_int_equal(world->client_state, KERBEROS_CLIENT_FAILED);
		assert_int_equal(world->failure, KERBEROS_CLIENT_WRONG_PASSWORD);
		assert_says(world->client_why, "the KDC does not take the password of alice@" WORLD_REALM);
		cut_off(world, &world->client_end);
		world->client_config.iakerb = CONFIG_IAKERB_ALWAYS;
	}
}

static void only_for_realms_of_the_rules(void **state)
{
	struct world *world = *state;

	ask_through_the_gateway(world);
	strcpy(world->config.rules[0].principal, "*@OTHER.TEST");
	assert_true(world_open(world));
	world_meet(world);
	assert_int_equal(world->state, KERBEROS_REFUSED);
	assert_says(world->why, "wants to reach the KDC of realm " WORLD_REALM ", for which there is no rule");
}

static void only_where_it_is_allowed(void **state)
{
	struct world *world = *state;

	ask_through_the_gateway(world);
	world->config.iakerb = false;
	assert_true(world_open(world));
	world_meet(world);
	assert_int_equal(world->state, KERBEROS_REFUSED);
	assert_says(world->why, "registration.kerberos.iakerb does not allow");
}

/* Reasons are the same by either mechanism, whichever the library has met first. */
static void reasons_are_told_here_too(void **state)
{
	struct world *world = *state;

	assert_true(world_open(world));
	world->gateway_end.clock = 600;
	world_meet(world);
	assert_says(world->why, "10 minutes apart");
	ask_through_the_gateway(world);
	world_meet(world);
	assert_int_equal(world->state, KERBEROS_REFUSED);
	assert_says(world->why, "10 minutes apart");
}

static void rounds_have_a_limit(void **state)
{
	struct world *world = *state;

	ask_through_the_gateway(world);
	world->config.rounds_max = 3;
	assert_true(world_open(world));
	world_meet(world);
	assert_int_equal(world->state, KERBEROS_REFUSED);
	assert_says(world->why, "more than 3 tokens (registration.kerberos.rounds_max)");
}

/* What is for a KDC carries a request, and an AP-REQ is not the first of such an exchange. */
static void odd_requests_are_refused(void **state)
{
	struct world *world = *state;
	uint8_t token[WORLD_TOKEN_MAX];
	size_t token_len;

	ask_through_the_gateway(world);
	assert_true(world_open(world));
	world_client_begin(world);
	token_len = world->token_len;
	memcpy(token, world->token, token_len);
	for (size_t i = 0; i < token_len; i++) {
		if (token[i] != 0x6a) /* AS-REQ's identifier */
			continue;
		world->token[i] = 0x6b; /* AS-REP's */
		world_gateway_begin(world);
		world_gateway_step(world);
		assert_int_equal(world->state, KERBEROS_REFUSED);
		assert_says(world->why, "no message of Kerberos that may stand here");
		break;
	}
	world_end(world);
	/* The last token of one exchange as the first of another. */
	world_gateway_begin(world);
	world_client_begin(world);
	for (int i = 0; i < 3; i++) {
		world_gateway_step(world);
		world_client_step(world);
	}
	kerberos_end(world->context);
	world_gateway_begin(world);
	world_gateway_step(world);
	assert_int_equal(world->state, KERBEROS_REFUSED);
	assert_says(world->why, "no message of Kerberos that may stand here");
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(password_through_the_gateway),
		WORLD_TEST(keytab_through_the_gateway),
		WORLD_TEST(only_where_the_kdc_is_out_of_reach),
		WORLD_TEST(a_first_ticket_from_the_cache_suffices),
		WORLD_TEST(a_silent_kdc_is_not_waited_for),
		WORLD_TEST(the_gateway_s_kdc_is_down),
		WORLD_TEST(the_gateway_s_kdc_is_silent),
		WORLD_TEST(requests_to_the_kdc_have_a_limit),
		WORLD_TEST(a_wrong_password_is_told),
		WORLD_TEST(only_for_realms_of_the_rules),
		WORLD_TEST(only_where_it_is_allowed),
		WORLD_TEST(reasons_are_told_here_too),
		WORLD_TEST(rounds_have_a_limit),
		WORLD_TEST(odd_requests_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
