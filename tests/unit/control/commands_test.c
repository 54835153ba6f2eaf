/* SPDX-License-Identifier: Apache-2.0 */
/* What the control socket can be asked, on a control plane with sessions; and how sluicectl shows the answers. */
#include "test.h"

#include "world.h"

#include "control/commands.h"
#include "control/show.h"

#include <errno.h>
#include <stdlib.h>

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

static void assert_error(json_t *reply, const char *part)
{
	assert_true(json_is_false(json_object_get(reply, "ok")));
	assert_non_null(strstr(json_string_value(json_object_get(reply, "error")), part));
	json_decref(reply);
}

static char *shown(const json_t *reply, bool wide, void (*show)(const json_t *reply, bool wide, FILE *out))
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	show(reply, wide, out);
	fclose(out);
	return text;
}

static void assert_shows(
	const json_t *reply, void (*show)(const json_t *reply, bool wide, FILE *out), bool wide, const char *part)
{
	char *text = shown(reply, wide, show);

	if (!strstr(text, part))
		fail_msg("\"%s\" is not shown in:\n%s", part, text);
	free(text);
}

static void test_sessions(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	uint32_t spi = world_install_active(world, &child);
	json_t *reply, *session, *sa;
	char text[16];

	tables_count(&tables_counters(&world->tables, 1)->traffic[tables_spi_index(spi)].bytes_in, 2048);
	world->tables.children[tables_spi_index(spi)].inner_mtu = 1438;
	reply = ask(world, "sessions", NULL);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	assert_int_equal(json_array_size(json_object_get(reply, "sessions")), 1);
	session = json_array_get(json_object_get(reply, "sessions"), 0);
	assert_string_equal(json_string_value(json_object_get(session, "peer")), "branch-0");
	assert_string_equal(json_string_value(json_object_get(session, "remote")), "198.51.100.7:40000");
	assert_string_equal(json_string_value(json_object_get(session, "state")), "established");
	assert_int_equal(json_integer_value(json_object_get(session, "bytes_in")), 2048);
	sa = json_array_get(json_object_get(session, "children"), 0);
	snprintf(text, sizeof(text), "%08x", spi);
	assert_string_equal(json_string_value(json_object_get(sa, "spi_in")), text);
	assert_string_equal(json_string_value(json_object_get(sa, "state")), "live");
	assert_shows(
		reply, show_sessions, false, "branch-0  branch-0.example.net  established  198.51.100.7:40000  udp");
	assert_shows(reply, show_sessions, false, "2.0 KiB");
	assert_shows(reply, show_sessions, true, text);
	assert_shows(reply, show_sas, false, "aes256gcm");
	assert_int_equal(json_integer_value(json_object_get(sa, "inner_mtu")), 1438);
	assert_shows(reply, show_sas, false, "1,438");
	assert_string_equal(json_string_value(json_object_get(sa, "mode")), "tunnel");
	assert_true(json_is_false(json_object_get(sa, "esn")));
	json_decref(reply);
	world_restart_control(world);
	reply = ask(world, "sessions", NULL);
	assert_shows(reply, show_sessions, false, "adopted");
	json_decref(reply);
}

static void test_ipv6_and_esn(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	json_t *reply, *sa;

	child.extended = true;
	address_parse("2001:db8::1", &child.local.address);
	address_parse("2001:db8:1::1", &child.remote.address);
	prefix_parse("2001:db8:3::/48", &child.remote_network);
	prefix_parse("2001:db8:2::/48", &child.local_network);
	world_install_active(world, &child);
	reply = ask(world, "sessions", NULL);
	sa = json_array_get(json_object_get(json_array_get(json_object_get(reply, "sessions"), 0), "children"), 0);
	assert_true(json_is_true(json_object_get(sa, "esn")));
	assert_true(json_integer_value(json_object_get(sa, "hard_packets")) == INT64_MAX);
	assert_int_equal(json_integer_value(json_object_get(sa, "soft_bytes")), 0);
	assert_shows(reply, show_sessions, false, "[2001:db8:1::1]:40000");
	assert_shows(reply, show_sas, false, "2001:db8:3::/48");
	assert_shows(reply, show_sas, false, "aes256gcm  tunnel  yes  live");
	json_decref(reply);
}

static void test_no_key_is_shown(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	char *text;
	json_t *reply;

	memcpy(world->peers[0].secret, "very secret", 11);
	world_install_active(world, &child);
	reply = ask(world, "sessions", NULL);
	text = json_dumps(reply, 0);
	assert_null(strstr(text, "secret"));
	assert_null(strstr(text, "key"));
	free(text);
	json_decref(reply);
}

static void test_strange_identity(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	json_t *reply, *session;

	child.identity = "\xff\x1b[2Jx";
	world_install_active(world, &child);
	reply = ask(world, "sessions", NULL);
	session = json_array_get(json_object_get(reply, "sessions"), 0);
	assert_string_equal(json_string_value(json_object_get(session, "identity")), "??[2Jx");
	json_decref(reply);
}

static void test_counters(void **state)
{
	struct world *world = *state;
	json_t *reply;

	tables_count(&tables_counters(&world->tables, 1)->reasons[0], 1000);
	tables_count(&tables_counters(&world->tables, 2)->reasons[0], 234);
	tables_count(&tables_counters(&world->tables, 2)->events_lost, 3);
	reply = ask(world, "counters", NULL);
	const json_t *in = json_object_get(json_object_get(reply, "reasons"), "in");

	assert_int_equal(json_integer_value(json_object_get(in, "received")), 1234);
	assert_int_equal(json_integer_value(json_object_get(reply, "events_lost")), 3);
	assert_shows(reply, show_counters, false, "1,234");
	assert_shows(reply, show_counters, true, "sent ");
	json_decref(reply);
}

