/* SPDX-License-Identifier: Apache-2.0 */
/* Registrations that come to something, and those that are refused for who the client is. */
#include "registrar_world.h"

#include "pki.h"
#include "registration/keys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct world world;
static struct client client, second;

static bool has_ended(void *context)
{
	char byte;

	return recv(((struct client *)context)->fd, &byte, 1, MSG_PEEK) == 0;
}

static bool is_idle(void *context)
{
	return registrar_count(((struct world *)context)->registrar) == 0;
}

static const struct registration *registered(const char *identity)
{
	struct registration like = {.identity = ""};

	strcpy(like.identity, identity);
	return registry_other(world.registry, &like);
}

static void password(void **state)
{
	const struct registration_accepted *accepted = &client.got.accepted;
	const struct registration *registration;
	struct registration_keys keys;
	char text[PREFIX_TEXT_LEN];

	(void)state;
	world_prepare(&world);
	world_open(&world);
	client_open(&world, &client, NULL);
	client_register(&client, "alice");
	assert_string_equal(accepted->identity, "alice");
	assert_string_equal(accepted->gateway_identity, "hq.example");
	assert_int_equal(accepted->transport, REGISTRATION_UDP);
	assert_false(accepted->fallback);
	assert_int_equal(accepted->n_ports, 1);
	assert_int_equal(accepted->ports[0], 4500);
	assert_string_equal(address_format(&accepted->virtual_address, text), "10.99.0.7");
	assert_int_equal(accepted->n_dns, 1);
	assert_string_equal(prefix_format(&accepted->gateway_networks[0], text), "192.168.2.0/24");
	assert_int_equal(accepted->n_client_networks, 1);
	assert_string_equal(prefix_format(&accepted->client_networks[0], text), "10.99.0.7/32");
	assert_true(world_was_told(&world, TIMELINE_REGISTERED, "\"alice\" is registered, by password"));
	/* Both ends have the same keys, which were never sent. */
	registration = registered("alice");
	assert_non_null(registration);
	assert_int_equal(keys_derive(channel_tls(client.channel), accepted->session, &keys), 0);
	assert_memory_equal(&keys, &registration->keys, sizeof(keys));
	assert_int_equal(world.n_started, 0);
	client_start(&client);
	assert_int_equal(world.n_started, 1);
	assert_int_equal(world.stream, -1);
	/* The first FIN is the gateway's: our end is open, and theirs is not. */
	world_until(&world, has_ended, &client);
	world_until(&world, is_idle, &world);
	assert_int_equal(world.n_ended, 0);
	assert_ptr_equal(registered("alice"), registration);
	assert_int_equal(registrar_counters(world.registrar)->accepted_password, 1);
	client_close(&client);
	world_close(&world);
}

/* To the client an unknown user and a wrong password are the same; on the timeline they are not. */
static void not_authenticated(void **state)
{
	static const char *const users[] = {"alice", "nobody"};
	static const char *const reasons[] = {"the password is wrong", "there is no user of this name"};
	char sentences[2][REGISTRATION_SENTENCE_LEN];

	(void)state;
	world_prepare(&world);
	world_open(&world);
	for (int i = 0; i < 2; i++) {
		client_open(&world, &client, NULL);
		client_say_hello(&client);
		client_expect(&client, REGISTRATION_OFFER);
		client_give_password(&client, users[i], "open barley");
		client_expect_refusal(&client, REGISTRATION_AUTHENTICATION_FAILED);
		strcpy(sentences[i], client.got.refused.sentence);
		assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, reasons[i]));
		client_close(&client);
	}
	assert_string_equal(sentences[0], sentences[1]);
	world_until(&world, is_idle, &world);
	assert_int_equal(world.n_leases, 0);
	assert_int_equal(registry_count(world.registry), 0);
	assert_int_equal(world.n_over, 2);
	world_close(&world);
}

static void guesses_are_limited(void **state)
{
	(void)state;
	world_prepare(&world);
	world.config.users.guesses_per_user = 2;
	world_open(&world);
	for (int i = 0; i < 3; i++) {
		client_open(&world, &client, NULL);
		client_say_hello(&client);
		client_expect(&client, REGISTRATION_OFFER);
		/* Even the right one is not looked at any more. */
		client_give_password(&client, "alice", i < 2 ? "open barley" : WORLD_PASSWORD);
		client_expect_refusal(&client, REGISTRATION_AUTHENTICATION_FAILED);
		client_close(&client);
	}
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "guesses_per_user"));
	/* Others behind the same address are let in. */
	client_open(&world, &client, NULL);
	client_register(&client, "bob");
	client_close(&client);
	world_close(&world);
}

