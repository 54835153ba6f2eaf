/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline_store.h"

#include <stdlib.h>
#include <string.h>

static uint64_t subject_hash(const struct timeline *timeline, const struct config_peer *peer, const char *identity,
	const struct address *address)
{
	uint8_t key[sizeof(peer) + CONFIG_IDENTITY_LEN];
	size_t len = peer ? strnlen(identity, CONFIG_IDENTITY_LEN - 1) : sizeof(address->bytes);

	memcpy(key, &peer, sizeof(peer));
	memcpy(key + sizeof(peer), peer ? (const void *)identity : (const void *)address->bytes, len);
	return hashmap_hash(&timeline->subjects, key, sizeof(peer) + len);
}

static struct subject *subject_find(
	struct timeline *timeline, const struct config_peer *peer, const char *identity, const struct address *address)
{
	struct hashmap_node *node = hashmap_first(&timeline->subjects, subject_hash(timeline, peer, identity, address));

	for (; node; node = hashmap_next(node)) {
		struct subject *subject = hashmap_owner(node, struct subject, by_key);

		if (subject->peer == peer &&
			(peer ? strcmp(subject->identity, identity) == 0 : address_equal(&subject->address, address)))
			return subject;
	}
	return NULL;
}

static struct subject *subject_get(
	struct timeline *timeline, const struct config_peer *peer, const char *identity, const struct address *address)
{
	struct subject *subject = subject_find(timeline, peer, identity, address);
	size_t len = peer ? strlen(identity) : 0;

	if (subject)
		return subject;
	subject = calloc(1, sizeof(*subject) + len + 1);
	if (!subject)
		return NULL;
	subject->peer = peer;
	if (address)
		subject->address = *address;
	if (peer)
		memcpy(subject->identity, identity, len);
	TAILQ_INIT(&subject->open);
	for (unsigned i = 0; i < TRUSTS; i++)
		TAILQ_INIT(&subject->closed[i]);
	hashmap_add(&timeline->subjects, &subject->by_key, subject_hash(timeline, peer, identity, address));
	return subject;
}

static void subject_put(struct timeline *timeline, struct subject *subject)
{
	if (!TAILQ_EMPTY(&subject->open))
		return;
	for (unsigned i = 0; i < TRUSTS; i++)
		if (subject->n_closed[i] > 0)
			return;
	hashmap_remove(&timeline->subjects, &subject->by_key);
	free(subject);
}

/* Into its subject's list and, where it is over, into that of its trust. */
static void attempt_link(struct timeline *timeline, struct attempt *attempt, struct subject *subject)
{
	attempt->subject = subject;
	if (attempt->open) {
		TAILQ_INSERT_TAIL(&subject->open, attempt, in_subject);
		return;
	}
	TAILQ_INSERT_TAIL(&subject->closed[attempt->trust], attempt, in_subject);
	TAILQ_INSERT_TAIL(&timeline->closed[attempt->trust], attempt, in_closed);
	subject->n_closed[attempt->trust]++;
	timeline->n_closed[attempt->trust]++;
}

/* The subject stays, even when this was its last. */
static struct subject *attempt_unlink(struct timeline *timeline, struct attempt *attempt)
{
	struct subject *subject = attempt->subject;

	if (attempt->open) {
		TAILQ_REMOVE(&subject->open, attempt, in_subject);
		return subject;
	}
	TAILQ_REMOVE(&subject->closed[attempt->trust], attempt, in_subject);
	TAILQ_REMOVE(&timeline->closed[attempt->trust], attempt, in_closed);
	subject->n_closed[attempt->trust]--;
	timeline->n_closed[attempt->trust]--;
	return subject;
}

static void attempt_free(struct timeline *timeline, struct attempt *attempt)
{
	struct subject *subject = attempt_unlink(timeline, attempt);

	subject_put(timeline, subject);
	TAILQ_REMOVE(&timeline->all, attempt, in_all);
	timeline->count--;
	hashmap_remove(&timeline->by_cookie, &attempt->by_cookie);
	if (attempt->ike_sa)
		hashmap_remove(&timeline->by_sa, &attempt->by_sa);
	entries_free(&attempt->entries);
	free(attempt->places);
	free(attempt->verdict);
	free(attempt->claimed);
	free(attempt);
}

/* What is kept of all: half for those who were authenticated, a quarter for each of the others. */
static size_t trust_share(const struct timeline *timeline, enum trust trust)
{
	return timeline->limits->attempts / (trust == TRUST_PROVEN ? 2 : 4);
}

/* The oldest of the same subject goes, then the oldest of the same trust; never `attempt`. */
static void store_limit(struct timeline *timeline, struct attempt *attempt)
{
	enum trust trust = attempt->trust;
	struct subject *subject = attempt->subject;
	unsigned quota = trust == TRUST_STRANGER ? timeline->limits->per_source : timeline->limits->per_peer;
	struct attempt *oldest = TAILQ_FIRST(&subject->closed[trust]);

	if (attempt->open)
		return;
	if (subject->n_closed[trust] > quota && oldest != attempt)
		attempt_free(timeline, oldest);
	oldest = TAILQ_FIRST(&timeline->closed[trust]);
	if (timeline->n_closed[trust] > trust_share(timeline, trust) && oldest != attempt)
		attempt_free(timeline, oldest);
}

