/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One IKE SA from its first message to its end, and the ways to find it: by its cookies, never by an address (RFC 2408
 * section 2.5.3). The initiator's cookie is the key of the table, so a first message that comes again is found too.
 */
#pragma once

#include "ike/dh.h"
#include "ike/engine.h"
#include "ike/identity.h"
#include "ike/isakmp.h"
#include "ike/keymat.h"
#include "ike/natt.h"
#include "ike/v1.h"

enum { IKE_SA_IDS_REMEMBERED = 64 };

/*
 * Main mode: what messages 1 to 4 brought, of which SKEYID, HASH_I and HASH_R are made when the identities are there.
 * Ours stands beside it, in struct handshake.
 */
struct transcript {
	uint8_t secret[DH_SECRET_MAX]; /* g^xy */
	uint8_t peer_ke[DH_PUBLIC_MAX];
	uint8_t peer_nonce[ISAKMP_NONCE_MAX];
	size_t peer_ke_len, peer_nonce_len;
	bool force_udp;			     /* the peer is to put ESP into UDP in any case */
	unsigned trials;		     /* of keys on message 5 */
	const struct config_peer *keyholder; /* the peer by whose key message 5 was decrypted; NULL: no key is needed */
	size_t sa_i_len;
	uint8_t sa_i[]; /* SAi_b */
};

/* What is needed until the peer is authenticated, and a little longer to answer repeated messages. */
struct handshake {
	struct dh *dh;			 /* ours, until g^xy is there (main mode: until the end) */
	uint8_t nonce[ISAKMP_NONCE_OWN]; /* ours */
	uint8_t expected[PRF_LEN_MAX];	 /* aggressive mode, responder: HASH_I as it has to be, */
	uint8_t peer_id[IDENTITY_BODY_MAX];
	size_t peer_id_len;	       /* and IDii_b, for a certificate */
	struct transcript *transcript; /* main mode; else NULL */
	uint8_t *sent;		       /* our last message */
	size_t sent_len;
	struct natt_vendor vendors;    /* responder: of message 1 */
	unsigned asked;		       /* responder: how often message 1 came again */
	unsigned tries, repeats;
	bool rejected; /* the peer has been told that we don't take it for who it says */
	char *hint;    /* what went wrong last, for the verdict when it expires; NULL */
	uint8_t *held; /* a message that overtook the last one of phase 1 */
	size_t held_len;
	struct endpoint held_local, held_remote;
	bool held_floated;
	struct ike_registered *registered; /* whose key it is, where the peer has registered; NULL */
	uint32_t login_attempt; /* XAUTH: the one that the host is checking; 0: none */
	unsigned login_tries;	/* that were wrong; of a client: questions answered */
	bool login_over;	/* the peer is being told that none was right */
};

struct ike_sa {
	struct ike *ike;
	TAILQ_ENTRY(ike_sa) in_all, in_party;
	struct hashmap_node by_cookie, by_source;
	uint64_t id;
	uint8_t initiator_cookie[IKE_COOKIE_LEN], responder_cookie[IKE_COOKIE_LEN];
	bool initiator, half_open, ended;
	uint8_t messages; /* of phase 1, by both sides so far */
	uint8_t exchange; /* of phase 1: ISAKMP_MAIN or ISAKMP_AGGRESSIVE */
	enum v1_state state;
	struct party *party;
	const struct config_peer
		*peer; /* both NULL as long as it is not known: main mode's responder before message 5 */
	struct endpoint local, remote; /* where the peer is, by its last authentic message */
	bool floated;		       /* we talk on the NAT port */
	enum natt_version natt;
	bool fragments; /* the peer takes messages in pieces */
	bool peer_behind_nat, we_behind_nat;
	struct ike_proposal proposal;
	uint16_t auth;	   /* enum ike_auth */
	uint32_t lifetime; /* seconds */
	struct keymat keys;
	uint8_t iv[CIPHER_BLOCK_MAX];	     /* the last block of phase 1 */
	struct handshake *handshake;	     /* NULL when it is over */
	uint8_t seen[3][ENGINE_DIGEST_LEN];  /* the peer's messages of phase 1, in their order */
	uint32_t ids[IKE_SA_IDS_REMEMBERED]; /* message IDs that have been used */
	unsigned ids_next;
	bool dpd_begun;
	uint32_t dpd_sequence;		   /* the peer's last R-U-THERE */
	bool answers_probes;		   /* its vendor ID says that it does (RFC 3706 section 5.1) */
	uint32_t probe_sequence;	   /* our last one; 0: none */
	bool probe_waits;		   /* for its answer, which counts once: later it could be a recorded one */
	uint64_t heard_ms;		   /* when its last fresh, authentic message came */
	bool initial_contact;		   /* it has been told once, and counts once */
	bool contact_pending;		   /* it has been told by who has not logged in yet */
	bool user_known;		   /* XAUTH is over */
	struct ike_assignment *assignment; /* client: what mode-config gave; NULL */
	struct transaction_list transactions;
	struct quick_list quicks;
	size_t n_quicks;
	size_t next_pair;	/* initiator: the next pair of networks to negotiate, unless it renews another */
	struct deadline due;	/* retransmission, half-open timeout, or end of life */
	struct deadline linger; /* the last message overtaken, or the handshake no longer needed */
	struct deadline keepalive;
	struct deadline renew; /* initiator: its successor is to be negotiated */
	uint64_t renews;       /* the SA whose successor it is to be; 0: none */
	bool replaced;	       /* its successor is there: it goes soon */
	uint8_t computing;     /* jobs that are with the host for it */
	uint64_t created_ms, expires_ms;
};

