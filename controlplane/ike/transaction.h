/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transaction exchange (draft-ietf-ipsec-isakmp-mode-cfg-05 section 3): two messages under an IKE SA, a request
 * with its reply or a set with its acknowledgement, for XAUTH and mode-config. Whoever begins sends again until it is
 * answered; whoever answers remembers the answer for a while, for messages that come again.
 *
 *     HDR*, HASH, ATTR(REQUEST or SET)  -->
 *                                       <--  HDR*, HASH, ATTR(REPLY or ACK)
 */
#pragma once

#include "ike/attributes.h"
#include "ike/ike_sa.h"

enum transaction_purpose { TRANSACTION_CONFIG, TRANSACTION_XAUTH };

struct transaction {
	struct ike_sa *sa;
	TAILQ_ENTRY(transaction) in_sa; /* or in the engine's list of those that ended */
	uint32_t message_id;
	uint16_t identifier; /* of its attribute payloads */
	bool initiator;
	uint8_t type; /* what we sent, where we began: enum isakmp_cfg; and what for: */
	enum transaction_purpose purpose;
	uint8_t messages; /* by both sides so far */
	enum v1_state state;
	struct endpoint local, remote; /* we answer: where the message came from */
	uint8_t iv[CIPHER_BLOCK_MAX];
	uint8_t seen[ENGINE_DIGEST_LEN]; /* the peer's last message */
	uint8_t *sent;
	size_t sent_len;
	unsigned tries;
	struct deadline due;
};

/* Begins one: opens the message with its attribute payload. NULL with errno; after it attributes, then _send. */
struct transaction *transaction_begin(struct ike_sa *sa, uint8_t type, struct builder *builder);

/* Opens the answer to a message that has begun one. After it attributes, then _send. */
void transaction_answer(struct transaction *transaction, uint8_t type, struct builder *builder);

/* Closes the payload, seals and sends. 0; negative errno, and then the transaction has ended. */
int transaction_send(struct transaction *transaction, struct builder *builder);

/* The exchange with this message ID, NULL when there is none. */
struct transaction *transaction_find(const struct ike_sa *sa, uint32_t message_id);

/* Its message came again, or its answer did not come: sends the last one again. */
void transaction_repeat(struct transaction *transaction);

void transaction_end(struct transaction *transaction);
void transaction_free(struct transaction *transaction);

/* Handlers of the table in v1_states.c: a message that begins one, and the answer to ours. */
enum v1_verdict transaction_receive_1(struct v1_message *message);
enum v1_verdict transaction_receive_2(struct v1_message *message);
