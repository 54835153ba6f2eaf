/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane process dies and another begins, on the same tables. */
#include "test.h"

#include "world.h"

#include "adopt.h"
#include "clock.h"

static void test_sessions_are_adopted(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 1, 7, 40000);
	uint32_t spi = world_install_active(world, &child), session;

	tables_count(&tables_counters(&world->tables, 1)->traffic[tables_spi_index(spi)].packets_in, 9);
	world_restart_control(world);
	assert_int_equal(world->gateway.adopted, 1);
	session = world_find(world, 1);
	assert_int_not_equal(session, TABLES_NONE);
	assert_true(sessions_adopted(world->gateway.install->sessions, session));
	assert_int_equal(sessions_traffic(world->gateway.install->sessions, session).packets_in, 9);
	assert_true(world->gateway.install->sessions->children[tables_spi_index(spi)].active);
	world->n_changes = 0;
	world_turn(world);
	assert_int_equal(world->n_changes, 0);
}

static void test_same_peer_comes_again(void **state)
{
	struct world *world = *state;
	struct ike_child old = world_child(world, 1, 7, 40000), young = world_child(world, 1, 9, 41000);
	uint32_t old_spi = world_install_active(world, &old), young_spi, session;
	struct tables_change change;

	world_restart_control(world);
	young_spi = world_install(world, &young);
	world_turn(world);
	/* Both carry until the new one is confirmed. */
	assert_int_equal(world_session(world, 1)->n_children, 2);
	assert_int_equal(world_took(world, TABLES_MOVE, NULL), 1);
	world->host.child_activate(world->host.context, young.id, young_spi);
	world_turn(world);
	assert_int_equal(world_session(world, 1)->n_children, 1);
	assert_int_equal(world_took(world, TABLES_REMOVE_CHILD, &change), 1);
	assert_int_equal(change.index, tables_spi_index(old_spi));
	session = world_find(world, 1);
	assert_false(sessions_adopted(world->gateway.install->sessions, session));
	assert_int_equal(world->gateway.install->sessions->n_adopted, 0);
}

static void test_peer_without_configuration(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 1, 7, 40000);

	world_install_active(world, &child);
	strcpy(world->peers[1].name, "renamed");
	world_restart_control(world);
	assert_int_equal(world->gateway.adopted, 0);
	world->n_changes = 0;
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_REMOVE_CHILD, NULL), 1);
	assert_int_equal(world_took(world, TABLES_REMOVE_SESSION, NULL), 1);
	assert_int_equal(writer_children_free(world->gateway.install->writer), world->tables.n_children);
	assert_int_equal(writer_sessions_free(world->gateway.install->writer), world->tables.n_sessions);
}

static void test_peer_of_another_identity(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 1, 7, 40000);

	world_install_active(world, &child);
	strcpy(world->peers[1].identity, "another.example.net");
	world_restart_control(world);
	assert_int_equal(world->gateway.adopted, 0);
}

/* Several clients of one entry of the configuration: each has its own session, also after a restart. */
static void test_clients_of_one_peer(void **state)
{
	static const char *const users[] = {"alice", "bob"};
	struct endpoint remote = {.address = address_ipv4(0xcb007109), .port = 50000};
	struct world *world = *state;
	const struct sessions *sessions;
	uint32_t index[2];

	world->peers[1].users = true;
	for (unsigned i = 0; i < 2; i++) {
		struct ike_child child = world_child(world, 1, 7 + i, 40000);

		child.identity = users[i];
		child.remote_network.address.bytes[3] = (uint8_t)i;
		world_install_active(world, &child);
	}
	world_restart_control(world);
	assert_int_equal(world->gateway.adopted, 2);
	sessions = world->gateway.install->sessions;
	for (unsigned i = 0; i < 2; i++) {
		index[i] = sessions_find(sessions, &world->peers[1], users[i]);
		assert_int_not_equal(index[i], TABLES_NONE);
		assert_string_equal(world->tables.sessions[index[i]].identity, users[i]);
		assert_int_equal(sessions->sessions[index[i]].n_children, 1);
	}
	assert_int_not_equal(index[0], index[1]);
	assert_int_equal(sessions_find(sessions, &world->peers[1], "carol"), TABLES_NONE);
	/* One moves, the other stays. */
	world->host.peer_moved(world->host.context, &world->peers[1], "bob", 5, &remote, &remote);
	world_turn(world);
	assert_true(endpoint_equal(&world->tables.sessions[index[1]].remote, &remote));
	assert_false(endpoint_equal(&world->tables.sessions[index[0]].remote, &remote));
	/* The operator ends one by name, then the rest of the entry. */
	assert_int_equal(gateway_delete_peer(&world->gateway, NULL, "alice", "test"), 1);
	assert_int_equal(sessions_find(sessions, &world->peers[1], "alice"), TABLES_NONE);
	assert_int_not_equal(sessions_find(sessions, &world->peers[1], "bob"), TABLES_NONE);
	assert_int_equal(gateway_delete_peer(&world->gateway, &world->peers[1], NULL, "test"), 1);
	assert_int_equal(sessions->n_sessions, 0);
}

