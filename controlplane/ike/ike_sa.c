/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/ike_sa.h"

#include "ike/notify.h"
#include "ike/quick.h"
#include "ike/report.h"
#include "ike/xauth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

enum { IKE_SA_DEADLINES = 4 };

static const uint8_t no_cookie[IKE_COOKIE_LEN];

static uint64_t ike_sa_source_hash(const struct ike *ike, const struct endpoint *remote)
{
	uint8_t key[sizeof(remote->address.bytes) + 2];

	memcpy(key, remote->address.bytes, sizeof(remote->address.bytes));
	bytes_put16(key + sizeof(remote->address.bytes), remote->port);
	return hashmap_hash(&ike->by_source, key, sizeof(key));
}

/* Per address AND port: behind a carrier's NAT there are many peers on one address. */
bool ike_sa_admits(const struct ike *ike, const struct endpoint *remote)
{
	struct hashmap_node *node = hashmap_first(&ike->by_source, ike_sa_source_hash(ike, remote));
	uint32_t same = 0;

	if (ike->half_open >= ike->config->ike.half_open_max)
		return false;
	for (; node; node = hashmap_next(node))
		same += endpoint_equal(&hashmap_owner(node, struct ike_sa, by_source)->remote, remote);
	return same < ike->config->ike.half_open_per_source;
}

/* A cookie that is not zero and not in use beside this initiator cookie. */
static int ike_sa_draw_cookie(struct ike *ike, uint8_t *cookie)
{
	do {
		int rc = engine_random(ike, cookie, IKE_COOKIE_LEN);

		if (rc < 0)
			return rc;
	} while (memcmp(cookie, no_cookie, IKE_COOKIE_LEN) == 0);
	return 0;
}

int ike_sa_claim(struct ike_sa *sa, const struct config_peer *peer)
{
	sa->party = engine_party(sa->ike, peer, peer->identity, true);
	if (!sa->party)
		return -ENOMEM;
	sa->peer = peer;
	TAILQ_INSERT_TAIL(&sa->party->sas, sa, in_party);
	return 0;
}

struct ike_sa *ike_sa_new(struct ike *ike, const struct config_peer *peer, const uint8_t *initiator_cookie,
	const struct endpoint *local, const struct endpoint *remote, bool floated)
{
	struct ike_sa *sa = calloc(1, sizeof(*sa));
	int rc = -ENOMEM;

	if (!sa)
		goto fail;
	sa->handshake = calloc(1, sizeof(*sa->handshake));
	if (!sa->handshake)
		goto fail_sa;
	sa->initiator = !initiator_cookie;
	sa->messages = !sa->initiator;
	if (initiator_cookie)
		memcpy(sa->initiator_cookie, initiator_cookie, IKE_COOKIE_LEN);
	rc = ike_sa_draw_cookie(ike, sa->initiator ? sa->initiator_cookie : sa->responder_cookie);
	if (rc < 0)
		goto fail_handshake;
	rc = deadline_enroll(&ike->deadlines, IKE_SA_DEADLINES);
	if (rc < 0)
		goto fail_handshake;
	sa->ike = ike;
	rc = peer ? ike_sa_claim(sa, peer) : 0;
	if (rc < 0)
		goto fail_deadlines;
	sa->id = ++ike->next_id;
	sa->local = *local;
	sa->remote = *remote;
	sa->floated = floated;
	sa->created_ms = engine_now(ike);
	TAILQ_INIT(&sa->quicks);
	TAILQ_INIT(&sa->transactions);
	TAILQ_INSERT_TAIL(&ike->sas, sa, in_all);
	hashmap_add(
		&ike->by_cookie, &sa->by_cookie, hashmap_hash(&ike->by_cookie, sa->initiator_cookie, IKE_COOKIE_LEN));
	sa->half_open = !sa->initiator;
	if (sa->half_open) {
		hashmap_add(&ike->by_source, &sa->by_source, ike_sa_source_hash(ike, remote));
		ike->half_open++;
	}
	return sa;
fail_deadlines:
	deadline_retire(&ike->deadlines, IKE_SA_DEADLINES);
fail_handshake:
	free(sa->handshake);
fail_sa:
	free(sa);
fail:
	errno = -rc;
	return NULL;
}

struct ike_sa *ike_sa_find(const struct ike *ike, const struct isakmp_hdr *hdr)
{
	struct hashmap_node *node =
		hashmap_first(&ike->by_cookie, hashmap_hash(&ike->by_cookie, hdr->initiator_cookie, IKE_COOKIE_LEN));

	for (; node; node = hashmap_next(node)) {
		struct ike_sa *sa = hashmap_owner(node, struct ike_sa, by_cookie);

		if (memcmp(sa->initiator_cookie, hdr->initiator_cookie, IKE_COOKIE_LEN) != 0)
			continue;
		/* The responder's cookie is not known before message 2. */
		if (memcmp(sa->responder_cookie, hdr->responder_cookie, IKE_COOKIE_LEN) == 0 ||
			sa->state == V1_AGGRESSIVE_SENT_1 || sa->state == V1_MAIN_SENT_1)
			return sa;
	}
	return NULL;
}

