/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How each side of phase 1 proves itself, by the method that was negotiated: the seam between the exchanges
 * (aggressive, main), which know when, and the methods, which know how. The caller has HASH_I or HASH_R (keymat_proof);
 * here it becomes payloads, or the peer's are held against it. Everything in here that takes long is arithmetic over
 * what it is given: no SA, no engine.
 */
#pragma once

#include "ike/builder.h"
#include "ike/credentials.h"
#include "ike/keymat.h"
#include "ike/payload.h"
#include "ike/signature.h"

enum { AUTH_WHY_LEN = 320 };

/* Whether a side proves itself with a signature under its certificate; else it sends HASH_I or HASH_R itself. */
bool auth_signs(uint16_t method, bool initiator);

/* What a side proves itself with: the hash itself, or a signature of it. */
struct auth_proof {
	uint8_t bytes[SIGNATURE_MAX];
	size_t len;
};

/*
 * Makes our proof of `hash`. `initiator`: our role. 0; -EOPNOTSUPP for a method that has no case or wants a certificate
 * that there is not; -EIO.
 */
int auth_prove(const struct credentials *credentials, const struct keymat *keys, bool initiator, const uint8_t *hash,
	struct auth_proof *out);

/* Appends it to a message: HASH, or CERT and SIG payloads. 0 or -ENOMEM. */
int auth_write(struct builder *builder, const struct credentials *credentials, const struct keymat *keys,
	bool initiator, const struct auth_proof *proof);

/* Asks for the peer's certificate, where its method has one. `initiator`: the peer's role. 0 or -ENOMEM. */
int auth_request(struct builder *builder, const struct credentials *credentials, uint16_t method, bool initiator);

/* The peer's proof, as its message brought it. */
struct auth_claim {
	const struct payload_list *payloads;
	struct bytes id;     /* the body of its ID payload */
	const uint8_t *hash; /* what its proof has to be of */
	bool initiator;	     /* its role */
};

/*
 * Whether the peer's proof is there, is its own, and fits. 0; -EACCES when its certificate is not accepted; -EBADMSG when
 * the proof is none, which anybody could have sent; -EOPNOTSUPP, -EIO; all but 0 with a sentence in `why`, which has
 * AUTH_WHY_LEN bytes.
 */
int auth_verify(
	const struct credentials *credentials, const struct keymat *keys, const struct auth_claim *claim, char *why);
