/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of sessions move into a worker, or stay: the kernel's sockets are real, the data plane is played, which
 * holds, receives what is handed over, and answers.
 */
#include "test.h"

#include "ferry.h"
#include "streams_takeover.h"
#include "tables/bundle.h"
#include "tables/share.h"
#include "tables/transfer.h"
#include "world.h"
#include "world_streams.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The data plane's end of the attachment. */
static struct plane {
	char directory[40], path[64];
	struct share_descriptors descriptors;
	int listener, connection;
	pthread_t thread;
	bool attached;
} plane;

static void *accept_one(void *context)
{
	(void)context;
	plane.connection = share_accept(plane.listener, geteuid(), NULL, &plane.descriptors);
	return NULL;
}

static int on_attached(void *context, struct tables *tables, int changes_fd)
{
	(void)context;
	(void)tables;
	(void)changes_fd;
	plane.attached = true;
	return 0;
}

static void on_nothing(void *context)
{
	(void)context;
}

/* A control plane with an attachment of its own takes over from the one before. */
static void attach(struct world *world)
{
	const struct attachment_hooks hooks = {.context = &world->gateway,
		.attached = on_attached,
		.detached = on_nothing,
		.events = on_nothing,
		.bundle = ferry_from_dataplane};

	world_stop_control(world);
	if (plane.connection >= 0)
		close(plane.connection);
	plane.attached = false;
	assert_int_equal(pthread_create(&plane.thread, NULL, accept_one, NULL), 0);
	world->attachment = attachment_new(world->base, plane.path, &hooks);
	assert_non_null(world->attachment);
	while (!plane.attached)
		event_base_loop(world->base, EVLOOP_ONCE);
	pthread_join(plane.thread, NULL);
	assert_true(plane.connection >= 0);
	world_start_control(world);
	world_turn(world);
	world->n_changes = 0;
}

static int setup(void **state)
{
	struct world *world;

	world_setup(state);
	world = *state;
	world->config.ike.tcp_takeover = true;
	plane = (struct plane){.directory = "/tmp/sluice-takeover-XXXXXX", .connection = -1};
	assert_non_null(mkdtemp(plane.directory));
	snprintf(plane.path, sizeof(plane.path), "%s/dataplane.sock", plane.directory);
	plane.descriptors = (struct share_descriptors){.tables = world->tables.fd,
		.changes = eventfd(0, EFD_CLOEXEC),
		.events = eventfd(0, EFD_CLOEXEC)};
	plane.listener = share_listen(plane.path, geteuid());
	assert_true(plane.listener >= 0);
	attach(world);
	return 0;
}

static int teardown(void **state)
{
	world_teardown(state);
	close(plane.connection);
	close(plane.listener);
	close(plane.descriptors.changes);
	close(plane.descriptors.events);
	unlink(plane.path);
	rmdir(plane.directory);
	return 0;
}

/* The answer to what the connection of this change was asked for last. */
static void answer(struct world *world, const struct tables_change *hold, enum tables_change_kind kind, int result)
{
	struct tables_event done = {.kind = TABLES_EVENT_DONE,
		.change = kind,
		.index = hold->index,
		.id = hold->id,
		.result = result};

	if (kind == TABLES_CONNECTION_INSTALL && result == 0)
		atomic_store(&world->tables.connections[hold->index].phase, TABLES_LIVE);
	world_event(world, &done);
	world_turn(world);
}

static void ended(struct world *world, const struct tables_change *hold, int result)
{
	struct tables_event event = {
		.kind = TABLES_EVENT_CONNECTION_ENDED, .index = hold->index, .id = hold->id, .result = result};

	world_event(world, &event);
	world_turn(world);
}

/* What comes for the worker of this connection; false: nothing. Without the capability there is nothing to test. */
static bool receive_transfer(
	struct world *world, const struct tables_change *hold, struct transfer_state *transfer, uint8_t *bytes, size_t max)
{
	struct transfer_head head = {0};
	struct iovec part = {.iov_base = &head, .iov_len = sizeof(head)};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	int fd;

