/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside streams*.c only: their state, and what the parts ask of each other: connections, sessions in them
 * (streams_sessions.c), moving into workers (streams_takeover.c), those that workers have (streams_connections.c).
 */
#pragma once

#include "attachment.h"
#include "hashmap.h"
#include "install.h"
#include "registration/listener.h"
#include "streams.h"

#include <sys/queue.h>

/* Who has it; drawn in streams_takeover.h. */
enum streams_owner {
	STREAMS_KERNEL,
	STREAMS_HOLDING,
	STREAMS_MOVING,
	STREAMS_TAKEN,
};

/* A connection, in the list of those that are proved or of those that are not. */
struct streams_one {
	TAILQ_ENTRY(streams_one) next;
	struct hashmap_node by_ends;
	struct streams *all;
	struct stream *stream; /* NULL: taken */
	struct endpoint local, remote;
	bool proved;
	uint32_t session; /* TABLES_NONE: none */
	uint64_t id;
	uint64_t unused_ms; /* since when it has been proved and without a session; monotonic */
	const char *ending; /* why it ends at an occasion soon; NULL: it does not */
	unsigned lingers;   /* occasions before that one */
	enum streams_owner owner;
	uint32_t connection;	/* its record in the tables, TABLES_NONE; and that one's id: */
	uint64_t connection_id;
	uint64_t held_us;	/* since when it is held; monotonic */
	uint64_t held_for;	/* id of the session that it carries as far as the data plane knows */
	struct stream_frozen frozen;
	bool has_ended;		/* told before it was taken, */
	int ended_with;		/* for this reason */
	enum streams_step stays; /* where it failed last, for this reason: */
	int stays_error;
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
	bool takeover;	     /* ike.tcp_takeover */
	struct install *install; /* NULL: no data plane is attached, and with it: */
	struct attachment *attachment; /* NULL also where nothing can move */
	struct streams_one **by_connection;
	uint32_t n_connections; /* of the tables */
};

/* streams.c: the connection between these; NULL. */
struct streams_one *streams_find(
	const struct streams *streams, const struct endpoint *local, const struct endpoint *remote);

/* streams.c: a connection that is there by now; `stream` NULL: a worker's. NULL for want of memory. */
struct streams_one *streams_add(struct streams *streams, struct stream *stream, const struct endpoint *local,
	const struct endpoint *remote);

/* streams.c: it is out of all lists, and gone, without a word to anybody. */
void streams_forget(struct streams_one *one);

/* streams.c: what this one has counted is counted. */
void streams_sums_add(struct streams_counters *sums, const struct stream *stream);

/* streams_sessions.c: of this session; NULL. */
struct streams_one *streams_of_session(const struct streams *streams, uint32_t session, uint64_t id);

/* streams_connections.c: it has this record in the tables from now on, or none. */
void streams_connection_set(struct streams_one *one, uint32_t connection);
void streams_connection_forget(struct streams_one *one);

/* streams_connections.c: the data plane is told which session it carries, where that is another one. */
void streams_connection_follow(struct streams_one *one);

/* streams_connections.c: that has this record; NULL. */
struct streams_one *streams_of_connection(const struct streams *streams, uint32_t connection, uint64_t id);

/* streams_connections.c: an IKE message into one that is taken. 0 or negative errno. */
int streams_connection_send(const struct streams_one *one, const uint8_t *message, size_t message_len);

/* streams_connections.c: one that is taken has ended, for this reason (TABLES_EVENT_CONNECTION_ENDED). */
void streams_connection_end(struct streams_one *one, int result);

/* streams_connections.c: the connection of a former process; it ends where nobody needs it. 0 or -ENOMEM. */
int streams_connection_adopt(struct streams *streams, uint32_t connection);

/* streams_sessions.c: no session has a connection any more. */
void streams_forget_sessions(struct streams *streams);

/* streams_sessions.c: `one` is that of a session from now on, or of none (TABLES_NONE). There is room for it. */
void streams_session_set(struct streams_one *one, uint32_t session, uint64_t id);

/* streams.c: out of its list. */
void streams_list_remove(struct streams_one *one);
