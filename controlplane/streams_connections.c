/* SPDX-License-Identifier: Apache-2.0 */
/* Connections by their records in the tables: who they are, IKE to those in workers, their end and adoption. */
#include "config/log.h"
#include "streams_state.h"
#include "tables/bundle.h"
#include "tcp/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void streams_connection_set(struct streams_one *one, uint32_t connection)
{
	one->connection = connection;
	one->connection_id = one->all->install->tables->connections[connection].id;
	one->all->by_connection[connection] = one;
}

void streams_connection_forget(struct streams_one *one)
{
	if (one->connection != TABLES_NONE && one->all->by_connection)
		one->all->by_connection[one->connection] = NULL;
	one->connection = TABLES_NONE;
}

void streams_connection_follow(struct streams_one *one)
{
	if (one->owner != STREAMS_TAKEN || one->session == TABLES_NONE || one->held_for == one->id)
		return;
	install_connection_follow(one->all->install, one->connection, one->session);
	one->held_for = one->id;
}

struct streams_one *streams_of_connection(const struct streams *streams, uint32_t connection, uint64_t id)
{
	struct streams_one *one = connection < streams->n_connections ? streams->by_connection[connection] : NULL;

	return one && one->connection_id == id ? one : NULL;
}

int streams_connection_send(const struct streams_one *one, const uint8_t *message, size_t message_len)
{
	struct bundle_head head = {.id = one->connection_id,
		.index = one->connection,
		.kind = BUNDLE_IKE,
		.packet_len = (uint32_t)message_len};
	struct iovec parts[] = {{&head, sizeof(head)}, {(void *)(uintptr_t)message, message_len}};

	if (message_len == 0 || message_len > FRAMING_IKE_MAX)
		return -EMSGSIZE;
	return attachment_send_bundle(one->all->attachment, parts, 2);
}

static const char *end_in_words(int result)
{
	switch (result) {
	case 0: return "the other side closed the connection";
	case -ECONNRESET: return "the other side reset the connection";
	case -ETIMEDOUT: return "the other side does not answer any more";
	case -EPROTO: return "what came is neither IKE nor ESP in TCP (RFC 9329)";
	default: return strerror(-result);
	}
}

void streams_connection_end(struct streams_one *one, int result)
{
	struct streams *streams = one->all;
	struct endpoint remote = one->remote;
	const char *why = end_in_words(result);
	uint32_t session = one->session;
	uint64_t id = one->id;
	char text[ENDPOINT_TEXT_LEN];

	log_info("event=stream_ended remote=%s proved=yes reason=\"%s\"", endpoint_format(&remote, text), why);
	install_connection_end(streams->install, one->connection, result < 0);
	streams_forget(one);
	if (session != TABLES_NONE)
		streams->handler.lost(streams->handler.context, session, id, &remote, why);
}

/* By the names in the header. `otherwise`: this data plane has no such figure. */
static uint64_t figure(const struct tables *tables, uint32_t connection, const char *name, uint64_t otherwise)
{
	for (uint32_t i = 0; i < tables->n_figures; i++)
		if (strncmp(tables->header->figure_names[i], name, TABLES_REASON_NAME_LEN) == 0)
			return atomic_load_explicit(
				&tables->connections[connection].figures[i], memory_order_relaxed);
	return otherwise;
}

/* The session whose packets go by this connection; TABLES_NONE: none does. */
static uint32_t session_of(const struct install *install, const struct tables_connection *record)
{
	struct place place;

	if (record->session >= install->tables->n_sessions ||
		!install->sessions->sessions[record->session].peer ||
		install->sessions->sessions[record->session].id != record->session_id)
		return TABLES_NONE;
	place = sessions_where(install->sessions, record->session);
	return place.encapsulation == TABLES_ENCAPSULATION_STREAM && endpoint_equal(&place.local, &record->local) &&
			       endpoint_equal(&place.remote, &record->remote)
		       ? record->session
		       : TABLES_NONE;
}

int streams_connection_adopt(struct streams *streams, uint32_t connection)
{
	const struct tables *tables = streams->install->tables;
	const struct tables_connection *record = &tables->connections[connection];
	uint32_t session = session_of(streams->install, record);
	struct streams_one *one;

	/* Of no use to anybody, or over while nobody was there to be told. */
	if (session == TABLES_NONE ||
		figure(tables, connection, "state", TCP_STATE_ESTABLISHED) != TCP_STATE_ESTABLISHED) {
		install_connection_end(streams->install, connection, false);
		return 0;
	}
	one = streams_add(streams, NULL, &record->local, &record->remote);
	if (!one)
		return -ENOMEM;
	one->owner = STREAMS_TAKEN;
	one->held_for = record->session_id;
	streams_connection_set(one, connection);
	streams_confirm(streams, &one->local, &one->remote);
	return streams_bind(streams, session, record->session_id, &one->local, &one->remote) ? 0 : -ENOMEM;
}
