/* SPDX-License-Identifier: Apache-2.0 */
/* Inside streams*.c only: their state, and what the two parts (connections, and sessions in them) ask of each other. */
#pragma once

#include "hashmap.h"
#include "registration/listener.h"
#include "streams.h"

#include <sys/queue.h>

/* A connection, in the list of those that are proved or of those that are not. */
struct streams_one {
	TAILQ_ENTRY(streams_one) next;
	struct hashmap_node by_ends;
	struct streams *all;
	struct stream *stream;
	bool proved;
	uint32_t session; /* TABLES_NONE: none */
	uint64_t id;
	uint64_t unused_ms; /* since when it has been proved and without a session; monotonic */
	const char *ending; /* why it ends at an occasion soon; NULL: it does not */
	unsigned lingers;   /* occasions before that one */
};
TAILQ_HEAD(streams_list, streams_one);

struct streams {
	struct streams_handler handler;
	struct streams_counters counters;
	struct stream_loop *loop;
	struct stream_options options;
	struct listeners *listeners; /* NULL: none */
	struct hashmap by_ends;
	struct streams_list unproved, proved; /* the oldest first */
	size_t n_unproved, unproved_max;
	struct streams_one **by_session;
	uint32_t n_sessions; /* that by_session has room for */
};

/* streams.c: the connection between these; NULL. */
struct streams_one *streams_find(
	const struct streams *streams, const struct endpoint *local, const struct endpoint *remote);

/* streams_sessions.c: `one` is that of a session from now on, or of none (TABLES_NONE). There is room for it. */
void streams_session_set(struct streams_one *one, uint32_t session, uint64_t id);

/* streams.c: out of its list. */
void streams_list_remove(struct streams_one *one);
