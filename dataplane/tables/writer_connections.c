/* SPDX-License-Identifier: Apache-2.0 */
/* Records of TCP connections that move into workers; their life is drawn at struct tables_connection. */
#include "tables/writer_state.h"

#include <time.h>

/*
 * One that was held when the last control plane died had its socket in that process, so nothing is left to be taken
 * over; one that is LIVE needs nobody but a worker, and is the caller's to adopt.
 */
void writer_connections_find(struct writer *writer)
{
	struct tables *tables = writer->tables;

	for (uint32_t i = 0; i < tables->n_connections; i++) {
		struct tables_connection *connection = &tables->connections[i];
		uint32_t phase = writer_phase_get(&connection->phase);

		if (connection->id > writer->last_id)
			writer->last_id = connection->id;
		if (phase == TABLES_FREE)
			slots_put(&writer->connections, i);
		else if (phase == TABLES_CLAIMED)
			writer_connection_release(writer, i);
		else if (phase == TABLES_LEAVING)
			writer_connection_end(writer, i, false);
	}
}

void writer_connection_follow(struct writer *writer, uint32_t index, uint32_t session)
{
	struct tables_connection *connection = &writer->tables->connections[index];

	connection->session = session;
	connection->session_id = writer->tables->sessions[session].id;
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
	writer_phase_set(&connection->phase, TABLES_CLAIMED);
	connection->id = writer_next_id(writer);
	writer_connection_follow(writer, *index, session);
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
	return writer_send(writer, &change);
}

static void connection_leave(struct writer *writer, uint32_t index, uint32_t kind, bool at_once)
{
	struct tables_connection *connection = &writer->tables->connections[index];
	struct tables_change change = {.kind = kind, .index = index, .id = connection->id};

	change.connection.at_once = at_once;
	writer_phase_set(&connection->phase, TABLES_LEAVING);
	writer_send(writer, &change);
}

void writer_connection_release(struct writer *writer, uint32_t index)
{
	connection_leave(writer, index, TABLES_CONNECTION_RELEASE, false);
}

void writer_connection_end(struct writer *writer, uint32_t index, bool at_once)
{
	connection_leave(writer, index, TABLES_CONNECTION_END, at_once);
}

void writer_connection_done(struct writer *writer, const struct tables_event *event)
{
	struct tables_connection *connection =
		event->index < writer->tables->n_connections ? &writer->tables->connections[event->index] : NULL;

	if (!connection || connection->id != event->id)
		return;
	if (event->change == TABLES_CONNECTION_RELEASE || event->change == TABLES_CONNECTION_END ||
		(event->change == TABLES_CONNECTION_HOLD && event->result < 0)) {
		writer_phase_set(&connection->phase, TABLES_FREE);
		slots_put(&writer->connections, event->index);
	}
}
