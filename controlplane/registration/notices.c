/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/notices.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

/* A session earns an answer in so many milliseconds, and keeps what it has earned in so many. */
enum { ANSWER_COST_MS = 100, BUDGET_MAX_MS = 3200 };

TAILQ_HEAD(notice_queue, notice_session);

struct notices {
	const struct config *config;
	struct notices_host host;
	struct hashmap by_session;
	/* Each of the two waits is as long for every session, so those that began first are due first. */
	struct notice_queue waiting, dialing;
	struct notices_counters counters;
};

struct notices *notices_new(const struct config *config, const struct notices_host *host)
{
	struct notices *notices = calloc(1, sizeof(*notices));
	uint64_t seed;
	int rc;

	if (!notices)
		return NULL;
	rc = RAND_bytes((uint8_t *)&seed, sizeof(seed)) == 1 ? hashmap_init(&notices->by_session, seed) : -EIO;
	if (rc < 0) {
		free(notices);
		errno = -rc;
		return NULL;
	}
	notices->config = config;
	notices->host = *host;
	TAILQ_INIT(&notices->waiting);
	TAILQ_INIT(&notices->dialing);
	return notices;
}

void notices_free(struct notices *notices)
{
	if (!notices)
		return;
	hashmap_free(&notices->by_session);
	free(notices);
}

static uint64_t now_of(const struct notices *notices)
{
	return notices->host.now_ms(notices->host.context);
}

static struct notice_queue *queue_of(struct notices *notices, const struct notice_session *session)
{
	return session->state == NOTICE_WAITING   ? &notices->waiting
	       : session->state == NOTICE_DIALING ? &notices->dialing
						  : NULL;
}

static void change_state(struct notices *notices, struct notice_session *session, enum notice_session_state state,
	uint64_t due_ms)
{
	struct notice_queue *queue = queue_of(notices, session);

	if (queue)
		TAILQ_REMOVE(queue, session, queued);
	session->state = state;
	session->due_ms = due_ms;
	queue = queue_of(notices, session);
	if (queue)
		TAILQ_INSERT_TAIL(queue, session, queued);
}

void notices_begin(struct notices *notices, struct notice_session *session)
{
	uint64_t now_ms = now_of(notices);

	hashmap_add(&notices->by_session, &session->by_session,
		hashmap_hash(&notices->by_session, session->session, sizeof(session->session)));
	session->began_ms = session->budget_at_ms = now_ms;
	session->budget_ms = BUDGET_MAX_MS;
	session->state = NOTICE_IDLE;
	change_state(notices, session, NOTICE_WAITING,
		now_ms + UINT64_C(1000) * notices->config->registration.udp_wait);
}

void notices_reached(struct notices *notices, struct notice_session *session)
{
	if (session->state != NOTICE_IDLE)
		change_state(notices, session, NOTICE_SETTLED, 0);
}

void notices_end(struct notices *notices, struct notice_session *session)
{
	if (session->state == NOTICE_IDLE)
		return;
	change_state(notices, session, NOTICE_IDLE, 0);
	hashmap_remove(&notices->by_session, &session->by_session);
	OPENSSL_cleanse(session->key, sizeof(session->key));
}

