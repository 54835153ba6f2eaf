/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A version 1 message on its way: find the SA by its cookies, the row by its state, decrypt, parse, check what is
 * there, prove it (v1_phase2.c), hand it over. Everything that a stranger can send ends here or has passed all of this.
 */
#include "ike/v1.h"

#include "ike/compute.h"
#include "ike/ike_sa.h"
#include "ike/message.h"
#include "ike/mode_config.h"
#include "ike/notify.h"
#include "ike/quick.h"
#include "ike/report.h"
#include "ike/trace.h"
#include "ike/v1_steps.h"
#include "ike/verdict.h"
#include "ike/xauth.h"

#include <stdlib.h>
#include <string.h>

/* The factor is what RFC 9000 section 8.1 found fit for addresses that are not validated. */
enum { V1_UNPROVEN_FACTOR = 3 };

void v1_drop(struct v1_message *message, enum ike_counter counter, const char *why)
{
	const struct ike_sa *sa = message->sa;

	trace_received(message, false);
	engine_count(message->ike, counter);
	report_message(
		message, IKE_EVENT_BAD_MESSAGE, sa ? sa->peer : NULL, sa ? ike_sa_identity(sa) : NULL, "%s", why);
}

bool v1_admit(struct v1_message *message, const struct v1_row *row, uint8_t *iv)
{
	const char *why = "";
	bool undecryptable;

	if ((row->protection == V1_CLEAR && message->encrypted) ||
		(row->protection == V1_ENCRYPTED && !message->encrypted)) {
		v1_drop(message, IKE_COUNT_UNEXPECTED,
			message->encrypted ? "encrypted where no key is agreed on yet" : "not encrypted");
		return false;
	}
	if (message_open(message, message->sa ? &message->sa->keys : NULL, iv, &why, &undecryptable) < 0) {
		/* What chooses the keys knows better what is wrong with them. */
		if (message->sa && undecryptable && !row->unlock)
			ike_sa_hint(message->sa, "what came could not be decrypted: the pre-shared keys differ");
		v1_drop(message, undecryptable ? IKE_COUNT_BAD_HASH : IKE_COUNT_MALFORMED, why);
		return false;
	}
	if ((message->payloads.present & row->required) != row->required ||
		(message->payloads.present & ~(row->required | row->allowed))) {
		v1_drop(message, message->encrypted ? IKE_COUNT_BAD_HASH : IKE_COUNT_UNEXPECTED,
			"a payload is missing, or one is there that has no place in this message");
		return false;
	}
	return true;
}

/*
 * Message 2 goes to an address that nothing has proved yet. It is sent once whatever its length, which its exchange
 * sets; again only as long as all that went there stays within a multiple of what came from there.
 */
static bool v1_is_covered(const struct v1_message *message)
{
	struct handshake *handshake = message->sa->handshake;

	if (message->sa->state != V1_AGGRESSIVE_SENT_2 && message->sa->state != V1_MAIN_SENT_2)
		return true;
	handshake->asked++;
	return (handshake->repeats + 2) * handshake->sent_len <=
	       V1_UNPROVEN_FACTOR * (handshake->asked + 1) * message->datagram.len;
}

/*
 * A message of phase 1 that has been answered comes again: so does the answer, a few times at most. Not as long as we
 * send it again by ourselves, lest each side asks for the other's last message without end.
 */
static void v1_repeat_phase1(struct v1_message *message, bool newest)
{
	struct ike_sa *sa = message->sa;
	struct handshake *handshake = sa->handshake;

	if (!newest || v1_awaits_answer(sa->state) || !handshake || !handshake->sent ||
		handshake->repeats == ENGINE_REPEATS || !v1_is_covered(message))
		return;
	handshake->repeats++;
	engine_count(sa->ike, IKE_COUNT_RETRANSMITTED);
	/* A request may come again from elsewhere, through a NAT pool: the answer goes where it came from. */
	if (sa->initiator || sa->state == V1_XAUTH || sa->state == V1_ESTABLISHED)
		engine_send_again(sa->ike, &sa->local, &sa->remote, handshake->sent, handshake->sent_len);
	else
		engine_send_again(sa->ike, &message->local, &message->remote, handshake->sent, handshake->sent_len);
}

