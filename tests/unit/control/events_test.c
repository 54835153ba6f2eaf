/* SPDX-License-Identifier: Apache-2.0 */
/* What the data plane tells, and what becomes of it. */
#include "test.h"

#include "world.h"

#include "clock.h"
#include "events.h"
#include "lost.h"

#include <errno.h>

static struct tables_event event_of(struct world *world, enum tables_event_kind kind, uint32_t spi)
{
	uint32_t index = tables_spi_index(spi);

	return (struct tables_event){
		.kind = kind,
		.index = index,
		.id = world->tables.children[index].id,
		.spi = spi,
		.local = {.address = address_ipv4(0xc0a802c8), .port = 4500},
		.source = {.address = address_ipv4(0xcb007105), .port = 50000},
	};
}

/* Where the data has gone record and IKE go, and the data plane is not told what it has said itself. */
static void test_moved(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	struct endpoint elsewhere = {.address = address_ipv4(0xcb007105), .port = 50000};

	world_install_active(world, &child);
	world_follow(world, 0, &elsewhere);
	world_turn(world);
	assert_true(endpoint_equal(&world_record(world, 0)->remote, &elsewhere));
	assert_int_equal(world_record(world, 0)->local.port, 4500);
	assert_int_equal(fake_ike.n_followed, 1);
	assert_true(endpoint_equal(&fake_ike.followed_remote, &elsewhere));
	assert_int_equal(fake_ike.followed_local.port, 4500);
	assert_int_equal(world_took(world, TABLES_MOVE, NULL), 0);
	assert_int_equal(world->gateway.counters.sessions_moved, 1);
	assert_int_equal(world->gateway.counters.sessions_followed, 1);
	/* IKE calls it back: a move like any other. */
	world->host.peer_moved(
		world->host.context, &world->peers[0], world->peers[0].identity, 1, &child.local, &child.remote);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_MOVE, NULL), 1);
	assert_true(endpoint_equal(&world_record(world, 0)->remote, &child.remote));
}

/* The peer moves while our own move is on the way: in the end the record says what is in force. */
static void test_moves_that_cross(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	struct endpoint asked = {.address = address_ipv4(0xc6336408), .port = 41000};
	struct endpoint elsewhere = {.address = address_ipv4(0xcb007105), .port = 50000};

	world_install_active(world, &child);
	/* Said before ours is taken up, which wins. */
	world->host.peer_moved(
		world->host.context, &world->peers[0], world->peers[0].identity, 1, &child.local, &asked);
	world_follow(world, 0, &elsewhere);
	events_drain(&world->gateway);
	assert_true(endpoint_equal(&world_record(world, 0)->remote, &elsewhere));
	world_turn(world);
	assert_true(endpoint_equal(&world_record(world, 0)->remote, &asked));
	/* Ours is taken up, and then the peer moves on, all before we hear of it. */
	world->host.peer_moved(
		world->host.context, &world->peers[0], world->peers[0].identity, 1, &child.local, &child.remote);
	world_dataplane(world);
	world_follow(world, 0, &elsewhere);
	world_turn(world);
	assert_true(endpoint_equal(&world_record(world, 0)->remote, &elsewhere));
	assert_true(endpoint_equal(&fake_ike.followed_remote, &elsewhere));
}

static void test_moved_that_is_nobodys(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	struct tables_event event = {.kind = TABLES_EVENT_MOVED};

	world_install_active(world, &child);
	event.index = (uint32_t)(world_record(world, 0) - world->tables.sessions);
	world_event(world, &event); /* no id */
	event.id = world_record(world, 0)->id - 1;
	world_event(world, &event); /* the record was another's when this was said */
	event.index = UINT32_MAX;
	world_event(world, &event);
	event.index = 7;
	world_event(world, &event);
	world_turn(world);
	assert_int_equal(fake_ike.n_followed, 0);
	assert_int_equal(world->gateway.counters.sessions_moved, 0);
}

static void test_soft_lifetime_rekeys(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	uint32_t spi = world_install_active(world, &child);
	struct tables_event event = event_of(world, TABLES_EVENT_SOFT_LIFETIME, spi);

	world_event(world, &event);
	world_turn(world);
	assert_int_equal(fake_ike.n_rekeyed, 1);
	assert_int_equal(fake_ike.rekeyed, spi);
	assert_int_equal(world->gateway.counters.rekeys, 1);
	fake_ike.rekey_result = -ENOENT;
	world_event(world, &event);
	world_turn(world);
	assert_int_equal(world->gateway.counters.rekeys, 1);
	assert_int_equal(world->gateway.counters.soft_lifetimes, 2);
	assert_non_null(world_session(world, 0));
}

static void test_hard_lifetime_removes_and_tells(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	uint32_t spi = world_install_active(world, &child);
	struct tables_event event = event_of(world, TABLES_EVENT_HARD_LIFETIME, spi);

	world_event(world, &event);
	world_turn(world);
	assert_int_equal(fake_ike.deleted, spi);
	assert_null(world_session(world, 0));
	/* Said twice, it is done once. */
	world_event(world, &event);
	world_turn(world);
	assert_int_equal(fake_ike.n_deleted, 1);
	assert_int_equal(world->gateway.counters.hard_lifetimes, 1);
}

