/* SPDX-License-Identifier: Apache-2.0 */
/* What sluicectl show tcp is told, and how it prints that. */
#include "test.h"

#include "control/commands.h"
#include "control/show_tcp.h"
#include "world_plane.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *ask(struct world *world, const char *name)
{
	struct control_request request = {.n_arguments = name ? 1 : 0};
	json_t *reply;

	snprintf(request.command, sizeof(request.command), "tcp");
	snprintf(request.arguments[0], sizeof(request.arguments[0]), "%s", name ? name : "");
	reply = commands_run(&world->gateway, &request);
	assert_non_null(reply);
	return reply;
}

static void expect_text(const json_t *object, const char *key, const char *text)
{
	assert_string_equal(json_string_value(json_object_get(object, key)), text);
}

static int64_t figure(const json_t *connection, const char *name)
{
	const json_t *value = json_object_get(json_object_get(connection, "figures"), name);

	return value ? json_integer_value(value) : -1;
}

static void expect_shown(void (*show)(const json_t *reply, bool wide, FILE *out), const json_t *reply, bool wide,
	const char *words, bool shown)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	show(reply, wide, out);
	fclose(out);
	if ((strstr(text, words) != NULL) != shown)
		fail_msg("\"%s\" is%s shown in:\n%s", words, shown ? " not" : "", text);
	free(text);
}

static void test_in_a_worker(void **state)
{
	struct world *world = *state;
	struct tables_change hold;
	struct dialed dialed;
	const json_t *connection;
	json_t *reply;

	world_plane_begin_taken(world, &dialed, &hold);
	/* By their names: state, worker. */
	atomic_store(&world->tables.connections[hold.index].figures[0], 3);
	atomic_store(&world->tables.connections[hold.index].figures[1], 1);
	reply = ask(world, world->peers[0].name);
	assert_int_equal(json_array_size(json_object_get(reply, "connections")), 1);
	connection = json_array_get(json_object_get(reply, "connections"), 0);
	expect_text(connection, "peer", world->peers[0].name);
	expect_text(connection, "where", "worker");
	expect_text(connection, "state", "close-wait");
	expect_text(connection, "takeover", "done");
	assert_int_equal(figure(connection, "worker"), 1);
	expect_shown(show_tcp, reply, false, "worker 1", true);
	expect_shown(show_tcp_long, reply, false, "In worker 1 since ", true);
	expect_shown(show_tcp_long, reply, false, "that runs it", true);
	json_decref(reply);
	close(dialed.fd);
}

static void test_in_the_kernel(void **state)
{
	struct world *world = *state;
	struct tables_change hold;
	struct dialed dialed;
	const json_t *connection;
	json_t *reply;

	world_plane_begin(world, &dialed, &hold);
	reply = ask(world, "127.0.0.1");
	connection = json_array_get(json_object_get(reply, "connections"), 0);
	expect_text(connection, "where", "kernel");
	expect_text(connection, "takeover", "under way");
	json_decref(reply);
	world_plane_answer(world, &hold, TABLES_CONNECTION_HOLD, -ENOSPC);
	reply = ask(world, world->peers[0].identity);
	connection = json_array_get(json_object_get(reply, "connections"), 0);
	expect_text(connection, "state", "established");
	assert_non_null(strstr(json_string_value(json_object_get(connection, "takeover")), "no more connections"));
	assert_int_equal(figure(connection, "ike_in"), 1);
	assert_true(figure(connection, "mss") > 0);
	assert_int_equal(figure(connection, "out_of_order"), -1);
	expect_shown(show_tcp, reply, false, "kernel", true);
	expect_shown(show_tcp_long, reply, false, "takeover by a worker: no more connections", true);
	json_decref(reply);
	reply = ask(world, "nobody");
	assert_true(json_is_false(json_object_get(reply, "ok")));
	json_decref(reply);
	close(dialed.fd);
}

static void test_strangers(void **state)
{
	struct world *world = *state;
	struct dialed dialed = world_dial(world);
	json_t *reply = ask(world, NULL);

	assert_int_equal(json_array_size(json_object_get(reply, "connections")), 1);
	expect_shown(show_tcp, reply, false, "No TCP connections.", true);
	expect_shown(show_tcp, reply, true, "established", true);
	json_decref(reply);
	close(dialed.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_a_worker, world_plane_setup, world_plane_teardown),
		cmocka_unit_test_setup_teardown(test_in_the_kernel, world_plane_setup, world_plane_teardown),
		cmocka_unit_test_setup_teardown(test_strangers, world_plane_setup, world_plane_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