static void test_workers(void **state)
{
	struct world *world = *state;
	json_t *reply;

	tables_counters(&world->tables, 2)->core = 7;
	tables_count(&tables_counters(&world->tables, 2)->cycles, 1000);
	tables_count(&tables_counters(&world->tables, 2)->busy_cycles, 250);
	reply = ask(world, "workers", NULL);
	assert_int_equal(json_array_size(json_object_get(reply, "workers")), 2);
	assert_shows(reply, show_workers, false, "25.0 %");
	json_decref(reply);
}

static void test_crypto(void **state)
{
	struct world *world = *state;
	json_t *reply = ask(world, "crypto", NULL), *suites = json_object_get(reply, "suites");
	const json_t *gcm = json_array_get(suites, 0), *measured = json_object_get(gcm, "measured");
	const json_t *cycles = json_object_get(json_array_get(measured, 1), "cycles");

	assert_int_equal(json_array_size(suites), 2);
	assert_string_equal(json_string_value(json_object_get(gcm, "suite")), "aes256gcm");
	assert_string_equal(json_string_value(json_object_get(gcm, "instructions")), "vaes");
	assert_string_equal(json_string_value(json_object_get(gcm, "by")), "measurement");
	assert_string_equal(json_string_value(json_object_get(json_array_get(suites, 1), "by")), "configuration");
	assert_int_equal(json_array_size(measured), 2);
	assert_true(json_real_value(json_object_get(cycles, "64")) == 200);
	assert_true(json_real_value(json_object_get(cycles, "1420")) == 1024);
	assert_shows(reply, show_crypto, false, "1,024");
	assert_shows(reply, show_crypto, true, "1,950"); /* sse's, which was not chosen */
	json_decref(reply);
}

static void test_ike(void **state)
{
	struct world *world = *state;
	json_t *reply;

	fake_ike.sa = (struct ike_sa_status){
		.id = 5,
		.initiator_cookie = {0xab, 0xcd},
		.state = "established",
		.exchange = "aggressive",
		.established = true,
		.identity = "branch.example.net",
		.peer = &world->peers[2],
		.peer_behind_nat = true,
		.proposal = {.cipher = IKE_CIPHER_AES_CBC, .key_bits = 256, .hash = IKE_HASH_SHA256, .group = 14},
	};
	reply = ask(world, "ike", NULL);
	assert_shows(reply, show_ike, false, "abcd000000000000:0000000000000000");
	assert_shows(reply, show_ike, false, "aes256-sha256-modp2048");
	assert_shows(reply, show_ike, false, "branch-2");
	json_decref(reply);
}

static void test_delete_and_rekey(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	uint32_t spi = world_install_active(world, &child);
	json_t *reply = ask(world, "rekey", "branch-0");

	assert_int_equal(json_integer_value(json_object_get(reply, "rekeys_begun")), 1);
	assert_int_equal(fake_ike.rekeyed, spi);
	json_decref(reply);
	fake_ike.rekey_result = -ENOENT;
	assert_error(ask(world, "rekey", "branch-0"), "no IKE SA");
	assert_error(ask(world, "rekey", "branch-1"), "no session");
	assert_error(ask(world, "rekey", "nobody"), "no peer \"nobody\"");
	assert_error(ask(world, "delete", "nobody"), "no peer \"nobody\"");
	assert_error(ask(world, "delete", "branch-1"), "not connected");
	reply = ask(world, "delete", "branch-0");
	assert_true(json_is_true(json_object_get(reply, "ok")));
	json_decref(reply);
	assert_null(world_session(world, 0));
}

static void test_refusals(void **state)
{
	struct world *world = *state;
	json_t *reply;

	assert_error(ask(world, "frobnicate", NULL), "no command \"frobnicate\"");
	assert_error(ask(world, "delete", NULL), "takes 1 arguments, not 0");
	assert_error(ask(world, "sessions", "x"), "takes 0 arguments, not 1");
	assert_error(ask(world, "log", "loud"), "no log level");
	reply = ask(world, "log", "error");
	assert_string_equal(json_string_value(json_object_get(reply, "level")), "error");
	json_decref(reply);
	assert_false(log_wants(LOG_LEVEL_WARNING));
}

static void test_without_data_plane(void **state)
{
	static const char *const commands[] = {"sessions", "counters", "workers", "crypto", "net", "ike", "help"};
	struct world *world = *state;
	json_t *reply;

	gateway_detached(&world->gateway);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		reply = ask(world, commands[i], NULL);
		assert_true(json_is_true(json_object_get(reply, "ok")));
		if (i == 0)
			assert_shows(reply, show_sessions, true, "No data plane is attached");
		json_decref(reply);
	}
	assert_error(ask(world, "rekey", "branch-0"), "no session");
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_sessions),
		WORLD_TEST(test_ipv6_and_esn),
		WORLD_TEST(test_no_key_is_shown),
		WORLD_TEST(test_strange_identity),
		WORLD_TEST(test_counters),
		WORLD_TEST(test_workers),
		WORLD_TEST(test_crypto),
		WORLD_TEST(test_ike),
		WORLD_TEST(test_delete_and_rekey),
		WORLD_TEST(test_refusals),
		WORLD_TEST(test_without_data_plane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