/* Opens with this certificate and goes by it. */
static void by_certificate(const char *name)
{
	struct registration_message authenticate = {
		.type = REGISTRATION_AUTHENTICATE, .authenticate.method = REGISTRATION_CERTIFICATE};

	client_open(&world, &client, name);
	client_say_hello(&client);
	client_expect(&client, REGISTRATION_OFFER);
	client_send(&client, &authenticate);
}

static void certificates(void **state)
{
	static const char *const revoked[] = {"stolen", NULL};

	(void)state;
	world_prepare(&world);
	pki_make(&(struct pki_certificate){.name = "ulm", .issuer = "authority"});
	pki_make(&(struct pki_certificate){
		.name = "carol", .issuer = "authority", .names = "DNS:carol.example, email:carol@example.org"});
	pki_make(&(struct pki_certificate){.name = "stolen", .issuer = "authority", .names = "DNS:stolen.example"});
	pki_make(&(struct pki_certificate){
		.name = "old", .issuer = "authority", .names = "DNS:old.example", .from = -9, .to = -2});
	pki_make(&(struct pki_certificate){.name = "itself", .names = "DNS:alice.example"});
	pki_make(&(struct pki_certificate){.name = "nameless", .issuer = "authority"});
	pki_revoke("authority", revoked, 30);
	pki_path("authority.crl", world.config.ike.crls[world.config.ike.n_crls++]);
	world.members[0] =
		(struct config_member){.identity = "branch-ulm", .address = address_ipv4(0x0a630105), .n_networks = 1};
	world.members[0].networks[0] = (struct prefix){.address = address_ipv4(0xc0a80700), .len = 24};
	strcpy(world.members[0].subject, "C=DE, O=Example, CN=ulm");
	world.config.registration.n_members = 1;
	world_open(&world);

	by_certificate("ulm");
	client_expect(&client, REGISTRATION_ACCEPTED);
	assert_string_equal(client.got.accepted.identity, "branch-ulm");
	assert_int_equal(client.got.accepted.n_client_networks, 2);
	assert_int_equal(world.n_leases, 0);
	client_close(&client);

	by_certificate("carol");
	client_expect(&client, REGISTRATION_ACCEPTED);
	assert_string_equal(client.got.accepted.identity, "carol@example.org");
	client_close(&client);

	by_certificate("stolen");
	client_expect_refusal(&client, REGISTRATION_AUTHENTICATION_FAILED);
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "revoked"));
	client_close(&client);

	by_certificate("old");
	client_expect_refusal(&client, REGISTRATION_AUTHENTICATION_FAILED);
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "expired"));
	client_close(&client);

	by_certificate("itself");
	client_expect_refusal(&client, REGISTRATION_AUTHENTICATION_FAILED);
	client_close(&client);

	by_certificate("nameless");
	client_expect_refusal(&client, REGISTRATION_AUTHENTICATION_FAILED);
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "CN=nameless\" is no member's subject"));
	client_close(&client);

	by_certificate(NULL);
	client_expect_refusal(&client, REGISTRATION_AUTHENTICATION_FAILED);
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "no certificate was shown"));
	client_close(&client);

	/* Whose certificate is bad may still know a password. */
	client_open(&world, &client, "old");
	client_register(&client, "alice");
	client_close(&client);
	assert_int_equal(registrar_counters(world.registrar)->accepted_certificate, 2);
	world_close(&world);
}

static void refused(const char *user, enum registration_code code, const char *reason)
{
	client_open(&world, &client, NULL);
	client_say_hello(&client);
	client_expect(&client, REGISTRATION_OFFER);
	client_give_password(&client, user, WORLD_PASSWORD);
	client_expect_refusal(&client, code);
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, reason));
	client_close(&client);
}

static void granted_nothing(void **state)
{
	(void)state;
	world_prepare(&world);
	strcpy(world.peers[0].user_group, "staff");
	world_open(&world);
	refused("bob", REGISTRATION_NOT_ALLOWED, "by password and is of no group");
	world.pool_exhausted = true;
	refused("alice", REGISTRATION_NO_ADDRESS, "pool \"clients\" has none");
	world.pool_exhausted = false;
	world.overlap = "10.99.0.7/32 of \"alice\" overlaps 10.99.0.0/24, which leads to \"ulm\"";
	refused("alice", REGISTRATION_OVERLAP, "\"alice\" overlaps 10.99.0.0/24, which leads to \"ulm\"");
	assert_int_equal(registry_count(world.registry), 0);
	assert_int_equal(registrar_counters(world.registrar)->not_allowed, 3);
	world_close(&world);
}