/* Who sent the last message keeps the handshake for a while: it may be asked for again because it was lost. */
void v1_established(struct ike_sa *sa)
{
	bool last = sa->initiator == (sa->exchange == ISAKMP_AGGRESSIVE);

	v1_release_held(sa);
	if (last)
		v1_wait(sa, NULL, V1_WAIT_LINGER);
	else
		ike_sa_end_handshake(sa);
	if (sa->ended) /* by what had been held */
		return;
	if (sa->initiator && sa->peer->virtual_address)
		mode_config_pull(sa);
	else if (sa->initiator)
		quick_begin_next_pair(sa);
	else if (!sa->user_known) /* else the login's acknowledgement comes first */
		mode_config_push(sa);
}

/* The place of the peer's message in sa->seen that is taken in this state. */
static unsigned v1_seen(enum v1_state state)
{
	switch (state) {
	case V1_AGGRESSIVE_SENT_2:
	case V1_MAIN_SENT_2:
	case V1_MAIN_SENT_3: return 1;
	case V1_MAIN_SENT_4:
	case V1_MAIN_SENT_5: return 2;
	default: return 0;
	}
}

/* The place of a message that has been taken before; -1: it is new. */
static int v1_find_seen(const struct ike_sa *sa, const uint8_t *digest)
{
	for (int i = 0; i < 3; i++)
		if (memcmp(sa->seen[i], digest, ENGINE_DIGEST_LEN) == 0)
			return i;
	return -1;
}

enum v1_verdict v1_take(struct v1_message *message, const struct v1_row *row, uint8_t *messages)
{
	enum v1_verdict verdict;

	trace_received(message, false);
	if (!message->again)
		report_vendors(message);
	if (messages)
		++*messages;
	verdict = row->handle(message);
	if (messages && (verdict == V1_DROPPED || verdict == V1_LATER))
		--*messages;
	return verdict;
}

static void v1_phase1(struct v1_message *message)
{
	static const uint8_t unseen[ENGINE_DIGEST_LEN];
	struct ike_sa *sa = message->sa;
	const struct v1_row *row = v1_find_row(
		message->hdr->exchange, sa && sa->initiator ? V1_INITIATOR : V1_RESPONDER, sa ? sa->state : V1_START);

	int seen = sa && !message->again ? v1_find_seen(sa, message->digest) : -1;
	/* One that has been begun by this message counts it already. */
	uint8_t *messages = sa && sa->state != V1_START ? &sa->messages : NULL;

	if (seen >= 0) {
		trace_received(message, true);
		v1_repeat_phase1(message, seen == 2 || memcmp(sa->seen[seen + 1], unseen, ENGINE_DIGEST_LEN) == 0);
		return;
	}
	if (!row || message->message_id != 0) {
		v1_drop(message, IKE_COUNT_UNEXPECTED, "not allowed in this state");
		return;
	}
	if (sa)
		memcpy(message->iv, sa->iv, sizeof(message->iv));
	if (row->unlock && message->encrypted)
		row->unlock(message);
	if (!v1_admit(message, row, message->iv) || v1_take(message, row, messages) != V1_TAKEN)
		return;
	sa = message->sa;
	sa->state = row->next;
	memcpy(sa->seen[v1_seen(row->state)], message->digest, ENGINE_DIGEST_LEN);
	if (sa->handshake)
		sa->handshake->repeats = 0;
	if (sa->state == V1_ESTABLISHED && xauth_is_due(sa)) {
		sa->state = V1_XAUTH;
		v1_wait(sa, NULL, V1_WAIT_LOGIN);
		xauth_begin(sa);
		return;
	}
	v1_wait(sa, NULL, row->timeout);
	if (sa->state == V1_ESTABLISHED)
		v1_established(sa);
}

/*
 * The last message of phase 1 and what the peer sends next arrive back to back and can overtake each other. One such
 * message is held, and if the last one does not follow at once it was lost: then ours before it is sent again, once.
 */
static void v1_hold(struct v1_message *message)
{
	struct handshake *handshake = message->sa->handshake;

	if (handshake->held || message->datagram.len > ENGINE_HELD_MAX || !message->encrypted) {
		v1_drop(message, IKE_COUNT_UNEXPECTED, "it came before the exchange was ready for it, and can't wait");
		return;
	}
	trace_received(message, false);
	handshake->held = malloc(message->datagram.len);
	if (!handshake->held)
		return;
	memcpy(handshake->held, message->datagram.data, message->datagram.len);
	handshake->held_len = message->datagram.len;
	handshake->held_local = message->local;
	handshake->held_remote = message->remote;
	handshake->held_floated = message->floated;
	deadline_set(&message->ike->deadlines, &message->sa->linger, engine_now(message->ike) + V1_OVERTAKEN_MS);
}

