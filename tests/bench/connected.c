/* SPDX-License-Identifier: Apache-2.0 */
#include "connected.h"

#include "plan.h"
#include "tables/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TURN_NS = 100 * 1000 * 1000, UNDER_WAY_MAX = 256 };

struct connected {
	struct attached *attached;
	int state; /* memfd: the same for all, since nothing has been sent */
	uint32_t held, live;
	int error; /* 0 or the first negative errno */
};

static struct transfer_state state_of(const struct connected_settings *settings)
{
	return (struct transfer_state){
		.snd_una = plan_tcp_gateway_first,
		.snd_nxt = plan_tcp_gateway_first,
		.snd_wnd = PLAN_TCP_WINDOW,
		.snd_wl1 = plan_tcp_branch_first,
		.rcv_nxt = plan_tcp_branch_first,
		.rcv_wnd = PLAN_TCP_WINDOW,
		.ts_value = PLAN_TCP_TIMESTAMP,
		.mss = PLAN_TCP_MSS,
		.snd_scale = PLAN_TCP_SCALE,
		.rcv_scale = PLAN_TCP_SCALE,
		.timestamps = settings->timestamps,
		.sack = 1,
	};
}

/* The connection is held: its state follows. */
static int state_send(const struct connected *connected, const struct tables_event *held)
{
	const struct transfer_head head = {.magic = TRANSFER_MAGIC, .index = held->index, .id = held->id};

	return transfer_send(connected->attached->connection, &head, connected->state);
}

static void on_done(void *context, const struct tables_event *event)
{
	struct connected *connected = context;
	int rc = event->result;

	if (event->change == TABLES_CONNECTION_HOLD && rc == 0)
		rc = state_send(connected, event);
	if (event->change == TABLES_CONNECTION_INSTALL && rc == 0)
		connected->live++;
	if (rc < 0 && connected->error == 0)
		connected->error = rc;
}

static int hold_one(struct connected *connected, const struct connected_settings *settings)
{
	struct endpoint local = {.address = address_ipv4(plan_gateway), .port = PLAN_TCP_PORT};
	struct endpoint remote = {.address = address_ipv4(plan_branch(connected->held)), .port = PLAN_TCP_BRANCH_PORT};
	uint32_t index;
	int rc = writer_connection_hold(
		connected->attached->writer, settings->sessions[connected->held], &local, &remote, &index);

	connected->held += rc == 0;
	return rc;
}

/* A sealed memfd; or negative errno. */
static int state_file(const struct transfer_state *state)
{
	int fd = memfd_create("load-transfer", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (write(fd, state, sizeof(*state)) == (ssize_t)sizeof(*state) &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
		return fd;
	close(fd);
	return -EIO;
}

int connected_install(struct attached *attached, const struct connected_settings *settings)
{
	const struct transfer_state state = state_of(settings);
	struct connected connected = {.attached = attached, .state = state_file(&state)};

	if (connected.state < 0)
		connected.error = connected.state;
	attached->done = on_done;
	attached->context = &connected;
	while (connected.error == 0 && connected.live < settings->count) {
		while (connected.error == 0 && connected.held < settings->count &&
			connected.held - connected.live < UNDER_WAY_MAX)
			connected.error = hold_one(&connected, settings);
		if (connected.error == 0 && (*settings->stop || !attached_turn(attached, TURN_NS)))
			connected.error = -ECONNRESET;
	}
	attached->done = NULL;
	if (connected.state >= 0)
		close(connected.state);
	if (connected.error < 0)
		fprintf(stderr, "load: ended with %u of %u connections in workers: %s\n", connected.live,
			settings->count, strerror(-connected.error));
	return connected.error;
}
