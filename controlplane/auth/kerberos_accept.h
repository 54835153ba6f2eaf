/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One token of a peer, as a helper thread takes it: the calls of the GSS library that accept it, and what is demanded
 * beyond what the library checks. Inside auth/ only; kerberos.h is for callers.
 */
#pragma once

#include "auth/gss_status.h"
#include "auth/gss_token.h"
#include "auth/kerberos.h"

enum { KERBEROS_SAID_LEN = 256, KERBEROS_PRINCIPAL_LEN = 256, KERBEROS_REALM_LEN = 64 };

/* One peer. It belongs to the helper from the submission of a job to its end, and to the event loop else. */
struct kerberos_peer {
	const struct config_kerberos *config;
	gss_cred_id_t cred; /* ours, of all peers */
	uint8_t exporter[GSS_BINDING_EXPORTER_LEN];
	gss_ctx_id_t gss;
	unsigned rounds;

	uint8_t *token; /* taken by kerberos_accept; our own copy */
	size_t token_len;

	/* The answer. */
	enum kerberos_state state;
	gss_buffer_desc reply;
	char principal[KERBEROS_PRINCIPAL_LEN], identity[CONFIG_KERBEROS_NAME_LEN];
	char said[KERBEROS_SAID_LEN], why[KERBEROS_WHY_LEN];
};

/*
 * The key of the configuration's service in its keytab, for both mechanisms, and a replay cache. 0; -EINVAL with a
 * sentence in `why` (KERBEROS_WHY_LEN bytes).
 */
int kerberos_acquire(const struct config_kerberos *config, const char *replay_cache, gss_cred_id_t *cred, char *why);

/* Takes the token and writes the answer. May block for as long as a KDC is silent. */
void kerberos_accept(struct kerberos_peer *peer);

/* A stranger's realm for a sentence: cut, and odd characters as "?". */
char *kerberos_realm_quote(const struct gss_token *token, char text[KERBEROS_REALM_LEN]);

/* Lets go of what the library holds for this peer, and wipes. */
void kerberos_peer_clear(struct kerberos_peer *peer);
