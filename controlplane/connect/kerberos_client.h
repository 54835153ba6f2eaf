/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initiator of Kerberos 5 (GSS-API, RFC 2743 and RFC 4121): tokens for the gateway out, its tokens in, until it is
 * proven who both are. Tickets come from a credential cache, a keytab or a password; where the KDC can't be reached,
 * through the gateway (IAKERB). How tokens travel is the caller's; both ends are bound to the caller's TLS channel
 * (RFC 9266). Every call of the library that may wait for the KDC is a job of a helper thread.
 *
 *     kerberos_client_begin ... done(CONTINUE, token) -> gateway -> kerberos_client_step ... done -> ...
 */
#pragma once

#include "config/kerberos.h"
#include "jobs.h"

#include <stddef.h>
#include <stdint.h>

enum {
	KERBEROS_CLIENT_BINDING_LEN = 32, /* as KERBEROS_BINDING_LEN of auth/kerberos.h */
	KERBEROS_CLIENT_WHY_LEN = 768,
};

struct kerberos_client;

enum kerberos_client_state {
	KERBEROS_CLIENT_CONTINUE, /* the token goes to the gateway, whose next one is wanted */
	KERBEROS_CLIENT_COMPLETE, /* the gateway has proven itself; a token, when there is one, is still for it */
	KERBEROS_CLIENT_FAILED,
};

/* What a failure is about, for programs; `why` says it to people. */
enum kerberos_client_failure {
	KERBEROS_CLIENT_NO_FAILURE,
	KERBEROS_CLIENT_NO_TICKET,
	KERBEROS_CLIENT_TICKET_EXPIRED,
	KERBEROS_CLIENT_CLOCK_SKEW,
	KERBEROS_CLIENT_KDC_UNREACHABLE,
	KERBEROS_CLIENT_WRONG_PASSWORD,
	KERBEROS_CLIENT_UNKNOWN_PRINCIPAL, /* ours, to the KDC */
	KERBEROS_CLIENT_UNKNOWN_SERVICE,   /* the gateway's, to the KDC */
	KERBEROS_CLIENT_BAD_GATEWAY,	   /* what answers has not the service's key, or speaks no Kerberos */
	KERBEROS_CLIENT_OTHER,
};

/* What became of one call. All of it lasts until `done` returns. */
struct kerberos_client_answer {
	enum kerberos_client_state state;
	const uint8_t *token;
	size_t token_len;      /* 0: there is none */
	const char *principal; /* ours, once it is known; or "" */
	bool through_gateway;  /* tickets come by IAKERB */
	enum kerberos_client_failure failure;
	const char *why; /* of a failure: what, why, what to do; else "" */
};

/*
 * Begins in the TLS channel of `binding` (KERBEROS_CLIENT_BINDING_LEN bytes, copied) with `gateway`, the name that was
 * dialed, of which the service is made where the configuration names none. The first token comes through `done`, which
 * is called in the event loop, once for this and for each kerberos_client_step, never from within. The configuration
 * must stay, also after kerberos_client_end until the jobs are freed. NULL with errno (EBUSY: too many jobs).
 */
struct kerberos_client *kerberos_client_begin(const struct config_kerberos_client *config, const char *gateway,
	const uint8_t *binding, struct event_base *base, struct jobs *jobs,
	void (*done)(void *context, const struct kerberos_client_answer *answer), void *context);

/* Takes the gateway's token, which is copied. 0, -EBUSY or -ENOMEM as kerberos_step of auth/kerberos.h. */
int kerberos_client_step(struct kerberos_client *client, const uint8_t *token, size_t token_len);

/* Forgets it, at any time, also within `done` and while a helper works for it. NULL is allowed. */
void kerberos_client_end(struct kerberos_client *client);
