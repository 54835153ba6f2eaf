/* SPDX-License-Identifier: Apache-2.0 */
#include "changes.h"

#include "follow.h"
#include "net_changes.h"
#include "mtu.h"

#include <rte_cycles.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CHANGES_A_TURN = 1024 };

/* A slot that is out of sight and waits until no worker can still look at it. */
struct leaver {
	uint32_t kind; /* TABLES_REMOVE_CHILD or TABLES_REMOVE_SESSION */
	uint32_t index;
	uint64_t id;
	uint32_t policy; /* to be released with it; TABLES_NONE: none */
};

struct leaver_list {
	struct leaver *leavers;
	uint32_t count;
};

/* Those that gather, and those whose grace period has begun with `token`. */
struct leaving {
	struct leaver_list gathering, waiting;
	uint64_t token;
};

int changes_init(struct dataplane *dataplane)
{
	size_t capacity = (size_t)dataplane->tables.n_children + dataplane->tables.n_sessions;
	struct leaving *leaving = calloc(1, sizeof(*leaving));

	dataplane->leaving = leaving;
	if (!leaving)
		return -ENOMEM;
	leaving->gathering.leavers = calloc(capacity, sizeof(struct leaver));
	leaving->waiting.leavers = calloc(capacity, sizeof(struct leaver));
	return leaving->gathering.leavers && leaving->waiting.leavers ? 0 : -ENOMEM;
}

void changes_fini(struct dataplane *dataplane)
{
	if (!dataplane->leaving)
		return;
	free(dataplane->leaving->gathering.leavers);
	free(dataplane->leaving->waiting.leavers);
	free(dataplane->leaving);
	dataplane->leaving = NULL;
}

static void phase_set(_Atomic uint32_t *phase, uint32_t value)
{
	atomic_store_explicit(phase, value, memory_order_release);
}

/* Taken up or refused: unless the control plane wants it gone already. */
static void phase_answer(_Atomic uint32_t *phase, uint32_t answer)
{
	uint32_t claimed = TABLES_CLAIMED;

	atomic_compare_exchange_strong(phase, &claimed, answer);
}

void changes_done(struct dataplane *dataplane, uint32_t kind, uint32_t index, uint64_t id, int result)
{
	struct tables_event event = {
		.kind = TABLES_EVENT_DONE, .change = kind, .index = index, .id = id, .result = result};

	ring_push(&dataplane->tables.events[0], &event);
}

static void traffic_clear(struct dataplane *dataplane, uint32_t index)
{
	for (uint32_t thread = 0; thread <= dataplane->tables.n_workers; thread++)
		memset(&tables_counters(&dataplane->tables, thread)->traffic[index], 0, sizeof(struct tables_traffic));
}

static int install(struct dataplane *dataplane, const struct tables_change *change)
{
	struct tables *tables = &dataplane->tables;
	struct tables_session session;
	struct tables_child record;
	bool is_new_session;
	int64_t policy;
	int rc;

	if (change->index >= tables->n_children)
		return -EINVAL;
	/* Copied before it is checked: the other process can still write there. */
	memcpy(&record, &tables->children[change->index], sizeof(record));
	if (record.session >= tables->n_sessions)
		return -EINVAL;
	memcpy(&session, &tables->sessions[record.session], sizeof(session));
	is_new_session = dataplane->sas.sessions[record.session].id == 0;
	rc = sa_install(&dataplane->sas, dataplane->engine, change->index, &record, &session, change);
	if (rc < 0)
		return rc;
	policy = policy_open(&dataplane->policies, &dataplane->sas.children[change->index]);
	if (policy < 0) {
		sa_hide(&dataplane->sas, change->index);
		sa_empty(&dataplane->sas, change->index);
		/* Made a moment ago, for a child that no worker has seen. */
		if (is_new_session)
			dataplane->sas.sessions[record.session].id = 0;
		return (int)policy;
	}
	dataplane->sas.children[change->index].policy = (uint32_t)policy;
	traffic_clear(dataplane, change->index);
	mtu_set(dataplane, change->index);
	lifetime_begin(dataplane, change->index, record.expires_at, rte_rdtsc());
	sa_show(&dataplane->sas, change->index);
	if (is_new_session)
		place_write(&tables->sessions[record.session].place, &change->install.local, &change->install.remote,
			change->install.encapsulation);
	phase_answer(&tables->sessions[record.session].phase, TABLES_LIVE);
	phase_answer(&tables->children[change->index].phase, TABLES_LIVE);
	return 0;
}

/* The slot's runtime part, when it holds the record that the change means. */
static struct sa_child *child_of(struct dataplane *dataplane, uint32_t index, uint64_t id)
{
	struct sa_child *child = index < dataplane->sas.n_children ? &dataplane->sas.children[index] : NULL;

