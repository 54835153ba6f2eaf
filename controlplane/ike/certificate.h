/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates in messages (RFC 2408 sections 3.9 and 3.10, RFC 4945): ours written, the peer's read and judged. What a
 * peer sends is judged in full before its key is used: chain up to an authority of ours, validity, revocation, key usage,
 * strength of the key, and that it is the identity's. Nothing is fetched from anywhere.
 */
#pragma once

#include "ike/builder.h"
#include "ike/credentials.h"
#include "ike/payload.h"

enum { CERTIFICATE_WHY_LEN = 256, CERTIFICATE_CHAIN_MAX = 8 };

/* CERT payloads: our certificate, then those behind it. */
int certificate_write(struct builder *builder, const struct credentials *credentials);

/* CERTREQ payloads, one for each authority that we trust. */
int certificate_write_requests(struct builder *builder, const struct credentials *credentials);

/*
 * The public key of the peer whose ID payload this is the body of, out of its CERT payloads; the caller frees it with
 * EVP_PKEY_free. NULL with a sentence in `why` (CERTIFICATE_WHY_LEN bytes) that says which check failed.
 */
EVP_PKEY *certificate_accept(
	const struct credentials *credentials, const struct payload_list *payloads, struct bytes id, char *why);

/*
 * A distinguished name in DER as text, "C=DE, O=Example, CN=branch1": the form that the configuration has. False when
 * it is no name or does not fit in `size` bytes.
 */
bool certificate_format_name(struct bytes der, char *text, size_t size);

/* The subject of our certificate in DER, which the caller frees with OPENSSL_free: its length; -1 without memory. */
int certificate_subject(const struct credentials *credentials, uint8_t **der);
