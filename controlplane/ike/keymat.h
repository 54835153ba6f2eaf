/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All key derivation and all hashes of IKEv1 (RFC 2409 sections 5, 5.5 and appendix B), over plain bytes. Whoever owns
 * a struct keymat wipes it with keymat_wipe.
 */
#pragma once

#include "ike/cipher.h"
#include "ike/prf.h"

/* The keys of one IKE SA. */
struct keymat {
	uint16_t hash, cipher, auth;
	uint16_t proof_hash; /* of HASH_I and HASH_R: the negotiated one, but with ECDSA (RFC 4754 section 4) */
	uint8_t prf_len, key_len, block_len;
	uint8_t skeyid[PRF_LEN_MAX], skeyid_d[PRF_LEN_MAX], skeyid_a[PRF_LEN_MAX], skeyid_e[PRF_LEN_MAX];
	uint8_t key[CIPHER_KEY_MAX]; /* for IKE messages */
};

/* What both sides saw in the first two messages. Bodies are those of the payloads, generic header left out. */
struct keymat_input {
	struct bytes initiator_cookie, responder_cookie;
	struct bytes ke_i, ke_r; /* g^xi and g^xr */
	struct bytes nonce_i, nonce_r;
	struct bytes secret;	     /* g^xy */
	struct bytes pre_shared_key; /* for methods that have one */
	struct bytes sa_i;	     /* SAi_b: all that the initiator offered */
	uint16_t auth;		     /* enum ike_auth: the method that was chosen */
};

/* 0, -EINVAL for algorithms that are not known, -EIO. */
int keymat_derive(struct keymat *keys, const struct ike_proposal *proposal, const struct keymat_input *input);
void keymat_wipe(struct keymat *keys);

/* HASH_I or HASH_R over the identity's body; writes keymat_proof_len bytes, PRF_LEN_MAX at most. */
size_t keymat_proof_len(const struct keymat *keys);
int keymat_proof(
	const struct keymat *keys, const struct keymat_input *input, bool of_initiator, struct bytes id, uint8_t *out);

/* IVs: of phase 1, and of a message ID from the last block of phase 1. Write keys->block_len bytes. */
int keymat_iv_phase1(const struct keymat *keys, struct bytes ke_i, struct bytes ke_r, uint8_t *iv);
int keymat_iv_phase2(const struct keymat *keys, const uint8_t *last_block, uint32_t message_id, uint8_t *iv);

/*
 * HASH(1) of quick mode and informational exchanges, HASH(2) with the initiator's nonce, over the payloads that follow
 * the hash payload; HASH(3). Write keys->prf_len bytes.
 */
int keymat_hash1(const struct keymat *keys, uint32_t message_id, struct bytes rest, uint8_t *out);
int keymat_hash2(const struct keymat *keys, uint32_t message_id, struct bytes nonce_i, struct bytes rest, uint8_t *out);
int keymat_hash3(
	const struct keymat *keys, uint32_t message_id, struct bytes nonce_i, struct bytes nonce_r, uint8_t *out);

/* KEYMAT of one direction: `spi` is that of the receiver. `secret` is empty without PFS. */
int keymat_child(const struct keymat *keys, struct bytes secret, uint8_t protocol, uint32_t spi, struct bytes nonce_i,
	struct bytes nonce_r, uint8_t *out, size_t out_len);
