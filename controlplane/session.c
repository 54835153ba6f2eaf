/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sessions *sessions_new(const struct config *config, const struct tables *tables)
{
	struct sessions *sessions = calloc(1, sizeof(*sessions));

	if (!sessions)
		return NULL;
	sessions->config = config;
	sessions->tables = tables;
	sessions->sessions = calloc(tables->n_sessions, sizeof(*sessions->sessions));
	sessions->children = calloc(tables->n_children, sizeof(*sessions->children));
	sessions->of_peer = malloc((config->n_peers + 1) * sizeof(*sessions->of_peer));
	if (!sessions->sessions || !sessions->children || !sessions->of_peer) {
		sessions_free(sessions);
		return NULL;
	}
	for (size_t i = 0; i < config->n_peers; i++)
		sessions->of_peer[i] = TABLES_NONE;
	return sessions;
}

void sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return;
	free(sessions->sessions);
	free(sessions->children);
	free(sessions->of_peer);
	free(sessions);
}

static uint32_t *sessions_place(const struct sessions *sessions, const struct config_peer *peer)
{
	return &sessions->of_peer[peer - sessions->config->peers];
}

uint32_t sessions_of_peer(const struct sessions *sessions, const struct config_peer *peer)
{
	return *sessions_place(sessions, peer);
}

struct session *sessions_add(struct sessions *sessions, uint32_t index, const struct config_peer *peer)
{
	struct session *session = &sessions->sessions[index];

	assert(!session->peer && *sessions_place(sessions, peer) == TABLES_NONE);
	*session = (struct session){
		.peer = peer,
		.id = sessions->tables->sessions[index].id,
		.first_child = TABLES_NONE,
	};
	*sessions_place(sessions, peer) = index;
	sessions->n_sessions++;
	return session;
}

void sessions_drop(struct sessions *sessions, uint32_t index)
{
	struct session *session = &sessions->sessions[index];

	assert(session->peer && session->n_children == 0);
	*sessions_place(sessions, session->peer) = TABLES_NONE;
	session->peer = NULL;
	sessions->n_sessions--;
}

struct session_child *sessions_child_reserve(struct sessions *sessions, uint32_t index)
{
	struct session_child *child = &sessions->children[index];

	*child = (struct session_child){
		.id = sessions->tables->children[index].id,
		.spi_in = sessions->tables->children[index].spi_in,
		.session = TABLES_NONE,
		.next = TABLES_NONE,
	};
	return child;
}

void sessions_child_join(struct sessions *sessions, uint32_t index, uint32_t session, uint64_t ike_child)
{
	struct session_child *child = &sessions->children[index];

	child->ike_child = ike_child;
	child->session = session;
	child->next = sessions->sessions[session].first_child;
	sessions->sessions[session].first_child = index;
	sessions->sessions[session].n_children++;
	if (ike_child == 0)
		sessions->n_adopted++;
}

static void traffic_add(struct session_traffic *sum, const struct session_traffic *part)
{
	sum->packets_in += part->packets_in;
	sum->bytes_in += part->bytes_in;
	sum->packets_out += part->packets_out;
	sum->bytes_out += part->bytes_out;
}

static void child_leave(struct sessions *sessions, uint32_t index)
{
	struct session *session = &sessions->sessions[sessions->children[index].session];
	struct session_traffic carried = sessions_child_traffic(sessions, index);
	uint32_t *link = &session->first_child;

	while (*link != index)
		link = &sessions->children[*link].next;
	*link = sessions->children[index].next;
	session->n_children--;
	traffic_add(&session->carried, &carried);
	if (sessions_child_adopted(&sessions->children[index]))
		sessions->n_adopted--;
}

void sessions_child_drop(struct sessions *sessions, uint32_t index)
{
	if (sessions->children[index].session != TABLES_NONE)
		child_leave(sessions, index);
	sessions->children[index] = (struct session_child){.session = TABLES_NONE, .next = TABLES_NONE};
}

uint32_t sessions_child_find(const struct sessions *sessions, uint32_t spi_in)
{
	uint32_t index = tables_spi_index(spi_in);

	if (index >= sessions->tables->n_children || sessions->children[index].id == 0 ||
		sessions->children[index].spi_in != spi_in)
		return TABLES_NONE;
	return index;
}

bool sessions_child_adopted(const struct session_child *child)
{
	return child->id != 0 && child->session != TABLES_NONE && child->ike_child == 0;
}

bool sessions_adopted(const struct sessions *sessions, uint32_t index)
{
	for (uint32_t c = sessions->sessions[index].first_child; c != TABLES_NONE; c = sessions->children[c].next)
		if (!sessions_child_adopted(&sessions->children[c]))
			return false;
	return true;
}

struct place sessions_where(const struct sessions *sessions, uint32_t index)
{
	const struct tables_session *record = &sessions->tables->sessions[index];
	struct place place = {.local = record->local, .remote = record->remote, .encapsulation = record->encapsulation};

	(void)place_read(&record->place, &place);
	return place;
}

struct session_traffic sessions_child_traffic(const struct sessions *sessions, uint32_t index)
{
	struct tables_traffic sum;

	/* A child that was not taken up yet has no counters: those of its slot are its predecessor's. */
	if (!sessions->children[index].live)
		return (struct session_traffic){0};
	tables_sum_traffic(sessions->tables, index, &sum);
	return (struct session_traffic){
		.packets_in = sum.packets_in,
		.bytes_in = sum.bytes_in,
		.packets_out = sum.packets_out,
		.bytes_out = sum.bytes_out,
	};
}

struct session_traffic sessions_traffic(const struct sessions *sessions, uint32_t index)
{
	struct session_traffic sum = sessions->sessions[index].carried;

	for (uint32_t c = sessions->sessions[index].first_child; c != TABLES_NONE; c = sessions->children[c].next) {
		struct session_traffic part = sessions_child_traffic(sessions, c);

		traffic_add(&sum, &part);
	}
	return sum;
}
