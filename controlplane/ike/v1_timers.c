/* SPDX-License-Identifier: Apache-2.0 */
/* What happens when the peer is silent: retransmission, half-open timeout, end of life, NAT keepalive. */
#include "ike/aggressive.h"
#include "ike/ike_sa.h"
#include "ike/main_mode.h"
#include "ike/notify.h"
#include "ike/quick.h"
#include "ike/report.h"
#include "ike/transaction.h"
#include "ike/v1.h"
#include "ike/verdict.h"

enum {
	RETRANSMIT_FIRST_MS = 1000, /* doubled each time */
	RETRANSMIT_TIMES = 4,	    /* after 1, 2, 4 and 8 seconds */
	LINGER_MS = 60000,
	RENEW_RETRY_MS = 60000,
	REPLACED_MS = 5000,
};

static void v1_set_retransmit(struct ike *ike, struct deadline *deadline, unsigned tries)
{
	deadline_set(&ike->deadlines, deadline, engine_now(ike) + ((uint64_t)RETRANSMIT_FIRST_MS << tries));
}

/* The user's login came to nothing; the reason for the last refusal belongs to it. */
static void v1_expire_login(struct ike_sa *sa, const char *what)
{
	const char *hint = sa->handshake ? sa->handshake->hint : NULL;

	report_sa(sa, IKE_EVENT_EXPIRED, "%s%s%s", what, hint ? "; " : "", hint ? hint : "");
	ike_sa_end(sa);
}

static void v1_sa_due(void *engine, struct deadline *deadline)
{
	struct ike_sa *sa = hashmap_owner(deadline, struct ike_sa, due);
	struct ike *ike = engine;
	char text[VERDICT_TEXT_LEN];

	if (v1_awaits_answer(sa->state) && ++sa->handshake->tries <= RETRANSMIT_TIMES) {
		engine_send_again(ike, &sa->local, &sa->remote, sa->handshake->sent, sa->handshake->sent_len);
		v1_set_retransmit(ike, deadline, sa->handshake->tries);
	} else if (sa->state == V1_XAUTH) {
		notify_delete_sa(sa);
		v1_expire_login(sa, "the user did not log in in time");
	} else if (sa->state != V1_ESTABLISHED) {
		report_sa(sa, IKE_EVENT_EXPIRED, "%s", verdict_silent(sa, text));
		ike_sa_end(sa);
	} else {
		notify_delete_sa(sa);
		report_sa(sa, sa->replaced ? IKE_EVENT_DELETED : IKE_EVENT_EXPIRED, "%s",
			sa->replaced ? "a newer IKE SA has taken its place" : "its lifetime is over");
		ike_sa_end(sa);
	}
}

/* Client: nobody has asked for the user, so our last message of phase 1 may have been lost. */
static void v1_sa_unasked(struct ike_sa *sa)
{
	struct handshake *handshake = sa->handshake;

	if (!TAILQ_EMPTY(&sa->transactions) || !handshake || !handshake->sent ||
		++handshake->repeats > RETRANSMIT_TIMES)
		return;
	engine_count(sa->ike, IKE_COUNT_RETRANSMITTED);
	engine_send_again(sa->ike, &sa->local, &sa->remote, handshake->sent, handshake->sent_len);
	v1_set_retransmit(sa->ike, &sa->linger, handshake->repeats);
}

static void v1_sa_linger(void *engine, struct deadline *deadline)
{
	struct ike_sa *sa = hashmap_owner(deadline, struct ike_sa, linger);

	if (sa->state == V1_ESTABLISHED) {
		ike_sa_end_handshake(sa);
	} else if (sa->state == V1_XAUTH && sa->initiator) {
		v1_sa_unasked(sa);
	} else if (v1_awaits_last(sa->state) && sa->computing > 0) {
		deadline_set(&sa->ike->deadlines, deadline, engine_now(engine) + V1_OVERTAKEN_MS); /* it may be there */
	} else if (v1_awaits_last(sa->state) && sa->handshake->repeats < ENGINE_REPEATS) {
		/* What was held was not in advance of the last message, so it has to be taken for what it seems. */
		if (sa->handshake->hint)
			report_sa(sa, IKE_EVENT_BAD_MESSAGE, "%s", sa->handshake->hint);
		sa->handshake->repeats++;
		engine_count(engine, IKE_COUNT_RETRANSMITTED);
		engine_send_again(engine, &sa->local, &sa->remote, sa->handshake->sent, sa->handshake->sent_len);
	}
}

static void v1_sa_keepalive(void *engine, struct deadline *deadline)
{
	struct ike_sa *sa = hashmap_owner(deadline, struct ike_sa, keepalive);
	struct ike *ike = engine;

	ike->host.keepalive(ike->host.context, &sa->local, &sa->remote);
	deadline_set(&ike->deadlines, deadline, engine_now(ike) + (uint64_t)ike->config->ike.keepalive * 1000);
}

static void v1_quick_due(void *engine, struct deadline *deadline)
{
	struct quick *quick = hashmap_owner(deadline, struct quick, due);
	struct ike_sa *sa = quick->sa;

	if (quick->state == V1_QUICK_DONE) {
		quick_end(quick);
	} else if (++quick->tries <= RETRANSMIT_TIMES) {
		quick_repeat(quick);
		v1_set_retransmit(engine, deadline, quick->tries);
	} else {
		report_sa(sa, IKE_EVENT_EXPIRED, "quick mode: message %d was not answered", quick->initiator ? 1 : 2);
		quick_end(quick);
		quick_begin_next_pair(sa);
	}
}

