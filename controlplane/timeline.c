/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken in, and what becomes of it: entries, outcome, verdict. */
#include "timeline.h"

#include "timeline_store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/rand.h>

enum { NOTIFY_R_U_THERE = 36136, NOTIFY_R_U_THERE_ACK = 36137 };

/* Registrations have numbers of their own; the engine never gets so far. */
static const uint64_t registration_numbers = UINT64_C(1) << 63;

struct timeline *timeline_new(const struct config *config)
{
	struct timeline *timeline = calloc(1, sizeof(*timeline));
	uint64_t seeds[3];

	if (!timeline)
		return NULL;
	timeline->limits = &config->timeline;
	TAILQ_INIT(&timeline->all);
	for (unsigned i = 0; i < TRUSTS; i++)
		TAILQ_INIT(&timeline->closed[i]);
	if (RAND_bytes((unsigned char *)seeds, sizeof(seeds)) != 1 || hashmap_init(&timeline->by_sa, seeds[0]) < 0 ||
		hashmap_init(&timeline->by_cookie, seeds[1]) < 0 || hashmap_init(&timeline->subjects, seeds[2]) < 0) {
		timeline_free(timeline);
		errno = ENOMEM;
		return NULL;
	}
	return timeline;
}

void timeline_free(struct timeline *timeline)
{
	if (!timeline)
		return;
	store_free_all(timeline);
	hashmap_free(&timeline->by_sa);
	hashmap_free(&timeline->by_cookie);
	hashmap_free(&timeline->subjects);
	free(timeline);
}