struct ike_sa *ike_sa_find_number(const struct ike *ike, const uint8_t *initiator_cookie, uint64_t id)
{
	struct hashmap_node *node =
		hashmap_first(&ike->by_cookie, hashmap_hash(&ike->by_cookie, initiator_cookie, IKE_COOKIE_LEN));

	for (; node; node = hashmap_next(node))
		if (hashmap_owner(node, struct ike_sa, by_cookie)->id == id)
			return hashmap_owner(node, struct ike_sa, by_cookie);
	return NULL;
}

struct ike_sa *ike_sa_find_begun(const struct ike *ike, const struct isakmp_hdr *hdr, const uint8_t *digest)
{
	struct hashmap_node *node =
		hashmap_first(&ike->by_cookie, hashmap_hash(&ike->by_cookie, hdr->initiator_cookie, IKE_COOKIE_LEN));

	for (; node; node = hashmap_next(node)) {
		struct ike_sa *sa = hashmap_owner(node, struct ike_sa, by_cookie);

		if (!sa->initiator && memcmp(sa->seen[0], digest, ENGINE_DIGEST_LEN) == 0)
			return sa;
	}
	return NULL;
}

static void ike_sa_close_half(struct ike_sa *sa)
{
	if (!sa->half_open)
		return;
	hashmap_remove(&sa->ike->by_source, &sa->by_source);
	sa->ike->half_open--;
	sa->half_open = false;
}

/*
 * A client may begin several exchanges side by side and answer only one of them. Those that it leaves are known by its
 * identity and the endpoint of their first messages: beside the one that is through nobody waits for
 * them. One that was begun after it may be answered yet.
 */
static void ike_sa_end_losers(struct ike_sa *sa)
{
	struct hashmap_node *node = hashmap_first(&sa->ike->by_source, sa->by_source.hash), *next;

	for (; node; node = next) {
		struct ike_sa *other = hashmap_owner(node, struct ike_sa, by_source);

		next = hashmap_next(node);
		if (other->id >= sa->id || other->peer != sa->peer)
			continue;
		report_sa(other, IKE_EVENT_DELETED, "another exchange that the peer began beside it is through");
		ike_sa_end(other);
	}
}

void ike_sa_establish(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;
	struct ike_sa *other, *oldest = NULL;
	size_t established = 0;

	if (xauth_is_due(sa))
		return;
	if (sa->half_open)
		ike_sa_end_losers(sa);
	ike_sa_close_half(sa);
	sa->heard_ms = engine_now(ike);
	sa->expires_ms = sa->heard_ms + (uint64_t)sa->lifetime * 1000;
	TAILQ_FOREACH(other, &sa->party->sas, in_party) {
		if (other == sa || other->state != V1_ESTABLISHED)
			continue;
		oldest = oldest ? oldest : other;
		established++;
	}
	if (established >= ENGINE_SAS_PER_PEER) {
		notify_delete_sa(oldest);
		report_sa(
			oldest, IKE_EVENT_DELETED, "the peer has more than %d newer IKE SAs", ENGINE_SAS_PER_PEER - 1);
		ike_sa_end(oldest);
	}
	engine_count(ike, IKE_COUNT_ESTABLISHED);
}

int ike_sa_join(struct ike_sa *sa, const char *identity)
{
	struct party *party = engine_party(sa->ike, sa->peer, identity, true);

	if (!party)
		return -ENOMEM;
	if (party == sa->party)
		return 0;
	TAILQ_REMOVE(&sa->party->sas, sa, in_party);
	engine_put_party(sa->ike, sa->party);
	sa->party = party;
	TAILQ_INSERT_TAIL(&party->sas, sa, in_party);
	return 0;
}

static void ike_sa_wipe_registered(struct handshake *handshake)
{
	if (!handshake->registered)
		return;
	OPENSSL_cleanse(handshake->registered, sizeof(*handshake->registered));
	free(handshake->registered);
	handshake->registered = NULL;
}

int ike_sa_take_registration(struct ike_sa *sa)
{
	const struct ike_registered *registered = sa->handshake->registered;
	size_t size = sizeof(registered->networks);
	struct prefix *networks;
	int rc;

	if (!registered)
		return 0;
	networks = malloc(size);
	rc = networks ? sa->ike->host.registered_take(sa->ike->host.context, registered->number, sa->id) : -ENOMEM;
	if (rc < 0) {
		free(networks);
		return rc;
	}
	memcpy(networks, registered->networks, size);
	free(sa->party->networks);
	sa->party->networks = networks;
	sa->party->n_networks = registered->n_networks;
	sa->party->address = registered->address;
	ike_sa_wipe_registered(sa->handshake);
	return 0;
}