	if (recvmsg(plane.connection, &message, MSG_DONTWAIT) < 0) {
		if (world_timeline_says(world, "CAP_NET_ADMIN"))
			skip();
		return false;
	}
	assert_int_equal(head.magic, TRANSFER_MAGIC);
	assert_int_equal(head.index, hold->index);
	assert_int_equal(head.id, hold->id);
	assert_non_null(CMSG_FIRSTHDR(&message));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	assert_int_equal(pread(fd, transfer, sizeof(*transfer), 0), sizeof(*transfer));
	assert_true(pread(fd, bytes, max, sizeof(*transfer)) >= 0);
	close(fd);
	return true;
}

/* A session of peer 0 in a connection that is about to be held. */
static struct ike_child begin(struct world *world, struct dialed *dialed, struct tables_change *hold)
{
	struct ike_child child;

	*dialed = world_dial(world);
	world_say_ike(world, dialed);
	world_establish(world, dialed);
	child = world_child_over(world, dialed);
	assert_int_not_equal(world_install_active(world, &child), 0);
	assert_int_equal(world_took(world, TABLES_CONNECTION_HOLD, hold), 1);
	return child;
}

/* The same, and a worker has it. */
static struct ike_child begin_taken(struct world *world, struct dialed *dialed, struct tables_change *hold)
{
	struct ike_child child = begin(world, dialed, hold);
	struct transfer_state transfer;
	uint8_t bytes[100];

	answer(world, hold, TABLES_CONNECTION_HOLD, 0);
	assert_true(receive_transfer(world, hold, &transfer, bytes, sizeof(bytes)));
	answer(world, hold, TABLES_CONNECTION_INSTALL, 0);
	assert_int_equal(streams_counters(world->gateway.streams).taken, 1);
	return child;
}

