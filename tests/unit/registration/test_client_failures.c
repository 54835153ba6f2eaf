/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps the client from registering, and what its user is told then. */
#include "client_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <cmocka.h>

static const uint32_t all_methods = 7;

/* The password isn't sent where the certificate is wrong. */
static void wrong_certificate(void **state)
{
	struct client_world *world = *state;

	world->settings.name = "other.example";
	client_world_run(world);
	client_world_says(world, REGISTRATION_BAD_CERTIFICATE, "not that of other.example");
	assert_int_equal(world->gateway.n_heard, 0);
}

static void turned_down(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {script_offer(all_methods),
		{.reply = SEND,
			.message = {.type = REGISTRATION_REFUSED,
				.refused = {.code = REGISTRATION_OVERLAP, .sentence = "That network is branch2's."}}}};

	scripted_gateway_follow(&world->gateway, steps, 2);
	client_world_run(world);
	client_world_says(world, REGISTRATION_TURNED_DOWN, "That network is branch2's.");
	assert_int_equal(world->verdict.code, REGISTRATION_OVERLAP);
}

static void nothing_in_common(void **state)
{
	struct client_world *world = *state;
	struct step steps[] = {script_offer(1U << REGISTRATION_CERTIFICATE)};

	scripted_gateway_follow(&world->gateway, steps, 1);
	client_world_run(world);
	client_world_says(world, REGISTRATION_UNSUITABLE, "certificate; and there are credentials here for: password");
}

static void another_version(void **state)
{
	struct client_world *world = *state;
	struct step steps[] = {script_offer(all_methods)};

	steps[0].message.offer.version = 2;
	scripted_gateway_follow(&world->gateway, steps, 1);
	client_world_run(world);
	client_world_says(world, REGISTRATION_UNSUITABLE, "version 2");
}

static void transport_not_offered(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {script_offer(all_methods), script_accepted(REGISTRATION_UDP)};

	world->settings.transports = 1U << REGISTRATION_TCP;
	scripted_gateway_follow(&world->gateway, steps, 2);
	client_world_run(world);
	client_world_says(world, REGISTRATION_STRANGER, "was not offered");
}

static void out_of_turn(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {script_accepted(REGISTRATION_UDP)};

	scripted_gateway_follow(&world->gateway, steps, 1);
	client_world_run(world);
	client_world_says(world, REGISTRATION_STRANGER, "\"accepted\" came out of turn");
}

static void malformed(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {{.reply = SEND_TEXT, .text = "{\"type\":\"offer\",\"secret\":1}"}};

	scripted_gateway_follow(&world->gateway, steps, 1);
	client_world_run(world);
	client_world_says(world, REGISTRATION_STRANGER, "fields");
}

static void ends_without_a_word(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {script_offer(all_methods), {.reply = CLOSE}};

	scripted_gateway_follow(&world->gateway, steps, 2);
	client_world_run(world);
	client_world_says(world, REGISTRATION_RESET, "without a word");
}

static void dropped(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {script_offer(all_methods), {.reply = DROP}};

	scripted_gateway_follow(&world->gateway, steps, 2);
	client_world_run(world);
	client_world_says(world, REGISTRATION_RESET, "ended in the middle");
}

static void reset(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {script_offer(all_methods), {.reply = RESET}};

	scripted_gateway_follow(&world->gateway, steps, 2);
	client_world_run(world);
	client_world_says(world, REGISTRATION_RESET, "reset");
}

static void port_closed(void **state)
{
	struct client_world *world = *state;

	event_del(world->gateway.listening);
	shutdown(world->gateway.listener, SHUT_RDWR);
	client_world_run(world);
	client_world_says(world, REGISTRATION_PORT_CLOSED, "refused");
	assert_int_equal(world->verdict.error, ECONNREFUSED);
}

static void no_way(void **state)
{
	struct client_world *world = *state;

	assert_int_equal(address_parse("192.0.2.1", &world->settings.local), 0); /* not this host's */
	client_world_run(world);
	client_world_says(world, REGISTRATION_UNREACHABLE, "");
	assert_int_equal(world->verdict.error, EADDRNOTAVAIL);
}

static void mute(void **state)
{
	struct client_world *world = *state;

	world->gateway.mute = true;
	world->settings.patience_ms = 50;
	client_world_run(world);
	client_world_says(world, REGISTRATION_STALLED, "TLS's handshake");
}

static void mute_later(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {{.reply = NOTHING}};

	scripted_gateway_follow(&world->gateway, steps, 1);
	world->settings.patience_ms = 500;
	client_world_run(world);
	client_world_says(world, REGISTRATION_STALLED, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLIENT_TEST(wrong_certificate),
		CLIENT_TEST(turned_down),
		CLIENT_TEST(nothing_in_common),
		CLIENT_TEST(another_version),
		CLIENT_TEST(transport_not_offered),
		CLIENT_TEST(out_of_turn),
		CLIENT_TEST(malformed),
		CLIENT_TEST(ends_without_a_word),
		CLIENT_TEST(dropped),
		CLIENT_TEST(reset),
		CLIENT_TEST(port_closed),
		CLIENT_TEST(no_way),
		CLIENT_TEST(mute),
		CLIENT_TEST(mute_later),
	};

	return cmocka_run_group_tests(tests, client_world_make_certificates, client_world_remove_certificates);
}
