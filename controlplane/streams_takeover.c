/* SPDX-License-Identifier: Apache-2.0 */
#include "streams_takeover.h"

#include "config/log.h"
#include "streams_state.h"
#include "tables/transfer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static struct streams_one *of_event(const struct streams *streams, const struct tables_event *event)
{
	return streams_of_connection(streams, event->index, event->id);
}

/* --- the kernel keeps it ------------------------------------------------------------------------------------------ */

static const char *words_of(enum streams_step step, int error)
{
	switch (step) {
	case STREAMS_STEP_HOLD:
		return error == -ENOSPC ? "no more connections have room in the data plane"
					: "the data plane can't keep its segments from the kernel";
	case STREAMS_STEP_READ:
		return error == -EPERM	      ? "sluiced may not read its state, for it lacks CAP_NET_ADMIN"
		       : error == -ENOTCONN ? "it is about to end"
					      : "its state can't be read";
	case STREAMS_STEP_SEND: return "its state can't be sent to the data plane";
	case STREAMS_STEP_INSTALL: return "the worker can't go on with its state";
	default: return "";
	}
}

void streams_stays_format(enum streams_step step, int error, char text[STREAMS_STAYS_LEN])
{
	snprintf(text, STREAMS_STAYS_LEN, "%s (%s)", words_of(step, error), strerror(-error));
}

static void tell(const struct streams_one *one, bool taken, const char *sentence)
{
	const struct streams_handler *handler = &one->all->handler;

	if (one->session != TABLES_NONE && handler->moved)
		handler->moved(handler->context, one->session, one->id, taken, sentence);
}

static void stay(struct streams_one *one, enum streams_step step, int error)
{
	char why[STREAMS_STAYS_LEN], remote[ENDPOINT_TEXT_LEN], text[STREAMS_STAYS_LEN + 160];

	streams_connection_forget(one);
	one->owner = STREAMS_KERNEL;
	one->stays = step;
	one->stays_error = error;
	one->all->counters.not_taken++;
	streams_stays_format(step, error, why);
	snprintf(text, sizeof(text), "TCP connection from %s stays in the kernel: %s; its ESP goes by sluiced",
		endpoint_format(&one->remote, remote), why);
	tell(one, false, text);
}

/* The same for one that is held. */
static void give_back(struct streams_one *one, enum streams_step step, int error)
{
	install_connection_release(one->all->install, one->connection);
	stay(one, step, error);
}

/* --- it moves ----------------------------------------------------------------------------------------------------- */

void streams_take_over(struct streams *streams, uint32_t session, uint64_t id)
{
	struct streams_one *one = streams_of_session(streams, session, id);
	int rc;

	if (!one || one->owner != STREAMS_KERNEL || !streams->takeover || !streams->install || !streams->attachment)
		return;
	if (streams->install->tables->n_figures == 0)
		return; /* a data plane without connections */
	rc = install_connection_hold(streams->install, session, &one->local, &one->remote, &one->connection);
	if (rc < 0) {
		stay(one, STREAMS_STEP_HOLD, rc);
		return;
	}
	one->owner = STREAMS_HOLDING;
	one->held_us = now_us();
	one->held_for = id;
	streams_connection_set(one, one->connection);
}

/* All segments of it wait in the data plane now: what the kernel says of it is the last word. */
static void take_held(struct streams_one *one)
{
	struct streams *streams = one->all;
	struct transfer_head head = {.magic = TRANSFER_MAGIC, .index = one->connection, .id = one->connection_id};
	int rc;

	if (one->ending) {
		install_connection_release(streams->install, one->connection);
		streams_connection_forget(one);
		one->owner = STREAMS_KERNEL;
		return;
	}
	rc = stream_freeze(one->stream, &one->frozen);
	if (rc < 0) {
		give_back(one, STREAMS_STEP_READ, rc);
		return;
	}
	rc = attachment_send_transfer(streams->attachment, &head, one->frozen.transfer);
	close(one->frozen.transfer);
	if (rc < 0) {
		stream_thaw(one->stream);
		give_back(one, STREAMS_STEP_SEND, rc);
		return;
	}
	one->owner = STREAMS_MOVING;
}

static void on_waiting_ike(void *context, const uint8_t *message, size_t message_len)
{
	struct streams_one *one = context;

	if (streams_connection_send(one, message, message_len) < 0)
		one->all->counters.ike_refused++;
}

