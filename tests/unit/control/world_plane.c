/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "ferry.h"
#include "tables/bundle.h"
#include "tables/share.h"
#include "world_plane.h"

#include <errno.h>
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

void world_plane_attach(struct world *world)
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

int world_plane_setup(void **state)
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
	world_plane_attach(world);
	return 0;
}

int world_plane_teardown(void **state)
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
void world_plane_answer(struct world *world, const struct tables_change *hold, enum tables_change_kind kind, int result)
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

void world_plane_ended(struct world *world, const struct tables_change *hold, int result)
{
	struct tables_event event = {
		.kind = TABLES_EVENT_CONNECTION_ENDED, .index = hold->index, .id = hold->id, .result = result};

	world_event(world, &event);
	world_turn(world);
}

/* What comes for the worker of this connection; false: nothing. Without the capability there is nothing to test. */
bool world_plane_receive_transfer(
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
struct ike_child world_plane_begin(struct world *world, struct dialed *dialed, struct tables_change *hold)
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
struct ike_child world_plane_begin_taken(struct world *world, struct dialed *dialed, struct tables_change *hold)
{
	struct ike_child child = world_plane_begin(world, dialed, hold);
	struct transfer_state transfer;
	uint8_t bytes[100];

	world_plane_answer(world, hold, TABLES_CONNECTION_HOLD, 0);
	assert_true(world_plane_receive_transfer(world, hold, &transfer, bytes, sizeof(bytes)));
	world_plane_answer(world, hold, TABLES_CONNECTION_INSTALL, 0);
	assert_int_equal(streams_counters(world->gateway.streams).taken, 1);
	return child;
}

void world_plane_expect_silence(const struct dialed *dialed)
{
	uint8_t byte;

	assert_int_equal(recv(dialed->fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

void world_plane_send_ike(struct world *world, const struct dialed *dialed, char name)
{
	uint8_t message[40];

	memset(message, name, sizeof(message));
	world->host.send(world->host.context, &dialed->local, &dialed->remote, message, sizeof(message));
}

/* The next IKE message on its way to the worker: its letter; 0: none. */
char world_plane_hear_bundle(const struct tables_change *hold)
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

void world_plane_tick(struct world *world)
{
	ferry_tick(&world->gateway);
	world_turn(world);
}

void world_plane_send(const void *bytes, size_t len)
{
	assert_int_equal(send(plane.connection, bytes, len, 0), len);
}
