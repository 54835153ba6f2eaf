/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the timeline only: the attempts, how they are found, and which of them go when there are too many. Whom an
 * attempt is about is its subject: an address as long as no peer is known, then the peer and the identity.
 */
#pragma once

#include "hashmap.h"
#include "timeline.h"

#include <sys/queue.h>

/* How much is known of who it was. Each has a share of its own of the attempts that are kept. */
enum trust { TRUST_STRANGER, TRUST_CLAIMED, TRUST_PROVEN, TRUSTS };

TAILQ_HEAD(attempt_list, attempt);

struct subject {
	struct hashmap_node by_key;
	const struct config_peer *peer; /* NULL: it is the address */
	struct address address;
	struct attempt_list open;	    /* newest last */
	struct attempt_list closed[TRUSTS]; /* newest last */
	unsigned n_closed[TRUSTS];
	char identity[]; /* of a peer */
};

struct attempt {
	struct hashmap_node by_sa, by_cookie;
	TAILQ_ENTRY(attempt) in_all, in_subject, in_closed;
	struct subject *subject;
	enum trust trust;
	enum timeline_outcome outcome;
	bool registration;
	bool open; /* its IKE SA lives, or what was registered */
	uint64_t ike_sa, began_ms, last_ms;
	uint8_t initiator_cookie[IKE_COOKIE_LEN], responder_cookie[IKE_COOKIE_LEN];
	struct endpoint first; /* where it began */
	char *claimed;	       /* the identity that a stranger named; NULL */
	char *verdict;	       /* NULL: none */
	bool provisional;      /* the verdict may be mended by what comes */
	bool settled;	       /* it stands when the IKE SA ends */
	struct timeline_probes probes;
	struct timeline_place *places;
	uint8_t n_places;
	struct entries entries;
};

struct timeline {
	const struct config_timeline *limits;
	struct hashmap by_sa, by_cookie, subjects;
	struct attempt_list all;	    /* newest last */
	struct attempt_list closed[TRUSTS]; /* oldest first */
	size_t n_closed[TRUSTS], count;
};

/* By the IKE SA, then by both cookies, then by the first cookie and the address where no IKE SA was made; NULL. */
struct attempt *store_find(struct timeline *timeline, uint64_t ike_sa, const uint8_t *initiator_cookie,
	const uint8_t *responder_cookie, const struct endpoint *remote);

/* The newest authenticated attempt of a subject, one that lives rather than one that is over; NULL. */
struct attempt *store_newest(struct timeline *timeline, const struct config_peer *peer, const char *identity);

/* A new one, of a stranger and not open; NULL for want of memory. */
struct attempt *store_add(
	struct timeline *timeline, const uint8_t *initiator_cookie, const struct endpoint *remote, uint64_t now_ms);

/* An IKE SA was made of it. */
void store_open(struct timeline *timeline, struct attempt *attempt, uint64_t ike_sa);

/* Its IKE SA is gone. May evict an older one, never this. */
void store_close(struct timeline *timeline, struct attempt *attempt);

/* It is this peer's, with more or the same trust. Stays as it is for want of memory. */
void store_assign(struct timeline *timeline, struct attempt *attempt, const struct config_peer *peer,
	const char *identity, enum trust trust);

void store_free_all(struct timeline *timeline);
