/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the engine share and nobody else sees: the engine itself, and one party for each authenticated peer
 * that has an IKE SA or a child SA. The engine owns all of it. Nothing is freed while a datagram or a deadline is being
 * worked on: what ends is unlinked at once, so that it can't be found, and freed when the call is over.
 */
#pragma once

#include "hashmap.h"
#include "ike/candidates.h"
#include "ike/deadline.h"
#include "ike/fragment.h"
#include "ike/ike.h"

#include <sys/queue.h>

enum {
	ENGINE_MESSAGE_MAX = 16384, /* the longest that we send: certificates are long */
	ENGINE_HELD_MAX = 2048,	    /* the longest early message that is held */
	ENGINE_DIGEST_LEN = 32,	    /* by which a repeated message is known */
	ENGINE_SAS_PER_PEER = 8,    /* established ones; the oldest goes */
	ENGINE_QUICKS_PER_SA = 16,  /* exchanges that run or are remembered */
	ENGINE_REPEATS = 8,	    /* of one message of phase 1 that the peer asks for again */
};

TAILQ_HEAD(ike_sa_list, ike_sa);
TAILQ_HEAD(child_sa_list, child_sa);
TAILQ_HEAD(quick_list, quick);
TAILQ_HEAD(transaction_list, transaction);
TAILQ_HEAD(ike_job_list, ike_job);

/*
 * Somebody who has something with us: an entry of the configuration and the identity that it authenticated as. Where an
 * entry serves many, each identity is a party; an SA whose user is not authenticated yet is with the entry's own.
 */
struct party {
	struct hashmap_node by_key;
	const struct config_peer *peer;
	char identity[CONFIG_IDENTITY_LEN];
	struct address address;	       /* virtual, given by mode-config or registration; of no family: none yet */
	struct prefix *networks;       /* by registration, what its side may be; NULL: as configured */
	size_t n_networks;
	struct ike_sa_list sas;	       /* newest last */
	struct child_sa_list children; /* newest last */
	size_t n_children;
};

/* One configured peer in the tables of identities and addresses. */
struct engine_identity {
	struct hashmap_node by_name, by_address;
	const struct config_peer *peer;
};

struct ike {
	const struct config *config;
	struct ike_host host;
	uint64_t next_id; /* of IKE SAs and child SAs alike */
	uint64_t counters[IKE_COUNTER_COUNT];
	struct engine_identity *identities;
	struct hashmap by_identity, by_address; /* configured peers */
	struct candidates roaming;		/* those without an address */
	struct hashmap parties;
	struct hashmap by_cookie; /* IKE SAs by initiator cookie */
	struct hashmap by_source; /* half-open IKE SAs by the endpoint that message 1 came from */
	struct hashmap by_spi;	  /* child SAs by inbound SPI */
	size_t half_open;
	struct ike_sa_list sas; /* newest last */
	struct ike_sa_list ended;
	struct quick_list ended_quicks;
	struct transaction_list ended_transactions;
	struct child_sa_list ended_children;
	struct deadline_heap deadlines;
	struct fragments fragments;
	struct ike_job_list jobs;  /* with the host */
	struct hashmap by_message; /* of these, by the message that waits */
	uint8_t plain[IKE_DATAGRAM_MAX]; /* the message at hand, decrypted */
	uint8_t out[ENGINE_MESSAGE_MAX]; /* the message being written */
};

static inline uint64_t engine_now(const struct ike *ike)
{
	return ike->host.now_ms(ike->host.context);
}

static inline void engine_count(struct ike *ike, enum ike_counter counter)
{
	ike->counters[counter]++;
}

/* 0 or negative errno of the host. */
int engine_random(struct ike *ike, void *out, size_t len);

/*
 * Hands a message to the host, in pieces where it has to be (fragment.h): a new one; the same again; one with a
 * notification of this type in it.
 */
void engine_send(struct ike *ike, const struct endpoint *local, const struct endpoint *remote, const uint8_t *message,
	size_t message_len);
void engine_send_again(struct ike *ike, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len);
void engine_send_notice(struct ike *ike, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len, uint16_t type);

/* The configured peer with this identity; NULL. */
const struct config_peer *engine_find_peer(const struct ike *ike, const char *identity);

/* The party of a peer and identity, made when `make` says so; NULL when there is none (or no memory). */
struct party *engine_party(struct ike *ike, const struct config_peer *peer, const char *identity, bool make);

struct party *engine_party_find(const struct ike *ike, const struct config_peer *peer, const char *identity);

/* Forgets a party that has nothing any more. */
void engine_put_party(struct ike *ike, struct party *party);

/* Frees what has ended; called at the end of each public call. */
void engine_sweep(struct ike *ike);