static void tell(struct notices *notices, struct notice_session *session, enum notices_news news, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void tell(struct notices *notices, struct notice_session *session, enum notices_news news, const char *format, ...)
{
	char sentence[NOTICES_SENTENCE_LEN];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	notices->host.news(notices->host.context, session, news, sentence);
}

static void send_notice(struct notices *notices, struct notice_session *session, struct notice *notice,
	const struct endpoint *local, const struct endpoint *remote, size_t len)
{
	uint8_t datagram[NOTICE_LEN_MAX];

	memcpy(notice->session, session->session, sizeof(notice->session));
	notice->endpoint = *remote;
	notice->port = local->port;
	if (notice_seal(session->key, notice, datagram, len) == 0)
		notices->host.send(
			notices->host.context, local, remote, datagram, len, notice->type == NOTICE_PROBE_ANSWER);
}

/* --- what comes -------------------------------------------------------------------------------------------------- */

static bool differ(const struct address *a, const struct address *b)
{
	return a->family == b->family && !address_equal(a, b);
}

static void tell_pool(struct notices *notices, struct notice_session *session, const struct notice_seen *now)
{
	char text[ADDRESS_TEXT_LEN], other[ADDRESS_TEXT_LEN];

	for (uint16_t i = 0; !session->pool_told && i < session->n_seen; i++) {
		const struct notice_seen *before = &session->seen[i];

		if (!differ(&before->remote.address, &now->remote.address))
			continue;
		session->pool_told = true;
		tell(notices, session, NOTICES_POOL,
			"the peer is behind a NAT pool: what it sends to our UDP port %u comes from %s, and to %u from %s",
			before->port, address_format(&before->remote.address, other), now->port,
			address_format(&now->remote.address, text));
	}
	if (session->pool_told || !differ(&session->remote.address, &now->remote.address))
		return;
	session->pool_told = true;
	tell(notices, session, NOTICES_POOL,
		"the peer is behind a NAT pool: it registered from %s, and what it sends to our UDP port %u comes from %s",
		address_format(&session->remote.address, other), now->port, address_format(&now->remote.address, text));
}

static void tell_reached(struct notices *notices, struct notice_session *session, const struct notice *hello,
	const struct notice_seen *now)
{
	char text[ENDPOINT_TEXT_LEN], own[ENDPOINT_TEXT_LEN], nat[ENDPOINT_TEXT_LEN + 48] = "", mapped[48] = "";
	uint64_t took_ms = now_of(notices) - session->began_ms;
	const char *why = session->state == NOTICE_DIALING ? ", when we dialed" : "";

	change_state(notices, session, NOTICE_SETTLED, 0);
	if (!endpoint_equal(&hello->endpoint, &now->remote))
		snprintf(nat, sizeof(nat), " (behind a NAT, where it is %s)", endpoint_format(&hello->endpoint, own));
	if (hello->port != now->port)
		snprintf(mapped, sizeof(mapped), " (which it dials as %u)", hello->port);
	tell(notices, session, NOTICES_REACHED, "UDP came %" PRIu64 " ms after the registration%s: from %s%s to our port %u%s",
		took_ms, why, endpoint_format(&now->remote, text), nat, now->port, mapped);
}

/* Where it comes from, by our port; the last port gives way to a new one when there are many. */
static void note_seen(struct notice_session *session, const struct notice_seen *now)
{
	uint16_t i = 0;

	while (i < session->n_seen && session->seen[i].port != now->port)
		i++;
	if (i == NOTICES_SEEN_MAX)
		i--;
	if (i == session->n_seen)
		session->n_seen++;
	session->seen[i] = *now;
}

static void take_hello(struct notices *notices, struct notice_session *session, const struct notice *hello,
	const struct endpoint *local, const struct endpoint *remote)
{
	struct notice_seen now = {.remote = *remote, .port = local->port};

	if (session->n_seen == 0)
		tell_reached(notices, session, hello, &now);
	tell_pool(notices, session, &now);
	note_seen(session, &now);
}

static bool may_answer(struct notices *notices, struct notice_session *session)
{
	uint64_t now_ms = now_of(notices), earned = session->budget_ms + (now_ms - session->budget_at_ms);

	session->budget_at_ms = now_ms;
	session->budget_ms = (uint32_t)(earned < BUDGET_MAX_MS ? earned : BUDGET_MAX_MS);
	if (session->budget_ms < ANSWER_COST_MS) {
		notices->counters.limited++;
		return false;
	}
	session->budget_ms -= ANSWER_COST_MS;
	return true;
}

static struct notice_session *find(struct notices *notices, const uint8_t *id)
{
	uint64_t hash = hashmap_hash(&notices->by_session, id, NOTICE_SESSION_LEN);

	for (struct hashmap_node *node = hashmap_first(&notices->by_session, hash); node; node = hashmap_next(node)) {
		struct notice_session *session = hashmap_owner(node, struct notice_session, by_session);

		if (memcmp(session->session, id, NOTICE_SESSION_LEN) == 0)
			return session;
	}
	return NULL;
}

/* The session and what was said, or NULL with the reason counted. */
static struct notice_session *verify(struct notices *notices, const uint8_t *datagram, size_t len, struct notice *notice)
{
	const uint8_t *id = notice_session(datagram, len);
	struct notice_session *session = id ? find(notices, id) : NULL;
	int rc = session ? notice_open(session->key, datagram, len, notice) : -ENOENT;

	if (!id || rc == -EINVAL || (rc == 0 && notice->type != NOTICE_HELLO && notice->type != NOTICE_PROBE))
		notices->counters.malformed++;
	else if (rc == -ENOENT)
		notices->counters.unknown++;
	else if (rc < 0)
		notices->counters.forged++;
	else if (notice->sequence <= session->newest)
		notices->counters.replayed++;
	else
		return session;
	return NULL;
}

void notices_input(struct notices *notices, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *datagram, size_t len)
{
	struct notice notice, answer;
	struct notice_session *session;

	notices->counters.received++;
	session = verify(notices, datagram, len, &notice);
	if (!session)
		return;
	session->newest = notice.sequence;
	if (notice.type == NOTICE_HELLO)
		take_hello(notices, session, &notice, local, remote);
	if (!may_answer(notices, session))
		return;
	notices->counters.answered++;
	answer = (struct notice){
		.type = notice.type == NOTICE_HELLO ? NOTICE_ANSWER : NOTICE_PROBE_ANSWER,
		.sequence = notice.sequence,
	};
	send_notice(notices, session, &answer, local, remote, len);
}

/* --- what does not come ------------------------------------------------------------------------------------------ */

/* From the data port that it registered by, where that is one. */
static void dial(struct notices *notices, struct notice_session *session)
{
	struct endpoint local = session->local, remote = session->remote;
	struct notice notice = {.type = NOTICE_DIAL, .sequence = ++session->dials};

	local.port = config_data_port(&notices->config->ike, local.port);
	remote.port = session->udp_port;
	notices->counters.dialed++;
	send_notice(notices, session, &notice, &local, &remote, NOTICE_LEN);
}

static void tell_dialing(struct notices *notices, struct notice_session *session)
{
	const struct config *config = notices->config;
	struct endpoint remote = session->remote;
	char text[ENDPOINT_TEXT_LEN];

	remote.port = session->udp_port;
	tell(notices, session, NOTICES_DIALING,
		"no UDP came within %u s of the registration: a firewall or port mapping on the way may not pass it; we dial %s "
		"from our port %u, %u times",
		config->registration.udp_wait, endpoint_format(&remote, text),
		config_data_port(&config->ike, session->local.port), config->registration.dial_tries);
}

static void give_up(struct notices *notices, struct notice_session *session)
{
	uint32_t seconds = notices->config->registration.udp_wait;

	notices_end(notices, session);
	if (session->dials)
		tell(notices, session, NOTICES_UNREACHABLE,
			"UDP does not get through: none came within %u s of the registration, and %u dials were not answered; "
			"does the firewall pass or map UDP to one of our ports?",
			seconds, session->dials);
	else
		tell(notices, session, NOTICES_UNREACHABLE,
			"UDP does not get through: none came within %u s of the registration; does the firewall pass or map UDP to one "
			"of our ports?",
			seconds);
}

static void run_one(struct notices *notices, struct notice_session *session, uint64_t now_ms)
{
	uint32_t tries = session->udp_port ? notices->config->registration.dial_tries : 0;

	if (session->dials >= tries) {
		give_up(notices, session);
		return;
	}
	if (session->state == NOTICE_WAITING)
		tell_dialing(notices, session);
	change_state(notices, session, NOTICE_DIALING, now_ms + NOTICE_DIAL_MS);
	dial(notices, session);
}

uint64_t notices_run_timers(struct notices *notices)
{
	struct notice_queue *queues[] = {&notices->waiting, &notices->dialing};
	uint64_t now_ms = now_of(notices), next = UINT64_MAX;

	for (size_t i = 0; i < 2; i++) {
		struct notice_session *first;

		while ((first = TAILQ_FIRST(queues[i])) && first->due_ms <= now_ms)
			run_one(notices, first, now_ms);
	}
	for (size_t i = 0; i < 2; i++) {
		const struct notice_session *first = TAILQ_FIRST(queues[i]);

		if (first && first->due_ms - now_ms < next)
			next = first->due_ms - now_ms;
	}
	return next;
}

const struct notices_counters *notices_counters(const struct notices *notices)
{
	return &notices->counters;
}
