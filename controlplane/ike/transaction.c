/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/transaction.h"

#include "ike/message.h"
#include "ike/mode_config.h"
#include "ike/report.h"
#include "ike/xauth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

enum { TRANSACTION_DEADLINES = 1, TRANSACTIONS_PER_SA = 8 };

/* Makes room among those of an SA by forgetting the oldest that is done. */
static bool transaction_make_room(struct ike_sa *sa)
{
	struct transaction *transaction;
	size_t count = 0;

	TAILQ_FOREACH(transaction, &sa->transactions, in_sa)
		count++;
	if (count < TRANSACTIONS_PER_SA)
		return true;
	TAILQ_FOREACH(transaction, &sa->transactions, in_sa)
		if (transaction->state == V1_CONFIG_DONE) {
			transaction_end(transaction);
			return true;
		}
	return false;
}

static struct transaction *transaction_new(struct ike_sa *sa, uint32_t message_id, bool initiator)
{
	struct transaction *transaction;

	if (!transaction_make_room(sa)) {
		errno = EBUSY;
		return NULL;
	}
	transaction = calloc(1, sizeof(*transaction));
	if (!transaction)
		return NULL;
	if (keymat_iv_phase2(&sa->keys, sa->iv, message_id, transaction->iv) < 0 ||
		deadline_enroll(&sa->ike->deadlines, TRANSACTION_DEADLINES) < 0) {
		free(transaction);
		errno = ENOMEM;
		return NULL;
	}
	transaction->sa = sa;
	transaction->message_id = message_id;
	transaction->initiator = initiator;
	transaction->messages = !initiator;
	transaction->state = V1_CONFIG_START;
	transaction->local = sa->local;
	transaction->remote = sa->remote;
	TAILQ_INSERT_TAIL(&sa->transactions, transaction, in_sa);
	return transaction;
}

struct transaction *transaction_begin(struct ike_sa *sa, uint8_t type, struct builder *builder)
{
	uint32_t message_id = ike_sa_new_id(sa);
	struct transaction *transaction = NULL;

	errno = EIO;
	if (message_id != 0)
		transaction = transaction_new(sa, message_id, true);
	if (!transaction)
		return NULL;
	transaction->type = type;
	transaction->identifier = (uint16_t)message_id;
	message_begin_hashed(builder, sa, ISAKMP_TRANSACTION, message_id);
	attributes_open(builder, type, transaction->identifier);
	return transaction;
}

void transaction_answer(struct transaction *transaction, uint8_t type, struct builder *builder)
{
	message_begin_hashed(builder, transaction->sa, ISAKMP_TRANSACTION, transaction->message_id);
	attributes_open(builder, type, transaction->identifier);
}

int transaction_send(struct transaction *transaction, struct builder *builder)
{
	struct ike_sa *sa = transaction->sa;
	int rc;

	builder_close(builder);
	rc = message_seal_hashed(builder, sa, transaction->message_id, bytes_of(NULL, 0), transaction->iv);
	if (rc == 0) {
		transaction->sent = malloc(builder->len);
		rc = transaction->sent ? 0 : -ENOMEM;
	}
	if (rc < 0) {
		report_sa(sa, IKE_EVENT_REFUSED, "a transaction could not go on: %s", strerror(-rc));
		transaction_end(transaction);
		return rc;
	}
	memcpy(transaction->sent, builder->data, builder->len);
	transaction->sent_len = builder->len;
	engine_send(sa->ike, &transaction->local, &transaction->remote, transaction->sent, transaction->sent_len);
	if (transaction->initiator) {
		transaction->state = V1_CONFIG_SENT;
		v1_wait_transaction(transaction, V1_WAIT_RETRANSMIT);
	}
	return 0;
}

struct transaction *transaction_find(const struct ike_sa *sa, uint32_t message_id)
{
	struct transaction *transaction;

	TAILQ_FOREACH(transaction, &sa->transactions, in_sa)
		if (transaction->message_id == message_id)
			return transaction;
	return NULL;
}

void transaction_repeat(struct transaction *transaction)
{
	struct ike_sa *sa = transaction->sa;

	if (!transaction->sent)
		return;
	if (transaction->initiator) {
		transaction->local = sa->local;
		transaction->remote = sa->remote;
	}
	engine_count(sa->ike, IKE_COUNT_RETRANSMITTED);
	engine_send_again(sa->ike, &transaction->local, &transaction->remote, transaction->sent, transaction->sent_len);
}

void transaction_end(struct transaction *transaction)
{
	struct ike_sa *sa = transaction->sa;
	struct ike *ike = sa->ike;

	deadline_cancel(&ike->deadlines, &transaction->due);
	deadline_retire(&ike->deadlines, TRANSACTION_DEADLINES);
	TAILQ_REMOVE(&sa->transactions, transaction, in_sa);
	TAILQ_INSERT_TAIL(&ike->ended_transactions, transaction, in_sa);
}

void transaction_free(struct transaction *transaction)
{
	free(transaction->sent); /* encrypted, so it holds no secret */
	OPENSSL_cleanse(transaction, sizeof(*transaction));
	free(transaction);
}

static enum v1_verdict transaction_drop(struct v1_message *message, const char *why)
{
	engine_count(message->ike, IKE_COUNT_UNEXPECTED);
	report_message(message, IKE_EVENT_BAD_MESSAGE, message->sa->peer, ike_sa_identity(message->sa), "%s", why);
	return V1_DROPPED;
}

/* A request or a set. XAUTH's are for who is asked, which is the initiator of the IKE SA. */
enum v1_verdict transaction_receive_1(struct v1_message *message)
{
	struct ike_sa *sa = message->sa;
	struct transaction *transaction;
	struct attributes attributes;
	const char *why;

	if (attributes_parse(payload_body(&message->payloads, ISAKMP_ATTRIBUTES), &attributes, &why) < 0)
		return transaction_drop(message, why);
	if (attributes.type != ISAKMP_CFG_REQUEST && attributes.type != ISAKMP_CFG_SET)
		return transaction_drop(message, "an answer came to a transaction that nobody began");
	transaction = message->transaction = transaction_new(sa, message->message_id, false);
	if (!transaction)
		return transaction_drop(message, "no room for another transaction");
	transaction->identifier = attributes.identifier;
	transaction->local = message->local;
	transaction->remote = message->remote;
	memcpy(transaction->iv, message->iv, sa->keys.block_len);
	if (sa->state == V1_XAUTH || attributes_are_xauth(&attributes))
		return xauth_client_receive(message, &attributes);
	if (attributes.type == ISAKMP_CFG_REQUEST)
		return mode_config_receive_request(message, &attributes);
	return mode_config_receive_set(message, &attributes);
}

enum v1_verdict transaction_receive_2(struct v1_message *message)
{
	struct transaction *transaction = message->transaction;
	struct ike_sa *sa = message->sa;
	struct attributes attributes;
	const char *why;

	if (attributes_parse(payload_body(&message->payloads, ISAKMP_ATTRIBUTES), &attributes, &why) < 0)
		return transaction_drop(message, why);
	if (attributes.type != transaction->type + 1) /* REPLY to REQUEST, ACK to SET */
		return transaction_drop(message, "the answer is not of the kind that was asked for");
	/* It follows from what we sent, encrypted under a message ID that we drew: it is fresh. */
	ike_sa_move(sa, &message->local, &message->remote, message->floated);
	if (transaction->purpose == TRANSACTION_XAUTH)
		return xauth_server_receive(message, &attributes);
	return attributes.type == ISAKMP_CFG_REPLY ? mode_config_receive_reply(message, &attributes)
						   : mode_config_receive_ack(message);
}
