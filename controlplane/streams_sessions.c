/* SPDX-License-Identifier: Apache-2.0 */
/* Which connection carries which session. */
#include "streams_state.h"

#include "clock.h"
#include "config/log.h"
#include "tables/layout.h"

#include <stdlib.h>
#include <string.h>

enum {
	UNUSED_MS = 60000,  /* proved, and still or again without a session */
	REPLACED_TICKS = 3, /* that a replaced one is read on: what its peer sent in it may be on its way */
};

void streams_session_set(struct streams_one *one, uint32_t session, uint64_t id)
{
	if (one->session != TABLES_NONE)
		one->all->by_session[one->session] = NULL;
	one->session = session;
	one->id = id;
	one->unused_ms = clock_now_ms();
	if (session != TABLES_NONE)
		one->all->by_session[session] = one;
}

void streams_confirm(struct streams *streams, const struct endpoint *local, const struct endpoint *remote)
{
	struct streams_one *one = streams_find(streams, local, remote);

	if (!one || one->proved)
		return;
	streams_list_remove(one);
	one->proved = true;
	one->unused_ms = clock_now_ms();
	TAILQ_INSERT_TAIL(&streams->proved, one, next);
	if (one->stream)
		stream_confirm(one->stream);
}

/* Room for the slot in by_session. */
static bool sessions_reach(struct streams *streams, uint32_t session)
{
	uint32_t count = streams->n_sessions ? streams->n_sessions : 64;
	struct streams_one **grown;

	if (session < streams->n_sessions)
		return true;
	while (count <= session)
		count *= 2;
	grown = realloc(streams->by_session, count * sizeof(*grown));
	if (!grown)
		return false;
	memset(grown + streams->n_sessions, 0, (count - streams->n_sessions) * sizeof(*grown));
	streams->by_session = grown;
	streams->n_sessions = count;
	return true;
}

/*
 * Not at once: who asks for it may be within a call that has more to send, and what was sent goes another way to a
 * worker than the word that the connection ends: it needs a moment more.
 */
static void end_later(struct streams_one *one, const char *why, unsigned lingers)
{
	streams_session_set(one, TABLES_NONE, 0);
	one->ending = why;
	one->lingers = lingers + (one->owner == STREAMS_TAKEN);
}

bool streams_bind(struct streams *streams, uint32_t session, uint64_t id, const struct endpoint *local,
	const struct endpoint *remote)
{
	struct streams_one *one = streams_find(streams, local, remote), *before;

	if (!one || !sessions_reach(streams, session))
		return false;
	before = streams->by_session[session];
	if (before != one) {
		if (before)
			end_later(before, "a newer connection carries its session", REPLACED_TICKS);
		streams_session_set(one, session, id);
		streams_connection_follow(one);
	}
	one->id = id;
	one->ending = NULL;
	return true;
}

struct streams_one *streams_of_session(const struct streams *streams, uint32_t session, uint64_t id)
{
	struct streams_one *one = session < streams->n_sessions ? streams->by_session[session] : NULL;

	return one && one->id == id ? one : NULL;
}

bool streams_carry(const struct streams *streams, uint32_t session, uint64_t id)
{
	return streams_of_session(streams, session, id) != NULL;
}

void streams_unbind(struct streams *streams, uint32_t session, uint64_t id, const char *why)
{
	struct streams_one *one = streams_of_session(streams, session, id);

	if (one)
		end_later(one, why, 0);
}

void streams_send_esp(
	struct streams *streams, uint32_t session, uint64_t id, const struct stream_packet *packets, size_t count)
{
	struct streams_one *one = streams_of_session(streams, session, id);

	if (!one)
		streams->counters.esp_no_stream += count;
	else if (one->owner == STREAMS_TAKEN)
		streams->counters.esp_moving += count; /* it was on its way here when the worker took it over */
	else
		stream_send_esp(one->stream, packets, count);
}

static void end(struct streams_one *one)
{
	char text[ENDPOINT_TEXT_LEN];

	if (one->stream) {
		stream_end(one->stream, one->ending);
		return;
	}
	log_info("event=stream_ended remote=%s proved=yes reason=\"%s\"", endpoint_format(&one->remote, text),
		one->ending);
	install_connection_end(one->all->install, one->connection, false);
	streams_forget(one);
}

void streams_tick(struct streams *streams, uint64_t (*id_of)(void *context, uint32_t session), void *context)
{
	uint64_t now_ms = clock_now_ms();
	struct streams_one *one, *next;

	for (one = TAILQ_FIRST(&streams->proved); one; one = next) {
		next = TAILQ_NEXT(one, next);
		if (one->session != TABLES_NONE && id_of(context, one->session) != one->id)
			end_later(one, "its session has ended", 0);
		else if (one->session == TABLES_NONE && !one->ending && now_ms - one->unused_ms > UNUSED_MS)
			one->ending = "no session has come of it";
		/* What is on its way has to arrive first. */
		if (one->ending && one->owner != STREAMS_MOVING && one->lingers-- == 0)
			end(one);
	}
}

void streams_forget_sessions(struct streams *streams)
{
	for (uint32_t i = 0; i < streams->n_sessions; i++)
		if (streams->by_session[i])
			streams_session_set(streams->by_session[i], TABLES_NONE, 0);
}
