/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/keymat.h"

#include "ike/isakmp.h"

#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct bytes keymat_bytes(const struct keymat *keys, const uint8_t *secret)
{
	return bytes_of(secret, keys->prf_len);
}

/* One of SKEYID_d, _a, _e: `before` is the one before it, empty for the first. RFC 2409 section 5. */
static int keymat_derive_one(
	const struct keymat *keys, const struct keymat_input *input, struct bytes before, uint8_t number, uint8_t *out)
{
	struct bytes parts[] = {
		before, input->secret, input->initiator_cookie, input->responder_cookie, bytes_of(&number, 1)};

	return prf_hmac(keys->hash, keymat_bytes(keys, keys->skeyid), parts, COUNT(parts), out);
}

/* The cipher's key out of SKEYID_e: its head, or K1 | K2 | ... when it is too short. RFC 2409 appendix B. */
static int keymat_expand_key(struct keymat *keys)
{
	uint8_t block[PRF_LEN_MAX] = {0};
	struct bytes feed = bytes_of(block, 1);
	size_t done = 0;
	int rc = 0;

	if (keys->key_len <= keys->prf_len) {
		memcpy(keys->key, keys->skeyid_e, keys->key_len);
		return 0;
	}
	while (rc == 0 && done < keys->key_len) {
		size_t take = keys->key_len - done < keys->prf_len ? keys->key_len - done : keys->prf_len;

		rc = prf_hmac(keys->hash, keymat_bytes(keys, keys->skeyid_e), &feed, 1, block);
		feed.len = keys->prf_len;
		memcpy(keys->key + done, block, take);
		done += take;
	}
	OPENSSL_cleanse(block, sizeof(block));
	return rc;
}

/* RFC 4754 section 4: ECDSA signs what the hash of its own curve made. */
static uint16_t keymat_proof_hash(uint16_t auth, uint16_t negotiated)
{
	switch (auth) {
	case IKE_AUTH_ECDSA_256: return IKE_HASH_SHA256;
	case IKE_AUTH_ECDSA_384: return IKE_HASH_SHA384;
	case IKE_AUTH_ECDSA_521: return IKE_HASH_SHA512;
	default: return negotiated;
	}
}

static int keymat_derive_skeyid(struct keymat *keys, const struct keymat_input *input)
{
	struct bytes nonces[] = {input->nonce_i, input->nonce_r};
	uint8_t key[2 * ISAKMP_NONCE_MAX];

	if (ike_auth_shares_key(input->auth))
		return prf_hmac(keys->hash, input->pre_shared_key, nonces, COUNT(nonces), keys->skeyid);
	memcpy(key, input->nonce_i.data, input->nonce_i.len);
	memcpy(key + input->nonce_i.len, input->nonce_r.data, input->nonce_r.len);
	return prf_hmac(
		keys->hash, bytes_of(key, input->nonce_i.len + input->nonce_r.len), &input->secret, 1, keys->skeyid);
}

int keymat_derive(struct keymat *keys, const struct ike_proposal *proposal, const struct keymat_input *input)
{
	int rc;

	*keys = (struct keymat){
		.hash = proposal->hash,
		.cipher = proposal->cipher,
		.auth = input->auth,
		.proof_hash = keymat_proof_hash(input->auth, proposal->hash),
		.prf_len = (uint8_t)prf_len(proposal->hash),
		.key_len = (uint8_t)cipher_key_len(proposal),
		.block_len = (uint8_t)cipher_block_len(proposal->cipher),
	};
	if (!keys->prf_len || !keys->key_len)
		return -EINVAL;
	rc = keymat_derive_skeyid(keys, input);
	if (rc == 0)
		rc = keymat_derive_one(keys, input, bytes_of(NULL, 0), 0, keys->skeyid_d);
	if (rc == 0)
		rc = keymat_derive_one(keys, input, keymat_bytes(keys, keys->skeyid_d), 1, keys->skeyid_a);
	if (rc == 0)
		rc = keymat_derive_one(keys, input, keymat_bytes(keys, keys->skeyid_a), 2, keys->skeyid_e);
	if (rc == 0)
		rc = keymat_expand_key(keys);
	if (rc < 0)
		keymat_wipe(keys);
	return rc;
}