struct ike_sa *ike_sa_newest(const struct party *party)
{
	struct ike_sa *sa;

	TAILQ_FOREACH_REVERSE(sa, &party->sas, ike_sa_list, in_party)
	if (sa->state == V1_ESTABLISHED)
		return sa;
	return NULL;
}

bool ike_sa_begins_floated(const struct ike *ike, const struct endpoint *local)
{
	return local->transport == ENDPOINT_TCP || config_is_nat_port(&ike->config->ike, local->port);
}

void ike_sa_move(struct ike_sa *sa, const struct endpoint *local, const struct endpoint *remote, bool floated)
{
	struct ike *ike = sa->ike;
	struct endpoint before = sa->remote;
	char from[ENDPOINT_TEXT_LEN], to[ENDPOINT_TEXT_LEN];

	sa->heard_ms = engine_now(ike);
	if (endpoint_equal(&sa->local, local) && endpoint_equal(&sa->remote, remote))
		return;
	/* Once on the NAT port, always there: the data needs it (RFC 3947 section 4). */
	if (sa->floated && !floated)
		return;
	sa->local = *local;
	sa->remote = *remote;
	sa->floated = floated;
	report_sa(sa, IKE_EVENT_MOVED, "an authentic message came from %s, those before from %s",
		endpoint_format(remote, to), endpoint_format(&before, from));
	ike->host.peer_moved(ike->host.context, sa->peer, ike_sa_identity(sa), sa->id, local, remote);
}

int ike_sa_keep_sent(struct ike_sa *sa, const uint8_t *message, size_t message_len)
{
	uint8_t *copy = malloc(message_len);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, message, message_len);
	free(sa->handshake->sent);
	sa->handshake->sent = copy;
	sa->handshake->sent_len = message_len;
	return 0;
}

void ike_sa_hint(struct ike_sa *sa, const char *why)
{
	if (!sa->handshake)
		return;
	free(sa->handshake->hint);
	sa->handshake->hint = strdup(why); /* without memory there is no hint */
}

void ike_sa_end_handshake(struct ike_sa *sa)
{
	struct handshake *handshake = sa->handshake;

	if (!handshake)
		return;
	dh_free(handshake->dh);
	free(handshake->sent);
	free(handshake->held);
	free(handshake->hint);
	ike_sa_wipe_registered(handshake);
	if (handshake->transcript)
		OPENSSL_cleanse(handshake->transcript, sizeof(*handshake->transcript));
	free(handshake->transcript);
	OPENSSL_cleanse(handshake, sizeof(*handshake));
	free(handshake);
	sa->handshake = NULL;
}

uint32_t ike_sa_new_id(struct ike_sa *sa)
{
	uint32_t id;

	do {
		if (engine_random(sa->ike, &id, sizeof(id)) < 0)
			return 0;
	} while (id == 0 || ike_sa_knows_id(sa, id));
	ike_sa_note_id(sa, id);
	return id;
}

bool ike_sa_knows_id(const struct ike_sa *sa, uint32_t message_id)
{
	for (size_t i = 0; i < IKE_SA_IDS_REMEMBERED; i++)
		if (sa->ids[i] == message_id)
			return true;
	return false;
}

void ike_sa_note_id(struct ike_sa *sa, uint32_t message_id)
{
	sa->ids[sa->ids_next++ % IKE_SA_IDS_REMEMBERED] = message_id;
}

void ike_sa_end(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;

	if (sa->ended)
		return;
	sa->ended = true;
	report_sa(sa, IKE_EVENT_ENDED, "%s", "");
	while (!TAILQ_EMPTY(&sa->quicks))
		quick_end(TAILQ_FIRST(&sa->quicks));
	while (!TAILQ_EMPTY(&sa->transactions))
		transaction_end(TAILQ_FIRST(&sa->transactions));
	ike_sa_close_half(sa);
	deadline_cancel(&ike->deadlines, &sa->due);
	deadline_cancel(&ike->deadlines, &sa->linger);
	deadline_cancel(&ike->deadlines, &sa->keepalive);
	deadline_cancel(&ike->deadlines, &sa->renew);
	deadline_retire(&ike->deadlines, IKE_SA_DEADLINES);
	hashmap_remove(&ike->by_cookie, &sa->by_cookie);
	if (sa->party) {
		TAILQ_REMOVE(&sa->party->sas, sa, in_party);
		engine_put_party(ike, sa->party);
		sa->party = NULL;
	}
	TAILQ_REMOVE(&ike->sas, sa, in_all);
	TAILQ_INSERT_TAIL(&ike->ended, sa, in_all);
	ike_sa_end_handshake(sa);
	keymat_wipe(&sa->keys);
}

void ike_sa_free(struct ike_sa *sa)
{
	free(sa->assignment);
	OPENSSL_cleanse(sa, sizeof(*sa));
	free(sa);
}
