/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/writer.h"

#include "tables/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WAITING_MAX = 65536 }; /* installs beyond this are refused; removals never are */

struct waiting {
	struct waiting *next;
	struct tables_change change;
};

struct writer {
	struct tables *tables;
	int changes_fd;
	uint64_t last_id;
	struct slots sessions, children, connections; /* FREE records */
	struct waiting *first, **last;
	size_t n_waiting;
	bool wake; /* something was pushed since the data plane was last woken */
};

static uint32_t phase_get(_Atomic uint32_t *phase)
{
	return atomic_load_explicit(phase, memory_order_acquire);
}

static void phase_set(_Atomic uint32_t *phase, uint32_t value)
{
	atomic_store_explicit(phase, value, memory_order_release);
}

/*
 * A record that is neither FREE nor LIVE was on its way when the last control plane died, and its change may have died
 * with it. Its removal is asked for (again): behind what is in the ring already, so its end is the end of both.
 * Children go first; a session that was seen LIVE meanwhile is the caller's.
 */
static void records_find(struct writer *writer)
{
	struct tables *tables = writer->tables;
	uint32_t phase;

	for (uint32_t i = 0; i < tables->n_children; i++) {
		if (tables->children[i].id > writer->last_id)
			writer->last_id = tables->children[i].id;
		phase = phase_get(&tables->children[i].phase);
		if (phase == TABLES_FREE)
			slots_put(&writer->children, i);
		else if (phase != TABLES_LIVE)
			writer_child_remove(writer, i);
	}
	for (uint32_t i = 0; i < tables->n_sessions; i++) {
		if (tables->sessions[i].id > writer->last_id)
			writer->last_id = tables->sessions[i].id;
		phase = phase_get(&tables->sessions[i].phase);
		if (phase == TABLES_FREE)
			slots_put(&writer->sessions, i);
		else if (phase != TABLES_LIVE)
			writer_session_remove(writer, i);
	}
	for (uint32_t i = 0; i < tables->n_connections; i++) {
		if (tables->connections[i].id > writer->last_id)
			writer->last_id = tables->connections[i].id;
		phase = phase_get(&tables->connections[i].phase);
		if (phase == TABLES_FREE)
			slots_put(&writer->connections, i);
		else if (phase == TABLES_CLAIMED)
			writer_connection_release(writer, i);
		else if (phase == TABLES_LEAVING)
			writer_connection_end(writer, i, false);
	}
}

struct writer *writer_new(struct tables *tables, int changes_fd)
{
	struct writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return NULL;
	writer->tables = tables;
	writer->changes_fd = changes_fd;
	writer->last = &writer->first;
	if (slots_init(&writer->sessions, tables->n_sessions) < 0 ||
		slots_init(&writer->children, tables->n_children) < 0 ||
		slots_init(&writer->connections, tables->n_connections) < 0) {
		writer_free(writer);
		errno = ENOMEM;
		return NULL;
	}
	records_find(writer);
	return writer;
}

void writer_free(struct writer *writer)
{
	if (!writer)
		return;
	while (writer->first) {
		struct waiting *next = writer->first->next;

		explicit_bzero(writer->first, sizeof(*writer->first));
		free(writer->first);
		writer->first = next;
	}
	slots_free(&writer->sessions);
	slots_free(&writer->children);
	slots_free(&writer->connections);
	free(writer);
}

uint64_t writer_next_id(struct writer *writer)
{
	return ++writer->last_id;
}

/* Straight into the ring where nothing waits before it; else it waits. -ENOMEM only. */
static int change_send(struct writer *writer, struct tables_change *change)
{
	struct waiting *waiting;
	int rc = 0;

	if (!writer->first && ring_push(&writer->tables->changes, change) == 0) {
		writer->wake = true;
	} else if ((waiting = calloc(1, sizeof(*waiting)))) {
		waiting->change = *change;
		*writer->last = waiting;
		writer->last = &waiting->next;
		writer->n_waiting++;
	} else {
		rc = -ENOMEM;
	}
	explicit_bzero(change, sizeof(*change));
	return rc;
}

