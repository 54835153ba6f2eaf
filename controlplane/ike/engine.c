/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/engine.h"

#include "ike/child_sa.h"
#include "ike/compute.h"
#include "ike/ike_sa.h"
#include "ike/quick.h"
#include "ike/report.h"
#include "ike/transaction.h"
#include "ike/trace.h"
#include "ike/v1.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

int engine_random(struct ike *ike, void *out, size_t len)
{
	return ike->host.random(ike->host.context, out, len);
}

static void engine_hand_out(struct ike *ike, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len)
{
	if (!fragment_send(ike, local, remote, message, message_len))
		ike->host.send(ike->host.context, local, remote, message, message_len);
}

void engine_send(struct ike *ike, const struct endpoint *local, const struct endpoint *remote, const uint8_t *message,
	size_t message_len)
{
	trace_sent(ike, local, remote, message, message_len, false, 0);
	engine_hand_out(ike, local, remote, message, message_len);
}

void engine_send_again(struct ike *ike, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len)
{
	trace_sent(ike, local, remote, message, message_len, true, 0);
	engine_hand_out(ike, local, remote, message, message_len);
}

void engine_send_notice(struct ike *ike, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len, uint16_t type)
{
	trace_sent(ike, local, remote, message, message_len, false, type);
	engine_hand_out(ike, local, remote, message, message_len);
}

/* Tables and the index of identities; where a name stands twice the first one is found. */
static int engine_make_tables(struct ike *ike)
{
	const struct config *config = ike->config;
	struct hashmap *maps[] = {
		&ike->by_identity, &ike->by_address, &ike->parties, &ike->by_cookie, &ike->by_source, &ike->by_spi};
	uint64_t seed;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		int rc = engine_random(ike, &seed, sizeof(seed));

		if (rc == 0)
			rc = hashmap_init(maps[i], seed);
		if (rc < 0)
			return rc;
	}
	ike->identities = calloc(config->n_peers ? config->n_peers : 1, sizeof(*ike->identities));
	if (!ike->identities)
		return -ENOMEM;
	for (size_t i = config->n_peers; i-- > 0;) {
		const struct config_peer *peer = &config->peers[i];

		ike->identities[i].peer = peer;
		if (peer->registration)
			continue; /* it is for all who register, and nobody itself */
		hashmap_add(&ike->by_identity, &ike->identities[i].by_name,
			hashmap_hash(&ike->by_identity, peer->identity, strlen(peer->identity)));
	}
	candidates_index(ike);
	return 0;
}

struct ike *ike_new(const struct config *config, const struct ike_host *host)
{
	struct ike *ike = calloc(1, sizeof(*ike));
	int rc;

	if (!ike)
		return NULL;
	ike->config = config;
	ike->host = *host;
	credentials_hold(host->credentials);
	TAILQ_INIT(&ike->sas);
	TAILQ_INIT(&ike->ended);
	TAILQ_INIT(&ike->ended_quicks);
	TAILQ_INIT(&ike->ended_transactions);
	TAILQ_INIT(&ike->ended_children);
	TAILQ_INIT(&ike->jobs);
	rc = engine_make_tables(ike);
	if (rc == 0)
		rc = fragments_open(ike);
	if (rc == 0)
		rc = compute_open(ike);
	if (rc < 0) {
		ike_free(ike);
		errno = -rc;
		return NULL;
	}
	return ike;
}

void ike_use_credentials(struct ike *ike, const struct credentials *credentials)
{
	const struct credentials *former = ike->host.credentials;

	ike->host.credentials = credentials_hold(credentials);
	credentials_free(former);
}

/* The child SAs of a party go without a word to the host: what it has installed stays installed. */
static void engine_forget_children(struct party *party)
{
	while (!TAILQ_EMPTY(&party->children)) {
		bool last = TAILQ_FIRST(&party->children) == TAILQ_LAST(&party->children, child_sa_list);

		child_sa_end(TAILQ_FIRST(&party->children), false);
		if (last)
			return; /* the party may have gone with it */
	}
}

void ike_free(struct ike *ike)
{
	if (!ike)
		return;
	while (!TAILQ_EMPTY(&ike->sas))
		ike_sa_end(TAILQ_FIRST(&ike->sas));
	for (size_t i = 0; ike->parties.buckets && i <= ike->parties.mask; i++)
		while (ike->parties.buckets[i])
			engine_forget_children(hashmap_owner(ike->parties.buckets[i], struct party, by_key));
	engine_sweep(ike);
	hashmap_free(&ike->by_identity);
	hashmap_free(&ike->by_address);
	hashmap_free(&ike->parties);
	hashmap_free(&ike->by_cookie);
	hashmap_free(&ike->by_source);
	hashmap_free(&ike->by_spi);
	fragments_close(ike);
	compute_close(ike);
	deadline_free(&ike->deadlines);
	credentials_free(ike->host.credentials);
	free(ike->identities);
	OPENSSL_cleanse(ike->plain, sizeof(ike->plain));
	free(ike);
}