void keymat_wipe(struct keymat *keys)
{
	OPENSSL_cleanse(keys, sizeof(*keys));
}

size_t keymat_proof_len(const struct keymat *keys)
{
	return prf_len(keys->proof_hash);
}

int keymat_proof(
	const struct keymat *keys, const struct keymat_input *input, bool of_initiator, struct bytes id, uint8_t *out)
{
	struct bytes own_ke = of_initiator ? input->ke_i : input->ke_r;
	struct bytes other_ke = of_initiator ? input->ke_r : input->ke_i;
	struct bytes own_cookie = of_initiator ? input->initiator_cookie : input->responder_cookie;
	struct bytes other_cookie = of_initiator ? input->responder_cookie : input->initiator_cookie;
	struct bytes parts[] = {own_ke, other_ke, own_cookie, other_cookie, input->sa_i, id};

	return prf_hmac(keys->proof_hash, keymat_bytes(keys, keys->skeyid), parts, COUNT(parts), out);
}

static int keymat_iv(const struct keymat *keys, struct bytes first, struct bytes second, uint8_t *iv)
{
	struct bytes parts[] = {first, second};
	uint8_t digest[PRF_LEN_MAX];
	int rc = prf_hash(keys->hash, parts, COUNT(parts), digest);

	if (rc == 0)
		memcpy(iv, digest, keys->block_len);
	return rc;
}

int keymat_iv_phase1(const struct keymat *keys, struct bytes ke_i, struct bytes ke_r, uint8_t *iv)
{
	return keymat_iv(keys, ke_i, ke_r, iv);
}

int keymat_iv_phase2(const struct keymat *keys, const uint8_t *last_block, uint32_t message_id, uint8_t *iv)
{
	uint8_t wire_id[4];

	bytes_put32(wire_id, message_id);
	return keymat_iv(keys, bytes_of(last_block, keys->block_len), bytes_of(wire_id, sizeof(wire_id)), iv);
}

int keymat_hash1(const struct keymat *keys, uint32_t message_id, struct bytes rest, uint8_t *out)
{
	return keymat_hash2(keys, message_id, bytes_of(NULL, 0), rest, out);
}

int keymat_hash2(const struct keymat *keys, uint32_t message_id, struct bytes nonce_i, struct bytes rest, uint8_t *out)
{
	uint8_t wire_id[4];
	struct bytes parts[] = {bytes_of(wire_id, sizeof(wire_id)), nonce_i, rest};

	bytes_put32(wire_id, message_id);
	return prf_hmac(keys->hash, keymat_bytes(keys, keys->skeyid_a), parts, COUNT(parts), out);
}

int keymat_hash3(
	const struct keymat *keys, uint32_t message_id, struct bytes nonce_i, struct bytes nonce_r, uint8_t *out)
{
	uint8_t zero_and_id[5] = {0};
	struct bytes parts[] = {bytes_of(zero_and_id, sizeof(zero_and_id)), nonce_i, nonce_r};

	bytes_put32(zero_and_id + 1, message_id);
	return prf_hmac(keys->hash, keymat_bytes(keys, keys->skeyid_a), parts, COUNT(parts), out);
}

int keymat_child(const struct keymat *keys, struct bytes secret, uint8_t protocol, uint32_t spi, struct bytes nonce_i,
	struct bytes nonce_r, uint8_t *out, size_t out_len)
{
	uint8_t block[PRF_LEN_MAX], wire_spi[4];
	struct bytes parts[] = {bytes_of(block, 0), secret, bytes_of(&protocol, 1),
		bytes_of(wire_spi, sizeof(wire_spi)), nonce_i, nonce_r};
	int rc = 0;

	bytes_put32(wire_spi, spi);
	for (size_t done = 0; rc == 0 && done < out_len;) {
		size_t take = out_len - done < keys->prf_len ? out_len - done : keys->prf_len;

		rc = prf_hmac(keys->hash, keymat_bytes(keys, keys->skeyid_d), parts, COUNT(parts), block);
		parts[0].len = keys->prf_len; /* K2 = prf(SKEYID_d, K1 | ...) and so on */
		memcpy(out + done, block, take);
		done += take;
	}
	OPENSSL_cleanse(block, sizeof(block));
	return rc;
}
