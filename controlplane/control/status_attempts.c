/* SPDX-License-Identifier: Apache-2.0 */
#include "status_attempts.h"

#include "clock.h"
#include "control/format.h"
#include "control/server.h"
#include "control/status.h"
#include "control/suggest.h"
#include "ike/names.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	ATTEMPTS_SHOWN = 2000, /* at most, in one reply */
	EXPLAINED = 64,
	COOKIE_DIGITS_MIN = 4,
	COOKIE_TEXT_LEN = 2 * IKE_COOKIE_LEN + 1,
	WORDS_MAX = 4096,
};

static char *cookie_write(const uint8_t *cookie, char text[COOKIE_TEXT_LEN])
{
	for (int i = 0; i < IKE_COOKIE_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", cookie[i]);
	return text;
}

/* The last message of an attempt; false when it has none. */
static bool last_message(const struct timeline_attempt *attempt, struct entry *out)
{
	struct entry entry;
	const char *text;
	bool found = false;

	for (size_t at = 0; at < attempt->entries->len;) {
		at = entries_read(attempt->entries, at, &entry, &text);
		if (entry.flags & ENTRY_MESSAGE) {
			*out = entry;
			found = true;
		}
	}
	return found;
}

/* Where it was last: by its last message, or where it has none by what was said of it. */
static const struct timeline_place *last_place(const struct timeline_attempt *attempt)
{
	struct entry last;

	if (attempt->n_places == 0)
		return NULL;
	if (last_message(attempt, &last) && last.place < attempt->n_places)
		return &attempt->places[last.place];
	return &attempt->places[attempt->n_places - 1];
}

/* What is said of it, or where it stands as long as nothing is. */
static json_t *verdict_of(const struct timeline_attempt *attempt, uint64_t now_ms)
{
	char text[256], age[FORMAT_LEN];
	const char *exchange;
	struct entry last;
	uint64_t waited;

	if (attempt->verdict)
		return status_text(attempt->verdict, STATUS_TEXT_MAX);
	if (attempt->outcome != TIMELINE_OPEN || !last_message(attempt, &last))
		return json_string("");
	exchange = ike_exchange_name(last.what);
	waited = now_ms - attempt->began_ms - last.last_ms;
	snprintf(text, sizeof(text), "waiting for the peer for %s, since %s message %u was %s%s",
		format_age((int64_t)(waited / 1000), age), exchange ? exchange : "a", last.number,
		last.flags & ENTRY_SENT ? "sent" : "received", last.times > 1 ? " again" : "");
	return json_string(text);
}

static json_t *attempt_head(const struct timeline_attempt *attempt, uint64_t now_ms)
{
	const struct timeline_place *place = last_place(attempt);
	char first[COOKIE_TEXT_LEN], second[COOKIE_TEXT_LEN];

	return json_pack("{s:s, s:o, s:o, s:[s, s], s:I, s:s, s:b, s:I, s:I, s:I, s:o, s:o, s:o}", "kind",
		attempt->registration ? "registration" : "ike", "peer",
		status_text(attempt->peer ? attempt->peer->name : "", CONFIG_NAME_LEN), "identity",
		status_text(attempt->identity ? attempt->identity : "", CONFIG_IDENTITY_LEN), "cookies",
		cookie_write(attempt->initiator_cookie, first), cookie_write(attempt->responder_cookie, second),
		"ike_sa", (json_int_t)attempt->ike_sa, "state", timeline_outcome_name(attempt->outcome),
		"authenticated", attempt->proven, "began_at",
		(json_int_t)(clock_unix() - (int64_t)(now_ms - attempt->began_ms) / 1000), "age_ms",
		(json_int_t)(now_ms - attempt->began_ms), "idle_ms", (json_int_t)(now_ms - attempt->last_ms), "local",
		place ? status_endpoint(&place->local) : json_string(""), "remote",
		place ? status_endpoint(&place->remote) : json_string(""), "verdict", verdict_of(attempt, now_ms));
}

static json_t *entry_message(const struct timeline_attempt *attempt, const struct entry *entry)
{
	const struct timeline_place *place = entry->place < attempt->n_places ? &attempt->places[entry->place] : NULL;
	const char *exchange = ike_exchange_name(entry->what), *notify = ike_notify_name(entry->notify);
	char number[16] = "", id[9];

	if (entry->notify && !notify)
		snprintf(number, sizeof(number), "%u", entry->notify);
	snprintf(id, sizeof(id), "%08" PRIx32, entry->message_id);
	return json_pack("{s:b, s:s, s:i, s:i, s:s, s:i, s:b, s:s, s:o, s:o}", "sent", entry->flags & ENTRY_SENT,
		"exchange", exchange ? exchange : "unknown exchange", "exchange_type", (int)entry->what, "number",
		(int)entry->number, "message_id", entry->message_id ? id : "", "length", (int)entry->len, "encrypted",
		entry->flags & ENTRY_ENCRYPTED, "notify", notify ? notify : number, "local",
		place ? status_endpoint(&place->local) : json_string(""), "remote",
		place ? status_endpoint(&place->remote) : json_string(""));
}

static json_t *entry_status(const struct timeline_attempt *attempt, const struct entry *entry, const char *text)
{
	json_t *object = entry->flags & ENTRY_MESSAGE ? entry_message(attempt, entry)
						      : json_pack("{s:s, s:o}", "what", timeline_what_name(entry->what),
								"text", status_text(text, entry->text_len));
	json_t *times = json_pack("{s:I, s:I, s:i}", "at_ms", (json_int_t)entry->at_ms, "until_ms",
		(json_int_t)entry->last_ms, "times", (int)entry->times);

	if (object)
		json_object_update(object, times);
	json_decref(times);
	return object;
}

static json_t *attempt_status(const struct timeline_attempt *attempt, uint64_t now_ms)
{
	const struct timeline_probes *probes = &attempt->probes;
	json_t *object = attempt_head(attempt, now_ms), *list = json_array();
	struct entry entry;
	const char *text;

	for (size_t at = 0; at < attempt->entries->len;) {
		if (at == attempt->entries->head && attempt->entries->left_out)
			json_array_append_new(
				list, json_pack("{s:I}", "left_out", (json_int_t)attempt->entries->left_out));
		at = entries_read(attempt->entries, at, &entry, &text);
		json_array_append_new(list, entry_status(attempt, &entry, text));
	}
	if (!object) {
		json_decref(list);
		return NULL;
	}
	json_object_set_new(object, "entries", list);
	json_object_set_new(object, "probes",
		json_pack("{s:I, s:I, s:I, s:I, s:I}", "received", (json_int_t)probes->received, "answered",
			(json_int_t)probes->answered, "sent", (json_int_t)probes->sent, "heard",
			(json_int_t)probes->heard, "idle_ms",
			probes->last_ms ? (json_int_t)(now_ms - probes->last_ms) : (json_int_t)-1));
	return object;
}

struct walk {
	json_t *list;
	uint64_t now_ms;
	const char *who;
	const struct config_peer *peer;
	size_t left;	    /* attempts that may still be taken */
	size_t strangers;   /* attempts of nobody configured */
	const char **words; /* that may have been meant */
	size_t n_words;
};

static bool take_head(void *context, const struct timeline_attempt *attempt)
{
	struct walk *walk = context;

	json_array_append_new(walk->list, attempt_head(attempt, walk->now_ms));
	return --walk->left > 0;
}

json_t *status_attempts(const struct gateway *gateway)
{
	struct walk walk = {.list = json_array(), .now_ms = clock_now_ms(), .left = ATTEMPTS_SHOWN};

	timeline_each(gateway->timeline, take_head, &walk);
	return json_pack("{s:I, s:I, s:o}", "now", (json_int_t)clock_unix(), "known",
		(json_int_t)timeline_count(gateway->timeline), "attempts", walk.list);
}

/* The beginning of either cookie, or both with a colon between them. */
static bool is_cookie(const struct timeline_attempt *attempt, const char *who)
{
	char both[2 * COOKIE_TEXT_LEN], digits[2 * COOKIE_TEXT_LEN] = "";
	size_t len = strlen(who);

	if (len < COOKIE_DIGITS_MIN || len >= sizeof(digits) || strspn(who, "0123456789abcdefABCDEF:") != len)
		return false;
	for (size_t i = 0; i < len; i++)
		digits[i] = (char)tolower((unsigned char)who[i]);
	cookie_write(attempt->initiator_cookie, both);
	both[COOKIE_TEXT_LEN - 1] = ':';
	cookie_write(attempt->responder_cookie, both + COOKIE_TEXT_LEN);
	return strncmp(both, digits, len) == 0 || strncmp(both + COOKIE_TEXT_LEN, digits, len) == 0;
}

static bool is_place(const struct timeline_attempt *attempt, const char *who)
{
	char text[ENDPOINT_TEXT_LEN];
	struct address address;
	bool bare = address_parse(who, &address) == 0;

	for (unsigned i = 0; i < attempt->n_places; i++)
		if (bare ? address_equal(&attempt->places[i].remote.address, &address)
			 : strcmp(endpoint_format(&attempt->places[i].remote, text), who) == 0)
			return true;
	return false;
}

static bool take_match(void *context, const struct timeline_attempt *attempt)
{
	struct walk *walk = context;

	walk->strangers += !attempt->peer;
	if (walk->n_words < WORDS_MAX && attempt->identity)
		walk->words[walk->n_words++] = attempt->identity;
	if (!(walk->peer && attempt->peer == walk->peer) &&
		!(attempt->identity && strcmp(attempt->identity, walk->who) == 0) && !is_place(attempt, walk->who) &&
		!is_cookie(attempt, walk->who))
		return true;
	json_array_append_new(walk->list, attempt_status(attempt, walk->now_ms));
	return --walk->left > 0;
}

/* Nothing matches: what is known instead. */
static json_t *explain_nothing(const struct gateway *gateway, struct walk *walk)
{
	size_t known = timeline_count(gateway->timeline);
	char age[FORMAT_LEN], heard[192];
	const char *near;

	format_age(clock_unix() - gateway->started_at, age);
	snprintf(heard, sizeof(heard),
		"%zu attempts are remembered since sluiced started %s ago, %zu of them by nobody "
		"who is configured; see sluicectl show attempts",
		known, age, walk->strangers);
	if (walk->peer)
		return server_refusal("peer \"%s\" is configured, with the identity \"%s\", and has never been heard "
				      "of: %s",
			walk->peer->name, walk->peer->identity, heard);
	for (size_t i = 0; i < gateway->config->n_peers && walk->n_words < WORDS_MAX; i++)
		walk->words[walk->n_words++] = gateway->config->peers[i].name;
	walk->words[walk->n_words] = NULL;
	near = suggest(walk->who, walk->words);
	return server_refusal(
		"nothing is known of \"%s\", which is no peer's name, no identity, no address and no cookie "
		"(at least %d digits) of an attempt%s%s%s; %s",
		walk->who, COOKIE_DIGITS_MIN, near ? "; do you mean \"" : "", near ? near : "", near ? "\"?" : "",
		heard);
}

json_t *status_explain(const struct gateway *gateway, const char *who)
{
	struct walk walk = {
		.list = json_array(),
		.now_ms = clock_now_ms(),
		.who = who,
		.peer = peers_find(gateway->peers, who),
		.left = EXPLAINED,
		.words = calloc(WORDS_MAX + 1, sizeof(*walk.words)),
	};
	json_t *reply = NULL;

	if (walk.words && walk.list) {
		timeline_each(gateway->timeline, take_match, &walk);
		reply = json_array_size(walk.list)
				? json_pack("{s:I, s:O}", "now", (json_int_t)clock_unix(), "attempts", walk.list)
				: explain_nothing(gateway, &walk);
	}
	free(walk.words);
	json_decref(walk.list);
	return reply;
}
