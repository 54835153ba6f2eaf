/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How each side of phase 1 proves itself, by the method that was negotiated: the seam between the exchanges
 * (aggressive, main), which know when, and the methods, which know how. The caller has HASH_I or HASH_R (keymat_proof);
 * here it becomes a payload, or is held against the peer's. A further method is further cases here.
 */
#pragma once

#include "ike/builder.h"
#include "ike/keymat.h"
#include "ike/payload.h"

enum { AUTH_WHY_LEN = 256 };

/* Appends our proof over `hash` to a message. `initiator`: our role. 0, -ENOTSUP for a method that has no case, -EIO.
 */
int auth_prove(struct builder *builder, const struct keymat *keys, bool initiator, const uint8_t *hash);

/*
 * Whether the peer's proof stands in its message and fits `hash`. `initiator`: the peer's role. 0, -EBADMSG when it
 * does not, -ENOTSUP, -EIO; all but 0 with a sentence in `why`, which has AUTH_WHY_LEN bytes.
 */
int auth_verify(
	const struct keymat *keys, bool initiator, const uint8_t *hash, const struct payload_list *payloads, char *why);
