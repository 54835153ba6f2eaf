/* SPDX-License-Identifier: Apache-2.0 */
/* Where the connections are, and what is asked about them. */
#include "connection_entry.h"
#include "dataplane.h"

#include <rte_malloc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPORTS = 2 /* of one connection that nobody has taken yet: it has ended, and has done what was asked */ };

/* A ring that takes so many. */
static struct rte_ring *ring_make(const char *name, const char *what, uint16_t number, uint32_t capacity, unsigned int flags)
{
	char full[RTE_RING_NAMESIZE];

	snprintf(full, sizeof(full), "%s-%s-%u", name, what, number);
	return rte_ring_create(full, rte_align32pow2(capacity + 1), SOCKET_ID_ANY, flags);
}

int connections_init(struct dataplane *dataplane, const char *name)
{
	struct connection_store *store = &dataplane->connections;
	uint32_t capacity = dataplane->tables.n_connections;

	TAILQ_INIT(&store->watched);
	store->capacity = capacity;
	store->by_index = rte_calloc("connections", capacity, sizeof(*store->by_index), RTE_CACHE_LINE_SIZE);
	store->entries = rte_calloc("connections", capacity, sizeof(struct connection_entry *), 0);
	store->reports = ring_make(name, "reports", 0, REPORTS * capacity, RING_F_SC_DEQ);
	if (!store->by_index || !store->entries || !store->reports)
		return -ENOMEM;
	for (uint16_t i = 0; i < dataplane->n_workers; i++) {
		struct worker *worker = &dataplane->workers[i];

		worker->commands = ring_make(name, "commands", i, capacity, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!worker->commands)
			return -ENOMEM;
	}
	return connection_lookup_init(&store->lookup, name, capacity);
}

void connection_entry_close_transfer(struct connection_entry *entry)
{
	transfer_close(entry->command.transfer);
	free(entry->command.transfer);
	entry->command.transfer = NULL;
}

void connections_fini(struct dataplane *dataplane)
{
	struct connection_store *store = &dataplane->connections;

	for (uint16_t i = 0; dataplane->workers && i < dataplane->n_workers; i++)
		rte_ring_free(dataplane->workers[i].commands);
	for (uint32_t i = 0; store->entries && i < store->capacity; i++)
		if (store->entries[i]) {
			if (store->entries[i]->step == STEP_INSTALLING)
				connection_entry_close_transfer(store->entries[i]);
			rte_free(store->entries[i]);
		}
	connection_lookup_free(&store->lookup);
	rte_ring_free(store->reports);
	rte_free(store->entries);
	rte_free(store->by_index);
}

static void report(struct worker *worker, struct connection *connection)
{
	(void)rte_ring_mp_enqueue(worker->dataplane->connections.reports, connection);
	worker->wants_main = true;
}

void connections_answer(struct worker *worker, const struct connection_command *command)
{
	report(worker, command->connection);
}

void connections_report_end(struct worker *worker, struct connection *connection, int result)
{
	connection->ended_with = (int16_t)result;
	atomic_store_explicit(&connection->ended, true, memory_order_release);
	report(worker, connection);
}

struct connection_entry *connection_entry_of(const struct dataplane *dataplane, uint32_t index, uint64_t id)
{
	const struct connection_store *store = &dataplane->connections;
	struct connection_entry *entry = index < store->capacity ? store->entries[index] : NULL;

	return entry && id != 0 && entry->connection.id == id ? entry : NULL;
}

struct connection *connections_live(const struct dataplane *dataplane, uint32_t index, uint64_t id)
{
	struct connection_entry *entry = connection_entry_of(dataplane, index, id);

	return entry && entry->step == STEP_LIVE ? &entry->connection : NULL;
}

uint16_t connections_mss(const struct dataplane *dataplane, uint32_t index)
{
	const struct connection_store *store = &dataplane->connections;

	return index < store->capacity && store->entries[index] ? store->entries[index]->mss : 0;
}

struct connection_ends connection_ends_of(const struct endpoint *local, const struct endpoint *remote)
{
	return (struct connection_ends){
		.local = ip_of_address(&local->address),
		.remote = ip_of_address(&remote->address),
		.local_port = rte_cpu_to_be_16(local->port),
		.remote_port = rte_cpu_to_be_16(remote->port),
		.ipv6 = local->address.family == ADDRESS_IPV6,
	};
}

struct sa_session *connection_session(const struct dataplane *dataplane, uint32_t index, uint64_t id)
{
	struct sa_session *session = index < dataplane->sas.n_sessions ? &dataplane->sas.sessions[index] : NULL;

	return session && id != 0 && session->id == id && !session->leaving ? session : NULL;
}

/* It becomes this session's where its own has gone: its peer has negotiated anew in it. */
static bool is_or_becomes_of(const struct dataplane *dataplane, struct connection *connection, uint32_t session)
{
	uint64_t id = dataplane->sas.sessions[session].id;

	if (connection->session == session && connection->session_id == id)
		return true;
	if (connection_session(dataplane, connection->session, connection->session_id))
		return false;
	connection->session = session;
	connection->session_id = id;
	return true;
}

uint32_t connections_between(const struct dataplane *dataplane, uint32_t session, const struct endpoint *local,
	const struct endpoint *remote)
{
	struct connection_ends ends = connection_ends_of(local, remote);
	struct connection *connection = connection_lookup_find(&dataplane->connections.lookup, &ends);

	if (!connection || !is_or_becomes_of(dataplane, connection, session) ||
		dataplane->connections.entries[connection->index]->step != STEP_LIVE ||
		dataplane->connections.entries[connection->index]->asked != TABLES_CHANGE_NONE)
		return TABLES_NONE;
	return connection->index;
}