static void expect_silence(const struct dialed *dialed)
{
	uint8_t byte;

	assert_int_equal(recv(dialed->fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void send_ike(struct world *world, const struct dialed *dialed, char name)
{
	uint8_t message[40];

	memset(message, name, sizeof(message));
	world->host.send(world->host.context, &dialed->local, &dialed->remote, message, sizeof(message));
}

/* The next IKE message on its way to the worker: its letter; 0: none. */
static char hear_bundle(const struct tables_change *hold)
{
	static uint8_t bytes[BUNDLE_LEN_MAX];
	ssize_t received = recv(plane.connection, bytes, sizeof(bytes), MSG_DONTWAIT);
	struct bundle_packet packet;
	size_t at = 0;

	if (received < 0)
		return 0;
	assert_true(bundle_next(bytes, (size_t)received, &at, &packet));
	assert_int_equal(at, received);
	assert_int_equal(packet.head.kind, BUNDLE_IKE);
	assert_int_equal(packet.head.index, hold->index);
	assert_int_equal(packet.head.id, hold->id);
	assert_int_equal(packet.head.packet_len, 40);
	return (char)packet.data[0];
}

static void tick(struct world *world)
{
	ferry_tick(&world->gateway);
	world_turn(world);
}

/* --- kernel, worker ----------------------------------------------------------------------------------------------- */

static void test_moves_into_a_worker(void **state)
{
	struct world *world = *state;
	static const uint8_t begun[] = {0, 50, 0x80, 1, 2, 3};
	struct transfer_state transfer;
	struct tables_change hold;
	struct dialed dialed;
	uint8_t bytes[100];

	begin(world, &dialed, &hold);
	assert_int_equal(hold.connection.session, world_find(world, 0));
	assert_int_equal(hold.connection.session_id, world_session(world, 0)->id);
	assert_true(endpoint_equal(&hold.connection.local, &dialed.local));
	assert_true(endpoint_equal(&hold.connection.remote, &dialed.remote));
	/* As long as it is only held, the kernel sends on. */
	send_ike(world, &dialed, 'A');
	assert_int_equal(world_hear(world, &dialed, bytes), 4 + 40);
	assert_int_equal(send(dialed.fd, begun, sizeof(begun), 0), sizeof(begun));
	answer(world, &hold, TABLES_CONNECTION_HOLD, 0);
	assert_true(receive_transfer(world, &hold, &transfer, bytes, sizeof(bytes)));
	assert_int_equal(transfer.unread_len, sizeof(begun));
	assert_int_equal(transfer.unsent_len, 0);
	assert_int_equal(transfer.snd_nxt, transfer.snd_una);
	assert_memory_equal(bytes, begun, sizeof(begun));
	/* What IKE says in between waits, and goes by the worker. */
	send_ike(world, &dialed, 'B');
	assert_int_equal(hear_bundle(&hold), 0);
	answer(world, &hold, TABLES_CONNECTION_INSTALL, 0);
	assert_int_equal(hear_bundle(&hold), 'B');
	send_ike(world, &dialed, 'C');
	assert_int_equal(hear_bundle(&hold), 'C');
	expect_silence(&dialed);
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

	begin_taken(world, &dialed, &hold);
	head = (struct bundle_head){.id = hold.id, .index = hold.index, .kind = BUNDLE_IKE, .packet_len = 40};
	assert_true(bundle_add(bundle, &len, &head, message));
	head.id++; /* of one that is not there any more */
	assert_true(bundle_add(bundle, &len, &head, message));
	head = (struct bundle_head){.id = world_session(world, 0)->id,
		.index = world_find(world, 0),
		.kind = BUNDLE_ESP,
		.packet_len = sizeof(packet)};
	assert_true(bundle_add(bundle, &len, &head, packet));
	assert_int_equal(send(plane.connection, bundle, len, 0), len);
	for (int waited = 0; world->n_ike == 1 && waited < WORLD_PATIENCE_MS; waited++)
		event_base_loop(world->base, EVLOOP_NONBLOCK);
	assert_int_equal(world->n_ike, 2); /* the first one came before it moved */
	assert_true(endpoint_equal(&world->ike_remote, &dialed.remote));
	assert_int_equal(streams_counters(world->gateway.streams).esp_moving, 1);
	expect_silence(&dialed);
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

	begin(world, &dialed, &hold);
	answer(world, &hold, TABLES_CONNECTION_HOLD, 0);
	assert_true(receive_transfer(world, &hold, &transfer, bytes, sizeof(bytes)));
	send_ike(world, &dialed, 'B');
	answer(world, &hold, TABLES_CONNECTION_INSTALL, -ENOBUFS);
	assert_int_equal(world_took(world, TABLES_CONNECTION_RELEASE, NULL), 1);
	assert_int_equal(world_hear(world, &dialed, bytes), 4 + 40);
	assert_int_equal(bytes[4], 'B');
	send_ike(world, &dialed, 'C');
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

	begin(world, &dialed, &hold);
	answer(world, &hold, TABLES_CONNECTION_HOLD, -ENOSPC);
	assert_int_equal(world_took(world, TABLES_CONNECTION_RELEASE, NULL), 0);
	assert_true(world_timeline_says(world, "no more connections have room in the data plane"));
	send_ike(world, &dialed, 'C');
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

	begin(world, &dialed, &hold);
	close(dialed.fd);
	answer(world, &hold, TABLES_CONNECTION_HOLD, 0);
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
	attach(world);
	dialed = world_dial(world);
	child = world_child_over(world, &dialed);
	assert_int_not_equal(world_install_active(world, &child), 0);
	assert_int_equal(world_took(world, TABLES_CONNECTION_HOLD, NULL), 0);
	close(dialed.fd);
}

/* --- its end ------------------------------------------------------------------------------------------------------ */

static void expect_lost(int result, bool at_once, const char *why)
{
	void *state;
	struct world *world;
	struct tables_change hold, end;
	struct dialed dialed;

	setup(&state);
	world = state;
	begin_taken(world, &dialed, &hold);
	ended(world, &hold, result);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, &end), 1);
	assert_int_equal(end.index, hold.index);
	assert_int_equal(end.connection.at_once, at_once);
	assert_true(world_timeline_says(world, why));
	assert_false(streams_carry(world->gateway.streams, world_find(world, 0), world_session(world, 0)->id));
	assert_int_equal(streams_counters(world->gateway.streams).ended, 1);
	close(dialed.fd);
	teardown(&state);
}

static void test_ends(void **state)
{
	(void)state;
	expect_lost(0, false, "the other side closed the connection");
	expect_lost(-ECONNRESET, true, "the other side reset the connection");
	expect_lost(-ETIMEDOUT, true, "the other side does not answer any more");
	expect_lost(-EPROTO, true, "neither IKE nor ESP in TCP");
}

/* Two rings: its end may be read before that the worker has it. */
static void test_ends_before_it_was_taken(void **state)
{
	struct world *world = *state;
	struct transfer_state transfer;
	struct tables_change hold;
	struct dialed dialed;
	uint8_t bytes[100];

	begin(world, &dialed, &hold);
	answer(world, &hold, TABLES_CONNECTION_HOLD, 0);
	assert_true(receive_transfer(world, &hold, &transfer, bytes, sizeof(bytes)));
	ended(world, &hold, -ECONNRESET);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 0);
	answer(world, &hold, TABLES_CONNECTION_INSTALL, 0);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 1);
	assert_int_equal(streams_counters(world->gateway.streams).ended, 1);
	close(dialed.fd);
}

