/* SPDX-License-Identifier: Apache-2.0 */
/* What TLS asks while it verifies the other side's certificate, and what is said of a bad one (RFC 5280, RFC 6125). */
#pragma once

#include "registration/tls.h"

#include <openssl/ssl.h>

/* Stands as the SSL object's application data. */
struct tls_verify {
	const struct credentials *credentials;
	const char *name;	  /* that the gateway's certificate must carry; not ours */
	enum tls_failure failure; /* the first one */
	char why[TLS_WHY_LEN];
};

/* Callbacks of SSL_CTX_set_verify: the client's ends the handshake at a bad certificate; the gateway's only notes it. */
int tls_verify_gateway(int ok, X509_STORE_CTX *context);
int tls_verify_client(int ok, X509_STORE_CTX *context);

/* Demands an alternative name: an address, a mail address or a host name. False: it can't be one. */
bool tls_verify_expect(SSL *ssl, const char *name);