	return child && id != 0 && child->id == id ? child : NULL;
}

static struct sa_session *session_of(struct dataplane *dataplane, uint32_t index, uint64_t id)
{
	struct sa_session *session = index < dataplane->sas.n_sessions ? &dataplane->sas.sessions[index] : NULL;

	return session && id != 0 && session->id == id ? session : NULL;
}

static int activate(struct dataplane *dataplane, const struct tables_change *change)
{
	struct sa_child *child = child_of(dataplane, change->index, change->id);

	if (!child || child->leaving)
		return -ENOENT;
	child->active = true;
	policy_set_child(&dataplane->policies, child->policy, change->index);
	return 0;
}

static int move(struct dataplane *dataplane, const struct tables_change *change)
{
	struct sa_session *session = session_of(dataplane, change->index, change->id);

	if (!session || session->leaving)
		return -ENOENT;
	if (!sa_endpoints_fit(&change->move.local, &change->move.remote))
		return -EAFNOSUPPORT;
	follow_move(dataplane, change->index, &change->move.local, &change->move.remote, change->move.encapsulation);
	return 0;
}

static void leave(struct dataplane *dataplane, const struct leaver *leaver)
{
	struct leaver_list *list = &dataplane->leaving->gathering;

	list->leavers[list->count++] = *leaver;
}

/* Another child SA of the session that carried the same traffic, the newest: lists begin with it. */
static uint32_t predecessor_find(const struct sa_store *sas, uint32_t session, uint32_t policy)
{
	uint32_t index = sas->sessions[session].first_child;

	while (index != TABLES_NONE && (sas->children[index].policy != policy || !sas->children[index].active))
		index = sas->children[index].next;
	return index;
}

void changes_child_leave(struct dataplane *dataplane, uint32_t index)
{
	struct sa_child *child = &dataplane->sas.children[index];
	struct leaver leaver = {.kind = TABLES_REMOVE_CHILD, .index = index, .id = child->id, .policy = TABLES_NONE};
	uint32_t policy = child->policy;

	sa_hide(&dataplane->sas, index);
	if (atomic_load(&dataplane->policies.policies[policy].child) == index)
		policy_set_child(&dataplane->policies, policy,
			predecessor_find(&dataplane->sas, child->session, policy));
	if (policy_close(&dataplane->policies, policy))
		leaver.policy = policy;
	leave(dataplane, &leaver);
}

/* Asked for a second time it is answered once, when it has ended: an earlier answer would give the slot away. */
static int child_remove(struct dataplane *dataplane, uint32_t index, uint64_t id)
{
	struct sa_child *child = child_of(dataplane, index, id);

	if (!child)
		return -ENOENT;
	child->asked = true;
	if (!child->leaving)
		changes_child_leave(dataplane, index);
	return 0;
}

static int session_remove(struct dataplane *dataplane, const struct tables_change *change)
{
	struct sa_session *session = session_of(dataplane, change->index, change->id);
	struct leaver leaver = {
		.kind = TABLES_REMOVE_SESSION, .index = change->index, .id = change->id, .policy = TABLES_NONE};

	if (!session)
		return -ENOENT;
	if (session->leaving)
		return 0;
	while (session->first_child != TABLES_NONE)
		child_remove(dataplane, session->first_child, dataplane->sas.children[session->first_child].id);
	session->leaving = true;
	leave(dataplane, &leaver);
	return 0;
}

/*
 * One change. Removals, and what is to be done about connections, are answered when they have ended, the kernel's mirror
 * not at all.
 */
static void apply(struct dataplane *dataplane, const struct tables_change *change)
{
	int rc;

	switch (change->kind) {
	case TABLES_INSTALL:
		rc = install(dataplane, change);
		if (rc < 0 && change->index < dataplane->tables.n_children)
			phase_answer(&dataplane->tables.children[change->index].phase, TABLES_FREE);
		break;
	case TABLES_ACTIVATE: rc = activate(dataplane, change); break;
	case TABLES_MOVE: rc = move(dataplane, change); break;
	case TABLES_REMOVE_CHILD:
		rc = child_remove(dataplane, change->index, change->id);
		if (rc == 0)
			return;
		break;
	case TABLES_REMOVE_SESSION:
		rc = session_remove(dataplane, change);
		if (rc == 0)
			return;
		break;
	case TABLES_CONNECTION_HOLD:
	case TABLES_CONNECTION_RELEASE:
	case TABLES_CONNECTION_END: connections_change(dataplane, change); return;
	default: net_change_apply(dataplane, change); return;
	}
	changes_done(dataplane, change->kind, change->index, change->id, rc);
}

