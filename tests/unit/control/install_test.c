/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "world.h"

#include "config/log.h"

#include <errno.h>

static void test_first_child_makes_the_session(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	uint32_t spi = world_install(world, &child);
	struct tables_child *record = &world->tables.children[tables_spi_index(spi)];
	struct tables_change change;

	assert_int_not_equal(spi, 0);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_INSTALL, &change), 1);
	assert_int_equal(change.install.keymat_len, 36);
	assert_int_equal(change.install.keymat_in[0], 1);
	assert_int_equal(change.install.keymat_out[0], 2);
	assert_int_equal(change.install.encapsulation, TABLES_ENCAPSULATION_UDP);
	assert_int_equal(change.install.local.port, 4500);
	assert_int_equal(change.install.remote.port, 40000);
	assert_string_equal(world_record(world, 0)->peer, "branch-0");
	assert_string_equal(world_record(world, 0)->identity, "branch-0.example.net");
	assert_int_equal(record->expires_at - record->installed_at, 3601);
	assert_int_equal(record->hard_bytes, 0);
	assert_true(record->soft_packets < record->hard_packets && record->hard_packets < 0xffffffff);
	assert_int_equal(record->replay_window, 1024);
	assert_true(world->gateway.install->sessions->children[tables_spi_index(spi)].live);
	assert_false(world->gateway.install->sessions->children[tables_spi_index(spi)].active);
	world->host.child_activate(world->host.context, child.id, spi);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_ACTIVATE, NULL), 1);
}

/* Settings of its peer, and what the data plane answers. */
static void test_tunnel_settings(void **state)
{
	static const struct tunnel_settings tunnel = {TUNNEL_FRAGMENT_AFTER, TUNNEL_DF_COPY, 46, 1};
	struct world *world = *state;
	struct ike_child child = world_child(world, 1, 7, 40000);
	struct tables_child *record;

	world->peers[1].tunnel = tunnel;
	record = &world->tables.children[tables_spi_index(world_install(world, &child))];
	assert_memory_equal(&record->tunnel, &tunnel, sizeof(tunnel));
	assert_int_equal(record->inner_mtu, 0);
}

/* Numbers end where their length says, bytes where the peer's lifetime does; a successor is asked for before. */
static void test_limits(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	struct tables_child *record;

	child.extended = true;
	child.lifetime_bytes = 1000;
	record = &world->tables.children[tables_spi_index(world_install(world, &child))];
	assert_int_equal(record->extended, 1);
	assert_int_equal(record->mode, TABLES_TUNNEL);
	assert_true(record->hard_packets > UINT64_MAX - (1 << 20) && record->hard_packets < UINT64_MAX);
	assert_true(record->soft_packets > 1ull << 63 && record->soft_packets < record->hard_packets);
	assert_int_equal(record->soft_bytes, 800);
	assert_int_equal(record->hard_bytes, 1000);
	assert_true(record->replay_window > 0);
}

/* A host in transport mode over IPv4, a network of IPv6 in a tunnel over IPv6. */
static void test_modes_and_families(void **state)
{
	struct world *world = *state;
	struct ike_child host = world_child(world, 0, 7, 40000), network = world_child(world, 1, 8, 0);
	struct tables_child *record;
	struct tables_change change;

	host.transport = true;
	prefix_parse("192.168.2.200", &host.local_network);
	prefix_parse("192.168.1.5", &host.remote_network);
	record = &world->tables.children[tables_spi_index(world_install_active(world, &host))];
	assert_int_equal(record->mode, TABLES_TRANSPORT);
	assert_int_equal(record->extended, 0);
	assert_true(prefix_equal(&record->remote_network, &host.remote_network));

	/* Behind our NAT the peer calls us by another address than we are known here by. */
	host = world_child(world, 2, 9, 40001);
	host.transport = host.we_behind_nat = true;
	prefix_parse("203.0.113.80", &host.local_network);
	prefix_parse("192.168.7.5", &host.remote_network);
	record = &world->tables.children[tables_spi_index(world_install_active(world, &host))];
	assert_int_equal(address_to_ipv4(&record->local_network.address), 0xc0a802c8);
	assert_int_equal(record->local_network.len, 32);
	assert_true(prefix_equal(&record->remote_network, &host.remote_network));

	address_parse("2001:db8::1", &network.local.address);
	address_parse("2001:db8:1::1", &network.remote.address);
	prefix_parse("2001:db8:2::/48", &network.local_network);
	prefix_parse("2001:db8:3::/48", &network.remote_network);
	world_install_active(world, &network);
	assert_int_equal(world_took(world, TABLES_INSTALL, &change), 3);
	assert_true(address_equal(&change.install.local.address, &network.local.address));
	assert_true(address_equal(&change.install.remote.address, &network.remote.address));
	assert_int_equal(change.install.remote.port, 0);
}

