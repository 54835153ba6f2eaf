/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that workers have come to their end, are replaced, and outlive processes. */
#include "test.h"

#include "tables/bundle.h"
#include "world_plane.h"

#include <errno.h>
#include <unistd.h>

#define TAKEOVER_TEST(name) cmocka_unit_test_setup_teardown(name, world_plane_setup, world_plane_teardown)

/* --- its end ------------------------------------------------------------------------------------------------------ */

static void expect_lost(int result, bool at_once, const char *why)
{
	void *state;
	struct world *world;
	struct tables_change hold, end;
	struct dialed dialed;

	world_plane_setup(&state);
	world = state;
	world_plane_begin_taken(world, &dialed, &hold);
	world_plane_ended(world, &hold, result);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, &end), 1);
	assert_int_equal(end.index, hold.index);
	assert_int_equal(end.connection.at_once, at_once);
	assert_true(world_timeline_says(world, why));
	assert_false(streams_carry(world->gateway.streams, world_find(world, 0), world_session(world, 0)->id));
	assert_int_equal(streams_counters(world->gateway.streams).ended, 1);
	close(dialed.fd);
	world_plane_teardown(&state);
}

static void test_ends(void **state)
{
	(void)state;
	expect_lost(0, false, "the other side closed the connection");
	expect_lost(-ECONNRESET, true, "the other side reset the connection");
	expect_lost(-ETIMEDOUT, true, "the other side does not answer any more");
	expect_lost(-EPROTO, true, "neither IKE nor ESP in TCP");
}

/* What came while it was held ends it: that is told before that the worker has it. */
static void test_ends_before_it_was_taken(void **state)
{
	struct world *world = *state;
	struct transfer_state transfer;
	struct tables_change hold;
	struct dialed dialed;
	uint8_t bytes[100];

	world_plane_begin(world, &dialed, &hold);
	world_plane_answer(world, &hold, TABLES_CONNECTION_HOLD, 0);
	assert_true(world_plane_receive_transfer(world, &hold, &transfer, bytes, sizeof(bytes)));
	world_plane_ended(world, &hold, -ECONNRESET);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 0);
	world_plane_answer(world, &hold, TABLES_CONNECTION_INSTALL, 0);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 1);
	assert_int_equal(streams_counters(world->gateway.streams).ended, 1);
	close(dialed.fd);
}

/* What the peer says last, and the word that the connection has ended, go different ways: the session ends as it says.
 */
static void test_last_words(void **state)
{
	struct world *world = *state;
	static uint8_t bundle[BUNDLE_LEN_MAX];
	struct bundle_head head = {.kind = BUNDLE_IKE, .packet_len = 40};
	struct tables_change hold;
	struct dialed dialed;
	uint8_t message[40] = {'D'};
	size_t len = 0, before;

	world_plane_begin_taken(world, &dialed, &hold);
	before = world->n_ike;
	head.index = hold.index;
	head.id = hold.id;
	for (int i = 0; i < 2; i++) {
		len = 0;
		assert_true(bundle_add(bundle, &len, &head, message));
		world_plane_send(bundle, len);
	}
	world_plane_ended(world, &hold, 0);
	assert_int_equal(world->n_ike, before + 2);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 1);
	close(dialed.fd);
}

/* What IKE says last is on its way to the worker long before the end. */
static void test_session_ends(void **state)
{
	struct world *world = *state;
	struct tables_change hold, end;
	struct dialed dialed;
	struct ike_child child = world_plane_begin_taken(world, &dialed, &hold);

	world->host.child_remove(world->host.context, child.id, child.spi_in);
	world_plane_send_ike(world, &dialed, 'D');
	world_plane_tick(world);
	assert_int_equal(world_plane_hear_bundle(&hold), 'D');
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 0);
	world_plane_tick(world);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, &end), 1);
	assert_int_equal(end.index, hold.index);
	assert_int_equal(end.connection.at_once, 0);
	close(dialed.fd);
}

