/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The acceptor of Kerberos 5 (GSS-API, RFC 2743 and RFC 4121) and of IAKERB, which passes requests to the KDC on for
 * peers that can't reach it: a peer's tokens in, tokens for it out, until it is known who it is or why it is refused.
 * How tokens travel is the caller's. The peer must prove that it speaks inside the caller's TLS channel (RFC 9266),
 * ask for our proof too (mutual authentication), and be named by a rule of the configuration.
 *
 *     event loop:  kerberos_begin  kerberos_step ............. done  kerberos_step ...  done  kerberos_end
 *     helper:                                    gss_accept...
 *
 * The library may wait for disk or KDC, so each token is a job of a helper thread. The peer learns of a refusal that
 * it is one, and nothing else: no token goes with it, and `why` is for timeline and log.
 */
#pragma once

#include "config/kerberos.h"
#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

enum {
	KERBEROS_BINDING_LEN = 32, /* TLS exporter "EXPORTER-Channel-Binding", empty context (RFC 9266 section 4.2) */
	KERBEROS_WHY_LEN = 768,
};

struct kerberos;
struct kerberos_context;

enum kerberos_state {
	KERBEROS_CONTINUE, /* the peer's next token is wanted */
	KERBEROS_ACCEPTED,
	KERBEROS_REFUSED,
};

/* What became of one token. All of it lasts until `done` returns. */
struct kerberos_answer {
	enum kerberos_state state;
	const uint8_t
		*token; /* for the peer, also with KERBEROS_ACCEPTED: it is our proof; NULL with KERBEROS_REFUSED */
	size_t token_len;
	const char *principal; /* "alice@EXAMPLE.COM"; "" while it is not proven. KERBEROS_ACCEPTED has always one */
	const char *identity;  /* by the rules; "" unless accepted */
	const char *said;      /* of a step on the way, one sentence for the timeline ("asked the KDC of ..."); or "" */
	const char *why;       /* of a refusal, one sentence; else "" */
};

/*
 * Opens keytab and replay cache (a file in `state_dir`), and starts helpers, of which those that wait for a KDC are
 * others than the rest. The configuration must stay. NULL after passing one sentence to `report`: nothing can be
 * accepted then.
 */
struct kerberos *kerberos_new(const struct config_kerberos *config, const char *state_dir, struct event_base *base,
	void (*report)(void *context, const char *sentence), void *context);

/* End every context before. Waits for a request to the KDC that is under way. NULL is allowed. */
void kerberos_free(struct kerberos *kerberos);

/*
 * A peer begins, in the TLS channel that `binding` (KERBEROS_BINDING_LEN bytes) stands for; it is copied. `done` is
 * called in the event loop, once for each kerberos_step, never from within. NULL with errno.
 */
struct kerberos_context *kerberos_begin(struct kerberos *kerberos, const uint8_t *binding,
	void (*done)(void *context, const struct kerberos_answer *answer), void *context);

/*
 * Takes the peer's next token, which is copied; only one at a time, and none after a refusal or acceptance. 0; -EBUSY
 * when too much is under way already (the context is as before) or this context's last token is; -ENOMEM. What is wrong
 * with the token itself, its size included, comes through `done`.
 */
int kerberos_step(struct kerberos_context *context, const uint8_t *token, size_t token_len);

/*
 * Forgets a context, at any time, also within `done` and while a helper works for it: `done` is not called any more.
 * NULL is allowed.
 */
void kerberos_end(struct kerberos_context *context);
