/* SPDX-License-Identifier: Apache-2.0 */
/* Registrations in the control plane: what IKE is told of them, what goes when a newer one comes, and what is shown. */
#include "test.h"

#include "world.h"

#include "clock.h"
#include "control/commands.h"
#include "control/show.h"
#include "control/show_attempts.h"

#include <errno.h>
#include <stdlib.h>

static struct registration *register_at(struct world *world, const char *identity, unsigned peer, unsigned host)
{
	struct registry *registry = registrations_registry(world->gateway.registrations);
	struct registration values = {
		.number = registry_number(registry),
		.peer = &world->peers[peer],
		.method = REGISTRATION_PASSWORD,
		.seen = {.address = address_ipv4(0xc6336400 | host), .port = 40000},
		.local = {.address = address_ipv4(0xc0a802c8), .port = 4009},
		.own = {.address = address_ipv4(0xc0a80100 | host), .port = 40000},
		.address = address_ipv4(0x0a630007),
		.n_networks = 1,
	};
	struct registration *added;

	snprintf(values.identity, sizeof(values.identity), "%s", identity);
	snprintf(values.keys.identity, sizeof(values.keys.identity), "%032u@registered", (unsigned)values.number);
	memset(values.keys.pre_shared, (int)values.number, sizeof(values.keys.pre_shared));
	values.session[0] = 0xab;
	values.session[8] = (uint8_t)values.number;
	values.networks[0] = prefix_make(&values.address, 32);
	added = registry_add(registry, &values, clock_now_ms());
	assert_non_null(added);
	return added;
}

static int setup(void **state)
{
	struct world *world;

	world_setup(state);
	world = *state;
	world->peers[2].registration = true;
	world->peers[2].identity[0] = '\0';
	world->config.registration.key_timeout = 120;
	world->gateway.registrations = registrations_new(&world->gateway);
	assert_non_null(world->gateway.registrations);
	return 0;
}

/* A child SA of alice's, over this IKE SA, that carries traffic. */
static void carry(struct world *world, unsigned peer, uint64_t ike_sa, unsigned host)
{
	struct ike_child child = world_child(world, peer, host, 4500);

	child.ike_sa = ike_sa;
	child.identity = "alice";
	assert_int_equal(prefix_parse("10.99.0.7/32", &child.remote_network), 0);
	world_install_active(world, &child);
}

static void assert_explained(struct world *world, const char *who, const char *const *parts)
{
	struct control_request request = {.command = "explain", .n_arguments = 1};
	json_t *reply;
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	snprintf(request.arguments[0], sizeof(request.arguments[0]), "%s", who);
	reply = commands_run(&world->gateway, &request);
	show_explain(reply, true, out);
	fclose(out);
	for (; *parts; parts++)
		if (!strstr(text, *parts))
			fail_msg("\"%s\" is not in:\n%s", *parts, text);
	free(text);
	json_decref(reply);
}

static void known_to_ike(void **state)
{
	struct world *world = *state;
	struct registration *alice = register_at(world, "alice", 2, 7);
	struct ike_registered out;
	char one_time[KEYS_IDENTITY_LEN];

	strcpy(one_time, alice->keys.identity);
	assert_int_equal(world->host.registered(world->host.context, "alice", &out), -ENOENT);
	assert_int_equal(world->host.registered(world->host.context, one_time, &out), 0);
	assert_ptr_equal(out.peer, &world->peers[2]);
	assert_string_equal(out.identity, "alice");
	assert_memory_equal(out.key, alice->keys.pre_shared, sizeof(out.key));
	assert_int_equal(out.n_networks, 1);
	assert_true(registrations_hold(world->gateway.registrations, "alice"));
	assert_int_equal(world->host.registered_take(world->host.context, out.number, 5), 0);
	assert_int_equal(world->host.registered_take(world->host.context, out.number, 6), -EALREADY);
	assert_int_equal(world->host.registered(world->host.context, one_time, &out), -ENOENT);
	world->host.event(world->host.context, &(struct ike_event){.kind = IKE_EVENT_ENDED,
						       .ike_sa = 5,
						       .peer = &world->peers[2],
						       .identity = "alice",
						       .remote = alice->seen,
						       .why = ""});
	assert_false(registrations_hold(world->gateway.registrations, "alice"));
	assert_explained(
		world, "alice", (const char *const[]){"IKE has used the key", "Session:   ab00000000000000", NULL});
}

/* Two with one identity: both are told, and the older one goes when the newer one carries traffic, not before. */
static void newest_wins(void **state)
{
	struct world *world = *state;
	struct registration *first = register_at(world, "alice", 2, 7), *newer;

	assert_int_equal(world->host.registered_take(world->host.context, first->number, 5), 0);
	carry(world, 2, 5, 7);
	newer = register_at(world, "alice", 2, 9);
	assert_int_equal(world->host.registered_take(world->host.context, newer->number, 6), 0);
	gateway_settle(&world->gateway);
	assert_int_equal(fake_ike.n_kept_newest, 0);
	assert_int_equal(registry_count(registrations_registry(world->gateway.registrations)), 1);
	carry(world, 2, 6, 9);
	assert_int_equal(fake_ike.n_kept_newest, 1);
	assert_int_equal(fake_ike.n_peer_deleted, 0);
	gateway_settle(&world->gateway);
	assert_int_equal(fake_ike.n_kept_newest, 1);
	assert_explained(world, "alice",
		(const char *const[]){"Verdict:   \"alice\" has registered from 198.51.100.9:40000, and before from "
				      "198.51.100.7:40000: it "
				      "has moved, or two use one identity; the newest wins",
			NULL});
}

