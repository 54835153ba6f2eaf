/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diffie-Hellman for groups 2, 5, 14 to 16 (RFC 2409 section 6.2, RFC 3526), 19 to 21 (RFC 5903) and 31 (RFC 8031). The
 * private value is made of bytes that the caller drew, so that an engine has one source of randomness. Values are in
 * the form of the KE payload: MODP numbers padded to the length of the prime, ECP points as x and y, Curve25519 as x
 * alone.
 */
#pragma once

#include "config/proposal.h"
#include "ike/bytes.h"

enum {
	DH_RANDOM_LEN = 74, /* bytes that dh_new consumes: 521 bits and 64 to spare, so that reduction shows no bias */
	DH_PUBLIC_MAX = 512,
	DH_SECRET_MAX = 512,
};

struct dh;

/* Length of the KE payload's body, and of the shared secret; 0 for a group that is not known. */
size_t dh_public_len(uint16_t group);
size_t dh_secret_len(uint16_t group);

/* A key pair from DH_RANDOM_LEN random bytes, which the caller wipes. NULL with errno (ENOTSUP, ENOMEM). */
struct dh *dh_new(uint16_t group, const uint8_t *random);

/* One more holds it, in the same thread as those who hold it already; returns it. Values never change once made. */
struct dh *dh_share(struct dh *dh);

/* Lets go of it; the last one wipes it. NULL is allowed. */
void dh_free(struct dh *dh);

uint16_t dh_group(const struct dh *dh);
struct bytes dh_public(const struct dh *dh);

/*
 * Writes dh_secret_len bytes: the whole number for MODP (RFC 2409 section 5), x alone for ECP (RFC 5903 section 7). The
 * peer's value is checked first: exact length, 2 to p-2, a point of the curve; with Curve25519 the secret must not be
 * zero (RFC 7748 section 6.1). 0, -EBADMSG when it is not such a
 * value, -EIO.
 */
int dh_agree(const struct dh *dh, struct bytes peer_public, uint8_t *secret);