/*
 * A new SA, counted as half-open when we respond. `peer` NULL: not known yet, see ike_sa_claim. Takes a cookie from the
 * host's randomness; the other one is given by `initiator_cookie` (NULL: we initiate). NULL with errno.
 */
struct ike_sa *ike_sa_new(struct ike *ike, const struct config_peer *peer, const uint8_t *initiator_cookie,
	const struct endpoint *local, const struct endpoint *remote, bool floated);

/* The SA turns out to be this peer's. 0 or -ENOMEM. */
int ike_sa_claim(struct ike_sa *sa, const struct config_peer *peer);

/* The SA that a message belongs to, NULL when there is none. */
struct ike_sa *ike_sa_find(const struct ike *ike, const struct isakmp_hdr *hdr);

/* The SA with this number, by its initiator's cookie; NULL when it is gone. */
struct ike_sa *ike_sa_find_number(const struct ike *ike, const uint8_t *initiator_cookie, uint64_t id);

/* The SA that was begun by this very message. */
struct ike_sa *ike_sa_find_begun(const struct ike *ike, const struct isakmp_hdr *hdr, const uint8_t *digest);

/* Whether one more exchange from this endpoint is within the half-open limits. */
bool ike_sa_admits(const struct ike *ike, const struct endpoint *remote);

/*
 * The peer is authenticated: no longer half-open; exchanges that it left for this one, and SAs beyond the limit, go. Does
 * nothing while its user has still to log in.
 */
void ike_sa_establish(struct ike_sa *sa);

/* What the peer authenticated as; before that, what it claims; NULL when it is not known yet. */
static inline const char *ike_sa_identity(const struct ike_sa *sa)
{
	return sa->party ? sa->party->identity : sa->peer ? sa->peer->identity : NULL;
}

/* The peer has authenticated as this: the SA goes to the party of it. 0 or -ENOMEM. */
int ike_sa_join(struct ike_sa *sa, const char *identity);

/*
 * The peer has registered, and proved that it has the key: what the registration gave it is its party's now, and the key
 * is wiped. Does nothing for others. 0; negative errno when the key has been used, or -ENOMEM.
 */
int ike_sa_take_registration(struct ike_sa *sa);

/* The newest established SA of a party, NULL when there is none. */
struct ike_sa *ike_sa_newest(const struct party *party);

/* Whether an exchange that we begin from `local` is where UDP encapsulation is from the start: on a NAT port, or in TCP. */
bool ike_sa_begins_floated(const struct ike *ike, const struct endpoint *local);

/* A fresh, authentic message has come: notes when, and takes over the endpoint, with its child SAs. */
void ike_sa_move(struct ike_sa *sa, const struct endpoint *local, const struct endpoint *remote, bool floated);

/* Keeps a copy of what was sent, in place of the one before. 0 or -ENOMEM. */
int ike_sa_keep_sent(struct ike_sa *sa, const uint8_t *message, size_t message_len);

/* Notes what went wrong in the handshake, in place of what did before. */
void ike_sa_hint(struct ike_sa *sa, const char *why);

/* Wipes and frees the handshake. */
void ike_sa_end_handshake(struct ike_sa *sa);

/* Message IDs: one of our own, 0 when there is no randomness; has it been used; note that it has. */
uint32_t ike_sa_new_id(struct ike_sa *sa);
bool ike_sa_knows_id(const struct ike_sa *sa, uint32_t message_id);
void ike_sa_note_id(struct ike_sa *sa, uint32_t message_id);

/* Ends it and its exchanges; established child SAs stay. Keys are wiped at once. Tells nobody. */
void ike_sa_end(struct ike_sa *sa);

/* Wipes and frees one that has ended. */
void ike_sa_free(struct ike_sa *sa);