static void leaver_end(struct dataplane *dataplane, const struct leaver *leaver)
{
	struct tables_event event = {
		.kind = TABLES_EVENT_DONE, .change = leaver->kind, .index = leaver->index, .id = leaver->id};

	if (leaver->kind == TABLES_REMOVE_CHILD) {
		if (!dataplane->sas.children[leaver->index].asked)
			event.kind = TABLES_EVENT_HARD_LIFETIME;
		sa_empty(&dataplane->sas, leaver->index);
		if (leaver->policy != TABLES_NONE)
			policy_release(&dataplane->policies, leaver->policy);
		phase_set(&dataplane->tables.children[leaver->index].phase, TABLES_FREE);
	} else {
		dataplane->sas.sessions[leaver->index].id = 0;
		dataplane->sas.sessions[leaver->index].leaving = false;
		phase_set(&dataplane->tables.sessions[leaver->index].phase, TABLES_FREE);
	}
	ring_push(&dataplane->tables.events[0], &event);
}

/* Ends those whose grace period is over, as far as there is room to say so, and begins the next period. */
static void leaving_turn(struct dataplane *dataplane)
{
	struct leaving *leaving = dataplane->leaving;
	struct leaver_list swap;

	if (leaving->waiting.count > 0 && rte_rcu_qsbr_check(dataplane->qsbr, leaving->token, false) == 1)
		while (leaving->waiting.count > 0 && ring_room(&dataplane->tables.events[0]) > 0)
			leaver_end(dataplane, &leaving->waiting.leavers[--leaving->waiting.count]);
	if (leaving->waiting.count > 0 || leaving->gathering.count == 0)
		return;
	swap = leaving->waiting;
	leaving->waiting = leaving->gathering;
	leaving->gathering = swap;
	leaving->token = rte_rcu_qsbr_start(dataplane->qsbr);
}

unsigned int changes_apply(struct dataplane *dataplane)
{
	uint32_t taken = 0, generation = route_generation(&dataplane->routes);

	/* An answer must find room: a full event ring holds the changes back. */
	while (taken < CHANGES_A_TURN && ring_room(&dataplane->tables.events[0]) > 0) {
		struct tables_change change;
		int rc = ring_pop(&dataplane->tables.changes, &change);

		if (rc <= 0)
			break;
		taken++;
		apply(dataplane, &change);
		explicit_bzero(&change, sizeof(change));
	}
	/* Sessions may leave by other ports now: looked at once for all these changes. */
	if (route_generation(&dataplane->routes) != generation)
		mtu_set_all(dataplane);
	leaving_turn(dataplane);
	return taken + connections_turn(dataplane);
}

uint32_t changes_leaving(const struct dataplane *dataplane)
{
	return dataplane->leaving->gathering.count + dataplane->leaving->waiting.count;
}

/* Wherever the other side has left its index. */
static void ring_empty(struct ring *ring)
{
	uint64_t produced = atomic_load_explicit(&ring->shared->produced, memory_order_acquire);

	atomic_store_explicit(&ring->shared->consumed, produced, memory_order_release);
}

/* Nobody reads them: their reader has gone. */
static void events_discard(struct tables *tables)
{
	for (uint32_t i = 0; i <= tables->n_workers; i++)
		ring_empty(&tables->events[i]);
}

static bool phase_is_between(_Atomic uint32_t *phase)
{
	uint32_t value = atomic_load_explicit(phase, memory_order_acquire);

	return value == TABLES_CLAIMED || value == TABLES_LEAVING;
}

void changes_settle(struct dataplane *dataplane)
{
	struct tables *tables = &dataplane->tables;
	unsigned int taken;

	do {
		events_discard(tables);
		taken = changes_apply(dataplane);
	} while (taken > 0);
	ring_empty(&tables->changes);
	/* Leaving, but the change that says so was never sent: it is sent now. */
	for (uint32_t i = 0; i < tables->n_children; i++)
		if (phase_is_between(&tables->children[i].phase) &&
			child_remove(dataplane, i, dataplane->sas.children[i].id) < 0)
			phase_set(&tables->children[i].phase, TABLES_FREE);
	for (uint32_t i = 0; i < tables->n_sessions; i++) {
		struct tables_change remove = {
			.kind = TABLES_REMOVE_SESSION, .index = i, .id = dataplane->sas.sessions[i].id};

		if (phase_is_between(&tables->sessions[i].phase) && session_remove(dataplane, &remove) < 0)
			phase_set(&tables->sessions[i].phase, TABLES_FREE);
	}
	while (changes_leaving(dataplane) > 0) {
		events_discard(tables);
		leaving_turn(dataplane);
	}
	events_discard(tables);
}
