/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/writer_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAITING_MAX = 65536 }; /* installs beyond this are refused; removals never are */

struct waiting {
	struct waiting *next;
	struct tables_change change;
};

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
		phase = writer_phase_get(&tables->children[i].phase);
		if (phase == TABLES_FREE)
			slots_put(&writer->children, i);
		else if (phase != TABLES_LIVE)
			writer_child_remove(writer, i);
	}
	for (uint32_t i = 0; i < tables->n_sessions; i++) {
		if (tables->sessions[i].id > writer->last_id)
			writer->last_id = tables->sessions[i].id;
		phase = writer_phase_get(&tables->sessions[i].phase);
		if (phase == TABLES_FREE)
			slots_put(&writer->sessions, i);
		else if (phase != TABLES_LIVE)
			writer_session_remove(writer, i);
	}
	writer_connections_find(writer);
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

int writer_send(struct writer *writer, struct tables_change *change)
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
	writer_phase_set(&session->phase, TABLES_CLAIMED);
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
	writer_phase_set(&writer->tables->sessions[index].phase, TABLES_FREE);
	slots_put(&writer->sessions, index);
}

int writer_child_claim(struct writer *writer, uint32_t *index, uint32_t *spi_in)
{
	struct tables_child *child;
	int rc = slots_take(&writer->children, index);

	if (rc < 0)
		return rc;
	child = &writer->tables->children[*index];
	writer_phase_set(&child->phase, TABLES_CLAIMED);
	child->generation++;
	atomic_store_explicit(&child->inner_mtu, 0, memory_order_relaxed);
	child->id = writer_next_id(writer);
	child->spi_in = *spi_in = tables_spi(*index, child->generation);
	return 0;
}

void writer_child_unclaim(struct writer *writer, uint32_t index)
{
	writer_phase_set(&writer->tables->children[index].phase, TABLES_FREE);
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
	return writer_send(writer, &change);
}

void writer_child_activate(struct writer *writer, uint32_t index)
{
	struct tables_change change = {
		.kind = TABLES_ACTIVATE, .index = index, .id = writer->tables->children[index].id};

	writer_send(writer, &change);
}

void writer_child_remove(struct writer *writer, uint32_t index)
{
	struct tables_child *child = &writer->tables->children[index];
	struct tables_change change = {.kind = TABLES_REMOVE_CHILD, .index = index, .id = child->id};

	writer_phase_set(&child->phase, TABLES_LEAVING);
	writer_send(writer, &change);
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
	writer_send(writer, &change);
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

	writer_phase_set(&session->phase, TABLES_LEAVING);
	writer_send(writer, &change);
}

void writer_net_change(struct writer *writer, enum tables_change_kind kind, const struct writer_net *net)
{
	struct tables_change change = {.kind = kind};

	change.net.prefix = net->prefix;
	change.net.gateway = net->gateway;
	memcpy(change.net.mac, net->mac, sizeof(change.net.mac));
	change.net.port = net->port;
	change.net.epoch = net->epoch;
	writer_send(writer, &change);
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
		writer_connection_done(writer, event);
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

uint32_t writer_connections_free(const struct writer *writer)
{
	return writer->connections.count;
}
