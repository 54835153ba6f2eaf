/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IKEv1 as a table (v1_states.c): which message is taken in which state, what it must and may contain, how it is
 * protected, who handles it and what comes next. v1.c and v1_phase2.c find the row, open the message and prove it; a
 * handler sees only messages that its row allows. A further exchange is further rows and a file of handlers.
 */
#pragma once

#include "ike/engine.h"
#include "ike/payload.h"

struct ike_sa;
struct quick;
struct transaction;

/* Where an IKE SA, or a quick mode exchange under it, stands. */
enum v1_state {
	V1_START,	      /* nothing is known yet */
	V1_AGGRESSIVE_SENT_1, /* initiator */
	V1_AGGRESSIVE_SENT_2, /* responder */
	V1_MAIN_SENT_1,	      /* initiator, as 3 and 5 */
	V1_MAIN_SENT_2,	      /* responder, as 4 */
	V1_MAIN_SENT_3,
	V1_MAIN_SENT_4,
	V1_MAIN_SENT_5,
	V1_XAUTH, /* phase 1 is done, the user has to log in */
	V1_ESTABLISHED,
	V1_QUICK_START,
	V1_QUICK_SENT_1, /* initiator */
	V1_QUICK_SENT_2, /* responder */
	V1_QUICK_DONE,
	V1_CONFIG_START,
	V1_CONFIG_SENT, /* who began */
	V1_CONFIG_DONE,
};
const char *v1_state_name(enum v1_state state);

/* Whether only the last message of phase 1 is missing: what belongs behind it may overtake it. */
bool v1_awaits_last(enum v1_state state);

/* Whether we began and wait for an answer, so that we send again. */
bool v1_awaits_answer(enum v1_state state);

enum v1_role { V1_RESPONDER, V1_INITIATOR };
enum v1_protection { V1_CLEAR, V1_ENCRYPTED, V1_EITHER };

/* What the hash payload has to be before the handler is called. */
enum v1_proof {
	V1_PROOF_BY_HANDLER, /* phase 1: HASH_I and HASH_R need what the message brings */
	V1_HASH_1,
	V1_HASH_2,
	V1_HASH_3,
};

/* What is waited for after the message has been taken. */
enum v1_timeout {
	V1_WAIT_NOTHING,
	V1_WAIT_HALF_OPEN,
	V1_WAIT_LIFETIME,
	V1_WAIT_LOGIN,
	V1_WAIT_RETRANSMIT,
	V1_WAIT_LINGER
};

enum v1_verdict {
	V1_TAKEN,   /* go on to the next state */
	V1_DROPPED, /* as if it had not come; the handler has counted it */
	V1_LATER,   /* it will be taken again, see compute.h */
	V1_ENDED,   /* SA or exchange are gone */
};

/* A message on its way through. Lives during the call only. */
struct v1_message {
	struct ike *ike;
	struct endpoint local, remote;
	bool floated;
	struct bytes datagram;
	const struct isakmp_hdr *hdr; /* NULL when there was not even that */
	uint32_t message_id;
	uint8_t digest[ENGINE_DIGEST_LEN];
	bool encrypted;
	bool traced;   /* the host has been told that it came */
	bool id_known; /* its message ID has been used before */
	struct payload_list payloads;
	struct bytes rest; /* the payloads behind the hash payload, which HASH(1) and (2) cover */
	uint8_t iv[16];	   /* phase 2: where the chain goes on */
	struct ike_sa *sa;
	struct quick *quick;
	struct transaction *transaction;
	struct ike_job *job; /* what was computed for it so far; NULL: nothing */
	bool again, kept;    /* it has been kept, and is taken again; it is to be kept */
};

struct v1_row {
	uint8_t exchange;  /* enum isakmp_exchange */
	enum v1_role role; /* ours, in this exchange */
	enum v1_state state, next;
	uint32_t required, allowed; /* PAYLOAD_BIT; allowed besides the required ones */
	enum v1_protection protection;
	enum v1_proof proof;
	enum v1_verdict (*handle)(struct v1_message *message);
	enum v1_timeout timeout;
	void (*unlock)(struct v1_message *message); /* chooses the SA's keys before the message is opened; NULL */
};

/* The row of a message, NULL when it is not allowed. */
const struct v1_row *v1_find_row(uint8_t exchange, enum v1_role role, enum v1_state state);

/* Whether the exchange is spoken at all. */
bool v1_knows_exchange(uint8_t exchange);

/* One datagram whose header has been checked. */
void v1_input(struct v1_message *message);

/* How long what has overtaken the last message of phase 1 waits for it. */
enum { V1_OVERTAKEN_MS = 300 };

/* Takes up a message that was held until the last one of phase 1 came. */
void v1_release_held(struct ike_sa *sa);

/* The SA is established, its user too: what waited for that goes on. */
void v1_established(struct ike_sa *sa);

/* Sets the deadline that a row asks for. */
void v1_wait(struct ike_sa *sa, struct quick *quick, enum v1_timeout timeout);
void v1_wait_transaction(struct transaction *transaction, enum v1_timeout timeout);
