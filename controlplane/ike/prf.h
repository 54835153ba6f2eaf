/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The negotiated hash and the PRF, which in IKEv1 is its HMAC (RFC 2409 section 4), over several pieces in one call.
 */
#pragma once

#include "config/proposal.h"
#include "ike/bytes.h"

#include <stdbool.h>

enum { PRF_LEN_MAX = 64 };

/* Bytes of output; 0 for a hash that is not known. */
size_t prf_len(uint16_t hash);

/* Write prf_len bytes. 0, or -EIO when the crypto library refuses. */
int prf_hash(uint16_t hash, const struct bytes *parts, size_t count, uint8_t *out);
int prf_hmac(uint16_t hash, struct bytes key, const struct bytes *parts, size_t count, uint8_t *out);

/* In constant time, for what proves something. */
bool prf_equal(struct bytes a, struct bytes b);
