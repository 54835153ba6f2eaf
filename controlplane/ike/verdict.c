/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/verdict.h"

#include "ike/message.h"
#include "ike/names.h"
#include "ike/report.h"
#include "ike/text.h"
#include "ike/trace.h"

#include <stdio.h>
#include <string.h>

enum { PORT_IKE = 500, NOTIFY_TEXT_LEN = 48 };

/*
 * The responder is without the message with which the peer changes to the NAT port (RFC 3947 section 4). Nothing on the
 * wire tells a peer that has left from one whose messages to that port are dropped on the way; the port that its first
 * messages came from does tell of a NAT.
 */
static void verdict_nat_port(const struct ike_sa *sa, char *text)
{
	uint16_t port = sa->ike->config->ike.nat_ports[0];
	char local[ADDRESS_TEXT_LEN];

	if (sa->natt == NATT_NONE || sa->floated)
		return;
	address_format(&sa->local.address, local);
	if (sa->peer_behind_nat || sa->we_behind_nat || sa->remote.port != PORT_IKE)
		text_append(text, VERDICT_TEXT_LEN,
			"; there is a NAT on the way (what came before came from port %u), so message %u comes to UDP "
			"%u, and nothing came there: a firewall or a port mapping on the way may not pass UDP %u to %s",
			sa->remote.port, sa->messages + 1u, port, port, local);
	else
		text_append(text, VERDICT_TEXT_LEN,
			"; if there is a NAT on the way, message %u comes to UDP %u, and nothing came there: does a "
			"firewall pass UDP %u to %s?",
			sa->messages + 1u, port, port, local);
}

char *verdict_silent(const struct ike_sa *sa, char *text)
{
	const struct handshake *handshake = sa->handshake;
	unsigned sent = 1 + (sa->initiator ? handshake->tries - 1 : handshake->repeats);
	char remote[ENDPOINT_TEXT_LEN];

	snprintf(text, VERDICT_TEXT_LEN, "message %u was not answered", sa->messages);
	if (handshake->hint)
		text_append(text, VERDICT_TEXT_LEN, "; %s", handshake->hint);
	else if (!sa->initiator)
		verdict_nat_port(sa, text);
	else if (sa->messages == 1)
		text_append(text, VERDICT_TEXT_LEN, "; nothing came from there at all");
	text_append(text, VERDICT_TEXT_LEN, " (it went to %s %u time%s)", endpoint_format(&sa->remote, remote), sent,
		sent == 1 ? "" : "s");
	return text;
}

/* "NO-PROPOSAL-CHOSEN", or the number. Empty when there is no error notification. */
static const char *verdict_notify(const struct v1_message *message, char text[NOTIFY_TEXT_LEN])
{
	const struct payload *at = payload_find(&message->payloads, ISAKMP_NOTIFICATION, NULL);
	uint16_t type = at ? bytes_get16(((const struct notify_hdr *)at->body.data)->type) : 0;
	const char *name = ike_notify_name(type);

	text[0] = '\0';
	if (type != 0 && type <= ISAKMP_NOTIFY_ERROR_MAX)
		snprintf(text, NOTIFY_TEXT_LEN, "%s (%u)", name ? name : "error", type);
	return text;
}

static bool verdict_is_proven(const struct v1_message *message)
{
	const struct keymat *keys = &message->sa->keys;
	uint8_t expected[PRF_LEN_MAX];

	return message->hdr->next_payload == ISAKMP_HASH &&
	       keymat_hash1(keys, message->message_id, message->rest, expected) == 0 &&
	       prf_equal(message->payloads.items[0].body, bytes_of(expected, keys->prf_len));
}

bool verdict_read_refusal(struct v1_message *message)
{
	struct ike_sa *sa = message->sa;
	char name[NOTIFY_TEXT_LEN], text[160];
	uint8_t iv[CIPHER_BLOCK_MAX];
	bool undecryptable = false;
	const char *why;

	if (keymat_iv_phase2(&sa->keys, sa->iv, message->message_id, iv) < 0)
		return false;
	if (message_open(message, &sa->keys, iv, &why, &undecryptable) < 0 || !verdict_is_proven(message)) {
		snprintf(text, sizeof(text),
			"instead of message %u came a notice that can't be decrypted: the pre-shared keys differ, or "
			"somebody else sent it",
			sa->messages + 1u);
		ike_sa_hint(sa, text);
		message->payloads.count = 0; /* what was made of it is none of its */
		message->payloads.present = 0;
		return false;
	}
	if (!verdict_notify(message, name)[0])
		return false;
	trace_received(message, false);
	engine_count(sa->ike, IKE_COUNT_REFUSED);
	report_sa(sa, IKE_EVENT_REFUSED, "the peer gave up after message %u, and said why: %s", sa->messages, name);
	ike_sa_end(sa);
	return true;
}

void verdict_note_refusal(struct v1_message *message)
{
	char name[NOTIFY_TEXT_LEN] = "", text[128];
	uint8_t iv[CIPHER_BLOCK_MAX] = {0};
	bool undecryptable;
	const char *why;

	if (!message->encrypted && message_open(message, NULL, iv, &why, &undecryptable) == 0)
		verdict_notify(message, name);
	else
		message->payloads.count = message->payloads.present = 0; /* nothing of it is looked at again */
	snprintf(text, sizeof(text), "a refusal came (not authenticated)%s%s", name[0] ? ": " : "", name);
	ike_sa_hint(message->sa, text);
}
