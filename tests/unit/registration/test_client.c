/* SPDX-License-Identifier: Apache-2.0 */
/* The client logs in: by password and by Kerberos, and goes on over UDP or TCP. */
#include "client_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static const uint32_t all_methods = 7;

static void password_then_udp(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {script_offer(all_methods), script_accepted(REGISTRATION_UDP), {.reply = NOTHING}};

	scripted_gateway_follow(&world->gateway, steps, 3);
	client_world_run(world);
	assert_true(world->is_done);
	assert_int_equal(world->gateway.n_heard, 3);
	assert_int_equal(world->gateway.heard[0].hello.udp_port, 4009);
	assert_true(endpoint_equal(&world->gateway.heard[0].hello.dialed, &world->gateway.endpoint));
	assert_int_not_equal(world->gateway.heard[0].hello.local.port, 0);
	assert_int_equal(world->gateway.heard[1].authenticate.method, REGISTRATION_PASSWORD);
	assert_string_equal(world->gateway.heard[1].authenticate.user, "anna");
	assert_string_equal(world->gateway.heard[1].authenticate.password, "sesame");
	assert_int_equal(world->gateway.heard[2].type, REGISTRATION_START);
	assert_memory_equal(&world->accepted, script_terms(REGISTRATION_UDP), sizeof(world->accepted));
	assert_memory_equal(&world->keys, &world->gateway.keys, sizeof(world->keys));
	assert_int_equal(world->method, REGISTRATION_PASSWORD);
	assert_int_equal(world->bare, -1);
	assert_int_equal(world->gateway.fin_from_client, 0);
}

static void password_then_tcp(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {script_offer(all_methods), script_accepted(REGISTRATION_TCP), {.reply = NOTHING}};
	char bytes[8] = "";

	scripted_gateway_follow(&world->gateway, steps, 3);
	client_world_run(world);
	assert_true(world->is_done);
	assert_true(world->bare >= 0);
	while (world->gateway.bare < 0)
		event_base_loop(world->base, EVLOOP_ONCE);
	assert_int_equal(write(world->bare, "IKETCP", 6), 6);
	assert_int_equal(fcntl(world->gateway.bare, F_SETFL, 0), 0);
	assert_int_equal(recv(world->gateway.bare, bytes, 6, MSG_WAITALL), 6);
	assert_string_equal(bytes, "IKETCP");
}

static void kerberos(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {
		script_offer(all_methods), script_token(), script_accepted(REGISTRATION_UDP), {.reply = NOTHING}};

	world->settings.methods = all_methods;
	scripted_gateway_follow(&world->gateway, steps, 4);
	world->gateway.steps[2].message.token = script_token().message.token;
	world->gateway.steps[2].message.token_len = 1;
	world->gss.wanted = 2;
	client_world_run(world);
	assert_true(world->is_done);
	assert_int_equal(world->method, REGISTRATION_KERBEROS);
	assert_int_equal(world->gss.rounds, 3);
	assert_int_equal(world->gss.ended, 1);
	assert_int_equal(world->gateway.heard[1].type, REGISTRATION_AUTHENTICATE);
	assert_int_equal(world->gateway.heard[1].authenticate.mechanism, REGISTRATION_IAKERB);
	assert_memory_equal(world->gateway.heard[1].token, "t\0", 2);
	assert_int_equal(world->gateway.heard[2].type, REGISTRATION_TOKEN);
	assert_memory_equal(world->gateway.heard[2].token, "t\1", 2);
}

/* A gateway that hasn't proved itself gets nothing of us, whatever it says. */
static void kerberos_unproven(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {script_offer(all_methods), script_accepted(REGISTRATION_UDP), {.reply = NOTHING}};

	world->settings.methods = all_methods;
	world->gss.wanted = 2;
	scripted_gateway_follow(&world->gateway, steps, 3);
	client_world_run(world);
	client_world_says(world, REGISTRATION_STRANGER, "without having proved itself");
	assert_int_equal(world->gateway.n_heard, 2);
	assert_int_equal(world->gss.ended, 1);
}

static void no_ticket(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {script_offer(1U << REGISTRATION_KERBEROS)};

	world->settings.methods = all_methods;
	world->gss.fails = true;
	scripted_gateway_follow(&world->gateway, steps, 1);
	client_world_run(world);
	client_world_says(world, REGISTRATION_NO_CREDENTIAL, "no ticket");
	assert_int_equal(world->gss.ended, 1);
}

static void password_for_want_of_a_ticket(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {script_offer(1U << REGISTRATION_KERBEROS | 1U << REGISTRATION_PASSWORD),
		script_accepted(REGISTRATION_UDP), {.reply = NOTHING}};

	world->settings.methods = all_methods;
	world->gss.fails = true;
	scripted_gateway_follow(&world->gateway, steps, 3);
	client_world_run(world);
	assert_true(world->is_done);
	assert_int_equal(world->method, REGISTRATION_PASSWORD);
	assert_int_equal(world->gss.ended, 1);
}

static void gss_is_busy(void **state)
{
	struct client_world *world = *state;
	const struct step steps[] = {script_offer(all_methods), script_token()};

	world->settings.methods = all_methods;
	world->gss.wanted = 5;
	world->gss.refuses_step = true;
	scripted_gateway_follow(&world->gateway, steps, 2);
	client_world_run(world);
	client_world_says(world, REGISTRATION_LOCAL, "token");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLIENT_TEST(password_then_udp),
		CLIENT_TEST(password_then_tcp),
		CLIENT_TEST(kerberos),
		CLIENT_TEST(kerberos_unproven),
		CLIENT_TEST(no_ticket),
		CLIENT_TEST(password_for_want_of_a_ticket),
		CLIENT_TEST(gss_is_busy),
	};

	return cmocka_run_group_tests(tests, client_world_make_certificates, client_world_remove_certificates);
}
