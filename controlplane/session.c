/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sessions *sessions_new(const struct tables *tables)
{
	struct sessions *sessions = calloc(1, sizeof(*sessions));
	uint64_t seed;

	if (!sessions)
		return NULL;
	sessions->tables = tables;
	sessions->sessions = calloc(tables->n_sessions, sizeof(*sessions->sessions));
	sessions->children = calloc(tables->n_children, sizeof(*sessions->children));
	if (!sessions->sessions || !sessions->children || RAND_bytes((unsigned char *)&seed, sizeof(seed)) != 1 ||
		hashmap_init(&sessions->by_key, seed) < 0) {
		sessions_free(sessions);
		return NULL;
	}
	return sessions;
}

void sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return;
	hashmap_free(&sessions->by_key);
	free(sessions->sessions);
	free(sessions->children);
	free(sessions);
}

static uint64_t sessions_hash(const struct sessions *sessions, const struct config_peer *peer, const char *identity)
{
	return hashmap_hash(&sessions->by_key, &peer, sizeof(peer)) ^
	       hashmap_hash(&sessions->by_key, identity, strlen(identity));
}

uint32_t sessions_find(const struct sessions *sessions, const struct config_peer *peer, const char *identity)
{
	struct hashmap_node *node = hashmap_first(&sessions->by_key, sessions_hash(sessions, peer, identity));

	for (; node; node = hashmap_next(node)) {
		const struct session *session = hashmap_owner(node, struct session, by_key);

		if (session->peer == peer && strcmp(session->identity, identity) == 0)
			return (uint32_t)(session - sessions->sessions);
	}
	return TABLES_NONE;
}

bool sessions_match(
	const struct sessions *sessions, uint32_t index, const struct config_peer *peer, const char *identity)
{
	const struct session *session = &sessions->sessions[index];

	return session->peer && (!peer || session->peer == peer) &&
	       (!identity || strcmp(session->identity, identity) == 0);
}

struct session *sessions_add(
	struct sessions *sessions, uint32_t index, const struct config_peer *peer, const char *identity)
{
	struct session *session = &sessions->sessions[index];

	assert(!session->peer && sessions_find(sessions, peer, identity) == TABLES_NONE);
	*session = (struct session){
		.peer = peer,
		.id = sessions->tables->sessions[index].id,
		.first_child = TABLES_NONE,
	};
	snprintf(session->identity, sizeof(session->identity), "%s", identity);
	hashmap_add(&sessions->by_key, &session->by_key, sessions_hash(sessions, peer, identity));
	sessions->n_sessions++;
	return session;
}

void sessions_drop(struct sessions *sessions, uint32_t index)
{
	struct session *session = &sessions->sessions[index];

	assert(session->peer && session->n_children == 0);
	hashmap_remove(&sessions->by_key, &session->by_key);
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
