/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certification authority for tests: keys, certificates and revocation lists as PEM files in a directory of their
 * own. What goes wrong fails the test.
 */
#pragma once

#include "config/config.h"

#include <openssl/types.h>

struct pki_certificate {
	const char *name;   /* of its files NAME.pem and NAME.key, and its common name */
	const char *issuer; /* the name of one made before; NULL: self-signed */
	const char *key;    /* "rsa2048" and so on, or a curve's name; NULL: P-256 */
	const char *names;  /* subject alternative names in OpenSSL's notation; NULL: none */
	const char *usage;  /* key usage likewise; NULL: none */
	int from, to;	    /* validity, days from now; both 0: from yesterday for a year */
	bool authority;
	unsigned exponent; /* of an RSA key; 0: 65537 */
};

/* Makes and removes the directory. */
void pki_begin(void);
void pki_end(void);

void pki_make(const struct pki_certificate *wanted);

/* The certificate in NAME.pem, which the caller frees. */
X509 *pki_read(const char *name);

/* NAME.crl, issued by NAME, with these certificates on it; `days` from now until the next one is due. */
void pki_revoke(const char *name, const char *const *revoked, int days);

/* Appends the certificates of one file to another, as a chain. */
void pki_append(const char *to, const char *from);

/* The path of a file of the directory, into CONFIG_FILE_LEN bytes; returns it. */
char *pki_path(const char *file, char *path);

/* Points the settings of a side at NAME.pem, NAME.key and one authority's certificate. */
void pki_use(struct config_ike *ike, const char *name, const char *authority);
