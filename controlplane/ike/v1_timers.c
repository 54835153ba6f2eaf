/* SPDX-License-Identifier: Apache-2.0 */
/* What happens when the peer is silent: retransmission, half-open timeout, end of life, NAT keepalive. */
#include "ike/ike_sa.h"
#include "ike/notify.h"
#include "ike/quick.h"
#include "ike/report.h"
#include "ike/v1.h"

enum {
	RETRANSMIT_FIRST_MS = 1000, /* doubled each time */
	RETRANSMIT_TIMES = 4,	    /* after 1, 2, 4 and 8 seconds */
	LINGER_MS = 60000,
};

static void v1_set_retransmit(struct ike *ike, struct deadline *deadline, unsigned tries)
{
	deadline_set(&ike->deadlines, deadline, engine_now(ike) + ((uint64_t)RETRANSMIT_FIRST_MS << tries));
}

static void v1_expire_sa(struct ike_sa *sa, const char *what)
{
	const char *hint = sa->handshake ? sa->handshake->hint : NULL;

	report_sa(sa, IKE_EVENT_EXPIRED, "%s%s%s", what, hint ? "; " : "", hint ? hint : "");
	ike_sa_end(sa);
}

static const char *v1_unanswered(enum v1_state state)
{
	switch (state) {
	case V1_AGGRESSIVE_SENT_2:
	case V1_MAIN_SENT_2: return "message 2 was not answered";
	case V1_MAIN_SENT_3: return "message 3 was not answered";
	case V1_MAIN_SENT_4: return "message 4 was not answered";
	case V1_MAIN_SENT_5: return "message 5 was not answered";
	default: return "message 1 was not answered";
	}
}

static void v1_sa_due(void *engine, struct deadline *deadline)
{
	struct ike_sa *sa = hashmap_owner(deadline, struct ike_sa, due);
	struct ike *ike = engine;

	if (v1_awaits_answer(sa->state) && ++sa->handshake->tries <= RETRANSMIT_TIMES) {
		engine_send_again(ike, &sa->local, &sa->remote, sa->handshake->sent, sa->handshake->sent_len);
		v1_set_retransmit(ike, deadline, sa->handshake->tries);
	} else if (sa->state != V1_ESTABLISHED) {
		v1_expire_sa(sa, v1_unanswered(sa->state));
	} else {
		notify_delete_sa(sa);
		v1_expire_sa(sa, "its lifetime is over");
	}
}

static void v1_sa_linger(void *engine, struct deadline *deadline)
{
	struct ike_sa *sa = hashmap_owner(deadline, struct ike_sa, linger);

	if (sa->state == V1_ESTABLISHED) {
		ike_sa_end_handshake(sa);
	} else if (v1_awaits_last(sa->state) && sa->handshake->repeats < ENGINE_REPEATS) {
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

/* From establishment on: the end of its life, and keepalives when the mapping to be kept is ours. */
static void v1_wait_lifetime(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;

	deadline_set(&ike->deadlines, &sa->due, sa->expires_ms);
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
	case V1_WAIT_RETRANSMIT:
		if (!quick)
			sa->handshake->tries = 0;
		v1_set_retransmit(ike, deadline, 0);
		break;
	case V1_WAIT_LINGER: deadline_set(&ike->deadlines, deadline, engine_now(ike) + LINGER_MS); break;
	}
}