/* It may end before the data plane has answered: held, it goes back first; on the way, the answer comes first. */
static void test_session_ends_meanwhile(void **state)
{
	struct world *world = *state;
	struct transfer_state transfer;
	struct tables_change hold;
	struct dialed dialed;
	struct ike_child child = world_plane_begin(world, &dialed, &hold);
	uint8_t bytes[100];

	world_plane_answer(world, &hold, TABLES_CONNECTION_HOLD, 0);
	assert_true(world_plane_receive_transfer(world, &hold, &transfer, bytes, sizeof(bytes)));
	world->host.child_remove(world->host.context, child.id, child.spi_in);
	for (int i = 0; i < 5; i++)
		world_plane_tick(world);
	assert_int_equal(streams_counters(world->gateway.streams).ended, 0);
	world_plane_answer(world, &hold, TABLES_CONNECTION_INSTALL, 0);
	for (int i = 0; i < 2; i++)
		world_plane_tick(world);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 1);
	close(dialed.fd);

	world->n_changes = 0;
	child = world_plane_begin(world, &dialed, &hold);
	world->host.child_remove(world->host.context, child.id, child.spi_in);
	for (int i = 0; i < 5; i++)
		world_plane_tick(world);
	assert_int_equal(world_took(world, TABLES_CONNECTION_RELEASE, NULL), 1);
	assert_int_equal(world_hear(world, &dialed, bytes), 0);
	close(dialed.fd);
}

/* The peer negotiates anew in the same connection: its next session goes by it. */
static void test_next_session_in_it(void **state)
{
	struct world *world = *state;
	struct tables_change hold, move;
	struct dialed dialed;
	struct ike_child child = world_plane_begin_taken(world, &dialed, &hold), next;
	uint64_t before = world_session(world, 0)->id;

	world->host.child_remove(world->host.context, child.id, child.spi_in);
	next = world_child_over(world, &dialed);
	assert_int_not_equal(world_install_active(world, &next), 0);
	assert_int_not_equal(world_session(world, 0)->id, before);
	assert_int_equal(world_took(world, TABLES_MOVE, &move), 1);
	assert_int_equal(move.id, world_session(world, 0)->id);
	assert_int_equal(move.move.encapsulation, TABLES_ENCAPSULATION_STREAM);
	assert_true(endpoint_equal(&move.move.remote, &dialed.remote));
	assert_int_equal(world->tables.connections[hold.index].session_id, world_session(world, 0)->id);
	for (int i = 0; i < 6; i++)
		world_plane_tick(world);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 0);
	assert_int_equal(world_took(world, TABLES_CONNECTION_HOLD, NULL), 1);
	assert_true(streams_carry(world->gateway.streams, world_find(world, 0), world_session(world, 0)->id));
	close(dialed.fd);
}

static void test_goes_on_in_udp(void **state)
{
	struct world *world = *state;
	struct tables_change hold;
	struct dialed dialed;
	struct endpoint local = {.address = address_ipv4(0xc0a802c8), .port = 4500};
	struct endpoint remote = {.address = address_ipv4(0xc6336407), .port = 40000};

	world_plane_begin_taken(world, &dialed, &hold);
	world->host.peer_moved(
		world->host.context, &world->peers[0], world->peers[0].identity, 1, &local, &remote);
	for (int i = 0; i < 2; i++)
		world_plane_tick(world);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 1);
	close(dialed.fd);
}

/* The newer one moves at once; the older one ends when nothing of it can be under way any more. */
static void test_newer_connection(void **state)
{
	struct world *world = *state;
	struct tables_change older, newer, end;
	struct dialed first, second;

	world_plane_begin_taken(world, &first, &older);
	second = world_dial(world);
	world->host.peer_moved(
		world->host.context, &world->peers[0], world->peers[0].identity, 1, &second.local, &second.remote);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_CONNECTION_HOLD, &newer), 2);
	assert_int_not_equal(newer.index, older.index);
	assert_true(endpoint_equal(&newer.connection.remote, &second.remote));
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 0);
	for (int i = 0; i < 6; i++)
		world_plane_tick(world);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, &end), 1);
	assert_int_equal(end.index, older.index);
	close(first.fd);
	close(second.fd);
}