static void neither_address_nor_network(void **state)
{
	(void)state;
	world_prepare(&world);
	world.peers[0].pool[0] = '\0';
	world_open(&world);
	refused("alice", REGISTRATION_NO_ADDRESS, "would have no address and no network");
	world_close(&world);
}

/* The newest wins, and both timelines say so; the one before is known no more. */
static void two_with_one_identity(void **state)
{
	char one_time[KEYS_IDENTITY_LEN];

	(void)state;
	world_prepare(&world);
	world_open(&world);
	client_open(&world, &client, NULL);
	client_register(&client, "alice");
	client_start(&client);
	strcpy(one_time, registered("alice")->keys.identity);
	client_open(&world, &second, NULL);
	client_register(&second, "alice");
	assert_int_equal(registry_count(world.registry), 1);
	assert_int_equal(world.n_ended, 1);
	assert_null(registry_find_one_time(world.registry, one_time));
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "the newest wins"));
	assert_true(
		world_was_told(&world, TIMELINE_REGISTRATION, "takes the place of the registration from 127.0.0.1"));
	client_close(&second);
	client_close(&client);
	world_close(&world);
}

/* Nothing stays of somebody who was accepted and goes before it confirms. */
static void gone_before_start(void **state)
{
	(void)state;
	world_prepare(&world);
	world_open(&world);
	client_open(&world, &client, NULL);
	client_register(&client, "alice");
	assert_int_equal(registry_count(world.registry), 1);
	client_close(&client);
	world_until(&world, is_idle, &world);
	assert_int_equal(registry_count(world.registry), 0);
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "before it confirmed"));
	assert_int_equal(world.n_started, 0);
	world_close(&world);
}

/* The helper is still at work for it. */
static void gone_while_it_is_checked(void **state)
{
	(void)state;
	world_prepare(&world);
	world_open(&world);
	client_open(&world, &client, NULL);
	client_say_hello(&client);
	client_expect(&client, REGISTRATION_OFFER);
	client_give_password(&client, "alice", WORLD_PASSWORD);
	while (jobs_pending(world.jobs) == 0)
		event_base_loop(world.base, EVLOOP_ONCE);
	client_close(&client);
	world_until(&world, is_idle, &world);
	assert_int_equal(registry_count(world.registry), 0);
	world_close(&world);
}

static bool has_stream(void *context)
{
	return ((struct world *)context)->stream >= 0;
}

/* For TCP the connection goes on without TLS, once both have said that TLS is over. */
static void over_tcp(void **state)
{
	char bytes[16] = "";

	(void)state;
	world_prepare(&world);
	world.config.registration.transports[0] = CONFIG_TRANSPORT_TCP;
	world_open(&world);
	client_open(&world, &client, NULL);
	client_register(&client, "alice");
	assert_int_equal(client.got.accepted.transport, REGISTRATION_TCP);
	client_start(&client);
	world_until(&world, has_stream, &world);
	assert_int_equal(world.n_started, 1);
	client.fd = channel_release(client.channel);
	client.channel = NULL;
	assert_int_equal(write(client.fd, "IKETCP", 6), 6);
	assert_int_equal(write(world.stream, "IKETCP", 6), 6);
	assert_int_equal(recv(world.stream, bytes, sizeof(bytes), 0), 6);
	assert_string_equal(bytes, "IKETCP");
	assert_int_equal(recv(client.fd, bytes, sizeof(bytes), 0), 6);
	close(world.stream);
	close(client.fd);
	client_close(&client);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(password),
		cmocka_unit_test(not_authenticated),
		cmocka_unit_test(guesses_are_limited),
		cmocka_unit_test(certificates),
		cmocka_unit_test(granted_nothing),
		cmocka_unit_test(neither_address_nor_network),
		cmocka_unit_test(two_with_one_identity),
		cmocka_unit_test(gone_before_start),
		cmocka_unit_test(gone_while_it_is_checked),
		cmocka_unit_test(over_tcp),
	};

	return cmocka_run_group_tests_name("registrar", tests, NULL, NULL);
}
