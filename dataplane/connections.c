/* SPDX-License-Identifier: Apache-2.0 */
#include "connections.h"

#include "changes.h"
#include "connection_entry.h"
#include "dataplane.h"
#include "follow.h"
#include "relay.h"

#include <rte_malloc.h>

#include <errno.h>
#include <stdlib.h>

/* --- steps -------------------------------------------------------------------------------------------------------- */

static void done(struct dataplane *dataplane, const struct connection_entry *entry, uint32_t kind, int result)
{
	changes_done(dataplane, kind, entry->connection.index, entry->connection.id, result);
}

static void watch(struct dataplane *dataplane, struct connection_entry *entry, enum connection_step step)
{
	entry->step = (uint8_t)step;
	TAILQ_INSERT_TAIL(&dataplane->connections.watched, entry, watched);
}

static void command(struct dataplane *dataplane, struct connection_entry *entry, enum connection_command_kind kind,
	enum connection_step step, struct transfer *transfer)
{
	entry->step = (uint8_t)step;
	entry->command = (struct connection_command){
		.kind = kind,
		.connection = &entry->connection,
		.transfer = transfer,
		.at_once = entry->at_once,
	};
	/* It has room for one of each connection. */
	(void)rte_ring_sp_enqueue(dataplane->workers[entry->connection.owner].commands, &entry->command);
}

/* The session goes where it goes already, by this connection, or not by it any more: connections_between says which. */
static void session_turn(struct dataplane *dataplane, const struct connection_entry *entry)
{
	follow_move(dataplane, entry->connection.session, &entry->local, &entry->remote, TABLES_ENCAPSULATION_STREAM);
}

static struct sa_session *session_of_entry(const struct dataplane *dataplane, const struct connection_entry *entry)
{
	return connection_session(dataplane, entry->connection.session, entry->connection.session_id);
}

/* Is its session between these ends? It may have gone on meanwhile: to UDP, or to a newer connection. */
static bool session_is_here(const struct sa_session *session, const struct connection_entry *entry)
{
	const struct sa_outer *outer = session->outer;
	const struct connection_ends *ends = &entry->connection.ends;

	return outer->stream && outer->local_port == rte_be_to_cpu_16(ends->local_port) &&
	       outer->remote_port == rte_be_to_cpu_16(ends->remote_port) &&
	       ip_equal(&outer->local, &ends->local) &&
	       ip_equal(&outer->remote, &ends->remote);
}

static void hide(struct dataplane *dataplane, struct connection_entry *entry)
{
	struct connection_store *store = &dataplane->connections;

	connection_lookup_hide(&store->lookup, &entry->connection);
	atomic_store_explicit(&store->by_index[entry->connection.index], NULL, memory_order_release);
}

static void forget_begin(struct dataplane *dataplane, struct connection_entry *entry)
{
	entry->token = rte_rcu_qsbr_start(dataplane->qsbr);
	watch(dataplane, entry, STEP_HIDDEN);
}

static void forget(struct dataplane *dataplane, struct connection_entry *entry)
{
	struct connection_store *store = &dataplane->connections;
	uint32_t index = entry->connection.index;

	connection_lookup_forget(&store->lookup, entry->position);
	store->entries[index] = NULL;
	atomic_store_explicit(&dataplane->tables.connections[index].phase, TABLES_FREE, memory_order_release);
	done(dataplane, entry, entry->asked, 0);
	rte_free(entry);
}