static void test_bare_esp_has_no_ports(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 0);

	world_install_active(world, &child);
	assert_int_equal(world_record(world, 0)->encapsulation, TABLES_ENCAPSULATION_ESP);
	assert_int_equal(world_record(world, 0)->local.port, 0);
	assert_int_equal(world_record(world, 0)->remote.port, 0);
}

static void test_bytes_lifetime(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 0);
	uint32_t spi;

	child.lifetime_bytes = UINT64_MAX;
	spi = world_install(world, &child);
	assert_int_equal(world->tables.children[tables_spi_index(spi)].hard_bytes, UINT64_MAX);
	/* 80 %, without overflow on the way. */
	assert_true(world->tables.children[tables_spi_index(spi)].soft_bytes > UINT64_MAX / 100 * 79);
	assert_true(world->tables.children[tables_spi_index(spi)].soft_bytes < UINT64_MAX / 100 * 81);
}

static void test_refused_by_the_data_plane(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 0);
	uint32_t sessions = writer_sessions_free(world->gateway.install->writer), spi;
	uint32_t children = writer_children_free(world->gateway.install->writer);

	world->refuse = -ENOMEM;
	spi = world_install(world, &child);
	world_turn(world);
	/* The peer is told, and nothing of it remains. */
	assert_int_equal(fake_ike.n_deleted, 1);
	assert_int_equal(fake_ike.deleted, spi);
	assert_null(world_session(world, 0));
	assert_int_equal(writer_sessions_free(world->gateway.install->writer), sessions);
	assert_int_equal(writer_children_free(world->gateway.install->writer), children);
}

static void test_unknown_suite_frees_the_spi(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 0);
	uint32_t children = writer_children_free(world->gateway.install->writer);

	child.suite = ESP_SUITE_COUNT;
	assert_int_equal(world_install(world, &child), 0);
	assert_null(world_session(world, 0));
	assert_int_equal(writer_children_free(world->gateway.install->writer), children);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_INSTALL, NULL), 0);
}

static void test_spi_of_nobody(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 0);

	child.spi_in = 0x80000003;
	assert_int_equal(world->host.child_install(world->host.context, &child), -ENOENT);
	/* All of them are told of SPIs that are unknown here after a data plane has ended. */
	world->host.spi_release(world->host.context, 0xffffffff);
	world->host.child_activate(world->host.context, 1, 0xffffffff);
	world->host.child_remove(world->host.context, 1, 0x80000001);
	world_turn(world);
	assert_int_equal(world->n_changes, 0);
}

static void test_release(void **state)
{
	struct world *world = *state;
	uint32_t children = writer_children_free(world->gateway.install->writer), spi, other;

	assert_int_equal(world->host.spi_reserve(world->host.context, &spi), 0);
	assert_int_equal(writer_children_free(world->gateway.install->writer), children - 1);
	world->host.spi_release(world->host.context, spi);
	world->host.spi_release(world->host.context, spi);
	assert_int_equal(writer_children_free(world->gateway.install->writer), children);
	for (uint32_t i = 0; i < children; i++)
		assert_int_equal(world->host.spi_reserve(world->host.context, &other), 0);
	assert_int_equal(world->host.spi_reserve(world->host.context, &other), -ENOSPC);
}