static void test_half_made_records(void **state)
{
	struct world *world = *state;
	struct ike_child installed = world_child(world, 0, 7, 40000);
	uint32_t reserved;

	/* One only reserved, one whose change is still in the ring when the process dies. */
	assert_int_equal(world->host.spi_reserve(world->host.context, &reserved), 0);
	assert_int_not_equal(world_install(world, &installed), 0);
	world_restart_control(world);
	world_turn(world);
	world_turn(world);
	assert_int_equal(writer_children_free(world->gateway.install->writer), world->tables.n_children);
	assert_int_equal(writer_sessions_free(world->gateway.install->writer), world->tables.n_sessions);
	assert_int_equal(world->gateway.install->sessions->n_sessions, 0);
}

static void test_expiry(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 1, 7, 40000);
	int64_t now = clock_unix();

	world_install_active(world, &child);
	adopt_expire(world->gateway.install, now + 3601);
	/* What IKE knows, IKE ends. */
	assert_non_null(world_session(world, 1));
	world_restart_control(world);
	adopt_expire(world->gateway.install, now + 3500);
	assert_non_null(world_session(world, 1));
	adopt_expire(world->gateway.install, now + 3610);
	assert_null(world_session(world, 1));
}

static void test_expired_while_nobody_looked(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 1, 7, 40000);
	uint32_t spi = world_install_active(world, &child);

	world_stop_control(world);
	world->tables.children[tables_spi_index(spi)].expires_at = clock_unix() - 1;
	world_start_control(world);
	assert_int_equal(world->gateway.adopted, 0);
	world_turn(world);
	assert_int_equal(writer_children_free(world->gateway.install->writer), world->tables.n_children);
}

/* The data plane followed the peer while we were away: record and status say where it is. */
static void test_moved_while_nobody_looked(void **state)
{
	struct endpoint elsewhere = {.address = address_ipv4(0xcb007105), .port = 50000};
	struct world *world = *state;
	struct ike_child child = world_child(world, 1, 7, 40000);
	struct tables_session *record;
	struct place place;

	world_install_active(world, &child);
	record = world_record(world, 1);
	world_stop_control(world);
	place_write(&record->place, &record->local, &elsewhere, TABLES_ENCAPSULATION_UDP);
	world_start_control(world);
	assert_int_equal(world->gateway.adopted, 1);
	assert_true(endpoint_equal(&record->remote, &elsewhere));
	place = sessions_where(world->gateway.install->sessions, (uint32_t)(record - world->tables.sessions));
	assert_true(endpoint_equal(&place.remote, &elsewhere));
	assert_int_equal(place.local.port, 4500);
}

static void test_initial_contact_forgets(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 1, 7, 40000);
	struct ike_event event = {.kind = IKE_EVENT_INITIAL_CONTACT,
		.peer = &world->peers[1],
		.identity = world->peers[1].identity,
		.why = ""};

	world_install_active(world, &child);
	world->host.event(world->host.context, &event);
	/* The engine itself removes what it knows. */
	assert_non_null(world_session(world, 1));
	world_restart_control(world);
	world->host.event(world->host.context, &event);
	assert_null(world_session(world, 1));
}

static void test_deleted_by_the_operator(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 1, 7, 40000);

	world_install_active(world, &child);
	world_restart_control(world);
	assert_int_equal(gateway_delete_peer(&world->gateway, &world->peers[1], NULL, "test"), 1);
	assert_int_equal(fake_ike.n_peer_deleted, 1);
	assert_null(world_session(world, 1));
	assert_int_equal(gateway_delete_peer(&world->gateway, &world->peers[1], NULL, "test"), 0);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_sessions_are_adopted),
		WORLD_TEST(test_same_peer_comes_again),
		WORLD_TEST(test_peer_without_configuration),
		WORLD_TEST(test_peer_of_another_identity),
		WORLD_TEST(test_clients_of_one_peer),
		WORLD_TEST(test_half_made_records),
		WORLD_TEST(test_expiry),
		WORLD_TEST(test_expired_while_nobody_looked),
		WORLD_TEST(test_moved_while_nobody_looked),
		WORLD_TEST(test_initial_contact_forgets),
		WORLD_TEST(test_deleted_by_the_operator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
