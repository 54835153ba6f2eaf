/* SPDX-License-Identifier: Apache-2.0 */
/* Registration by Kerberos, inside real TLS and with a real KDC (tests/unit/kerberos/realm.sh). */
#include "registrar_world.h"

#include "auth/kerberos.h"
#include "connect/kerberos_client.h"
#include "registration/keys.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct world world;
static struct client client, second;

/* The client's end of Kerberos. */
static struct {
	struct config_kerberos_client config;
	struct kerberos_client *initiator;
	struct jobs *jobs;
	bool answered;
	enum kerberos_client_state state;
	uint8_t token[REGISTRATION_TOKEN_MAX];
	size_t token_len;
	bool through_gateway;
} ticket;

static void on_report(void *context, const char *sentence)
{
	(void)context;
	fail_msg("%s", sentence);
}

static int begin(void **state)
{
	struct config_kerberos *kerberos = &world.config.registration.kerberos;
	const char *realm = getenv("REALM_DIRECTORY");

	(void)state;
	assert_non_null(realm);
	world_prepare(&world);
	world.config.registration.methods[0] = CONFIG_METHOD_KERBEROS;
	*kerberos = (struct config_kerberos){.service = "vpn",
		.rules = {{"*@EXAMPLE.TEST", "*"}},
		.n_rules = 1,
		.token_max = 32768,
		.rounds_max = 12,
		.iakerb = true,
		.kdc_timeout = 10,
		.kdc_pending = 4};
	snprintf(kerberos->keytab, sizeof(kerberos->keytab), "%s/hq.keytab", realm);
	world.base = event_base_new();
	world.kerberos = kerberos_new(kerberos, realm, world.base, on_report, NULL);
	assert_non_null(world.kerberos);
	world_open(&world);
	memset(&ticket, 0, sizeof(ticket));
	ticket.config = (struct config_kerberos_client){.service = "vpn/hq.test", .iakerb = CONFIG_IAKERB_NEVER};
	snprintf(ticket.config.cache, sizeof(ticket.config.cache), "%s/alice.cache", realm);
	ticket.jobs = jobs_new(world.base, 2, 4);
	return 0;
}

static int end(void **state)
{
	(void)state;
	kerberos_client_end(ticket.initiator);
	jobs_free(ticket.jobs);
	world_close(&world);
	return 0;
}

static void on_token(void *context, const struct kerberos_client_answer *answer)
{
	(void)context;
	ticket.answered = true;
	ticket.state = answer->state;
	ticket.through_gateway = answer->through_gateway;
	if (answer->state == KERBEROS_CLIENT_FAILED)
		fail_msg("%s", answer->why);
	assert_in_range(answer->token_len, 0, sizeof(ticket.token));
	if (answer->token_len)
		memcpy(ticket.token, answer->token, answer->token_len);
	ticket.token_len = answer->token_len;
}

static bool has_answered(void *context)
{
	(void)context;
	return ticket.answered;
}

/* A token for the channel of `bound`. */
static void ticket_begin(const struct client *bound)
{
	uint8_t binding[KEYS_CHANNEL_BINDING_LEN];

	assert_int_equal(keys_channel_binding(channel_tls(bound->channel), binding), 0);
	ticket.answered = false;
	ticket.initiator =
		kerberos_client_begin(&ticket.config, "hq.test", binding, world.base, ticket.jobs, on_token, NULL);
	assert_non_null(ticket.initiator);
	world_until(&world, has_answered, NULL);
}

static void ticket_step(const struct registration_message *message)
{
	ticket.answered = false;
	assert_int_equal(kerberos_client_step(ticket.initiator, message->token, message->token_len), 0);
	world_until(&world, has_answered, NULL);
}

static void say_hello(struct client *from)
{
	struct registration_message hello = {.type = REGISTRATION_HELLO};

	hello.hello = (struct registration_hello){
		.version = REGISTRATION_VERSION,
		.software = "test 1",
		.methods = 1u << REGISTRATION_KERBEROS,
		.transports = 1u << REGISTRATION_UDP,
		.dialed = {.address = address_ipv4(0xc6336458), .port = 4009},
		.local = {.address = address_ipv4(0xc0a80102), .port = 40000},
		.udp_port = 4500,
	};
	client_send(from, &hello);
	client_expect(from, REGISTRATION_OFFER);
	assert_true(from->got.offer.methods & 1u << REGISTRATION_KERBEROS);
}

