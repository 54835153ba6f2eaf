/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of sessions move into a worker, or stay: the kernel's sockets are real, the data plane is played.
 */
#include "test.h"

#include "streams_takeover.h"
#include "tables/bundle.h"
#include "world_plane.h"

#include <errno.h>
#include <unistd.h>

#define TAKEOVER_TEST(name) cmocka_unit_test_setup_teardown(name, world_plane_setup, world_plane_teardown)

static void test_moves_into_a_worker(void **state)
{
	struct world *world = *state;
	static const uint8_t begun[] = {0, 50, 0x80, 1, 2, 3};
	struct transfer_state transfer;
	struct tables_change hold;
	struct dialed dialed;
	uint8_t bytes[100];

	world_plane_begin(world, &dialed, &hold);
	assert_int_equal(hold.connection.session, world_find(world, 0));
	assert_int_equal(hold.connection.session_id, world_session(world, 0)->id);
	assert_true(endpoint_equal(&hold.connection.local, &dialed.local));
	assert_true(endpoint_equal(&hold.connection.remote, &dialed.remote));
	/* As long as it is only held, the kernel sends on. */
	world_plane_send_ike(world, &dialed, 'A');
	assert_int_equal(world_hear(world, &dialed, bytes), 4 + 40);
	assert_int_equal(send(dialed.fd, begun, sizeof(begun), 0), sizeof(begun));
	world_plane_answer(world, &hold, TABLES_CONNECTION_HOLD, 0);
	assert_true(world_plane_receive_transfer(world, &hold, &transfer, bytes, sizeof(bytes)));
	assert_int_equal(transfer.unread_len, sizeof(begun));
	assert_int_equal(transfer.unsent_len, 0);
	assert_int_equal(transfer.snd_nxt, transfer.snd_una);
	assert_memory_equal(bytes, begun, sizeof(begun));
	/* What IKE says in between waits, and goes by the worker. */
	world_plane_send_ike(world, &dialed, 'B');
	assert_int_equal(world_plane_hear_bundle(&hold), 0);
	world_plane_answer(world, &hold, TABLES_CONNECTION_INSTALL, 0);
	assert_int_equal(world_plane_hear_bundle(&hold), 'B');
	world_plane_send_ike(world, &dialed, 'C');
	assert_int_equal(world_plane_hear_bundle(&hold), 'C');
	world_plane_expect_silence(&dialed);
	assert_true(streams_carry(world->gateway.streams, world_find(world, 0), world_session(world, 0)->id));
	assert_true(world_timeline_says(world, "taken over by worker 0 in "));
	assert_true(world_timeline_says(world, "ms: 6 bytes unread, 0 unacknowledged, 0 unsent"));
	close(dialed.fd);
}

/* A worker tells of IKE messages; ESP that was under way to sluiced is late. */
static void test_ike_and_late_esp(void **state)
{
	struct world *world = *state;
	static uint8_t bundle[BUNDLE_LEN_MAX];
	uint8_t packet[40] = {0x80}, message[40] = {'M'};
	struct tables_change hold;
	struct dialed dialed;
	struct bundle_head head;
	size_t len = 0;

	world_plane_begin_taken(world, &dialed, &hold);
	head = (struct bundle_head){.id = hold.id, .index = hold.index, .kind = BUNDLE_IKE, .packet_len = 40};
	assert_true(bundle_add(bundle, &len, &head, message));
	head.id++; /* of one that is not there any more */
	assert_true(bundle_add(bundle, &len, &head, message));
	head = (struct bundle_head){.id = world_session(world, 0)->id,
		.index = world_find(world, 0),
		.kind = BUNDLE_ESP,
		.packet_len = sizeof(packet)};
	assert_true(bundle_add(bundle, &len, &head, packet));
	world_plane_send(bundle, len);
	for (int waited = 0; world->n_ike == 1 && waited < WORLD_PATIENCE_MS; waited++)
		event_base_loop(world->base, EVLOOP_NONBLOCK);
	assert_int_equal(world->n_ike, 2); /* the first one came before it moved */
	assert_true(endpoint_equal(&world->ike_remote, &dialed.remote));
	assert_int_equal(streams_counters(world->gateway.streams).esp_moving, 1);
	world_plane_expect_silence(&dialed);
	close(dialed.fd);
}