const struct config_peer *engine_find_peer(const struct ike *ike, const char *identity)
{
	struct hashmap_node *node =
		hashmap_first(&ike->by_identity, hashmap_hash(&ike->by_identity, identity, strlen(identity)));

	for (; node; node = hashmap_next(node)) {
		const struct config_peer *peer = hashmap_owner(node, struct engine_identity, by_name)->peer;

		if (strcmp(peer->identity, identity) == 0)
			return peer;
	}
	return NULL;
}

static uint64_t engine_party_hash(const struct ike *ike, const struct config_peer *peer, const char *identity)
{
	return hashmap_hash(&ike->parties, &peer, sizeof(peer)) ^
	       hashmap_hash(&ike->parties, identity, strlen(identity));
}

struct party *engine_party_find(const struct ike *ike, const struct config_peer *peer, const char *identity)
{
	struct hashmap_node *node = hashmap_first(&ike->parties, engine_party_hash(ike, peer, identity));

	for (; node; node = hashmap_next(node)) {
		struct party *party = hashmap_owner(node, struct party, by_key);

		if (party->peer == peer && strcmp(party->identity, identity) == 0)
			return party;
	}
	return NULL;
}

struct party *engine_party(struct ike *ike, const struct config_peer *peer, const char *identity, bool make)
{
	struct party *party = engine_party_find(ike, peer, identity);

	if (party || !make)
		return party;
	party = calloc(1, sizeof(*party));
	if (!party)
		return NULL;
	party->peer = peer;
	snprintf(party->identity, sizeof(party->identity), "%s", identity);
	TAILQ_INIT(&party->sas);
	TAILQ_INIT(&party->children);
	hashmap_add(&ike->parties, &party->by_key, engine_party_hash(ike, peer, identity));
	return party;
}

void engine_put_party(struct ike *ike, struct party *party)
{
	if (!TAILQ_EMPTY(&party->sas) || !TAILQ_EMPTY(&party->children))
		return;
	hashmap_remove(&ike->parties, &party->by_key);
	free(party->networks);
	free(party);
}

void engine_sweep(struct ike *ike)
{
	struct transaction *transaction;
	struct child_sa *child;
	struct quick *quick;
	struct ike_sa *sa;

	while ((child = TAILQ_FIRST(&ike->ended_children))) {
		TAILQ_REMOVE(&ike->ended_children, child, in_party);
		free(child);
	}
	while ((quick = TAILQ_FIRST(&ike->ended_quicks))) {
		TAILQ_REMOVE(&ike->ended_quicks, quick, in_sa);
		quick_free(quick);
	}
	while ((transaction = TAILQ_FIRST(&ike->ended_transactions))) {
		TAILQ_REMOVE(&ike->ended_transactions, transaction, in_sa);
		transaction_free(transaction);
	}
	while ((sa = TAILQ_FIRST(&ike->ended))) {
		TAILQ_REMOVE(&ike->ended, sa, in_all);
		ike_sa_free(sa);
	}
}

void ike_input(struct ike *ike, const struct endpoint *local, const struct endpoint *remote, bool floated,
	const uint8_t *datagram, size_t datagram_len)
{
	static const uint8_t no_cookie[IKE_COOKIE_LEN];
	struct v1_message message = {
		.ike = ike,
		.local = *local,
		.remote = *remote,
		.floated = floated,
		.datagram = bytes_of(datagram, datagram_len),
	};
	const char *why = "the initiator cookie is zero";

	if (datagram_len == 1 && datagram[0] == 0xff)
		return; /* a NAT keepalive, RFC 3948 section 4 */
	engine_count(ike, IKE_COUNT_DATAGRAMS);
	message.hdr = datagram_len > sizeof(ike->plain) ? NULL : payload_header(message.datagram, &why);
	if (!message.hdr || memcmp(message.hdr->initiator_cookie, no_cookie, IKE_COOKIE_LEN) == 0) {
		engine_count(ike, IKE_COUNT_MALFORMED);
		report_message(&message, IKE_EVENT_BAD_MESSAGE, NULL, NULL, "%s", why);
	} else if (message.hdr->version != ISAKMP_VERSION_1) {
		engine_count(ike, IKE_COUNT_UNSUPPORTED);
		report_message(&message, IKE_EVENT_BAD_MESSAGE, NULL, NULL,
			"IKE version %u.%u was offered; 1.0 is the one that is supported", message.hdr->version >> 4,
			message.hdr->version & 15u);
	} else if (message.hdr->next_payload == ISAKMP_FRAGMENT) {
		fragment_input(&message);
	} else {
		v1_input(&message);
	}
	engine_sweep(ike);
}

uint64_t ike_run_timers(struct ike *ike)
{
	uint64_t now = engine_now(ike), next;
	struct deadline *due;

	while ((due = deadline_take(&ike->deadlines, now)))
		due->fire(ike, due);
	engine_sweep(ike);
	next = deadline_next(&ike->deadlines);
	return next == UINT64_MAX ? UINT64_MAX : next - now;
}