static void add_traffic(struct world *world, uint32_t spi, uint64_t packets)
{
	struct tables_traffic *one = &tables_counters(&world->tables, 1)->traffic[tables_spi_index(spi)];
	struct tables_traffic *two = &tables_counters(&world->tables, 2)->traffic[tables_spi_index(spi)];

	tables_count(&one->packets_in, packets);
	tables_count(&two->bytes_in, packets * 100);
	tables_count(&two->packets_out, packets * 2);
}

static void test_rekey_keeps_sums(void **state)
{
	struct world *world = *state;
	struct ike_child old = world_child(world, 0, 7, 40000), young = world_child(world, 0, 7, 40000);
	uint32_t old_spi = world_install_active(world, &old), young_spi, session;
	struct session_traffic sum;

	add_traffic(world, old_spi, 10);
	young_spi = world_install_active(world, &young);
	session = world_find(world, 0);
	assert_int_equal(world_session(world, 0)->n_children, 2);
	assert_false(world->gateway.install->sessions->children[tables_spi_index(old_spi)].active);
	assert_true(world->gateway.install->sessions->children[tables_spi_index(young_spi)].active);
	add_traffic(world, young_spi, 5);
	world->host.child_remove(world->host.context, old.id, old_spi);
	world_turn(world);
	assert_int_equal(world_session(world, 0)->n_children, 1);
	sum = sessions_traffic(world->gateway.install->sessions, session);
	assert_int_equal(sum.packets_in, 15);
	assert_int_equal(sum.bytes_in, 1500);
	assert_int_equal(sum.packets_out, 30);
	/* No session is moved or made anew for a successor. */
	assert_int_equal(world_took(world, TABLES_MOVE, NULL), 0);
	assert_int_equal(world_took(world, TABLES_REMOVE_SESSION, NULL), 0);
}

static void test_reused_slot_begins_at_zero(void **state)
{
	struct world *world = *state;
	struct ike_child child;
	uint32_t spi, slots = world->tables.n_children;

	for (uint32_t i = 0; i <= slots; i++) {
		child = world_child(world, 0, 7, 40000);
		spi = world_install(world, &child);
		assert_int_not_equal(spi, 0);
		/* Not taken up yet: what its slot's predecessor carried is not its own. */
		assert_int_equal(
			sessions_traffic(world->gateway.install->sessions, world_find(world, 0)).packets_in, 0);
		world_turn(world);
		add_traffic(world, spi, 10);
		world->host.child_remove(world->host.context, child.id, spi);
		world_turn(world);
	}
}

static void test_predecessor_takes_over_again(void **state)
{
	struct world *world = *state;
	struct ike_child old = world_child(world, 0, 7, 40000), young = world_child(world, 0, 7, 40000);
	uint32_t old_spi = world_install_active(world, &old), young_spi = world_install_active(world, &young);
	struct tables_change change;

	world->n_changes = 0;
	world->host.child_remove(world->host.context, young.id, young_spi);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_ACTIVATE, &change), 1);
	assert_int_equal(change.index, tables_spi_index(old_spi));
}

static void test_last_child_ends_the_session(void **state)
{
	struct world *world = *state;
	uint32_t sessions = writer_sessions_free(world->gateway.install->writer);
	uint32_t children = writer_children_free(world->gateway.install->writer);
	struct ike_child child = world_child(world, 0, 7, 40000);
	uint32_t spi = world_install_active(world, &child);

	world->host.child_remove(world->host.context, child.id, spi);
	assert_null(world_session(world, 0));
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_REMOVE_CHILD, NULL), 1);
	assert_int_equal(world_took(world, TABLES_REMOVE_SESSION, NULL), 1);
	assert_int_equal(writer_sessions_free(world->gateway.install->writer), sessions);
	assert_int_equal(writer_children_free(world->gateway.install->writer), children);
}