/* What IKE says last is on its way to the worker long before the end. */
static void test_session_ends(void **state)
{
	struct world *world = *state;
	struct tables_change hold, end;
	struct dialed dialed;
	struct ike_child child = begin_taken(world, &dialed, &hold);

	world->host.child_remove(world->host.context, child.id, child.spi_in);
	send_ike(world, &dialed, 'D');
	tick(world);
	assert_int_equal(hear_bundle(&hold), 'D');
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 0);
	tick(world);
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
	struct ike_child child = begin(world, &dialed, &hold);
	uint8_t bytes[100];

	answer(world, &hold, TABLES_CONNECTION_HOLD, 0);
	assert_true(receive_transfer(world, &hold, &transfer, bytes, sizeof(bytes)));
	world->host.child_remove(world->host.context, child.id, child.spi_in);
	for (int i = 0; i < 5; i++)
		tick(world);
	assert_int_equal(streams_counters(world->gateway.streams).ended, 0);
	answer(world, &hold, TABLES_CONNECTION_INSTALL, 0);
	for (int i = 0; i < 2; i++)
		tick(world);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 1);
	close(dialed.fd);

	world->n_changes = 0;
	child = begin(world, &dialed, &hold);
	world->host.child_remove(world->host.context, child.id, child.spi_in);
	for (int i = 0; i < 5; i++)
		tick(world);
	assert_int_equal(world_took(world, TABLES_CONNECTION_RELEASE, NULL), 1);
	assert_int_equal(world_hear(world, &dialed, bytes), 0);
	close(dialed.fd);
}

static void test_goes_on_in_udp(void **state)
{
	struct world *world = *state;
	struct tables_change hold;
	struct dialed dialed;
	struct endpoint local = {.address = address_ipv4(0xc0a802c8), .port = 4500};
	struct endpoint remote = {.address = address_ipv4(0xc6336407), .port = 40000};

	begin_taken(world, &dialed, &hold);
	world->host.peer_moved(
		world->host.context, &world->peers[0], world->peers[0].identity, 1, &local, &remote);
	for (int i = 0; i < 2; i++)
		tick(world);
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 1);
	close(dialed.fd);
}

