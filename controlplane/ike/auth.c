/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/auth.h"

#include <errno.h>
#include <stdio.h>

int auth_prove(struct builder *builder, const struct keymat *keys, bool initiator, const uint8_t *hash)
{
	(void)initiator;
	switch (keys->auth) {
	case IKE_AUTH_PSK: builder_add(builder, ISAKMP_HASH, hash, keymat_proof_len(keys)); return 0;
	default: return -ENOTSUP;
	}
}

/* RFC 2409 section 5.4: the hash itself, which only who has the key can make. */
static int auth_verify_hash(
	const struct keymat *keys, bool initiator, const uint8_t *hash, const struct payload_list *payloads, char *why)
{
	char side = initiator ? 'I' : 'R';

	if (!payload_find(payloads, ISAKMP_HASH, NULL)) {
		snprintf(why, AUTH_WHY_LEN, "HASH_%c is missing", side);
		return -EBADMSG;
	}
	if (!prf_equal(payload_body(payloads, ISAKMP_HASH), bytes_of(hash, keymat_proof_len(keys)))) {
		snprintf(why, AUTH_WHY_LEN, "HASH_%c is wrong: the pre-shared keys differ, or somebody else sent it",
			side);
		return -EBADMSG;
	}
	return 0;
}

int auth_verify(
	const struct keymat *keys, bool initiator, const uint8_t *hash, const struct payload_list *payloads, char *why)
{
	char method[IKE_AUTH_TEXT_LEN];

	switch (keys->auth) {
	case IKE_AUTH_PSK: return auth_verify_hash(keys, initiator, hash, payloads, why);
	default:
		snprintf(why, AUTH_WHY_LEN, "the authentication method %s is not supported",
			ike_auth_format(keys->auth, method));
		return -ENOTSUP;
	}
}