/* What the same client renews is no quarrel; under another entry the older session goes as a whole. */
static void renewed_under_another_entry(void **state)
{
	struct world *world = *state;
	struct registration *first = register_at(world, "alice", 2, 7), *newer;

	assert_int_equal(world->host.registered_take(world->host.context, first->number, 5), 0);
	newer = register_at(world, "alice", 1, 7);
	assert_int_equal(world->host.registered_take(world->host.context, newer->number, 6), 0);
	carry(world, 1, 6, 7);
	assert_int_equal(fake_ike.n_peer_deleted, 1);
	assert_explained(
		world, "alice", (const char *const[]){"\"alice\" has registered anew, from 198.51.100.7:40000", NULL});
}

/* The newer one fails before it carries anything: the older one's session is left in peace. */
static void newer_one_fails(void **state)
{
	struct world *world = *state;
	struct registration *first = register_at(world, "alice", 2, 7), *newer;

	assert_int_equal(world->host.registered_take(world->host.context, first->number, 5), 0);
	newer = register_at(world, "alice", 2, 9);
	assert_int_equal(world->host.registered_take(world->host.context, newer->number, 6), 0);
	registrations_ike_ended(world->gateway.registrations, 6);
	carry(world, 2, 5, 7);
	assert_int_equal(fake_ike.n_kept_newest, 0);
}

static void deleted_by_the_operator(void **state)
{
	struct world *world = *state;
	struct control_request request = {.command = "delete", .n_arguments = 1, .arguments = {"alice"}};
	struct registration *used = register_at(world, "alice", 2, 7);
	struct registry *registry = registrations_registry(world->gateway.registrations);
	json_t *reply;

	assert_int_equal(world->host.registered_take(world->host.context, used->number, 5), 0);
	register_at(world, "alice", 2, 7);
	register_at(world, "bob", 2, 8);
	reply = commands_run(&world->gateway, &request);
	/* The one whose IKE SA lives goes with that, which is the engine's to end; bob stays. */
	assert_int_equal(json_integer_value(json_object_get(reply, "deleted")), 1);
	assert_int_equal(fake_ike.n_peer_deleted, 1);
	assert_int_equal(registry_count(registry), 2);
	assert_true(registrations_hold(world->gateway.registrations, "bob"));
	assert_ptr_equal(registry_find(registry, used->number), used);
	json_decref(reply);
}

static void unused_in_time(void **state)
{
	struct world *world = *state;

	register_at(world, "alice", 2, 7);
	registrations_tick(world->gateway.registrations, clock_now_ms() + 119000);
	assert_true(registrations_hold(world->gateway.registrations, "alice"));
	registrations_tick(world->gateway.registrations, clock_now_ms() + 121000);
	assert_false(registrations_hold(world->gateway.registrations, "alice"));
	assert_explained(world, "alice",
		(const char *const[]){"Verdict:   IKE has not come in time for the key of this registration", NULL});
}

static void overlaps_are_named(void **state)
{
	struct world *world = *state;
	char why[GRANT_WHY_LEN];
	struct prefix wider;

	carry(world, 2, 5, 7);
	assert_int_equal(prefix_parse("10.99.0.0/24", &wider), 0);
	assert_true(registrations_overlap(world->gateway.registrations, "bob", &wider, 1, why));
	assert_string_equal(why, "10.99.0.0/24 of \"bob\" overlaps 10.99.0.7/32, which leads to \"alice\" of peer "
				 "\"branch-2\" at present (sluicectl delete ends that)");
	assert_false(registrations_overlap(world->gateway.registrations, "alice", &wider, 1, why));
	assert_int_equal(prefix_parse("10.98.0.0/24", &wider), 0);
	assert_false(registrations_overlap(world->gateway.registrations, "bob", &wider, 1, why));
}

static void shown(void **state)
{
	static const char *const parts[] = {
		"alice", "branch-2", "password", "udp", "198.51.100.7:40000", "10.99.0.7/32", "waits for it"};
	struct world *world = *state;
	struct control_request request = {.command = "registrations"};
	json_t *reply;
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	register_at(world, "alice", 2, 7);
	reply = commands_run(&world->gateway, &request);
	show_registrations(reply, false, out);
	fclose(out);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strstr(text, parts[i]))
			fail_msg("\"%s\" is not in:\n%s", parts[i], text);
	free(text);
	json_decref(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(known_to_ike, setup, world_teardown),
		cmocka_unit_test_setup_teardown(newest_wins, setup, world_teardown),
		cmocka_unit_test_setup_teardown(renewed_under_another_entry, setup, world_teardown),
		cmocka_unit_test_setup_teardown(newer_one_fails, setup, world_teardown),
		cmocka_unit_test_setup_teardown(deleted_by_the_operator, setup, world_teardown),
		cmocka_unit_test_setup_teardown(unused_in_time, setup, world_teardown),
		cmocka_unit_test_setup_teardown(overlaps_are_named, setup, world_teardown),
		cmocka_unit_test_setup_teardown(shown, setup, world_teardown),
	};

	return cmocka_run_group_tests_name("registrations", tests, NULL, NULL);
}