/* What was asked for begins, unless it has to wait. */
static void leave(struct dataplane *dataplane, struct connection_entry *entry)
{
	const struct sa_session *session = session_of_entry(dataplane, entry);

	if (entry->step == STEP_HELD) {
		hide(dataplane, entry);
		command(dataplane, entry, CONNECTION_RELEASE, STEP_LEAVING, NULL);
	} else if (entry->step == STEP_LIVE) {
		dataplane->connections.n_live--;
		if (session && session->outer->connection == entry->connection.index)
			session_turn(dataplane, entry);
		command(dataplane, entry, CONNECTION_END, STEP_LEAVING, NULL);
	}
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static int hold(struct dataplane *dataplane, const struct tables_change *change)
{
	struct connection_store *store = &dataplane->connections;
	const struct endpoint *local = &change->connection.local, *remote = &change->connection.remote;
	struct connection_entry *entry;
	uint32_t index = change->index;

	if (index >= store->capacity || change->id == 0 || local->port == 0 || remote->port == 0)
		return -EINVAL;
	if (store->entries[index])
		return -EBUSY;
	if (!sa_endpoints_fit(local, remote))
		return -EAFNOSUPPORT;
	if (!connection_session(dataplane, change->connection.session, change->connection.session_id))
		return -ENOENT;
	entry = rte_zmalloc("connection", sizeof(*entry), RTE_CACHE_LINE_SIZE);
	if (!entry)
		return -ENOMEM;
	entry->local = *local;
	entry->remote = *remote;
	entry->connection.ends = connection_ends_of(local, remote);
	entry->connection.index = index;
	entry->connection.id = change->id;
	entry->connection.session = change->connection.session;
	entry->connection.session_id = change->connection.session_id;
	entry->connection.owner = (uint16_t)(change->connection.session % dataplane->n_workers);
	entry->connection.phase = CONNECTION_HELD;
	entry->position = connection_lookup_show(&store->lookup, &entry->connection);
	if (entry->position < 0) {
		int rc = entry->position;

		rte_free(entry);
		return rc;
	}
	store->entries[index] = entry;
	atomic_store_explicit(&store->by_index[index], &entry->connection, memory_order_release);
	entry->token = rte_rcu_qsbr_start(dataplane->qsbr);
	watch(dataplane, entry, STEP_SHOWN);
	return 0;
}

/* Asked for again, it is answered once, as it was asked for last. */
static int let_go(struct dataplane *dataplane, const struct tables_change *change)
{
	struct connection_entry *entry = connection_entry_of(dataplane, change->index, change->id);

	if (!entry)
		return -ENOENT;
	entry->asked = change->kind;
	/* A live one that shall go back to the kernel can't. */
	entry->at_once = change->connection.at_once || change->kind == TABLES_CONNECTION_RELEASE;
	leave(dataplane, entry);
	return 0;
}

void connections_change(struct dataplane *dataplane, const struct tables_change *change)
{
	bool is_hold = change->kind == TABLES_CONNECTION_HOLD;
	int rc = is_hold ? hold(dataplane, change) : let_go(dataplane, change);
	uint32_t claimed = TABLES_CLAIMED;

	if (rc == 0)
		return;
	if (is_hold && change->index < dataplane->connections.capacity)
		atomic_compare_exchange_strong(
			&dataplane->tables.connections[change->index].phase, &claimed, TABLES_FREE);
	changes_done(dataplane, change->kind, change->index, change->id, rc);
}

/* It is large, and wanted for a moment only. 0 or negative errno. */
static int take_transfer(int memfd, struct transfer **transfer)
{
	int rc;

	*transfer = calloc(1, sizeof(**transfer));
	if (!*transfer)
		return -ENOMEM;
	rc = transfer_open(*transfer, memfd);
	if (rc < 0)
		free(*transfer);
	return rc;
}

void connections_install(struct dataplane *dataplane, const struct transfer_head *head, int memfd)
{
	struct connection_entry *entry = connection_entry_of(dataplane, head->index, head->id);
	struct transfer *transfer = NULL;
	int rc = -ENOENT;

	if (entry && (entry->step != STEP_HELD || entry->asked != TABLES_CHANGE_NONE))
		rc = -EBUSY;
	else if (entry)
		rc = take_transfer(memfd, &transfer);
	if (rc < 0) {
		changes_done(dataplane, TABLES_CONNECTION_INSTALL, head->index, head->id, rc);
		return;
	}
	command(dataplane, entry, CONNECTION_INSTALL, STEP_INSTALLING, transfer);
}

/* --- what comes back ---------------------------------------------------------------------------------------------- */

static void installed(struct dataplane *dataplane, struct connection_entry *entry)
{
	const struct sa_session *session = session_of_entry(dataplane, entry);
	const struct transfer_state *state = &entry->command.transfer->state;
	uint32_t claimed = TABLES_CLAIMED;

	entry->mss = (uint16_t)(state->mss - (state->timestamps ? TCP_TIMESTAMPS_LEN : 0));
	connection_entry_close_transfer(entry);
	if (entry->command.result < 0) {
		entry->step = STEP_HELD;
	} else {
		entry->step = STEP_LIVE;
		dataplane->connections.n_live++;
		atomic_compare_exchange_strong(
			&dataplane->tables.connections[entry->connection.index].phase, &claimed, TABLES_LIVE);
		if (session && session_is_here(session, entry))
			session_turn(dataplane, entry);
	}
	done(dataplane, entry, TABLES_CONNECTION_INSTALL, entry->command.result);
	if (entry->asked != TABLES_CHANGE_NONE)
		leave(dataplane, entry);
}

static void answered(struct dataplane *dataplane, struct connection_entry *entry)
{
	if (entry->command.kind == CONNECTION_INSTALL) {
		installed(dataplane, entry);
		return;
	}
	if (entry->command.kind == CONNECTION_END)
		hide(dataplane, entry);
	forget_begin(dataplane, entry);
}

/* What IKE said in it last waits in the relay's ring: it is sent before the control plane can read the event. */
static void ended(struct dataplane *dataplane, struct connection_entry *entry)
{
	struct tables_event event = {.kind = TABLES_EVENT_CONNECTION_ENDED,
		.index = entry->connection.index,
		.id = entry->connection.id,
		.result = entry->connection.ended_with};

	entry->end_told = true;
	relay_send(dataplane);
	ring_push(&dataplane->tables.events[0], &event);
}

/* Of two reports the end is taken first, and once; the answer to END is never before it. */
static void reported(struct dataplane *dataplane, const struct connection *connection)
{
	struct connection_entry *entry = dataplane->connections.entries[connection->index];

	if (!entry->end_told && atomic_load_explicit(&connection->ended, memory_order_acquire))
		ended(dataplane, entry);
	else
		answered(dataplane, entry);
}

static void drain_begin(struct dataplane *dataplane, struct connection_entry *entry)
{
	entry->step = STEP_DRAINING;
	for (uint16_t i = 0; i < dataplane->n_ports; i++)
		entry->kernel_marks[i] = port_kernel_mark(&dataplane->ports[i]);
}

static bool is_drained(const struct dataplane *dataplane, const struct connection_entry *entry)
{
	for (uint16_t i = 0; i < dataplane->n_ports; i++)
		if (!port_kernel_has_passed(&dataplane->ports[i], entry->kernel_marks[i]))
			return false;
	return true;
}

/* True: it waits no more. */
static bool look_at(struct dataplane *dataplane, struct connection_entry *entry)
{
	if (entry->step != STEP_DRAINING && rte_rcu_qsbr_check(dataplane->qsbr, entry->token, false) != 1)
		return false;
	if (entry->step == STEP_SHOWN)
		drain_begin(dataplane, entry);
	return entry->step == STEP_HIDDEN || is_drained(dataplane, entry);
}

static void go_on(struct dataplane *dataplane, struct connection_entry *entry)
{
	TAILQ_REMOVE(&dataplane->connections.watched, entry, watched);
	if (entry->step == STEP_HIDDEN) {
		forget(dataplane, entry);
		return;
	}
	entry->step = STEP_HELD;
	done(dataplane, entry, TABLES_CONNECTION_HOLD, 0);
	if (entry->asked != TABLES_CHANGE_NONE)
		leave(dataplane, entry);
}

unsigned int connections_turn(struct dataplane *dataplane)
{
	struct connection_store *store = &dataplane->connections;
	struct connection_entry *entry = TAILQ_FIRST(&store->watched), *next;
	unsigned int taken = 0;
	void *connection;

	/* Each says at most one thing to the control plane, for which there must be room. */
	while (ring_room(&dataplane->tables.events[0]) > 0 && rte_ring_sc_dequeue(store->reports, &connection) == 0) {
		reported(dataplane, connection);
		taken++;
	}
	for (; entry && ring_room(&dataplane->tables.events[0]) > 0; entry = next) {
		next = TAILQ_NEXT(entry, watched);
		if (look_at(dataplane, entry))
			go_on(dataplane, entry);
	}
	return taken;
}
