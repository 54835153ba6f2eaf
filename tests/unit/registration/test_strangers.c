/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers do to a registrar: noise, half a handshake, malformed and misplaced messages, silence, crowds. Each
 * has its sentence, and nobody else is disturbed. */
#include "registrar_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct world world;
static struct client client;

static bool is_idle(void *context)
{
	return registrar_count(((struct world *)context)->registrar) == 0;
}

static bool is_idle_and_streams(void *context)
{
	return is_idle(context) && ((struct world *)context)->n_streams == 1;
}

static bool was_told_end(void *context)
{
	return ((struct world *)context)->n_over > 0;
}

static bool client_failed(void *context)
{
	return ((struct client *)context)->failed || ((struct client *)context)->closed;
}

/* Somebody honest is let in before and after. */
static void honest(void)
{
	client_open(&world, &client, NULL);
	client_register(&client, "alice");
	client_start(&client);
	client_close(&client);
	world_until(&world, is_idle, &world);
}

static void noise(void **state)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: hq.example\r\n\r\n";
	int fd;

	(void)state;
	world_prepare(&world);
	world_open(&world);
	fd = world_connect(&world);
	assert_int_equal(write(fd, http, sizeof(http) - 1), sizeof(http) - 1);
	world_until(&world, was_told_end, &world);
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "the TLS handshake came to nothing"));
	assert_int_equal(registrar_counters(world.registrar)->tls_failed, 1);
	close(fd);
	honest();
	world_close(&world);
}

/* Who begins with IKE in TCP is no stranger: IKE gets the connection, and every byte of it. */
static void stream(void **state)
{
	static const char begin[] = "IKETCP\0\x08";
	char taken[sizeof(begin)];
	int fd;

	(void)state;
	world_prepare(&world);
	world_open(&world);
	fd = world_connect(&world);
	assert_int_equal(write(fd, begin, 1), 1);
	world_until(&world, is_idle_and_streams, &world);
	assert_int_equal(write(fd, begin + 1, sizeof(begin) - 2), sizeof(begin) - 2);
	assert_int_equal(recv(world.stream, taken, sizeof(begin) - 1, MSG_WAITALL), sizeof(begin) - 1);
	assert_memory_equal(taken, begin, sizeof(begin) - 1);
	assert_int_equal(world.n_told, 0);
	assert_int_equal(registrar_counters(world.registrar)->streams, 1);
	close(world.stream);
	close(fd);
	honest();
	world_close(&world);
}

/* Neither a handshake that stops half-way nor a byte now and then holds longer than the exchange may take. */
static void half_open_and_slow(void **state)
{
	static const uint8_t hello[] = {22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3};
	int silent, half;
	size_t sent = 0;

	(void)state;
	world_prepare(&world);
	world.config.registration.timeout = 1;
	world_open(&world);
	silent = world_connect(&world);
	half = world_connect(&world);
	assert_int_equal(write(half, hello, 5), 5);
	client_open(&world, &client, NULL);
	/* One byte of a message in each round of the loop, for as long as the gateway listens. */
	while (registrar_count(world.registrar) > 0 && !client.failed && client.n_got == 0) {
		if (sent < 6 && write(half, hello + 5 + sent, 1) == 1)
			sent++;
		event_base_loop(world.base, EVLOOP_ONCE);
	}
	if (client.n_got == 0)
		client_expect_refusal(&client, REGISTRATION_TIMEOUT);
	assert_int_equal(client.got.type, REGISTRATION_REFUSED);
	assert_int_equal(client.got.refused.code, REGISTRATION_TIMEOUT);
	client_close(&client);
	world_until(&world, is_idle, &world);
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "the TLS handshake was not finished"));
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "the client had not said hello"));
	assert_int_equal(registrar_counters(world.registrar)->timed_out, 3);
	close(silent);
	close(half);
	world_close(&world);
}

