/* SPDX-License-Identifier: Apache-2.0 */
/* A message of an exchange under the IKE SA (quick, transaction, informational), from its row to where it leads. */
#include "ike/ike_sa.h"
#include "ike/quick.h"
#include "ike/trace.h"
#include "ike/transaction.h"
#include "ike/v1_steps.h"

#include <string.h>

/* HASH(1) to HASH(3); the hash payload comes first (RFC 2409 section 5.5). */
static bool v1_prove(struct v1_message *message, const struct v1_row *row)
{
	const struct keymat *keys = &message->sa->keys;
	const struct quick *quick = message->quick;
	uint8_t expected[PRF_LEN_MAX];
	int rc = -1;

	if (message->hdr->next_payload != ISAKMP_HASH)
		return false;
	if (row->proof == V1_HASH_1)
		rc = keymat_hash1(keys, message->message_id, message->rest, expected);
	else if (row->proof == V1_HASH_2)
		rc = keymat_hash2(keys, message->message_id, bytes_of(quick->nonce_i, quick->nonce_i_len),
			message->rest, expected);
	else if (row->proof == V1_HASH_3)
		rc = keymat_hash3(keys, message->message_id, bytes_of(quick->nonce_i, quick->nonce_i_len),
			bytes_of(quick->nonce_r, quick->nonce_r_len), expected);
	return rc == 0 && prf_equal(message->payloads.items[0].body, bytes_of(expected, keys->prf_len));
}

/* Where an exchange under the IKE SA stands: as it is remembered, or at its beginning. */
struct v1_standing {
	enum v1_state state;
	bool initiator;
	uint8_t *iv, *seen, *messages; /* NULL at its beginning */
};

static struct v1_standing v1_find_standing(struct v1_message *message)
{
	struct quick *quick = NULL;
	struct transaction *transaction = NULL;

	if (message->hdr->exchange == ISAKMP_QUICK)
		quick = message->quick = quick_find(message->sa, message->message_id);
	else if (message->hdr->exchange == ISAKMP_TRANSACTION)
		transaction = message->transaction = transaction_find(message->sa, message->message_id);
	if (quick)
		return (struct v1_standing){quick->state, quick->initiator, quick->iv, quick->seen, &quick->messages};
	if (transaction)
		return (struct v1_standing){transaction->state, transaction->initiator, transaction->iv,
			transaction->seen, &transaction->messages};
	return (struct v1_standing){.state = message->hdr->exchange == ISAKMP_QUICK	    ? V1_QUICK_START
					     : message->hdr->exchange == ISAKMP_TRANSACTION ? V1_CONFIG_START
											    : V1_ESTABLISHED};
}

/* The exchange has taken the message: it stands elsewhere now, and waits for what its row says. */
static void v1_advance(struct v1_message *message, const struct v1_row *row)
{
	struct transaction *transaction = message->transaction;
	struct quick *quick = message->quick;

	if (quick) {
		quick->state = row->next;
		memcpy(quick->seen, message->digest, ENGINE_DIGEST_LEN);
		v1_wait(message->sa, quick, row->timeout);
	} else if (transaction) {
		transaction->state = row->next;
		memcpy(transaction->seen, message->digest, ENGINE_DIGEST_LEN);
		v1_wait_transaction(transaction, row->timeout);
	}
}

void v1_phase2(struct v1_message *message)
{
	struct ike_sa *sa = message->sa;
	bool informational = message->hdr->exchange == ISAKMP_INFORMATIONAL;
	struct v1_standing standing = v1_find_standing(message);
	const struct v1_row *row =
		v1_find_row(message->hdr->exchange, standing.initiator ? V1_INITIATOR : V1_RESPONDER, standing.state);
	enum v1_verdict verdict;

	if (standing.seen && memcmp(standing.seen, message->digest, ENGINE_DIGEST_LEN) == 0) {
		trace_received(message, true);
		/* Who began a transaction has nothing to say to its answer. */
		if (message->quick)
			quick_repeat(message->quick);
		else if (!standing.initiator)
			transaction_repeat(message->transaction);
		return;
	}
	message->id_known = ike_sa_knows_id(sa, message->message_id);
	if (!row || message->message_id == 0 || (!informational && !standing.iv && message->id_known)) {
		v1_drop(message, IKE_COUNT_UNEXPECTED, "not allowed in this state");
		return;
	}
	if (standing.iv)
		memcpy(message->iv, standing.iv, sizeof(message->iv));
	else if (keymat_iv_phase2(&sa->keys, sa->iv, message->message_id, message->iv) < 0)
		return;
	if (!v1_admit(message, row, message->iv))
		return;
	if (!v1_prove(message, row)) {
		v1_drop(message, IKE_COUNT_BAD_HASH, "the hash payload is wrong");
		return;
	}
	verdict = v1_take(message, row, standing.messages);
	if (verdict != V1_LATER && !message->id_known)
		ike_sa_note_id(sa, message->message_id);
	if (verdict == V1_TAKEN)
		v1_advance(message, row);
}