static void tell_taken(const struct streams_one *one)
{
	uint64_t us = now_us() - one->held_us;
	char remote[ENDPOINT_TEXT_LEN], text[256];

	snprintf(text, sizeof(text),
		"TCP connection from %s taken over by worker %u in %" PRIu64 ".%" PRIu64
		" ms: %u bytes unread, %u unacknowledged, %u unsent",
		endpoint_format(&one->remote, remote), one->session % one->all->install->tables->n_workers, us / 1000,
		us % 1000 / 100, one->frozen.unread_len, one->frozen.unacknowledged_len, one->frozen.unsent_len);
	tell(one, true, text);
}

static void take_installed(struct streams_one *one, int result)
{
	struct streams *streams = one->all;

	if (result < 0) {
		stream_thaw(one->stream);
		give_back(one, STREAMS_STEP_INSTALL, result);
		return;
	}
	streams_sums_add(&streams->counters, one->stream);
	streams->counters.esp_moving += stream_leave(one->stream, on_waiting_ike, one);
	one->stream = NULL;
	one->owner = STREAMS_TAKEN;
	one->stays = STREAMS_STEP_NONE;
	streams->counters.taken++;
	tell_taken(one);
	streams_connection_follow(one);
	if (one->has_ended)
		streams_connection_end(one, one->ended_with);
}

void streams_connection_done(struct streams *streams, const struct tables_event *event)
{
	struct streams_one *one = of_event(streams, event);

	if (!one)
		return;
	if (event->change == TABLES_CONNECTION_HOLD && one->owner == STREAMS_HOLDING) {
		if (event->result < 0)
			stay(one, STREAMS_STEP_HOLD, event->result);
		else
			take_held(one);
	} else if (event->change == TABLES_CONNECTION_INSTALL && one->owner == STREAMS_MOVING) {
		take_installed(one, event->result);
	}
}

/* --- a worker has it ---------------------------------------------------------------------------------------------- */

void streams_connection_ended(struct streams *streams, const struct tables_event *event)
{
	struct streams_one *one = of_event(streams, event);

	if (one && one->owner == STREAMS_TAKEN) {
		streams_connection_end(one, event->result);
	} else if (one && one->owner == STREAMS_MOVING) {
		/* What came while it was held ended it: that is told before the answer to the transfer. */
		one->has_ended = true;
		one->ended_with = event->result;
	}
}

void streams_connection_ike(
	struct streams *streams, uint32_t connection, uint64_t id, const uint8_t *message, size_t message_len)
{
	const struct streams_one *one = streams_of_connection(streams, connection, id);
	struct endpoint local, remote;

	if (!one)
		return;
	streams->counters.ike_in++;
	/* Copies: what IKE does with it may end the connection. */
	local = one->local;
	remote = one->remote;
	streams->handler.ike(streams->handler.context, &local, &remote, message, message_len);
}

/* --- data planes come and go -------------------------------------------------------------------------------------- */

int streams_attach(struct streams *streams, struct install *install, struct attachment *attachment)
{
	const struct tables *tables = install->tables;
	int rc = 0;

	streams->by_connection = calloc(tables->n_connections, sizeof(*streams->by_connection));
	if (!streams->by_connection)
		return -ENOMEM;
	streams->n_connections = tables->n_connections;
	streams->install = install;
	streams->attachment = attachment;
	for (uint32_t i = 0; rc == 0 && i < tables->n_connections; i++)
		if (atomic_load_explicit(&tables->connections[i].phase, memory_order_acquire) == TABLES_LIVE)
			rc = streams_connection_adopt(streams, i);
	if (rc < 0)
		streams_detach(streams);
	return rc;
}

/* It can't be asked for anything any more. */
static void lose_owner(struct streams_one *one)
{
	if (one->owner == STREAMS_MOVING)
		stream_thaw(one->stream);
	if (one->owner == STREAMS_TAKEN)
		streams_forget(one);
	else
		one->owner = STREAMS_KERNEL;
}

void streams_detach(struct streams *streams)
{
	streams->install = NULL;
	streams->attachment = NULL;
	streams_forget_sessions(streams);
	for (uint32_t i = 0; i < streams->n_connections; i++) {
		struct streams_one *one = streams->by_connection[i];

		if (!one)
			continue;
		streams_connection_forget(one);
		lose_owner(one);
	}
	free(streams->by_connection);
	streams->by_connection = NULL;
	streams->n_connections = 0;
}
