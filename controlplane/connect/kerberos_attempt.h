/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of the GSS library that show who we are, by one of its two mechanisms, as a helper thread makes them; and
 * what their failures mean. Inside connect/ only; kerberos_client.h is for callers.
 */
#pragma once

#include "auth/gss_status.h"
#include "connect/kerberos_client.h"
#include "jobs.h"

enum { KERBEROS_ATTEMPT_NAME_LEN = 256 };

/* It belongs to the helper from the submission of the job to its end, but for `client`. */
struct kerberos_attempt {
	struct job job;			/* first: a job is its attempt */
	struct kerberos_client *client; /* the event loop's alone; NULL: nobody waits for it any more */
	const struct config_kerberos_client *config;
	const gss_OID_desc *mechanism;
	char gateway[KERBEROS_ATTEMPT_NAME_LEN];
	uint8_t exporter[GSS_BINDING_EXPORTER_LEN];

	gss_cred_id_t cred;
	gss_name_t target;
	gss_ctx_id_t gss;
	unsigned rounds;
	uint8_t *token; /* of the gateway; taken by the work */
	size_t token_len;

	/* The answer. */
	enum kerberos_client_state state;
	enum kerberos_client_failure failure;
	gss_buffer_desc reply;
	char principal[KERBEROS_ATTEMPT_NAME_LEN], service[KERBEROS_ATTEMPT_NAME_LEN];
	char why[KERBEROS_CLIENT_WHY_LEN];
};

/* Gets tickets, the first time, and makes the next token. May block for as long as a KDC is silent. */
void kerberos_attempt_work(struct kerberos_attempt *attempt);

/* Lets go of what the library holds, and wipes. */
void kerberos_attempt_clear(struct kerberos_attempt *attempt);

/* Writes `failure` and `why` of a call that has just failed in this thread. */
void kerberos_attempt_explain(struct kerberos_attempt *attempt, OM_uint32 major, OM_uint32 minor);

static inline bool kerberos_attempt_through_gateway(const struct kerberos_attempt *attempt)
{
	return attempt->mechanism == &gss_mechanism_iakerb;
}