static void send_token(struct client *from, enum registration_type type)
{
	struct registration_message message = {.type = type, .token = ticket.token, .token_len = ticket.token_len};

	message.authenticate.method = REGISTRATION_KERBEROS;
	message.authenticate.mechanism = ticket.through_gateway ? REGISTRATION_IAKERB : REGISTRATION_KRB5;
	client_send(from, &message);
}

static void register_by_ticket(void)
{
	client_open(&world, &client, NULL);
	say_hello(&client);
	ticket_begin(&client);
	send_token(&client, REGISTRATION_AUTHENTICATE);
	client_expect(&client, REGISTRATION_ACCEPTED);
	assert_string_equal(client.got.accepted.identity, "alice");
	ticket_step(&client.got); /* the gateway's proof */
	assert_int_equal(ticket.state, KERBEROS_CLIENT_COMPLETE);
	assert_true(world_was_told(&world, TIMELINE_REGISTRATION, "Kerberos ticket of alice@EXAMPLE.TEST"));
	assert_true(world_was_told(&world, TIMELINE_REGISTERED, "\"alice\" is registered"));
	client_start(&client);
	assert_int_equal(world.n_started, 1);
	client_close(&client);
}

static void by_ticket(void **state)
{
	(void)state;
	register_by_ticket();
	assert_int_equal(registrar_counters(world.registrar)->accepted_kerberos, 1);
}

/* Through us, and several messages long. */
static void through_the_gateway(void **state)
{
	(void)state;
	ticket.config.iakerb = CONFIG_IAKERB_ALWAYS;
	ticket.config.cache[0] = '\0';
	strcpy(ticket.config.principal, "carol@EXAMPLE.TEST");
	ticket.config.password_len = (uint16_t)sprintf((char *)ticket.config.password, "secret of carol");
	client_open(&world, &client, NULL);
	say_hello(&client);
	ticket_begin(&client);
	send_token(&client, REGISTRATION_AUTHENTICATE);
	for (int i = 0; i < 3; i++) {
		client_expect(&client, REGISTRATION_TOKEN);
		ticket_step(&client.got);
		send_token(&client, REGISTRATION_TOKEN);
	}
	client_expect(&client, REGISTRATION_ACCEPTED);
	assert_string_equal(client.got.accepted.identity, "carol");
	assert_true(world_was_told(&world, TIMELINE_REGISTRATION, "asked the KDC of EXAMPLE.TEST for a first ticket"));
	client_close(&client);
}

/* Somebody takes a token that was made for a channel with himself, and shows it in his own channel to the gateway. */
static void a_token_is_for_one_channel(void **state)
{
	(void)state;
	client_open(&world, &client, NULL);
	client_open(&world, &second, NULL);
	ticket_begin(&second);
	say_hello(&client);
	send_token(&client, REGISTRATION_AUTHENTICATE);
	client_expect_refusal(&client, REGISTRATION_AUTHENTICATION_FAILED);
	assert_null(strstr(client.got.refused.sentence, "bound"));
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "is bound to another TLS channel"));
	client_close(&client);
	client_close(&second);
}

static void noise(void **state)
{
	(void)state;
	client_open(&world, &client, NULL);
	say_hello(&client);
	for (size_t i = 0; i < sizeof(ticket.token); i++)
		ticket.token[i] = (uint8_t)(i * i >> 3);
	ticket.token_len = sizeof(ticket.token);
	send_token(&client, REGISTRATION_AUTHENTICATE);
	client_expect_refusal(&client, REGISTRATION_AUTHENTICATION_FAILED);
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "registration.kerberos.token_max"));
	client_close(&client);
}

static bool nobody_is_there(void *context)
{
	return registrar_count(((struct world *)context)->registrar) == 0;
}

/* Clients that leave while a helper works for them disturb nobody. */
static void clients_that_leave(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		client_open(&world, &client, NULL);
		say_hello(&client);
		ticket_begin(&client);
		send_token(&client, REGISTRATION_AUTHENTICATE);
		event_base_loop(world.base, EVLOOP_NONBLOCK);
		client_close(&client);
		kerberos_client_end(ticket.initiator);
		ticket.initiator = NULL;
	}
	world_until(&world, nobody_is_there, &world);
	register_by_ticket();
}

int main(void)
{
#define TICKET_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TICKET_TEST(by_ticket),
		TICKET_TEST(through_the_gateway),
		TICKET_TEST(a_token_is_for_one_channel),
		TICKET_TEST(noise),
		TICKET_TEST(clients_that_leave),
	};

	signal(SIGPIPE, SIG_IGN); /* as sluiced does: clients leave while we write */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