/* Whatever fails: it goes on in the kernel, both ways, and the reason is told. */
static void test_stays_in_the_kernel(void **state)
{
	struct world *world = *state;
	struct transfer_state transfer;
	struct tables_change hold;
	struct dialed dialed;
	uint8_t bytes[100];

	world_plane_begin(world, &dialed, &hold);
	world_plane_answer(world, &hold, TABLES_CONNECTION_HOLD, 0);
	assert_true(world_plane_receive_transfer(world, &hold, &transfer, bytes, sizeof(bytes)));
	world_plane_send_ike(world, &dialed, 'B');
	world_plane_answer(world, &hold, TABLES_CONNECTION_INSTALL, -ENOBUFS);
	assert_int_equal(world_took(world, TABLES_CONNECTION_RELEASE, NULL), 1);
	assert_int_equal(world_hear(world, &dialed, bytes), 4 + 40);
	assert_int_equal(bytes[4], 'B');
	world_plane_send_ike(world, &dialed, 'C');
	assert_int_equal(world_hear(world, &dialed, bytes), 4 + 40);
	world_say_ike(world, &dialed);
	assert_true(world_timeline_says(world, "stays in the kernel: the worker can't go on with its state"));
	assert_int_equal(streams_counters(world->gateway.streams).not_taken, 1);
	close(dialed.fd);
}

static void test_can_not_be_held(void **state)
{
	struct world *world = *state;
	struct tables_change hold;
	struct dialed dialed;
	uint8_t bytes[100];

	world_plane_begin(world, &dialed, &hold);
	world_plane_answer(world, &hold, TABLES_CONNECTION_HOLD, -ENOSPC);
	assert_int_equal(world_took(world, TABLES_CONNECTION_RELEASE, NULL), 0);
	assert_true(world_timeline_says(world, "no more connections have room in the data plane"));
	world_plane_send_ike(world, &dialed, 'C');
	assert_int_equal(world_hear(world, &dialed, bytes), 4 + 40);
	/* With the next child SA it is tried again. */
	streams_take_over(world->gateway.streams, world_find(world, 0), world_session(world, 0)->id);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_CONNECTION_HOLD, NULL), 2);
	close(dialed.fd);
}

/* The peer has closed it while it was held: the kernel knows it, and the stream ends as ever. */
static void test_peer_closes_meanwhile(void **state)
{
	struct world *world = *state;
	struct tables_change hold;
	struct dialed dialed;

	world_plane_begin(world, &dialed, &hold);
	close(dialed.fd);
	world_plane_answer(world, &hold, TABLES_CONNECTION_HOLD, 0);
	assert_int_equal(world_took(world, TABLES_CONNECTION_RELEASE, NULL), 1);
	world_until_ended(world, 1);
	assert_false(streams_carry(world->gateway.streams, world_find(world, 0), world_session(world, 0)->id));
}

static void test_not_wanted(void **state)
{
	struct world *world = *state;
	struct ike_child child;
	struct dialed dialed;

	world->config.ike.tcp_takeover = false;
	world_plane_attach(world);
	dialed = world_dial(world);
	child = world_child_over(world, &dialed);
	assert_int_not_equal(world_install_active(world, &child), 0);
	assert_int_equal(world_took(world, TABLES_CONNECTION_HOLD, NULL), 0);
	close(dialed.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TAKEOVER_TEST(test_moves_into_a_worker),
		TAKEOVER_TEST(test_ike_and_late_esp),
		TAKEOVER_TEST(test_stays_in_the_kernel),
		TAKEOVER_TEST(test_can_not_be_held),
		TAKEOVER_TEST(test_peer_closes_meanwhile),
		TAKEOVER_TEST(test_not_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
