/* SPDX-License-Identifier: Apache-2.0 */
/* What sluicectl explain and show attempts answer, on a control plane whose engine the test plays. */
#include "test.h"

#include "world.h"

#include "control/commands.h"
#include "control/show_attempts.h"

#include <errno.h>
#include <stdlib.h>

static const uint8_t cookies[2][IKE_COOKIE_LEN] = {{0xab, 0xcd, 0xef, 1, 2, 3, 4, 5}, {0x12, 0x34, 0x56, 7, 8, 9}};

static json_t *ask(struct world *world, const char *command, const char *argument)
{
	struct control_request request = {.n_arguments = argument ? 1 : 0};
	json_t *reply;

	snprintf(request.command, sizeof(request.command), "%s", command);
	snprintf(request.arguments[0], sizeof(request.arguments[0]), "%s", argument ? argument : "");
	reply = commands_run(&world->gateway, &request);
	assert_non_null(reply);
	return reply;
}

static void assert_shown(const json_t *reply, bool all, const char *const *parts)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_true(json_is_true(json_object_get(reply, "ok")));
	(json_object_get(reply, "known") ? show_attempts : show_explain)(reply, all, out);
	fclose(out);
	for (; *parts; parts++)
		if (!strstr(text, *parts))
			fail_msg("\"%s\" is not shown in:\n%s", *parts, text);
	free(text);
}

static void assert_refused(json_t *reply, const char *part)
{
	const char *error = json_string_value(json_object_get(reply, "error"));

	assert_true(json_is_false(json_object_get(reply, "ok")));
	if (!strstr(error, part))
		fail_msg("\"%s\" does not say \"%s\"", error, part);
	json_decref(reply);
}

static struct ike_event event_of(struct world *world, enum ike_event_kind kind, uint64_t ike_sa, const char *why)
{
	struct ike_event event = {
		.kind = kind,
		.ike_sa = ike_sa,
		.peer = &world->peers[1],
		.identity = "branch-1.example",
		.local = {.address = address_ipv4(0xc0a802c8), .port = 500},
		.remote = {.address = address_ipv4(0xc6336407), .port = 40000},
		.why = why,
	};

	memcpy(event.initiator_cookie, cookies[0], IKE_COOKIE_LEN);
	memcpy(event.responder_cookie, cookies[1], IKE_COOKIE_LEN);
	return event;
}

/* Message 1 that came, message 2 that went and went again. */
static void tell_messages(struct world *world)
{
	struct ike_message message = {
		.local = {.address = address_ipv4(0xc0a802c8), .port = 500},
		.remote = {.address = address_ipv4(0xc6336407), .port = 40000},
		.exchange = 4,
		.number = 1,
		.len = 452,
	};

	memcpy(message.initiator_cookie, cookies[0], IKE_COOKIE_LEN);
	world->host.message(world->host.context, &message);
	message.ike_sa = 9;
	message.number = 2;
	message.sent = true;
	memcpy(message.responder_cookie, cookies[1], IKE_COOKIE_LEN);
	world->host.message(world->host.context, &message);
	message.again = true;
	world->host.message(world->host.context, &message);
}

static void tell(struct world *world, enum ike_event_kind kind, uint64_t ike_sa, const char *why)
{
	struct ike_event event = event_of(world, kind, ike_sa, why);

	world->host.event(world->host.context, &event);
}

static void test_under_way(void **state)
{
	struct world *world = *state;
	json_t *reply;

	tell_messages(world);
	tell(world, IKE_EVENT_STARTED, 9, "");
	reply = ask(world, "explain", "branch-1");
	assert_shown(reply, false,
		(const char *const[]){"branch-1: under way, began 0 s ago\n",
			"Verdict:   waiting for the peer for 0 s, since aggressive mode message 2 was sent again\n",
			"Identity:  branch-1.example (not authenticated)\n",
			"Addresses: 192.168.2.200:500 here, 198.51.100.7:40000 there\n",
			"Cookies:   abcdef0102030405:1234560708090000\n",
			"received  aggressive mode message 1    452  198.51.100.7:40000 to 192.168.2.200:500\n",
			"sent      aggressive mode message 2    452  192.168.2.200:500 to 198.51.100.7:40000; 2 times "
			"until +0.",
			NULL});
	json_decref(reply);
}

