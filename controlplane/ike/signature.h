/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIG payloads (RFC 2409 section 5.1, RFC 4754): a signature over HASH_I or HASH_R, which is the digest itself and is
 * not hashed again. RSA is PKCS #1 block type 1 around the bare hash, without the DigestInfo that is usual elsewhere;
 * ECDSA is r and s, each as long as the curve's order. Any thread may call these.
 */
#pragma once

#include "config/proposal.h"
#include "ike/bytes.h"

#include <stdbool.h>
#include <openssl/types.h>

enum { SIGNATURE_MAX = 2048, SIGNATURE_WHY_LEN = 160 };

/* The method of ours that a key is for: IKE_AUTH_RSA or one of IKE_AUTH_ECDSA_...; 0 for any other kind. */
uint16_t signature_method(const EVP_PKEY *key);

/*
 * Whether a key is strong enough: RSA of at least 2048 bits and a public exponent of at least 65537, or one of the
 * curves of RFC 4754. False with a sentence in `why`, which has SIGNATURE_WHY_LEN bytes.
 */
bool signature_key_is_strong(const EVP_PKEY *key, char *why);

/* Signs; writes up to SIGNATURE_MAX bytes. Returns how many, or -EIO. */
int signature_make(EVP_PKEY *key, struct bytes hash, uint8_t *out);

/* 0; -EBADMSG when it is not the signature of this hash; -EIO. */
int signature_check(EVP_PKEY *key, struct bytes hash, struct bytes signature);