static bool cookie_is_zero(const uint8_t *cookie)
{
	static const uint8_t zero[IKE_COOKIE_LEN];

	return memcmp(cookie, zero, IKE_COOKIE_LEN) == 0;
}

static struct attempt *find_by_sa(struct timeline *timeline, uint64_t ike_sa)
{
	struct hashmap_node *node =
		hashmap_first(&timeline->by_sa, hashmap_hash(&timeline->by_sa, &ike_sa, sizeof(ike_sa)));

	for (; node; node = hashmap_next(node))
		if (hashmap_owner(node, struct attempt, by_sa)->ike_sa == ike_sa)
			return hashmap_owner(node, struct attempt, by_sa);
	return NULL;
}

struct attempt *store_find(struct timeline *timeline, uint64_t ike_sa, const uint8_t *initiator_cookie,
	const uint8_t *responder_cookie, const struct endpoint *remote)
{
	struct attempt *found = ike_sa ? find_by_sa(timeline, ike_sa) : NULL, *begun = NULL;
	struct hashmap_node *node;

	if (found)
		return found;
	node = hashmap_first(
		&timeline->by_cookie, hashmap_hash(&timeline->by_cookie, initiator_cookie, IKE_COOKIE_LEN));
	for (; node; node = hashmap_next(node)) {
		struct attempt *attempt = hashmap_owner(node, struct attempt, by_cookie);

		if (memcmp(attempt->initiator_cookie, initiator_cookie, IKE_COOKIE_LEN) != 0 ||
			(ike_sa && attempt->ike_sa))
			continue;
		if (!ike_sa && !cookie_is_zero(responder_cookie) &&
			memcmp(attempt->responder_cookie, responder_cookie, IKE_COOKIE_LEN) == 0)
			return attempt;
		if (!attempt->ike_sa && !begun && endpoint_equal(&attempt->first, remote))
			begun = attempt;
	}
	return begun;
}

struct attempt *store_newest(struct timeline *timeline, const struct config_peer *peer, const char *identity)
{
	struct subject *subject = subject_find(timeline, peer, identity, NULL);
	struct attempt *attempt;

	if (!subject)
		return NULL;
	TAILQ_FOREACH_REVERSE(attempt, &subject->open, attempt_list, in_subject)
	if (attempt->trust == TRUST_PROVEN && !attempt->registration)
		return attempt;
	return TAILQ_LAST(&subject->closed[TRUST_PROVEN], attempt_list);
}

struct attempt *store_add(
	struct timeline *timeline, const uint8_t *initiator_cookie, const struct endpoint *remote, uint64_t now_ms)
{
	struct subject *subject = subject_get(timeline, NULL, NULL, &remote->address);
	struct attempt *attempt = subject ? calloc(1, sizeof(*attempt)) : NULL;

	if (!attempt) {
		if (subject)
			subject_put(timeline, subject);
		return NULL;
	}
	memcpy(attempt->initiator_cookie, initiator_cookie, IKE_COOKIE_LEN);
	attempt->first = *remote;
	attempt->began_ms = attempt->last_ms = now_ms;
	hashmap_add(&timeline->by_cookie, &attempt->by_cookie,
		hashmap_hash(&timeline->by_cookie, initiator_cookie, IKE_COOKIE_LEN));
	TAILQ_INSERT_TAIL(&timeline->all, attempt, in_all);
	timeline->count++;
	attempt_link(timeline, attempt, subject);
	store_limit(timeline, attempt);
	return attempt;
}

void store_open(struct timeline *timeline, struct attempt *attempt, uint64_t ike_sa)
{
	struct subject *subject = attempt_unlink(timeline, attempt);

	attempt->open = true;
	attempt->ike_sa = ike_sa;
	hashmap_add(&timeline->by_sa, &attempt->by_sa, hashmap_hash(&timeline->by_sa, &ike_sa, sizeof(ike_sa)));
	attempt_link(timeline, attempt, subject);
}

void store_close(struct timeline *timeline, struct attempt *attempt)
{
	struct subject *subject;

	if (!attempt->open)
		return;
	subject = attempt_unlink(timeline, attempt);
	attempt->open = false;
	entries_trim(&attempt->entries);
	attempt_link(timeline, attempt, subject);
	store_limit(timeline, attempt);
}

void store_assign(struct timeline *timeline, struct attempt *attempt, const struct config_peer *peer,
	const char *identity, enum trust trust)
{
	struct subject *subject = subject_get(timeline, peer, identity, NULL), *before;

	if (!subject || trust < attempt->trust || (subject == attempt->subject && trust == attempt->trust)) {
		if (subject)
			subject_put(timeline, subject);
		return;
	}
	before = attempt_unlink(timeline, attempt);
	attempt->trust = trust;
	attempt_link(timeline, attempt, subject);
	if (before != subject)
		subject_put(timeline, before);
	store_limit(timeline, attempt);
}

void store_free_all(struct timeline *timeline)
{
	while (!TAILQ_EMPTY(&timeline->all))
		attempt_free(timeline, TAILQ_FIRST(&timeline->all));
}