static uint32_t since(const struct attempt *attempt, uint64_t now_ms)
{
	uint64_t ms = now_ms > attempt->began_ms ? now_ms - attempt->began_ms : 0;

	return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

/* The attempt that this belongs to, made when there is none, and joined with its IKE SA; NULL for want of memory. */
static struct attempt *timeline_attempt_of(struct timeline *timeline, uint64_t ike_sa, const uint8_t *initiator_cookie,
	const uint8_t *responder_cookie, const struct endpoint *remote, uint64_t now_ms)
{
	struct attempt *attempt = store_find(timeline, ike_sa, initiator_cookie, responder_cookie, remote);

	if (!attempt)
		attempt = store_add(timeline, initiator_cookie, remote, now_ms);
	if (!attempt)
		return NULL;
	if (ike_sa && !attempt->ike_sa)
		store_open(timeline, attempt, ike_sa);
	if (ike_sa)
		memcpy(attempt->responder_cookie, responder_cookie, IKE_COOKIE_LEN);
	attempt->last_ms = now_ms;
	return attempt;
}

/* Which of the attempt's places this is; one more than there may be when there is no room for it. */
static uint8_t attempt_place(struct attempt *attempt, const struct endpoint *local, const struct endpoint *remote)
{
	struct timeline_place *wider;

	for (uint8_t i = 0; i < attempt->n_places; i++)
		if (endpoint_equal(&attempt->places[i].local, local) &&
			endpoint_equal(&attempt->places[i].remote, remote))
			return i;
	wider = attempt->n_places < TIMELINE_PLACES_MAX
			? reallocarray(attempt->places, attempt->n_places + 1u, sizeof(*wider))
			: NULL;
	if (!wider)
		return TIMELINE_PLACES_MAX;
	attempt->places = wider;
	attempt->places[attempt->n_places] = (struct timeline_place){*local, *remote};
	return attempt->n_places++;
}

/* Probes come every few seconds for as long as a session lives: they are counted. */
static bool attempt_count_probe(struct attempt *attempt, const struct ike_message *message, uint64_t now_ms)
{
	if (message->notify != NOTIFY_R_U_THERE && message->notify != NOTIFY_R_U_THERE_ACK)
		return false;
	if (message->notify == NOTIFY_R_U_THERE)
		message->sent ? attempt->probes.sent++ : attempt->probes.received++;
	else
		message->sent ? attempt->probes.answered++ : attempt->probes.heard++;
	attempt->probes.last_ms = now_ms;
	return true;
}

void timeline_message(struct timeline *timeline, const struct ike_message *message, uint64_t now_ms)
{
	struct attempt *attempt = timeline_attempt_of(timeline, message->ike_sa, message->initiator_cookie,
		message->responder_cookie, &message->remote, now_ms);
	struct entry entry = {
		.flags = ENTRY_MESSAGE,
		.what = message->exchange,
		.number = message->number,
		.notify = message->notify,
		.len = (uint16_t)message->len,
		.message_id = message->message_id,
	};

	if (!attempt || attempt_count_probe(attempt, message, now_ms))
		return;
	if (message->sent)
		entry.flags |= ENTRY_SENT;
	if (message->encrypted)
		entry.flags |= ENTRY_ENCRYPTED;
	entry.place = attempt_place(attempt, &message->local, &message->remote);
	entry.at_ms = since(attempt, now_ms);
	entries_add(&attempt->entries, &entry, "", timeline->limits->attempt_bytes);
}

static void attempt_say(
	struct timeline *timeline, struct attempt *attempt, unsigned what, const char *text, uint64_t now_ms)
{
	size_t len = strlen(text);
	struct entry entry = {
		.what = (uint8_t)what,
		.text_len = (uint16_t)(len < ENTRY_TEXT_MAX ? len : ENTRY_TEXT_MAX),
		.at_ms = since(attempt, now_ms),
	};

	entries_add(&attempt->entries, &entry, text, timeline->limits->attempt_bytes);
}

static void attempt_judge(struct attempt *attempt, const char *verdict, bool provisional)
{
	char *copy = verdict[0] ? strdup(verdict) : NULL;

	free(attempt->verdict);
	attempt->verdict = copy;
	attempt->provisional = provisional;
}

/* Of whom nothing is configured, the identity is the other half of the reason. */
static void attempt_judge_refusal(struct attempt *attempt, const struct ike_event *event)
{
	char text[ENTRY_TEXT_MAX + CONFIG_IDENTITY_LEN];

	snprintf(text, sizeof(text), "%s: it calls itself \"%s\"", event->why, event->identity ? event->identity : "");
	attempt_judge(attempt, !event->peer && event->identity ? text : event->why, false);
}

/* An IKE SA is gone: what was said last says why. */
static void attempt_end(struct timeline *timeline, struct attempt *attempt)
{
	char text[ENTRY_TEXT_MAX + 1];
	struct entry last;
	const char *said;

	if (!attempt->settled && attempt->entries.last < attempt->entries.len) {
		entries_read(&attempt->entries, attempt->entries.last, &last, &said);
		snprintf(text, sizeof(text), "%.*s", (int)last.text_len, said);
		if (!(last.flags & ENTRY_MESSAGE) && (last.what == IKE_EVENT_DELETED || last.what == IKE_EVENT_EXPIRED))
			attempt_judge(attempt, text, false);
	}
	attempt->outcome = attempt->outcome == TIMELINE_ESTABLISHED ? TIMELINE_ENDED : TIMELINE_FAILED;
	store_close(timeline, attempt);
}

/* Whose attempt it is, as far as that is known by now. */
static void timeline_identify(struct timeline *timeline, struct attempt *attempt, const struct ike_event *event)
{
	const char *identity = event->identity ? event->identity : event->peer ? event->peer->identity : NULL;

	if (event->peer)
		store_assign(timeline, attempt, event->peer, identity,
			event->kind == IKE_EVENT_ESTABLISHED || attempt->trust == TRUST_PROVEN ? TRUST_PROVEN
											       : TRUST_CLAIMED);
	else if (identity && !attempt->claimed)
		attempt->claimed = strndup(identity, CONFIG_IDENTITY_LEN);
}

static void timeline_outcome(struct timeline *timeline, struct attempt *attempt, const struct ike_event *event)
{
	switch (event->kind) {
	case IKE_EVENT_ESTABLISHED:
		attempt->outcome = TIMELINE_ESTABLISHED;
		attempt_judge(attempt, event->why, false);
		break;
	case IKE_EVENT_REFUSED:
		if (!attempt->open)
			attempt->outcome = TIMELINE_FAILED;
		attempt_judge_refusal(attempt, event);
		break;
	case IKE_EVENT_BAD_MESSAGE:
	case IKE_EVENT_UNKNOWN_COOKIES:
		/* Anybody can send one, so it says something only as long as there is nothing better. */
		if (attempt->outcome == TIMELINE_OPEN && (!attempt->verdict || attempt->provisional))
			attempt_judge(attempt, event->why, true);
		if (!attempt->open && attempt->outcome == TIMELINE_OPEN)
			attempt->outcome = TIMELINE_FAILED;
		break;
	case IKE_EVENT_ENDED: attempt_end(timeline, attempt); break;
	default: break;
	}
}

void timeline_event(struct timeline *timeline, const struct ike_event *event, uint64_t now_ms)
{
	struct attempt *attempt;

	/* About a peer as such: its IKE SA may be gone. */
	if (event->remote.address.family == 0) {
		timeline_note(timeline, (enum timeline_what)event->kind, event->ike_sa, event->peer, event->identity,
			now_ms, "%s", event->why);
		return;
	}
	attempt = timeline_attempt_of(
		timeline, event->ike_sa, event->initiator_cookie, event->responder_cookie, &event->remote, now_ms);
	if (!attempt)
		return;
	timeline_identify(timeline, attempt, event);
	attempt_place(attempt, &event->local, &event->remote);
	if (event->kind != IKE_EVENT_STARTED && event->kind != IKE_EVENT_ENDED)
		attempt_say(timeline, attempt, event->kind, event->why, now_ms);
	timeline_outcome(timeline, attempt, event);
}

void timeline_note(struct timeline *timeline, enum timeline_what what, uint64_t ike_sa, const struct config_peer *peer,
	const char *identity, uint64_t now_ms, const char *format, ...)
{
	static const uint8_t no_cookie[IKE_COOKIE_LEN];
	static const struct endpoint nowhere;
	struct attempt *attempt = ike_sa ? store_find(timeline, ike_sa, no_cookie, no_cookie, &nowhere) : NULL;
	char text[ENTRY_TEXT_MAX + 1];
	va_list arguments;

	if (!attempt && peer)
		attempt = store_newest(timeline, peer, identity ? identity : peer->identity);
	if (!attempt)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	attempt->last_ms = now_ms;
	attempt_say(timeline, attempt, what, text, now_ms);
	if (what == TIMELINE_DATAPLANE || what == TIMELINE_SILENT) {
		attempt_judge(attempt, text, false);
		attempt->settled = true;
	}
}

static struct attempt *timeline_registration_of(
	struct timeline *timeline, const struct timeline_registration *about, uint64_t now_ms)
{
	struct attempt *attempt = timeline_attempt_of(timeline, about->number | registration_numbers, about->session,
		about->session + IKE_COOKIE_LEN, &about->remote, now_ms);

	if (!attempt)
		return NULL;
	attempt->registration = true;
	if (about->peer)
		store_assign(timeline, attempt, about->peer, about->identity, TRUST_PROVEN);
	else if (about->identity && !attempt->claimed)
		attempt->claimed = strndup(about->identity, CONFIG_IDENTITY_LEN);
	attempt_place(attempt, &about->local, &about->remote);
	return attempt;
}

void timeline_registration(struct timeline *timeline, const struct timeline_registration *about,
	enum timeline_what what, uint64_t now_ms, const char *text)
{
	struct attempt *attempt = timeline_registration_of(timeline, about, now_ms);

	if (!attempt)
		return;
	attempt_say(timeline, attempt, what, text, now_ms);
	if (what == TIMELINE_REGISTERED)
		attempt->outcome = TIMELINE_ESTABLISHED;
	if (what != TIMELINE_REGISTRATION && what != TIMELINE_UDP)
		attempt_judge(attempt, text, false);
}

void timeline_registration_end(struct timeline *timeline, const struct timeline_registration *about, uint64_t now_ms)
{
	struct attempt *attempt = timeline_registration_of(timeline, about, now_ms);

	if (attempt)
		attempt_end(timeline, attempt);
}

void timeline_each(const struct timeline *timeline, bool (*each)(void *context, const struct timeline_attempt *attempt),
	void *context)
{
	const struct attempt *attempt;

	TAILQ_FOREACH_REVERSE(attempt, &timeline->all, attempt_list, in_all)
	{
		struct timeline_attempt shown = {
			.registration = attempt->registration,
			.ike_sa = attempt->registration ? 0 : attempt->ike_sa,
			.peer = attempt->subject->peer,
			.identity = attempt->subject->peer ? attempt->subject->identity : attempt->claimed,
			.proven = attempt->trust == TRUST_PROVEN,
			.outcome = attempt->outcome,
			.began_ms = attempt->began_ms,
			.last_ms = attempt->last_ms,
			.verdict = attempt->verdict,
			.probes = attempt->probes,
			.places = attempt->places,
			.n_places = attempt->n_places,
			.entries = &attempt->entries,
		};

		memcpy(shown.initiator_cookie, attempt->initiator_cookie, IKE_COOKIE_LEN);
		memcpy(shown.responder_cookie, attempt->responder_cookie, IKE_COOKIE_LEN);
		if (!each(context, &shown))
			return;
	}
}

size_t timeline_count(const struct timeline *timeline)
{
	return timeline->count;
}

const char *timeline_what_name(unsigned what)
{
	static const char *const names[TIMELINE_KINDS] = {
		[IKE_EVENT_STARTED] = "started",
		[IKE_EVENT_ESTABLISHED] = "established",
		[IKE_EVENT_MOVED] = "moved",
		[IKE_EVENT_REFUSED] = "refused",
		[IKE_EVENT_EXPIRED] = "expired",
		[IKE_EVENT_DELETED] = "deleted",
		[IKE_EVENT_INITIAL_CONTACT] = "initial contact",
		[IKE_EVENT_LEGACY] = "legacy",
		[IKE_EVENT_ASSIGNED] = "address assigned",
		[IKE_EVENT_BAD_MESSAGE] = "dropped",
		[IKE_EVENT_UNKNOWN_COOKIES] = "unknown cookies",
		[IKE_EVENT_VENDORS] = "vendor IDs",
		[IKE_EVENT_ENDED] = "ended",
		[TIMELINE_INSTALLED] = "installed",
		[TIMELINE_REMOVED] = "removed",
		[TIMELINE_FOLLOWED] = "followed",
		[TIMELINE_STREAM] = "TCP",
		[TIMELINE_DATAPLANE] = "data plane",
		[TIMELINE_LIFETIME] = "lifetime",
		[TIMELINE_SILENT] = "silent",
		[TIMELINE_REGISTRATION] = "registration",
		[TIMELINE_UDP] = "UDP",
		[TIMELINE_REGISTERED] = "registered",
		[TIMELINE_UNREGISTERED] = "not registered",
	};

	return what < TIMELINE_KINDS && names[what] ? names[what] : "unknown";
}

const char *timeline_outcome_name(enum timeline_outcome outcome)
{
	static const char *const names[] = {
		[TIMELINE_OPEN] = "under way",
		[TIMELINE_ESTABLISHED] = "established",
		[TIMELINE_FAILED] = "failed",
		[TIMELINE_ENDED] = "ended",
	};

	return names[outcome];
}
