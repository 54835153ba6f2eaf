/* SPDX-License-Identifier: Apache-2.0 */
#include "adopt.h"

#include "clock.h"
#include "config/log.h"

#include <inttypes.h>
#include <string.h>

static uint32_t phase_of(const _Atomic uint32_t *phase)
{
	return atomic_load_explicit(phase, memory_order_acquire);
}

/* The configured peer of a LIVE record; NULL, with a line in the log, when it is to go. */
static const struct config_peer *adoptable(
	const struct install *install, const struct peers *peers, const struct tables_session *record)
{
	const struct config_peer *peer = NULL;
	const char *why = NULL;

	if (!memchr(record->peer, '\0', sizeof(record->peer)) || !(peer = peers_find(peers, record->peer)))
		why = "its peer is not in the configuration any more";
	else if (!memchr(record->identity, '\0', sizeof(record->identity)) ||
		 (!peer->users && !peer->registration && strcmp(record->identity, peer->identity) != 0))
		why = "its peer has another identity in the configuration now";
	else if (sessions_find(install->sessions, peer, record->identity) != TABLES_NONE)
		why = "its peer has another one";
	if (!why)
		return peer;
	log_warning("event=session_not_adopted session=%" PRIu64 " peer=%.*s reason=\"%s\"", record->id,
		TABLES_NAME_LEN, record->peer, why);
	return NULL;
}

static bool child_adoptable(const struct install *install, uint32_t index, int64_t now)
{
	const struct tables_child *record = &install->tables->children[index];

	return record->session < install->tables->n_sessions && install->sessions->sessions[record->session].peer &&
	       record->spi_in == tables_spi(index, record->generation) && record->expires_at > now;
}

static void adopt_child(struct install *install, uint32_t index)
{
	struct sessions *sessions = install->sessions;
	uint32_t session = install->tables->children[index].session;
	struct session_child *child = sessions_child_reserve(sessions, index);

	child->live = true;
	sessions_child_join(sessions, index, session, 0);
}

/*
 * Of the children with the same networks the newest had outbound traffic. Which they were is not in the tables; ids
 * grow. The mark serves status and the choice of a successor.
 */
static void mark_active(struct install *install, uint32_t session)
{
	struct sessions *sessions = install->sessions;

	for (uint32_t a = sessions->sessions[session].first_child; a != TABLES_NONE; a = sessions->children[a].next) {
		const struct tables_child *x = &install->tables->children[a];

		sessions->children[a].active = sessions->children[a].activated = true;
		for (uint32_t b = sessions->sessions[session].first_child; b != TABLES_NONE;
			b = sessions->children[b].next) {
			const struct tables_child *y = &install->tables->children[b];

			if (y->id > x->id && prefix_equal(&x->local_network, &y->local_network) &&
				prefix_equal(&x->remote_network, &y->remote_network))
				sessions->children[a].active = false;
		}
	}
}

static void adopt_session(struct install *install, uint32_t index, const struct config_peer *peer)
{
	char remote[ENDPOINT_TEXT_LEN];

	sessions_add(install->sessions, index, peer, install->tables->sessions[index].identity);
	if (install_session_follow(install, index))
		log_info("event=session_moved session=%" PRIu64
			 " peer=%s remote=%s reason=\"the data plane followed it meanwhile\"",
			install->sessions->sessions[index].id, peer->name,
			endpoint_format(&install->tables->sessions[index].remote, remote));
}

static void adopt_sessions(struct install *install, const struct peers *peers)
{
	for (uint32_t i = 0; i < install->tables->n_sessions; i++) {
		const struct tables_session *record = &install->tables->sessions[i];
		const struct config_peer *peer;

		if (phase_of(&record->phase) == TABLES_LIVE && (peer = adoptable(install, peers, record)))
			adopt_session(install, i, peer);
	}
}

uint32_t adopt_all(struct install *install, const struct peers *peers)
{
	const struct tables *tables = install->tables;
	int64_t now = clock_unix();

	adopt_sessions(install, peers);
	/* Children before their sessions: the end of each slot is told by itself. */
	for (uint32_t i = 0; i < tables->n_children; i++) {
		if (phase_of(&tables->children[i].phase) != TABLES_LIVE)
			continue;
		if (child_adoptable(install, i, now))
			adopt_child(install, i);
		else
			install_discard_child(install, i);
	}
	for (uint32_t i = 0; i < tables->n_sessions; i++) {
		if (phase_of(&tables->sessions[i].phase) != TABLES_LIVE)
			continue;
		if (!install->sessions->sessions[i].peer)
			install_discard_session(install, i);
		else if (install->sessions->sessions[i].n_children == 0)
			install_session_remove(install, i, "none of its child SAs could be adopted");
		else
			mark_active(install, i);
	}
	return install->sessions->n_sessions;
}

void adopt_expire(struct install *install, int64_t now)
{
	struct sessions *sessions = install->sessions;

	for (uint32_t i = 0; i < install->tables->n_children && sessions->n_adopted > 0; i++)
		if (sessions_child_adopted(&sessions->children[i]) && install->tables->children[i].expires_at <= now)
			install_child_remove(install, sessions->children[i].spi_in);
}

void adopt_forget(struct install *install, const struct config_peer *peer, const char *identity)
{
	struct sessions *sessions = install->sessions;
	uint32_t session = sessions_find(sessions, peer, identity), child, next;

	if (session == TABLES_NONE)
		return;
	/* The session ends with its last child, so the next one is noted first. */
	for (child = sessions->sessions[session].first_child; child != TABLES_NONE; child = next) {
		next = sessions->children[child].next;
		if (sessions_child_adopted(&sessions->children[child]))
			install_child_remove(install, sessions->children[child].spi_in);
	}
}
