/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void fixture_tables_make(struct tables *tables, uint32_t n_sessions, uint32_t n_children, uint32_t n_workers)
{
	static const char *const reasons[] = {"sent", "no-route"};
	const struct tables_dimensions dimensions = {
		.n_sessions = n_sessions,
		.n_children = n_children,
		.n_workers = n_workers,
		.n_ports = 1,
		.n_reasons = 2,
		.reason_names = reasons,
		.port_names = {"sluice0"},
		.replay_window = 1024,
		.tsc_hz = 1000000000,
	};
	char error[TABLES_ERROR_LEN];

	if (tables_create(tables, &dimensions, error) < 0)
		fail_msg("%s", error);
}

int fixture_dataplane_start(struct fixture_dataplane *dataplane, struct tables *tables)
{
	*dataplane = (struct fixture_dataplane){.tables = tables};
	dataplane->sessions = calloc(tables->n_sessions, sizeof(*dataplane->sessions));
	dataplane->children = calloc(tables->n_children, sizeof(*dataplane->children));
	if (!dataplane->sessions || !dataplane->children) {
		fixture_dataplane_stop(dataplane);
		return -ENOMEM;
	}
	return 0;
}

void fixture_dataplane_stop(struct fixture_dataplane *dataplane)
{
	free(dataplane->sessions);
	free(dataplane->children);
	free(dataplane->leaving);
	*dataplane = (struct fixture_dataplane){0};
}

static int done_send(struct fixture_dataplane *dataplane, uint32_t kind, uint32_t index, uint64_t id, int result)
{
	struct tables_event event = {
		.kind = TABLES_EVENT_DONE, .change = kind, .index = index, .id = id, .result = result};

	return ring_push(&dataplane->tables->events[0], &event);
}

static int install(struct fixture_dataplane *dataplane, const struct tables_change *change)
{
	struct tables *tables = dataplane->tables;
	struct tables_child *record = &tables->children[change->index];
	struct fixture_record *child = &dataplane->children[change->index], *session;
	uint32_t claimed = TABLES_CLAIMED;

	if (atomic_load(&child->held) || record->id != change->id || record->session >= tables->n_sessions)
		return done_send(dataplane, TABLES_INSTALL, change->index, change->id, -EPROTO);
	if (dataplane->refusal < 0) {
		dataplane->refusals++;
		/* Not where the removal is on the way already. */
		atomic_compare_exchange_strong(&record->phase, &claimed, TABLES_FREE);
		return done_send(dataplane, TABLES_INSTALL, change->index, change->id, dataplane->refusal);
	}
	session = &dataplane->sessions[record->session];
	if (!atomic_load(&session->held)) {
		session->id = tables->sessions[record->session].id;
		session->local = change->install.local;
		session->remote = change->install.remote;
		atomic_store(&session->held, true);
		atomic_compare_exchange_strong(&tables->sessions[record->session].phase, &claimed, TABLES_LIVE);
	}
	child->id = change->id;
	child->session = record->session;
	child->is_active = false;
	atomic_store(&child->held, true);
	dataplane->installs++;
	claimed = TABLES_CLAIMED;
	atomic_compare_exchange_strong(&record->phase, &claimed, TABLES_LIVE);
	return done_send(dataplane, TABLES_INSTALL, change->index, change->id, 0);
}