static void test_found_by(void **state)
{
	static const char *const names[] = {"branch-1", "branch-1.example", "198.51.100.7", "198.51.100.7:40000",
		"abcd", "ABCDEF0102030405", "12345607", "abcdef0102030405:1234560708090000"};
	static const char *const others[] = {"198.51.100.8", "198.51.100.7:40001", "abc", "abcdef0102030406", "ffff"};
	struct world *world = *state;

	tell_messages(world);
	tell(world, IKE_EVENT_STARTED, 9, "");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *reply = ask(world, "explain", names[i]);

		assert_int_equal(json_array_size(json_object_get(reply, "attempts")), 1);
		json_decref(reply);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_refused(ask(world, "explain", others[i]), "nothing is known of");
	assert_refused(ask(world, "explain", "branch-1.exampel"), "do you mean \"branch-1.example\"?");
	assert_refused(ask(world, "explain", "brnch-2"), "do you mean \"branch-2\"?");
	assert_refused(ask(world, "explain", "branch-2"), "is configured");
	assert_refused(ask(world, "explain", "branch-2"), "has never been heard of: 1 attempts are remembered");
}

static void test_several(void **state)
{
	struct world *world = *state;
	json_t *reply;

	tell_messages(world);
	tell(world, IKE_EVENT_REFUSED, 9, "the first reason");
	tell(world, IKE_EVENT_ENDED, 9, "");
	tell(world, IKE_EVENT_ESTABLISHED, 10, "the peer is behind a NAT");
	tell(world, IKE_EVENT_REFUSED, 10, "the second reason");
	reply = ask(world, "explain", "branch-1");
	assert_int_equal(json_array_size(json_object_get(reply, "attempts")), 2);
	assert_shown(reply, false,
		(const char *const[]){"branch-1: established, began 0 s ago\nVerdict:   the second reason\n",
			"branch-1.example (authenticated)", "established         the peer is behind a NAT\n",
			"Earlier attempts, which --all shows in full:\n\nbranch-1: failed", NULL});
	assert_shown(reply, true, (const char *const[]){"refused                           the first reason\n", NULL});
	json_decref(reply);
	reply = ask(world, "attempts", NULL);
	assert_shown(reply, false,
		(const char *const[]){"BEGAN  PEER",
			"branch-1  198.51.100.7:40000  abcdef0102030405  failed       the "
			"first reason\n",
			"established  the second reason\n", NULL});
	json_decref(reply);
}

static void test_nobody(void **state)
{
	struct world *world = *state;
	json_t *reply = ask(world, "attempts", NULL);

	assert_shown(reply, false, (const char *const[]){"Nobody has tried to connect.\n", NULL});
	json_decref(reply);
}

/* What the gateway does and what the data plane says is part of it, in order. */
static void test_gateway_speaks(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 1, 7, 40000);
	struct endpoint elsewhere = {.address = address_ipv4(0xc6336409), .port = 5};
	json_t *reply;

	tell(world, IKE_EVENT_ESTABLISHED, child.ike_sa, "");
	world_install_active(world, &child);
	world_follow(world, 1, &elsewhere);
	world_turn(world);
	world->host.child_remove(world->host.context, child.id, child.spi_in);
	world->refuse = -ENOMEM;
	child = world_child(world, 1, 7, 40000);
	world_install(world, &child);
	world_turn(world);
	reply = ask(world, "explain", "branch-1");
	assert_shown(reply, false,
		(const char *const[]){"installed", "aes256gcm in UDP, 192.168.2.0/24 here, 192.168.1.0/24 there",
			"the newest authentic ESP packet came from 198.51.100.9:5, those before from "
			"198.51.100.7:40000",
			"which carried 0 packets in and 0 out", "Verdict:   the data plane refused child SA", NULL});
	json_decref(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_under_way, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_found_by, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_several, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_nobody, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_gateway_speaks, world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
