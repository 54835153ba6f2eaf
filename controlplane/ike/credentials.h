/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our certificate and key, and whom we trust: X.509 files named in the configuration (ike.certificate, ike.key,
 * ike.authorities, ike.crls), read at start and, anew, when they have changed. Constant from then on, so any thread may
 * use it, and shared: whoever keeps it holds it.
 */
#pragma once

#include "config/config.h"

#include <stdatomic.h>
#include <openssl/types.h>
#include <openssl/x509.h>

struct credentials {
	atomic_uint holders;
	X509 *certificate;	     /* ours; NULL: none */
	STACK_OF(X509) *chain;	     /* what stands behind it in its file: sent along, not trusted */
	EVP_PKEY *key;
	uint16_t method;	     /* enum ike_auth: what the key is for */
	X509_STORE *store;	     /* authorities and revocation lists */
	STACK_OF(X509) *authorities; /* named in certificate requests */
	bool require_crl;
};

/*
 * 0 with *out, NULL where the configuration names no such file; -EINVAL, with a sentence to `report` for each thing that
 * is wrong; -ENOMEM. The caller frees it with credentials_free.
 */
int credentials_load(const struct config *config, struct credentials **out,
	void (*report)(void *context, const char *sentence), void *context);

/* One more holder; returns what it is given, which may be NULL. */
const struct credentials *credentials_hold(const struct credentials *credentials);

/* One holder less; the last one wipes the key and frees all. NULL is allowed. */
void credentials_free(const struct credentials *credentials);