static void malformed(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[]",
		"{\"type\":\"hello\"}",
		"{\"type\":\"start\",\"more\":1}",
		"{\"type\":\"start\"}{\"type\":\"start\"}",
		"{\"type\":\"start\",\"type\":\"start\"}",
		"{\"type\":17}",
		"\xff\xfe{",
	};

	(void)state;
	world_prepare(&world);
	world_open(&world);
	for (size_t i = 1; i < sizeof(texts) / sizeof(texts[0]); i++) {
		client_open(&world, &client, NULL);
		client_send_text(&client, texts[i]);
		client_expect_refusal(&client, REGISTRATION_MALFORMED);
		client_close(&client);
	}
	assert_int_equal(registrar_counters(world.registrar)->malformed, sizeof(texts) / sizeof(texts[0]) - 1);
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "the client's message is malformed"));
	world_until(&world, is_idle, &world);
	honest();
	world_close(&world);
}

/* Well formed, and not what may come at this place. */
static void misplaced(void **state)
{
	const struct registration_message start = {.type = REGISTRATION_START};

	(void)state;
	world_prepare(&world);
	world_open(&world);
	client_open(&world, &client, NULL);
	client_send(&client, &start);
	client_expect_refusal(&client, REGISTRATION_MALFORMED);
	client_close(&client);

	client_open(&world, &client, NULL);
	client_say_hello(&client);
	client_expect(&client, REGISTRATION_OFFER);
	client_say_hello(&client);
	client_expect_refusal(&client, REGISTRATION_MALFORMED);
	client_close(&client);

	/* While the password is being looked at. */
	client_open(&world, &client, NULL);
	client_say_hello(&client);
	client_expect(&client, REGISTRATION_OFFER);
	client_give_password(&client, "alice", WORLD_PASSWORD);
	client_give_password(&client, "alice", WORLD_PASSWORD);
	client_expect_refusal(&client, REGISTRATION_MALFORMED);
	client_close(&client);
	world_until(&world, is_idle, &world);
	assert_int_equal(registry_count(world.registry), 0);
	world_close(&world);
}

static void other_versions_and_methods(void **state)
{
	struct registration_message message = {.type = REGISTRATION_HELLO};

	(void)state;
	world_prepare(&world);
	world_open(&world);
	message.hello = (struct registration_hello){
		.version = 2,
		.software = "test 2",
		.methods = 1u << REGISTRATION_PASSWORD,
		.transports = 1u << REGISTRATION_UDP,
		.dialed = {.address = address_ipv4(0x7f000001), .port = 1},
		.local = {.address = address_ipv4(0x7f000001), .port = 1},
	};
	client_open(&world, &client, NULL);
	client_send(&client, &message);
	client_expect_refusal(&client, REGISTRATION_VERSION_UNKNOWN);
	client_close(&client);

	message.hello.version = REGISTRATION_VERSION;
	message.hello.methods = 1u << REGISTRATION_KERBEROS;
	client_open(&world, &client, NULL);
	client_send(&client, &message);
	client_expect(&client, REGISTRATION_OFFER);
	assert_int_equal(client.got.offer.methods, 1u << REGISTRATION_PASSWORD | 1u << REGISTRATION_CERTIFICATE);
	channel_close(client.channel);
	world_until(&world, client_failed, &client);
	client_close(&client);
	world_until(&world, is_idle, &world);
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED,
		"no method in common: the client offers kerberos, the gateway takes certificate or password"));
	assert_false(world_was_told(&world, TIMELINE_UNREGISTERED, "ended the exchange"));

	/* One that was not offered. */
	client_open(&world, &client, NULL);
	client_say_hello(&client);
	client_expect(&client, REGISTRATION_OFFER);
	message = (struct registration_message){.type = REGISTRATION_AUTHENTICATE,
		.authenticate.method = REGISTRATION_KERBEROS,
		.token = (uint8_t *)"x",
		.token_len = 1};
	client_send(&client, &message);
	client_expect_refusal(&client, REGISTRATION_NOT_ALLOWED);
	client_close(&client);
	world_close(&world);
}