static void v1_transaction_due(void *engine, struct deadline *deadline)
{
	struct transaction *transaction = hashmap_owner(deadline, struct transaction, due);
	struct ike_sa *sa = transaction->sa;

	if (transaction->state == V1_CONFIG_DONE) {
		transaction_end(transaction);
	} else if (++transaction->tries <= RETRANSMIT_TIMES) {
		transaction_repeat(transaction);
		deadline_set(&((struct ike *)engine)->deadlines, deadline,
			engine_now(engine) + ((uint64_t)RETRANSMIT_FIRST_MS << transaction->tries));
	} else if (transaction->purpose == TRANSACTION_XAUTH && sa->state == V1_XAUTH) {
		v1_expire_login(sa, "the question for the user's name and password was not answered");
	} else {
		report_sa(sa, IKE_EVENT_EXPIRED, "mode-config: the %s was not answered",
			transaction->type == ISAKMP_CFG_SET ? "assignment" : "question for an address");
		transaction_end(transaction);
	}
}

void v1_wait_transaction(struct transaction *transaction, enum v1_timeout timeout)
{
	struct ike *ike = transaction->sa->ike;

	transaction->due.fire = v1_transaction_due;
	deadline_set(&ike->deadlines, &transaction->due,
		engine_now(ike) + (timeout == V1_WAIT_RETRANSMIT ? RETRANSMIT_FIRST_MS : LINGER_MS));
}

/*
 * The life of an SA that we began nears its end: its successor is negotiated by the same exchange, with the peer where it
 * is now. That may fail: there is time for another attempt.
 */
static void v1_sa_renew(void *engine, struct deadline *deadline)
{
	struct ike_sa *sa = hashmap_owner(deadline, struct ike_sa, renew);
	struct ike *ike = engine;
	int rc;

	if (ike_sa_newest(sa->party) != sa)
		return;
	rc = sa->exchange == ISAKMP_MAIN ? main_mode_begin(ike, sa->peer, &sa->local, &sa->remote)
					 : aggressive_begin(ike, sa->peer, &sa->local, &sa->remote);
	if (rc == 0)
		TAILQ_LAST(&ike->sas, ike_sa_list)->renews = sa->id;
	if (engine_now(ike) + RENEW_RETRY_MS < sa->expires_ms)
		deadline_set(&ike->deadlines, &sa->renew, engine_now(ike) + RENEW_RETRY_MS);
}

/* The successor is there: what still runs over the old one has a moment to end. */
static void v1_replace(struct ike_sa *sa)
{
	struct ike_sa *old;

	TAILQ_FOREACH(old, &sa->party->sas, in_party)
		if (old->id == sa->renews && old->state == V1_ESTABLISHED) {
			old->replaced = true;
			deadline_cancel(&sa->ike->deadlines, &old->renew);
			deadline_set(&sa->ike->deadlines, &old->due, engine_now(sa->ike) + REPLACED_MS);
		}
}

/* From establishment on: the end of its life, its renewal before, and keepalives when the mapping to be kept is ours. */
static void v1_wait_lifetime(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;

	deadline_set(&ike->deadlines, &sa->due, sa->expires_ms);
	if (sa->initiator && !sa->peer->secret_once) {
		uint64_t life_ms = (uint64_t)sa->lifetime * 1000;
		uint8_t jitter = 128;

		/* At 85 to 95 percent, so that many made at once are not renewed at once. */
		(void)engine_random(ike, &jitter, sizeof(jitter));
		sa->renew.fire = v1_sa_renew;
		deadline_set(&ike->deadlines, &sa->renew,
			engine_now(ike) + life_ms * (850 + jitter * 100u / 255) / 1000);
	}
	if (sa->renews)
		v1_replace(sa);
	if (!sa->we_behind_nat || !sa->floated || ike->config->ike.keepalive == 0)
		return;
	sa->keepalive.fire = v1_sa_keepalive;
	deadline_set(&ike->deadlines, &sa->keepalive, engine_now(ike) + (uint64_t)ike->config->ike.keepalive * 1000);
}

void v1_wait(struct ike_sa *sa, struct quick *quick, enum v1_timeout timeout)
{
	struct ike *ike = sa->ike;
	struct deadline *deadline = quick ? &quick->due : timeout == V1_WAIT_LINGER ? &sa->linger : &sa->due;

	sa->due.fire = v1_sa_due;
	sa->linger.fire = v1_sa_linger;
	if (quick)
		quick->due.fire = v1_quick_due;
	switch (timeout) {
	case V1_WAIT_NOTHING: break;
	case V1_WAIT_HALF_OPEN:
		deadline_set(&ike->deadlines, deadline,
			engine_now(ike) + (uint64_t)ike->config->ike.half_open_timeout * 1000);
		break;
	case V1_WAIT_LIFETIME: v1_wait_lifetime(sa); break;
	case V1_WAIT_LOGIN:
		deadline_set(&ike->deadlines, deadline, engine_now(ike) + (uint64_t)ike->config->users.timeout * 1000);
		if (sa->initiator)
			v1_set_retransmit(ike, &sa->linger, 0);
		break;
	case V1_WAIT_RETRANSMIT:
		if (!quick)
			sa->handshake->tries = 0;
		v1_set_retransmit(ike, deadline, 0);
		break;
	case V1_WAIT_LINGER: deadline_set(&ike->deadlines, deadline, engine_now(ike) + LINGER_MS); break;
	}
}