/* --- processes come and go ---------------------------------------------------------------------------------------- */

static void test_sluiced_restarts(void **state)
{
	struct world *world = *state;
	struct tables_change hold, other, end;
	struct dialed dialed, unbound;
	uint64_t session_id;

	world_plane_begin_taken(world, &dialed, &hold);
	session_id = world_session(world, 0)->id;
	/* One that a newer one has replaced, and that the former process had no time to end. */
	unbound = world_dial(world);
	assert_int_equal(install_connection_hold(world->gateway.install, world_find(world, 0), &unbound.local,
				 &unbound.remote, &other.index),
		0);
	world_turn(world);
	atomic_store(&world->tables.connections[other.index].phase, TABLES_LIVE);
	world_plane_attach(world);
	world_turn(world);
	world_plane_expect_silence(&dialed);
	assert_int_equal(world_session(world, 0)->id, session_id);
	assert_true(streams_carry(world->gateway.streams, world_find(world, 0), session_id));
	assert_int_equal(atomic_load(&world->tables.connections[hold.index].phase), TABLES_LIVE);
	assert_int_equal(atomic_load(&world->tables.connections[other.index].phase), TABLES_LEAVING);
	/* IKE and its end as ever. */
	world_plane_send_ike(world, &dialed, 'E');
	assert_int_equal(world_plane_hear_bundle(&hold), 'E');
	world->n_changes = 0;
	world_plane_ended(world, &hold, 0);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, &end), 1);
	assert_int_equal(end.index, hold.index);
	close(dialed.fd);
	close(unbound.fd);
}

/* One that was on its way is not: the kernel has closed it with the process. */
static void test_sluiced_restarts_meanwhile(void **state)
{
	struct world *world = *state;
	struct tables_change hold;
	struct dialed dialed;

	world_plane_begin(world, &dialed, &hold);
	world_plane_attach(world);
	assert_int_equal(atomic_load(&world->tables.connections[hold.index].phase), TABLES_LEAVING);
	assert_false(streams_carry(world->gateway.streams, world_find(world, 0), world_session(world, 0)->id));
	close(dialed.fd);
}

static void test_data_plane_goes(void **state)
{
	struct world *world = *state;
	struct tables_change hold;
	struct dialed taken, moving;
	struct transfer_state transfer;
	struct ike_child child;
	uint8_t bytes[100];

	world_plane_begin_taken(world, &taken, &hold);
	moving = world_dial(world);
	world_say_ike(world, &moving);
	child = world_child_over(world, &moving);
	child.peer = &world->peers[1];
	child.identity = world->peers[1].identity;
	assert_int_not_equal(world_install_active(world, &child), 0);
	assert_int_equal(world_took(world, TABLES_CONNECTION_HOLD, &hold), 2);
	world_plane_answer(world, &hold, TABLES_CONNECTION_HOLD, 0);
	assert_true(world_plane_receive_transfer(world, &hold, &transfer, bytes, sizeof(bytes)));
	gateway_detached(&world->gateway);
	assert_int_equal(streams_counters(world->gateway.streams).ended, 1);
	/* What the kernel still has can tell its peer. */
	world_plane_send_ike(world, &moving, 'F');
	assert_int_equal(world_hear(world, &moving, bytes), 4 + 40);
	assert_int_equal(bytes[4], 'F');
	world_plane_send_ike(world, &taken, 'G');
	assert_int_equal(streams_counters(world->gateway.streams).ike_refused, 1);
	close(taken.fd);
	close(moving.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		TAKEOVER_TEST(test_ends_before_it_was_taken),
		TAKEOVER_TEST(test_last_words),
		TAKEOVER_TEST(test_session_ends),
		TAKEOVER_TEST(test_session_ends_meanwhile),
		TAKEOVER_TEST(test_next_session_in_it),
		TAKEOVER_TEST(test_goes_on_in_udp),
		TAKEOVER_TEST(test_newer_connection),
		TAKEOVER_TEST(test_sluiced_restarts),
		TAKEOVER_TEST(test_sluiced_restarts_meanwhile),
		TAKEOVER_TEST(test_data_plane_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
