/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/trace.h"

#include "ike/ike_sa.h"
#include "ike/quick.h"
#include "ike/transaction.h"

#include <string.h>

static bool trace_is_phase1(uint8_t exchange)
{
	return exchange == ISAKMP_MAIN || exchange == ISAKMP_AGGRESSIVE;
}

/* The initiator sends the odd ones: the last that one side has sent, of `count` by both. */
static uint8_t trace_last(uint8_t count, bool of_initiator)
{
	return (uint8_t)(count > 0 && (count & 1) != of_initiator ? count - 1 : count);
}

static uint16_t trace_notify(const struct v1_message *message)
{
	const struct payload *at = payload_find(&message->payloads, ISAKMP_NOTIFICATION, NULL);

	return at && at->body.len >= sizeof(struct notify_hdr) && message->hdr->exchange == ISAKMP_INFORMATIONAL
		       ? bytes_get16(((const struct notify_hdr *)at->body.data)->type)
		       : 0;
}

static void trace_fill(struct ike_message *out, const struct isakmp_hdr *hdr)
{
	memcpy(out->initiator_cookie, hdr->initiator_cookie, IKE_COOKIE_LEN);
	memcpy(out->responder_cookie, hdr->responder_cookie, IKE_COOKIE_LEN);
	out->message_id = bytes_get32(hdr->message_id);
	out->exchange = hdr->exchange;
	out->encrypted = hdr->flags & ISAKMP_FLAG_ENCRYPTED;
}

static uint8_t trace_number_received(const struct v1_message *message, bool again)
{
	const struct ike_sa *sa = message->sa;
	const struct transaction *transaction = message->transaction;
	const struct quick *quick = message->quick;

	if (trace_is_phase1(message->hdr->exchange)) {
		if (!sa)
			return 1;
		return again ? trace_last(sa->messages, !sa->initiator) : (uint8_t)(sa->messages + 1);
	}
	if (message->hdr->exchange == ISAKMP_TRANSACTION) {
		if (!transaction)
			return 1;
		return again ? trace_last(transaction->messages, !transaction->initiator)
			     : (uint8_t)(transaction->messages + 1);
	}
	if (message->hdr->exchange != ISAKMP_QUICK)
		return 0;
	if (!quick)
		return 1;
	return again ? trace_last(quick->messages, !quick->initiator) : (uint8_t)(quick->messages + 1);
}

void trace_received(struct v1_message *message, bool again)
{
	const struct ike *ike = message->ike;
	struct ike_message told = {
		.ike_sa = message->sa ? message->sa->id : 0,
		.local = message->local,
		.remote = message->remote,
		.len = (uint32_t)message->datagram.len,
		.again = again,
	};

	if (message->traced || !ike->host.message)
		return;
	message->traced = true;
	trace_fill(&told, message->hdr);
	told.number = trace_number_received(message, again);
	told.notify = trace_notify(message);
	ike->host.message(ike->host.context, &told);
}

static uint8_t trace_number_sent(struct ike_sa *sa, const struct ike_message *told)
{
	struct transaction *transaction;
	struct quick *quick;

	if (trace_is_phase1(told->exchange))
		return told->again ? trace_last(sa->messages, sa->initiator) : ++sa->messages;
	transaction = told->exchange == ISAKMP_TRANSACTION ? transaction_find(sa, told->message_id) : NULL;
	if (transaction)
		return told->again ? trace_last(transaction->messages, transaction->initiator)
				   : ++transaction->messages;
	quick = told->exchange == ISAKMP_QUICK ? quick_find(sa, told->message_id) : NULL;
	if (!quick)
		return 0;
	return told->again ? trace_last(quick->messages, quick->initiator) : ++quick->messages;
}

void trace_sent(struct ike *ike, const struct endpoint *local, const struct endpoint *remote, const uint8_t *message,
	size_t message_len, bool again, uint16_t notify)
{
	struct ike_message told = {
		.local = *local,
		.remote = *remote,
		.len = (uint32_t)message_len,
		.notify = notify,
		.sent = true,
		.again = again,
	};
	struct ike_sa *sa = ike_sa_find(ike, (const struct isakmp_hdr *)message);

	trace_fill(&told, (const struct isakmp_hdr *)message);
	if (sa) {
		told.ike_sa = sa->id;
		told.number = trace_number_sent(sa, &told);
	}
	if (ike->host.message)
		ike->host.message(ike->host.context, &told);
}