/* A crowd of silent connections costs itself its places: the honest client gets one, and keeps it. */
static void crowd(void **state)
{
	enum { CROWD = 12, PLACES = 4 };
	int fds[CROWD];

	(void)state;
	world_prepare(&world);
	world.config.registration.connections = PLACES;
	world_open(&world);
	client_open(&world, &client, NULL);
	client_register(&client, "alice"); /* through but for its confirmation */
	for (int i = 0; i < CROWD; i++)
		fds[i] = world_connect(&world);
	while (registrar_counters(world.registrar)->connections < CROWD + 1)
		event_base_loop(world.base, EVLOOP_ONCE);
	assert_int_equal(registrar_count(world.registrar), PLACES);
	assert_int_equal(registrar_counters(world.registrar)->crowded_out, CROWD + 1 - PLACES);
	assert_int_equal(registrar_counters(world.registrar)->not_admitted, 0);
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "closed to make room"));
	client_start(&client);
	client_close(&client);
	for (int i = 0; i < CROWD; i++)
		close(fds[i]);
	world_until(&world, is_idle, &world);
	honest();
	world_close(&world);
}

/* The same by address; where everybody is through but for a word, nobody can be sent away, and the newcomer waits. */
static void crowd_of_one_address(void **state)
{
	struct client others[2];
	int fd, fds[4];

	(void)state;
	world_prepare(&world);
	world.config.registration.connections_per_address = 2;
	world_open(&world);
	for (int i = 0; i < 4; i++)
		fds[i] = world_connect(&world);
	while (registrar_counters(world.registrar)->connections < 4)
		event_base_loop(world.base, EVLOOP_ONCE);
	assert_int_equal(registrar_count(world.registrar), 2);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	world_until(&world, is_idle, &world);
	client_open(&world, &others[0], NULL);
	client_register(&others[0], "alice");
	client_open(&world, &others[1], NULL);
	client_register(&others[1], "bob");
	fd = world_connect(&world);
	while (registrar_counters(world.registrar)->not_admitted == 0)
		event_base_loop(world.base, EVLOOP_ONCE);
	close(fd);
	assert_int_equal(registrar_count(world.registrar), 2);
	assert_false(client_failed(&others[0]) || client_failed(&others[1]));
	client_close(&others[0]);
	client_close(&others[1]);
	world_close(&world);
}

/* The gateway stops while all kinds of things are under way. */
static void stopped_in_the_middle(void **state)
{
	struct client asked, accepted;
	int fd;

	(void)state;
	world_prepare(&world);
	world_open(&world);
	fd = world_connect(&world);
	client_open(&world, &accepted, NULL);
	client_register(&accepted, "bob");
	client_open(&world, &asked, NULL);
	client_say_hello(&asked);
	client_expect(&asked, REGISTRATION_OFFER);
	client_give_password(&asked, "alice", WORLD_PASSWORD);
	while (jobs_pending(world.jobs) == 0)
		event_base_loop(world.base, EVLOOP_ONCE);
	registrar_free(world.registrar);
	world.registrar = NULL;
	assert_true(world_was_told(&world, TIMELINE_UNREGISTERED, "the gateway is being stopped"));
	client_close(&asked);
	client_close(&accepted);
	close(fd);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(noise),
		cmocka_unit_test(stream),
		cmocka_unit_test(half_open_and_slow),
		cmocka_unit_test(malformed),
		cmocka_unit_test(misplaced),
		cmocka_unit_test(other_versions_and_methods),
		cmocka_unit_test(crowd),
		cmocka_unit_test(crowd_of_one_address),
		cmocka_unit_test(stopped_in_the_middle),
	};

	return cmocka_run_group_tests_name("strangers", tests, NULL, NULL);
}