static void test_peer_moved_moves_all(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	struct endpoint local = child.local, remote = child.remote;
	struct tables_change change;

	world_install_active(world, &child);
	remote.address = address_ipv4(0xcb007105);
	remote.port = 50000;
	world->host.peer_moved(world->host.context, &world->peers[0], world->peers[0].identity, 1, &local, &remote);
	world->host.peer_moved(world->host.context, &world->peers[0], world->peers[0].identity, 1, &local, &remote);
	world->host.peer_moved(world->host.context, &world->peers[1], world->peers[1].identity, 1, &local, &remote);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_MOVE, &change), 1);
	assert_true(endpoint_equal(&change.move.remote, &remote));
	assert_int_equal(change.move.local.port, 4500);
	assert_true(endpoint_equal(&world_record(world, 0)->remote, &remote));
}

/* The data uses the port of ours that IKE uses, where that is one for data. */
static void test_port_of_ours(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	struct tables_change change;

	child.local.port = 4009;
	world_install_active(world, &child);
	assert_int_equal(world_took(world, TABLES_INSTALL, &change), 1);
	assert_int_equal(change.install.local.port, 4009);
	child.local.port = 500;
	world->host.peer_moved(
		world->host.context, &world->peers[0], world->peers[0].identity, 1, &child.local, &child.remote);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_MOVE, &change), 1);
	assert_int_equal(change.move.local.port, 4500);
	child.local.port = 4009;
	world->host.peer_moved(
		world->host.context, &world->peers[0], world->peers[0].identity, 1, &child.local, &child.remote);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_MOVE, &change), 2);
	assert_int_equal(change.move.local.port, 4009);
}

static void test_another_ike_sa_says_where_the_peer_is(void **state)
{
	struct world *world = *state;
	struct ike_child first = world_child(world, 0, 7, 40000), second = world_child(world, 0, 8, 0);
	struct tables_change change;

	world_install_active(world, &first);
	second.ike_sa = 2;
	world_install_active(world, &second);
	assert_int_equal(world_took(world, TABLES_MOVE, &change), 1);
	assert_int_equal(change.move.encapsulation, TABLES_ENCAPSULATION_ESP);
	assert_int_equal(change.move.remote.port, 0);
}

/* More changes than the ring takes: none is lost, and they are handed over as there is room. */
static void test_ring_full(void **state)
{
	struct world *world = *state;
	struct ike_child child = world_child(world, 0, 7, 40000);
	struct endpoint local, remote = child.remote;
	struct tables_change change;
	unsigned moves = 0;

	world_install_active(world, &child);
	local = child.local;
	for (unsigned i = 0; i < TABLES_CHANGE_SLOTS + 100; i++) {
		remote.port = (uint16_t)(1 + i);
		world->host.peer_moved(
			world->host.context, &world->peers[0], world->peers[0].identity, 1, &local, &remote);
	}
	assert_int_equal(install_flush(world->gateway.install), 100);
	for (int round = 0; round < 2; round++) {
		while (ring_pop(&world->tables.changes, &change) == 1) {
			assert_int_equal(change.kind, TABLES_MOVE);
			assert_int_equal(change.move.remote.port, ++moves);
		}
		install_flush(world->gateway.install);
	}
	assert_int_equal(moves, TABLES_CHANGE_SLOTS + 100);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_first_child_makes_the_session),
		WORLD_TEST(test_tunnel_settings),
		WORLD_TEST(test_limits),
		WORLD_TEST(test_modes_and_families),
		WORLD_TEST(test_bare_esp_has_no_ports),
		WORLD_TEST(test_bytes_lifetime),
		WORLD_TEST(test_refused_by_the_data_plane),
		WORLD_TEST(test_unknown_suite_frees_the_spi),
		WORLD_TEST(test_spi_of_nobody),
		WORLD_TEST(test_release),
		WORLD_TEST(test_rekey_keeps_sums),
		WORLD_TEST(test_reused_slot_begins_at_zero),
		WORLD_TEST(test_predecessor_takes_over_again),
		WORLD_TEST(test_last_child_ends_the_session),
		WORLD_TEST(test_peer_moved_moves_all),
		WORLD_TEST(test_port_of_ours),
		WORLD_TEST(test_another_ike_sa_says_where_the_peer_is),
		WORLD_TEST(test_ring_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