static int leave(struct fixture_dataplane *dataplane, uint32_t kind, uint32_t index, uint64_t id)
{
	if (dataplane->n_leaving == dataplane->leaving_room) {
		size_t room = dataplane->leaving_room * 2 + 64;
		struct tables_event *more = realloc(dataplane->leaving, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		dataplane->leaving = more;
		dataplane->leaving_room = room;
	}
	dataplane->leaving[dataplane->n_leaving++] =
		(struct tables_event){.kind = TABLES_EVENT_DONE, .change = kind, .index = index, .id = id};
	return 0;
}

static int remove_child(struct fixture_dataplane *dataplane, uint32_t index, uint64_t id)
{
	struct fixture_record *child = &dataplane->children[index];

	/* A second removal of what is leaving ends after the first, not before. */
	if (!atomic_load(&child->held) || child->id != id)
		return done_send(dataplane, TABLES_REMOVE_CHILD, index, id, -ENOENT);
	child->leaving = true;
	return leave(dataplane, TABLES_REMOVE_CHILD, index, id);
}

static int remove_session(struct fixture_dataplane *dataplane, uint32_t index, uint64_t id)
{
	struct fixture_record *session = &dataplane->sessions[index];

	if (!atomic_load(&session->held) || session->id != id)
		return done_send(dataplane, TABLES_REMOVE_SESSION, index, id, -ENOENT);
	for (uint32_t i = 0; i < dataplane->tables->n_children; i++) {
		struct fixture_record *child = &dataplane->children[i];

		if (atomic_load(&child->held) && !child->leaving && child->session == index &&
			remove_child(dataplane, i, child->id) < 0)
			return -ENOMEM;
	}
	session->leaving = true;
	return leave(dataplane, TABLES_REMOVE_SESSION, index, id);
}

static int change_apply(struct fixture_dataplane *dataplane, const struct tables_change *change)
{
	bool of_session = change->kind == TABLES_MOVE || change->kind == TABLES_REMOVE_SESSION;
	bool of_child = change->kind == TABLES_INSTALL || change->kind == TABLES_ACTIVATE ||
			change->kind == TABLES_REMOVE_CHILD;
	struct fixture_record *record;
	int result;

	if ((of_session && change->index >= dataplane->tables->n_sessions) ||
		(of_child && change->index >= dataplane->tables->n_children) || change->kind >= TABLES_CHANGE_COUNT)
		return -EPROTO;
	if (change->kind == TABLES_INSTALL)
		return install(dataplane, change);
	if (change->kind == TABLES_REMOVE_CHILD)
		return remove_child(dataplane, change->index, change->id);
	if (change->kind == TABLES_REMOVE_SESSION)
		return remove_session(dataplane, change->index, change->id);
	if (!of_session && !of_child)
		return done_send(dataplane, change->kind, change->index, change->id, 0);
	record = of_session ? &dataplane->sessions[change->index] : &dataplane->children[change->index];
	result = atomic_load(&record->held) && record->id == change->id && !record->leaving ? 0 : -ENOENT;
	if (result == 0 && change->kind == TABLES_ACTIVATE) {
		record->is_active = true;
	} else if (result == 0) {
		record->local = change->move.local;
		record->remote = change->move.remote;
	}
	return done_send(dataplane, change->kind, change->index, change->id, result);
}

int fixture_dataplane_take(struct fixture_dataplane *dataplane, struct tables_change *seen)
{
	struct tables_change change;
	int rc = ring_pop(&dataplane->tables->changes, &change);

	if (rc <= 0)
		return rc;
	if (seen)
		*seen = change;
	rc = change_apply(dataplane, &change);
	return rc < 0 ? rc : 1;
}

int fixture_dataplane_let_go(struct fixture_dataplane *dataplane, size_t limit)
{
	size_t n = limit < dataplane->n_leaving ? limit : dataplane->n_leaving;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct tables_event *event = &dataplane->leaving[i];
		bool of_child = event->change == TABLES_REMOVE_CHILD;
		struct fixture_record *record =
			of_child ? &dataplane->children[event->index] : &dataplane->sessions[event->index];

		if (atomic_load(&record->held) && record->id == event->id) {
			record->leaving = false;
			atomic_store(&record->held, false);
			atomic_store(of_child ? &dataplane->tables->children[event->index].phase
					      : &dataplane->tables->sessions[event->index].phase,
				TABLES_FREE);
		}
		rc = ring_push(&dataplane->tables->events[0], event);
	}
	dataplane->n_leaving -= n;
	if (n > 0)
		memmove(dataplane->leaving, dataplane->leaving + n,
			dataplane->n_leaving * sizeof(*dataplane->leaving));
	return rc;
}
