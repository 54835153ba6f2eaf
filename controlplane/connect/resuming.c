/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/resuming.h"

#include "clock.h"
#include "config/log.h"
#include "connect/connection.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { UNANSWERED_MAX = 2 }; /* questions in connections that stood: what answers there knows nothing of us */

void resuming_init(struct connection *connection)
{
	struct resuming *resuming = &connection->resuming;

	redial_end(&resuming->redial);
	resuming->silent = resuming->answered = false;
	resuming->hopeless = NULL;
	resuming->unanswered = 0;
	resuming->failure[0] = '\0';
	if (!connection->tcp.current)
		return;
	resuming->gateway = *stream_remote(connection->tcp.current);
	resuming->before = *stream_local(connection->tcp.current);
}

bool resuming_is_on(const struct connection *connection)
{
	return connection->resuming.redial.state != REDIAL_IDLE;
}

void resuming_begin(struct connection *connection, const char *why)
{
	struct resuming *resuming = &connection->resuming;
	char text[ENDPOINT_TEXT_LEN];

	if (resuming_is_on(connection) || connection->renewing)
		return;
	snprintf(resuming->why, sizeof(resuming->why), "%s", why);
	endpoint_format(&resuming->before, text);
	log_warning(
		"event=resuming local=%s reason=\"the TCP connection from there is of no use any more: %s; another one "
		"is dialed, to go on with the same SAs\"",
		text, resuming->why);
	explain_set(&connection->verdict, "resuming",
		"the TCP connection from %s is of no use any more: %s; another one is dialed, to go on with the same "
		"SAs",
		text, resuming->why);
	resuming->since_ms = clock_now_ms();
	redial_begin(&resuming->redial, resuming->since_ms);
}

void resuming_doubt(struct connection *connection)
{
	struct resuming *resuming = &connection->resuming;

	resuming_begin(connection, "the gateway is silent in it, and does not answer whether it is there (DPD)");
	if (!resuming_is_on(connection) || resuming->silent)
		return;
	resuming->silent = true;
	resuming->since_ms = connection->heard_ms;
}

void resuming_hurry(struct connection *connection)
{
	redial_hurry(&connection->resuming.redial, clock_now_ms());
}

void resuming_end(struct connection *connection)
{
	if (!resuming_is_on(connection))
		return;
	over_tcp_drop_next(connection);
	resuming_init(connection);
	connection->verdict.code = NULL;
}

static void note_failure(struct connection *connection, const char *why)
{
	struct resuming *resuming = &connection->resuming;

	snprintf(resuming->failure, sizeof(resuming->failure), "%s", why);
	log_info("event=not_resumed try=%u next_try_in=%.1fs reason=\"%s\"", resuming->redial.tries,
		(double)(resuming->redial.due_ms - clock_now_ms()) / 1000, why);
}

void resuming_failed(struct connection *connection, const char *why)
{
	struct resuming *resuming = &connection->resuming;

	if (resuming->redial.state != REDIAL_DIALING)
		return;
	resuming->answered = false;
	redial_failed(&resuming->redial, &connection->dial.settings, clock_now_ms(), connection_random());
	note_failure(connection, why);
}

void resuming_opened(struct connection *connection)
{
	const struct stream *next = connection->tcp.next;
	int rc = ike_peer_probe_at(connection->ike, &connection->config->peer, stream_local(next), stream_remote(next));

	if (rc < 0)
		connection->resuming.hopeless =
			rc == -EOPNOTSUPP ? "the gateway answers no questions (DPD)" : "there is no IKE SA to ask with";
}

static bool is_asked_at(const struct connection *connection, const struct endpoint *local)
{
	return connection->resuming.redial.state == REDIAL_DIALING && connection->tcp.next &&
	       endpoint_equal(stream_local(connection->tcp.next), local);
}

void resuming_answered(struct connection *connection, const struct endpoint *local)
{
	if (is_asked_at(connection, local))
		connection->resuming.answered = true;
}

void resuming_disowned(struct connection *connection, const struct endpoint *local)
{
	if (is_asked_at(connection, local))
		connection->resuming.hopeless = "the gateway knows the IKE SA no more (INVALID-COOKIE): it was "
						"restarted, or has given it up";
}

static void dial(struct connection *connection)
{
	int rc;

	connection->gateway = connection->resuming.gateway;
	rc = connection_reach_again(connection);
	if (rc == 0)
		rc = over_tcp_dial_next(connection);
	if (rc < 0)
		resuming_failed(connection, strerror(-rc));
}

static void succeed(struct connection *connection, uint64_t now_ms)
{
	struct resuming *resuming = &connection->resuming;
	uint64_t ms = now_ms - resuming->since_ms;
	char from[ENDPOINT_TEXT_LEN], to[ENDPOINT_TEXT_LEN];

	over_tcp_promote(connection);
	snprintf(resuming->told, sizeof(resuming->told),
		"the TCP connection from %s was of no use any more: %s; resumed from %s after %" PRIu64 ".%" PRIu64
		" s, the SAs were kept",
		endpoint_format(&resuming->before, from), resuming->why,
		endpoint_format(stream_local(connection->tcp.current), to), ms / 1000, ms % 1000 / 100);
	resuming->told_at = clock_unix();
	connection->counters.resumed++;
	connection->verdict.code = NULL;
	log_info("event=resumed local=%s tries=%u reason=\"%s\"", to, resuming->redial.tries, resuming->told);
	resuming_init(connection);
}

static const char *give_up(struct connection *connection)
{
	struct resuming *resuming = &connection->resuming;
	static char text[EXPLAIN_SENTENCE_LEN]; /* there is one thread */

	snprintf(text, sizeof(text), "its TCP connection is of no use any more: %s; none could take its place: %s",
		resuming->why, resuming->hopeless ? resuming->hopeless : resuming->failure);
	over_tcp_drop_next(connection);
	resuming_init(connection);
	return text;
}

/* Nothing came of the dial in time. False: it is of no use to go on. */
static bool end_late(struct connection *connection)
{
	struct resuming *resuming = &connection->resuming;
	bool stood = connection->tcp.next;

	over_tcp_drop_next(connection);
	note_failure(connection, stood ? "the connection stands, and no answer comes in it" : "no answer");
	if (stood && ++resuming->unanswered == UNANSWERED_MAX)
		resuming->hopeless = "the gateway takes connections, and does not answer in them";
	return !resuming->hopeless;
}

const char *resuming_run(struct connection *connection, uint64_t now_ms, uint32_t jitter)
{
	struct resuming *resuming = &connection->resuming;
	enum redial_step step;

	if (!resuming_is_on(connection))
		return NULL;
	if (resuming->answered) {
		succeed(connection, now_ms);
		return NULL;
	}
	if (resuming->hopeless)
		return give_up(connection);
	while ((step = redial_run(&resuming->redial, &connection->dial.settings, now_ms, jitter)) != REDIAL_NOTHING) {
		if (step == REDIAL_GIVE_UP)
			return give_up(connection);
		if (step == REDIAL_DIAL)
			dial(connection);
		else if (!end_late(connection))
			return give_up(connection);
	}
	return NULL;
}