/* The data plane has ended it by itself and kept the slot for us. */
static void test_expired(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	uint32_t spi = world_install_active(world, &child);
	struct tables_event event = event_of(world, TABLES_EVENT_HARD_LIFETIME, spi);
	struct tables_child *record = &world->tables.children[tables_spi_index(spi)];

	record->expires_at = clock_unix() - 1;
	record->phase = TABLES_FREE;
	world_event(world, &event);
	world_turn(world);
	assert_int_equal(fake_ike.deleted, spi);
	assert_null(world_session(world, 0));
	assert_int_equal(world->gateway.counters.expired, 1);
	assert_int_equal(world->gateway.counters.hard_lifetimes, 0);
	assert_int_equal(world_took(world, TABLES_REMOVE_CHILD, NULL), 1);
	assert_int_equal(writer_children_free(world->gateway.install->writer), world->tables.n_children);
	assert_int_equal(writer_sessions_free(world->gateway.install->writer), world->tables.n_sessions);
}

static void test_unknown_kinds_are_ignored(void **state)
{
	struct world *world = *state;
	struct tables_event event = {.kind = TABLES_EVENT_COUNT};

	world_event(world, &event);
	event.kind = TABLES_EVENT_NONE;
	world_event(world, &event);
	event.kind = TABLES_EVENT_UNKNOWN_SPI;
	for (int i = 0; i < 100; i++)
		world_event(world, &event);
	event = (struct tables_event){.kind = TABLES_EVENT_NEIGHBOUR_WANTED, .index = 99};
	world_event(world, &event);
	event = (struct tables_event){.kind = TABLES_EVENT_DONE, .change = TABLES_INSTALL, .index = 1u << 30};
	world_event(world, &event);
	world_turn(world);
	assert_int_equal(world->gateway.counters.unknown_spi, 100);
}

static void test_batch_is_bounded(void **state)
{
	struct world *world = *state;
	struct tables_event event = {.kind = TABLES_EVENT_UNKNOWN_SPI};

	for (int i = 0; i < 2000; i++)
		world_event(world, &event);
	assert_true(events_drain(&world->gateway));
	assert_true(world->gateway.counters.unknown_spi < 2000);
	assert_false(events_drain(&world->gateway));
	assert_int_equal(world->gateway.counters.unknown_spi, 2000);
}

static void test_data_plane_ends(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000), late;
	uint32_t reserved, spi;

	world_install_active(world, &child);
	assert_int_equal(world->host.spi_reserve(world->host.context, &reserved), 0);
	gateway_detached(&world->gateway);
	assert_null(world->gateway.install);
	assert_int_equal(world->host.spi_reserve(world->host.context, &spi), -ENODEV);
	world->host.spi_release(world->host.context, reserved);
	late = world_child(world, 1, 8, 0);
	late.spi_in = reserved;
	assert_int_equal(world->host.child_install(world->host.context, &late), -ENODEV);
	world->host.child_remove(world->host.context, child.id, child.spi_in);
	world->host.peer_moved(
		world->host.context, &world->peers[0], world->peers[0].identity, 1, &child.local, &child.remote);
	assert_int_equal(gateway_delete_peer(&world->gateway, &world->peers[0], NULL, "test"), 0);
}

/* Who had an IKE SA before is told, but not who has come anew meanwhile. */
static void test_lost_peers_are_told(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);

	gateway_detached(&world->gateway);
	assert_int_equal(fake_ike.n_peer_deleted, 0);
	assert_int_equal(gateway_attached(&world->gateway, &world->tables, world->changes_fd), 0);
	/* Not before there is an address to speak from. */
	for (int i = 0; i < 10; i++)
		lost_tick(&world->gateway);
	assert_int_equal(fake_ike.n_peer_deleted, 0);
	fake_ike.peer_sas = 1;
	fake_ike.sa = (struct ike_sa_status){
		.id = 1, .peer = &world->peers[0], .identity = world->peers[0].identity, .created_ms = UINT64_MAX};
	assert_int_equal(lost_tell(&world->gateway), 0);
	lost_begin(&world->gateway);
	fake_ike.sa.created_ms = 0;
	assert_int_equal(lost_tell(&world->gateway), 1);
	assert_int_equal(fake_ike.n_peer_deleted, 1);
	lost_begin(&world->gateway);
	world_install_active(world, &child);
	assert_int_equal(lost_tell(&world->gateway), 0);
}

static void test_child_of_another_life(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	uint32_t spi = world_install_active(world, &child);

	world->host.child_remove(world->host.context, child.id + 1000, spi);
	assert_non_null(world_session(world, 0));
	world->host.child_remove(world->host.context, child.id, spi);
	assert_null(world_session(world, 0));
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_moved),
		WORLD_TEST(test_moves_that_cross),
		WORLD_TEST(test_moved_that_is_nobodys),
		WORLD_TEST(test_soft_lifetime_rekeys),
		WORLD_TEST(test_hard_lifetime_removes_and_tells),
		WORLD_TEST(test_expired),
		WORLD_TEST(test_unknown_kinds_are_ignored),
		WORLD_TEST(test_batch_is_bounded),
		WORLD_TEST(test_data_plane_ends),
		WORLD_TEST(test_lost_peers_are_told),
		WORLD_TEST(test_child_of_another_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
