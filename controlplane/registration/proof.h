/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How somebody who registers proves who it is, by the method that it chose: password (auth/login.h), certificate (the
 * one shown in the TLS handshake) or Kerberos (auth/kerberos.h). What takes long is done by helper threads; the answer
 * always comes later, from the event loop. Every failure looks the same to the peer; the reason is for the timeline.
 */
#pragma once

#include "registration/members.h"
#include "registration/message.h"
#include "registration/tls.h"

#include <event2/event.h>

struct login;
struct kerberos;
struct proof;

enum { PROOF_WHY_LEN = 640 };

/* What methods work with; those that are off may have NULL. */
struct proof_means {
	struct event_base *base;
	const struct members *members;
	struct login *login;
	struct kerberos *kerberos;
};

/* All of it lasts until `done` returns. */
struct proof_answer {
	bool more;	      /* the peer's next token is wanted */
	const char *identity; /* as who it has proved itself; "": nobody, or not yet */
	const char *group;    /* of its user; "": none known */
	const uint8_t *token; /* for the peer; NULL: none */
	size_t token_len;
	const char *said; /* of what went on, one sentence for the timeline; or "" */
	const char *why;  /* of a refusal, one sentence for the timeline; else "" */
};

/*
 * Begins with the client's `authenticate`, of which nothing is needed after the call; `tls` stays. `done` is called
 * once for this call and for each proof_step, never from within, and may end the proof. NULL with errno: EBUSY when too
 * much is under way.
 */
struct proof *proof_begin(const struct proof_means *means, const struct registration_message *authenticate,
	const struct tls *tls, const struct address *remote,
	void (*done)(void *context, const struct proof_answer *answer), void *context);

/* The peer's next token, after an answer with `more`. 0, -EBUSY, -ENOMEM; -EPROTO: this method has none. */
int proof_step(struct proof *proof, const uint8_t *token, size_t token_len);

/* Forgets it, also while it is under way: `done` is not called any more. NULL is allowed. */
void proof_end(struct proof *proof);
