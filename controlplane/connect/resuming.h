/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tunnel's TCP connection has ended, or the gateway is silent in it: another one is dialed to the same port, beside
 * it where it stands, and the gateway asked there, under the IKE SA that there is, whether it is there (RFC 3706). The
 * question's number is new, so the gateway knows that the message is no recorded one, and moves IKE and ESP to its
 * connection (RFC 9329); its answer lets us do so. Child SAs stay as they are, and nobody registers anew.
 *
 * It is given up, and the gateway dialed as at first, when nothing has come of it for REDIAL_FOR_MS, when the gateway
 * says that it knows no such IKE SA, or when there is none here to ask with. When to dial is redial.h's.
 */
#pragma once

#include "connect/explain.h"
#include "connect/redial.h"
#include "tables/address.h"

struct connection;

/* Part of struct connection. */
struct resuming {
	struct redial redial;
	struct endpoint gateway, before;  /* where the tunnel's connection leads to; our end of it */
	uint64_t since_ms;		  /* it is of no use any more: since when, */
	char why[EXPLAIN_DETAIL_LEN];	  /* and why */
	char failure[EXPLAIN_DETAIL_LEN]; /* of the last dial */
	bool silent;			  /* that is why (resuming_doubt) */
	bool answered;			  /* since the last settling */
	unsigned unanswered;		  /* questions in connections that stood */
	const char *hopeless;		  /* since then: why it is of no use to go on; NULL: it may be of some */
	char told[EXPLAIN_SENTENCE_LEN];  /* of the last one that went well; "": there was none */
	int64_t told_at;		  /* Unix time */
};

/* The tunnel stands, or does no more: there is nothing to resume. */
void resuming_init(struct connection *connection);

/* Begins, unless it has or the tunnel is being renewed, which brings another connection anyway. */
void resuming_begin(struct connection *connection, const char *why);
/* The same where that is silence: it ends with whatever comes by it. */
void resuming_doubt(struct connection *connection);
bool resuming_is_on(const struct connection *connection);

/* The network is another one: now, rather than after the pause. */
void resuming_hurry(struct connection *connection);

/* The connection before is good again. */
void resuming_end(struct connection *connection);

/* over_tcp.c: the connection stands; nothing came of it, or it has ended. */
void resuming_opened(struct connection *connection);
void resuming_failed(struct connection *connection, const char *why);

/* host.c: something authentic and new, or that the SA is unknown there, came at this end of ours. */
void resuming_answered(struct connection *connection, const struct endpoint *local);
void resuming_disowned(struct connection *connection, const struct endpoint *local);

/* Does what is due. A sentence when it is given up, else NULL. `jitter` is random. */
const char *resuming_run(struct connection *connection, uint64_t now_ms, uint32_t jitter);