size_t writer_flush(struct writer *writer)
{
	uint64_t one = 1;

	while (writer->first && ring_push(&writer->tables->changes, &writer->first->change) == 0) {
		struct waiting *pushed = writer->first;

		writer->first = pushed->next;
		if (!writer->first)
			writer->last = &writer->first;
		explicit_bzero(pushed, sizeof(*pushed));
		free(pushed);
		writer->n_waiting--;
		writer->wake = true;
	}
	/* An eventfd that can't take more is one that the data plane has not read yet: it will. */
	if (writer->wake && (write(writer->changes_fd, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN))
		writer->wake = false;
	return writer->n_waiting;
}

int writer_session_claim(struct writer *writer, const struct tables_session *values, uint32_t *index)
{
	struct tables_session *session;
	int rc = slots_take(&writer->sessions, index);

	if (rc < 0)
		return rc;
	session = &writer->tables->sessions[*index];
	phase_set(&session->phase, TABLES_CLAIMED);
	session->encapsulation = values->encapsulation;
	place_clear(&session->place);
	session->id = writer_next_id(writer);
	session->local = values->local;
	session->remote = values->remote;
	session->established_at = values->established_at;
	memcpy(session->peer, values->peer, sizeof(session->peer));
	memcpy(session->identity, values->identity, sizeof(session->identity));
	return 0;
}

void writer_session_unclaim(struct writer *writer, uint32_t index)
{
	phase_set(&writer->tables->sessions[index].phase, TABLES_FREE);
	slots_put(&writer->sessions, index);
}

int writer_child_claim(struct writer *writer, uint32_t *index, uint32_t *spi_in)
{
	struct tables_child *child;
	int rc = slots_take(&writer->children, index);

	if (rc < 0)
		return rc;
	child = &writer->tables->children[*index];
	phase_set(&child->phase, TABLES_CLAIMED);
	child->generation++;
	atomic_store_explicit(&child->inner_mtu, 0, memory_order_relaxed);
	child->id = writer_next_id(writer);
	child->spi_in = *spi_in = tables_spi(*index, child->generation);
	return 0;
}

void writer_child_unclaim(struct writer *writer, uint32_t index)
{
	phase_set(&writer->tables->children[index].phase, TABLES_FREE);
	slots_put(&writer->children, index);
}

static void child_fill(struct tables_child *child, const struct tables_child *values)
{
	child->session = values->session;
	child->spi_out = values->spi_out;
	child->suite = values->suite;
	child->replay_window = values->replay_window;
	child->mode = values->mode;
	child->extended = values->extended;
	child->tunnel = values->tunnel;
	child->local_network = values->local_network;
	child->remote_network = values->remote_network;
	child->soft_bytes = values->soft_bytes;
	child->hard_bytes = values->hard_bytes;
	child->soft_packets = values->soft_packets;
	child->hard_packets = values->hard_packets;
	child->installed_at = values->installed_at;
	child->expires_at = values->expires_at;
}

int writer_child_install(struct writer *writer, uint32_t index, const struct tables_child *values,
	const uint8_t *keymat_in, const uint8_t *keymat_out, size_t keymat_len)
{
	struct tables_child *child = &writer->tables->children[index];
	const struct tables_session *session = &writer->tables->sessions[values->session];
	struct tables_change change = {.kind = TABLES_INSTALL, .index = index, .id = child->id};

	if (keymat_len > ESP_KEYMAT_MAX)
		return -EINVAL;
	if (writer->n_waiting >= WAITING_MAX)
		return -ENOSPC;
	child_fill(child, values);
	change.install.local = session->local;
	change.install.remote = session->remote;
	change.install.encapsulation = session->encapsulation;
	change.install.keymat_len = (uint32_t)keymat_len;
	memcpy(change.install.keymat_in, keymat_in, keymat_len);
	memcpy(change.install.keymat_out, keymat_out, keymat_len);
	return change_send(writer, &change);
}

void writer_child_activate(struct writer *writer, uint32_t index)
{
	struct tables_change change = {
		.kind = TABLES_ACTIVATE, .index = index, .id = writer->tables->children[index].id};

	change_send(writer, &change);
}

void writer_child_remove(struct writer *writer, uint32_t index)
{
	struct tables_child *child = &writer->tables->children[index];
	struct tables_change change = {.kind = TABLES_REMOVE_CHILD, .index = index, .id = child->id};

	phase_set(&child->phase, TABLES_LEAVING);
	change_send(writer, &change);
}

void writer_session_move(struct writer *writer, uint32_t index, const struct endpoint *local,
	const struct endpoint *remote, uint32_t encapsulation)
{
	struct tables_session *session = &writer->tables->sessions[index];
	struct tables_change change = {.kind = TABLES_MOVE, .index = index, .id = session->id};

	session->local = *local;
	session->remote = *remote;
	session->encapsulation = encapsulation;
	change.move.local = *local;
	change.move.remote = *remote;
	change.move.encapsulation = encapsulation;
	change_send(writer, &change);
}

void writer_session_follow(struct writer *writer, uint32_t index, const struct place *place)
{
	struct tables_session *session = &writer->tables->sessions[index];

	session->local = place->local;
	session->remote = place->remote;
	session->encapsulation = place->encapsulation;
}

void writer_session_remove(struct writer *writer, uint32_t index)
{
	struct tables_session *session = &writer->tables->sessions[index];
	struct tables_change change = {.kind = TABLES_REMOVE_SESSION, .index = index, .id = session->id};

	phase_set(&session->phase, TABLES_LEAVING);
	change_send(writer, &change);
}

int writer_connection_hold(struct writer *writer, uint32_t session, const struct endpoint *local,
	const struct endpoint *remote, uint32_t *index)
{
	struct tables_change change = {.kind = TABLES_CONNECTION_HOLD};
	struct tables_connection *connection;
	int rc = slots_take(&writer->connections, index);

	if (rc < 0)
		return rc;
	connection = &writer->tables->connections[*index];
	phase_set(&connection->phase, TABLES_CLAIMED);
	connection->id = writer_next_id(writer);
	connection->session = session;
	connection->session_id = writer->tables->sessions[session].id;
	connection->local = *local;
	connection->remote = *remote;
	connection->taken_at = time(NULL);
	for (uint32_t i = 0; i < TABLES_FIGURES_MAX; i++)
		atomic_store_explicit(&connection->figures[i], 0, memory_order_relaxed);
	change.index = *index;
	change.id = connection->id;
	change.connection.session = session;
	change.connection.session_id = connection->session_id;
	change.connection.local = *local;
	change.connection.remote = *remote;
	return change_send(writer, &change);
}

static void connection_leave(struct writer *writer, uint32_t index, uint32_t kind, bool at_once)
{
	struct tables_connection *connection = &writer->tables->connections[index];
	struct tables_change change = {.kind = kind, .index = index, .id = connection->id};

	change.connection.at_once = at_once;
	phase_set(&connection->phase, TABLES_LEAVING);
	change_send(writer, &change);
}

void writer_connection_release(struct writer *writer, uint32_t index)
{
	connection_leave(writer, index, TABLES_CONNECTION_RELEASE, false);
}

void writer_connection_end(struct writer *writer, uint32_t index, bool at_once)
{
	connection_leave(writer, index, TABLES_CONNECTION_END, at_once);
}

static void connection_done(struct writer *writer, const struct tables_event *event)
{
	struct tables_connection *connection =
		event->index < writer->tables->n_connections ? &writer->tables->connections[event->index] : NULL;

	if (!connection || connection->id != event->id)
		return;
	if (event->change == TABLES_CONNECTION_RELEASE || event->change == TABLES_CONNECTION_END ||
		(event->change == TABLES_CONNECTION_HOLD && event->result < 0)) {
		phase_set(&connection->phase, TABLES_FREE);
		slots_put(&writer->connections, event->index);
	}
}

void writer_net_change(struct writer *writer, enum tables_change_kind kind, const struct writer_net *net)
{
	struct tables_change change = {.kind = kind};

	change.net.prefix = net->prefix;
	change.net.gateway = net->gateway;
	memcpy(change.net.mac, net->mac, sizeof(change.net.mac));
	change.net.port = net->port;
	change.net.epoch = net->epoch;
	change_send(writer, &change);
}

void writer_done(struct writer *writer, const struct tables_event *event)
{
	struct tables *tables = writer->tables;

	if (event->kind != TABLES_EVENT_DONE)
		return;
	/*
	 * A removal that found nothing ends like one that did: the slot is ours again either way. The id tells whether
	 * it is still the same record: after a refused install its removal may be on the way already.
	 */
	if (event->change == TABLES_REMOVE_SESSION) {
		if (event->index < tables->n_sessions && tables->sessions[event->index].id == event->id)
			writer_session_unclaim(writer, event->index);
	} else if (event->change >= TABLES_CONNECTION_HOLD && event->change <= TABLES_CONNECTION_INSTALL) {
		connection_done(writer, event);
	} else if (event->change == TABLES_REMOVE_CHILD || (event->change == TABLES_INSTALL && event->result < 0)) {
		if (event->index < tables->n_children && tables->children[event->index].id == event->id)
			writer_child_unclaim(writer, event->index);
	}
}

uint32_t writer_sessions_free(const struct writer *writer)
{
	return writer->sessions.count;
}

uint32_t writer_children_free(const struct writer *writer)
{
	return writer->children.count;
}
