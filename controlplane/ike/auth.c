/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/auth.h"

#include "ike/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/evp.h>

bool auth_signs(uint16_t method, bool initiator)
{
	return ike_auth_signature(method, initiator) != 0;
}

/*
 * Whether the hash itself is what a side sends. In hybrid authentication it is who has the user, by keys that come of
 * the key exchange alone: it proves nobody, and that the user logs in is all that counts (xauth.h).
 */
static bool auth_hashes(uint16_t method, bool initiator)
{
	return ike_auth_shares_key(method) || (method == IKE_AUTH_HYBRID_INIT_RSA && initiator);
}

int auth_prove(const struct credentials *credentials, const struct keymat *keys, bool initiator, const uint8_t *hash,
	struct auth_proof *out)
{
	size_t hash_len = keymat_proof_len(keys);
	int len;

	if (auth_signs(keys->auth, initiator)) {
		if (!credentials || !credentials->key)
			return -EOPNOTSUPP;
		len = signature_make(credentials->key, bytes_of(hash, hash_len), out->bytes);
		out->len = len > 0 ? (size_t)len : 0;
		return len < 0 ? len : 0;
	}
	if (!auth_hashes(keys->auth, initiator))
		return -EOPNOTSUPP;
	memcpy(out->bytes, hash, hash_len);
	out->len = hash_len;
	return 0;
}

int auth_write(struct builder *builder, const struct credentials *credentials, const struct keymat *keys,
	bool initiator, const struct auth_proof *proof)
{
	bool signs = auth_signs(keys->auth, initiator);
	int rc = signs ? certificate_write(builder, credentials) : 0;

	builder_add(builder, signs ? ISAKMP_SIGNATURE : ISAKMP_HASH, proof->bytes, proof->len);
	return rc;
}

int auth_request(struct builder *builder, const struct credentials *credentials, uint16_t method, bool initiator)
{
	return auth_signs(method, initiator) && credentials ? certificate_write_requests(builder, credentials) : 0;
}

static int auth_refuse(char *why, int rc, const char *what, bool initiator, const char *how)
{
	snprintf(why, AUTH_WHY_LEN, "%s_%c is %s", what, initiator ? 'I' : 'R', how);
	return rc;
}

/* RFC 2409 section 5.4: the hash itself, which only who has the key can make. */
static int auth_verify_hash(const struct keymat *keys, const struct auth_claim *claim, char *why)
{
	struct bytes proof = payload_body(claim->payloads, ISAKMP_HASH);

	if (proof.len == 0)
		return auth_refuse(why, -EBADMSG, "HASH", claim->initiator, "missing");
	if (!prf_equal(proof, bytes_of(claim->hash, keymat_proof_len(keys))))
		return auth_refuse(why, -EBADMSG, "HASH", claim->initiator,
			ike_auth_shares_key(keys->auth) ? "wrong: the pre-shared keys differ, or somebody else sent it"
							: "wrong: who sent it has not the keys of this exchange");
	return 0;
}

/* RFC 2409 section 5.1: first whether the key is the peer's, then whether it signed. */
static int auth_verify_signature(
	const struct credentials *credentials, const struct keymat *keys, const struct auth_claim *claim, char *why)
{
	struct bytes signature = payload_body(claim->payloads, ISAKMP_SIGNATURE);
	char method[IKE_AUTH_TEXT_LEN];
	EVP_PKEY *key;
	int rc;

	if (signature.len == 0)
		return auth_refuse(why, -EBADMSG, "SIG", claim->initiator, "missing");
	key = certificate_accept(credentials, claim->payloads, claim->id, why);
	if (!key)
		return -EACCES;
	if (signature_method(key) != ike_auth_signature(keys->auth, claim->initiator)) {
		snprintf(why, AUTH_WHY_LEN, "certificate refused: its key is not for the method that was agreed on, %s",
			ike_auth_format(keys->auth, method));
		rc = -EBADMSG;
	} else {
		rc = signature_check(key, bytes_of(claim->hash, keymat_proof_len(keys)), signature);
		if (rc < 0)
			auth_refuse(why, rc, "SIG", claim->initiator,
				"wrong: it was not made with the certificate's key over what both sides sent");
	}
	EVP_PKEY_free(key);
	return rc;
}

int auth_verify(
	const struct credentials *credentials, const struct keymat *keys, const struct auth_claim *claim, char *why)
{
	char method[IKE_AUTH_TEXT_LEN];

	if (auth_signs(keys->auth, claim->initiator))
		return auth_verify_signature(credentials, keys, claim, why);
	if (auth_hashes(keys->auth, claim->initiator))
		return auth_verify_hash(keys, claim, why);
	snprintf(why, AUTH_WHY_LEN, "the authentication method %s is not supported",
		ike_auth_format(keys->auth, method));
	return -EOPNOTSUPP;
}
