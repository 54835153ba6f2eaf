/* SPDX-License-Identifier: Apache-2.0 */
/* What the data plane tells, and what becomes of it. */
#include "test.h"

#include "world.h"

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

static void test_address_seen_moves(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	struct tables_event event = event_of(world, TABLES_EVENT_ADDRESS_SEEN, world_install_active(world, &child));
	struct tables_change change;

	world_event(world, &event);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_MOVE, &change), 1);
	assert_true(endpoint_equal(&change.move.remote, &event.source));
	assert_int_equal(change.move.local.port, 4500);
	/* Another flip at once is not followed; nor is where it is already. */
	event.source.port++;
	world_event(world, &event);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_MOVE, NULL), 1);
	/* After the interval it is. */
	world_session(world, 0)->moved_ms -= 1000;
	world_event(world, &event);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_MOVE, NULL), 2);
	assert_int_equal(world->gateway.counters.addresses_seen, 3);
	assert_int_equal(world->gateway.counters.sessions_moved, 2);
}

static void test_address_seen_that_moves_nothing(void **state)
{
	struct world *world = *state;
	struct ike_child bare = world_child(world, 0, 7, 0), udp = world_child(world, 1, 7, 40000);
	struct tables_event of_bare = event_of(world, TABLES_EVENT_ADDRESS_SEEN, world_install_active(world, &bare));
	struct tables_event stale = event_of(world, TABLES_EVENT_ADDRESS_SEEN, world_install_active(world, &udp));
	struct tables_event no_port = stale, far = stale, family = stale;

	stale.id--; /* the record was another's when this was said */
	no_port.source.port = 0;
	far.index = UINT32_MAX;
	family.source.address.family = ADDRESS_IPV6;
	world_event(world, &of_bare);
	world_event(world, &stale);
	world_event(world, &no_port);
	world_event(world, &far);
	world_event(world, &family);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_MOVE, NULL), 0);
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
	world->host.peer_moved(world->host.context, &world->peers[0], 1, &child.local, &child.remote);
	assert_int_equal(gateway_delete_peer(&world->gateway, &world->peers[0], "test"), 0);
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
	fake_ike.sa = (struct ike_sa_status){.id = 1, .peer = &world->peers[0], .created_ms = UINT64_MAX};
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
		WORLD_TEST(test_address_seen_moves),
		WORLD_TEST(test_address_seen_that_moves_nothing),
		WORLD_TEST(test_soft_lifetime_rekeys),
		WORLD_TEST(test_hard_lifetime_removes_and_tells),
		WORLD_TEST(test_unknown_kinds_are_ignored),
		WORLD_TEST(test_batch_is_bounded),
		WORLD_TEST(test_data_plane_ends),
		WORLD_TEST(test_lost_peers_are_told),
		WORLD_TEST(test_child_of_another_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