void v1_release_held(struct ike_sa *sa)
{
	struct handshake *handshake = sa->handshake;
	uint8_t *held = handshake->held;
	struct v1_message message = {
		.ike = sa->ike,
		.local = handshake->held_local,
		.remote = handshake->held_remote,
		.floated = handshake->held_floated,
		.datagram = bytes_of(held, handshake->held_len),
		.hdr = (const struct isakmp_hdr *)held,
		.traced = true,
	};

	deadline_cancel(&sa->ike->deadlines, &sa->linger);
	if (!held)
		return;
	handshake->held = NULL;
	v1_input(&message);
	free(held);
}

/*
 * Its cookies are of no SA that is here. Who sent it is told in TCP, whose addresses are not forged: it need not wait
 * for silence to tell it (RFC 2408 section 5.2). Nobody believes it more than a reset of the connection. What is itself
 * in the clear is never answered, so that two can't do so without end.
 */
static void v1_disown(struct v1_message *message)
{
	trace_received(message, false);
	engine_count(message->ike, IKE_COUNT_UNKNOWN_COOKIES);
	report_message(message, IKE_EVENT_UNKNOWN_COOKIES, NULL, NULL,
		"its cookies are of no IKE SA that is here: it has ended, or the peer talks to a gateway that was "
		"restarted; the peer has to connect anew");
	if (message->encrypted && message->local.transport == ENDPOINT_TCP)
		notify_refuse(message, ISAKMP_INVALID_COOKIE);
}

/* What belongs to no SA: a first message, or nothing that we know. */
static void v1_without_sa(struct v1_message *message)
{
	static const uint8_t no_cookie[IKE_COOKIE_LEN];
	const struct isakmp_hdr *hdr = message->hdr;

	if (memcmp(hdr->responder_cookie, no_cookie, IKE_COOKIE_LEN) != 0 || hdr->exchange == ISAKMP_INFORMATIONAL ||
		hdr->exchange == ISAKMP_QUICK || hdr->exchange == ISAKMP_TRANSACTION) {
		v1_disown(message);
		return;
	}
	message->sa = ike_sa_find_begun(message->ike, hdr, message->digest);
	v1_phase1(message);
}

static void v1_dispatch(struct v1_message *message)
{
	const struct isakmp_hdr *hdr = message->hdr;
	struct ike_sa *sa;
	bool bare;

	message->message_id = bytes_get32(hdr->message_id);
	message->encrypted = hdr->flags & ISAKMP_FLAG_ENCRYPTED;
	bare = hdr->exchange == ISAKMP_INFORMATIONAL && !message->encrypted;
	if (hdr->flags & ~(ISAKMP_FLAG_ENCRYPTED | ISAKMP_FLAG_COMMIT)) {
		v1_drop(message, IKE_COUNT_MALFORMED, "a flag is set that has no meaning here");
		return;
	}
	if (!v1_knows_exchange(hdr->exchange)) {
		v1_drop(message, IKE_COUNT_UNSUPPORTED, "an exchange that is not supported");
		return;
	}
	if (prf_hash(IKE_HASH_SHA256, &message->datagram, 1, message->digest) < 0)
		return;
	sa = message->sa = ike_sa_find(message->ike, hdr);
	if (compute_keeps(message->ike, message->digest)) {
		trace_received(message, true);
	} else if (!sa) {
		v1_without_sa(message);
	} else if (hdr->exchange == ISAKMP_AGGRESSIVE || hdr->exchange == ISAKMP_MAIN) {
		v1_phase1(message);
	} else if (!bare && (sa->state == V1_ESTABLISHED || (sa->state == V1_XAUTH && !xauth_must_wait(message)))) {
		v1_phase2(message);
	} else if ((v1_awaits_last(sa->state) || sa->state == V1_XAUTH) && message->message_id != 0 &&
		   message->encrypted) {
		if (hdr->exchange != ISAKMP_INFORMATIONAL || !verdict_read_refusal(message))
			v1_hold(message);
	} else {
		if (hdr->exchange == ISAKMP_INFORMATIONAL)
			verdict_note_refusal(message);
		v1_drop(message, IKE_COUNT_UNEXPECTED, "not allowed in this state");
	}
}

void v1_input(struct v1_message *message)
{
	v1_dispatch(message);
	compute_end(message);
}