/* The newer one moves at once; the older one ends when nothing of it can be under way any more. */
static void test_newer_connection(void **state)
{
	struct world *world = *state;
	struct tables_change older, newer, end;
	struct dialed first, second;

	begin_taken(world, &first, &older);
	second = world_dial(world);
	world->host.peer_moved(
		world->host.context, &world->peers[0], world->peers[0].identity, 1, &second.local, &second.remote);
	world_turn(world);
	assert_int_equal(world_took(world, TABLES_CONNECTION_HOLD, &newer), 2);
	assert_int_not_equal(newer.index, older.index);
	assert_true(endpoint_equal(&newer.connection.remote, &second.remote));
	assert_int_equal(world_took(world, TABLES_CONNECTION_END, NULL), 0);
	for (int i = 0; i < 6; i++)
		tick(world);
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

	begin_taken(world, &dialed, &hold);
	session_id = world_session(world, 0)->id;
	/* One that a newer one has replaced, and that the former process had no time to end. */
	unbound = world_dial(world);
	assert_int_equal(install_connection_hold(world->gateway.install, world_find(world, 0), &unbound.local,
				 &unbound.remote, &other.index),
		0);
	world_turn(world);
	atomic_store(&world->tables.connections[other.index].phase, TABLES_LIVE);
	attach(world);
	world_turn(world);
	expect_silence(&dialed);
	assert_int_equal(world_session(world, 0)->id, session_id);
	assert_true(streams_carry(world->gateway.streams, world_find(world, 0), session_id));
	assert_int_equal(atomic_load(&world->tables.connections[hold.index].phase), TABLES_LIVE);
	assert_int_equal(atomic_load(&world->tables.connections[other.index].phase), TABLES_LEAVING);
	/* IKE and its end as ever. */
	send_ike(world, &dialed, 'E');
	assert_int_equal(hear_bundle(&hold), 'E');
	world->n_changes = 0;
	ended(world, &hold, 0);
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

	begin(world, &dialed, &hold);
	attach(world);
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

	begin_taken(world, &taken, &hold);
	moving = world_dial(world);
	world_say_ike(world, &moving);
	child = world_child_over(world, &moving);
	child.peer = &world->peers[1];
	child.identity = world->peers[1].identity;
	assert_int_not_equal(world_install_active(world, &child), 0);
	assert_int_equal(world_took(world, TABLES_CONNECTION_HOLD, &hold), 2);
	answer(world, &hold, TABLES_CONNECTION_HOLD, 0);
	assert_true(receive_transfer(world, &hold, &transfer, bytes, sizeof(bytes)));
	gateway_detached(&world->gateway);
	assert_int_equal(streams_counters(world->gateway.streams).ended, 1);
	/* What the kernel still has can tell its peer. */
	send_ike(world, &moving, 'F');
	assert_int_equal(world_hear(world, &moving, bytes), 4 + 40);
	assert_int_equal(bytes[4], 'F');
	send_ike(world, &taken, 'G');
	assert_int_equal(streams_counters(world->gateway.streams).ike_refused, 1);
	close(taken.fd);
	close(moving.fd);
}

#define TAKEOVER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TAKEOVER_TEST(test_moves_into_a_worker),
		TAKEOVER_TEST(test_ike_and_late_esp),
		TAKEOVER_TEST(test_stays_in_the_kernel),
		TAKEOVER_TEST(test_can_not_be_held),
		TAKEOVER_TEST(test_peer_closes_meanwhile),
		TAKEOVER_TEST(test_not_wanted),
		cmocka_unit_test(test_ends),
		TAKEOVER_TEST(test_ends_before_it_was_taken),
		TAKEOVER_TEST(test_session_ends),
		TAKEOVER_TEST(test_session_ends_meanwhile),
		TAKEOVER_TEST(test_goes_on_in_udp),
		TAKEOVER_TEST(test_newer_connection),
		TAKEOVER_TEST(test_sluiced_restarts),
		TAKEOVER_TEST(test_sluiced_restarts_meanwhile),
		TAKEOVER_TEST(test_data_plane_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
