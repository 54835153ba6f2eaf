/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/certificate.h"

#include "ike/isakmp.h"
#include "ike/signature.h"
#include "ike/subject.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

static int certificate_add(struct builder *builder, X509 *certificate)
{
	uint8_t *der = NULL;
	int len = i2d_X509(certificate, &der);

	if (len < 0)
		return -ENOMEM;
	builder_open(builder, ISAKMP_CERT);
	builder_put8(builder, ISAKMP_CERT_X509_SIGNATURE);
	builder_put(builder, der, (size_t)len);
	builder_close(builder);
	OPENSSL_free(der);
	return 0;
}

int certificate_write(struct builder *builder, const struct credentials *credentials)
{
	int rc = certificate_add(builder, credentials->certificate);

	for (int i = 0; rc == 0 && i < sk_X509_num(credentials->chain); i++)
		rc = certificate_add(builder, sk_X509_value(credentials->chain, i));
	return rc;
}

int certificate_write_requests(struct builder *builder, const struct credentials *credentials)
{
	for (int i = 0; i < sk_X509_num(credentials->authorities); i++) {
		const X509 *authority = sk_X509_value(credentials->authorities, i);
		uint8_t *der = NULL;
		int len = i2d_X509_NAME(X509_get_subject_name(authority), &der);

		if (len < 0)
			return -ENOMEM;
		builder_open(builder, ISAKMP_CERT_REQUEST);
		builder_put8(builder, ISAKMP_CERT_X509_SIGNATURE);
		builder_put(builder, der, (size_t)len);
		builder_close(builder);
		OPENSSL_free(der);
	}
	return 0;
}

int certificate_subject(const struct credentials *credentials, uint8_t **der)
{
	*der = NULL;
	return i2d_X509_NAME(X509_get_subject_name(credentials->certificate), der);
}

bool certificate_format_name(struct bytes der, char *text, size_t size)
{
	const uint8_t *at = der.data;
	X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)der.len);
	bool done = name && at == der.data + der.len && subject_format(name, text, size);

	X509_NAME_free(name);
	ERR_clear_error();
	return done;
}

/* The peer's certificates in the order of their payloads; its own comes first (RFC 4945 section 3.3). NULL: `why`. */
static STACK_OF(X509) *certificate_read(const struct payload_list *payloads, char *why)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	const struct payload *at = NULL;

	while (chain && (at = payload_find(payloads, ISAKMP_CERT, at))) {
		struct bytes body = at++->body;
		const uint8_t *der = body.data + 1;
		X509 *certificate;

		if (body.data[0] != ISAKMP_CERT_X509_SIGNATURE)
			continue;
		certificate = d2i_X509(NULL, &der, (long)body.len - 1);
		if (!certificate || der != body.data + body.len || sk_X509_num(chain) == CERTIFICATE_CHAIN_MAX ||
			!sk_X509_push(chain, certificate)) {
			snprintf(why, CERTIFICATE_WHY_LEN,
				sk_X509_num(chain) == CERTIFICATE_CHAIN_MAX
					? "certificate refused: more than %d were sent"
					: "certificate refused: one of at most %d is no X.509 certificate",
				CERTIFICATE_CHAIN_MAX);
			X509_free(certificate);
			sk_X509_pop_free(chain, X509_free);
			return NULL;
		}
	}
	if (chain && sk_X509_num(chain) > 0)
		return chain;
	snprintf(why, CERTIFICATE_WHY_LEN, "no certificate was sent");
	sk_X509_free(chain);
	return NULL;
}

/* Without a revocation list of an issuer the certificate counts as not revoked, unless the configuration wants one. */
static int certificate_judge(int ok, X509_STORE_CTX *context)
{
	const struct credentials *credentials = X509_STORE_CTX_get_app_data(context);

	if (ok)
		return ok;
	return X509_STORE_CTX_get_error(context) == X509_V_ERR_UNABLE_TO_GET_CRL && !credentials->require_crl;
}

static bool certificate_check_chain(const struct credentials *credentials, STACK_OF(X509) *chain, char *why)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	bool good = false;
	X509 *at;
	int error;

	snprintf(why, CERTIFICATE_WHY_LEN, "out of memory");
	if (!context || X509_STORE_CTX_init(context, credentials->store, sk_X509_value(chain, 0), chain) != 1)
		goto out;
	X509_STORE_CTX_set_app_data(context, (void *)credentials);
	X509_STORE_CTX_set_verify_cb(context, certificate_judge);
	good = X509_verify_cert(context) == 1;
	if (!good) {
		char name[128] = "unnamed";

		error = X509_STORE_CTX_get_error(context);
		at = X509_STORE_CTX_get_current_cert(context);
		if (at)
			subject_format(X509_get_subject_name(at), name, sizeof(name));
		snprintf(why, CERTIFICATE_WHY_LEN, "certificate refused: %s (%s)",
			X509_verify_cert_error_string(error), name);
	}
out:
	X509_STORE_CTX_free(context);
	return good;
}

/* RFC 4945 section 5.1.6: the subject alternative name of the identity's kind, or the subject itself. */
static bool certificate_is_of(X509 *certificate, struct bytes id)
{
	const struct id_hdr *hdr = (const struct id_hdr *)id.data;
	const char *value = (const char *)(hdr + 1);
	size_t len = id.len - sizeof(*hdr);
	const uint8_t *der = (const uint8_t *)value;
	X509_NAME *name;
	bool same;

	switch (hdr->type) {
	case ISAKMP_ID_FQDN:
		return len > 0 && X509_check_host(certificate, value, len,
					  X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
					  NULL) == 1;
	case ISAKMP_ID_USER_FQDN:
		return len > 0 &&
		       X509_check_email(certificate, value, len, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT) == 1;
	case ISAKMP_ID_IPV4_ADDR:
	case ISAKMP_ID_IPV6_ADDR: return X509_check_ip(certificate, der, len, 0) == 1;
	case ISAKMP_ID_DER_ASN1_DN:
		name = d2i_X509_NAME(NULL, &der, (long)len);
		same = name && X509_NAME_cmp(name, X509_get_subject_name(certificate)) == 0;
		X509_NAME_free(name);
		return same;
	default: return false;
	}
}

EVP_PKEY *certificate_accept(
	const struct credentials *credentials, const struct payload_list *payloads, struct bytes id, char *why)
{
	char weak[SIGNATURE_WHY_LEN];
	STACK_OF(X509) *chain;
	EVP_PKEY *key = NULL;
	uint32_t usage;
	X509 *own;

	if (!credentials || sk_X509_num(credentials->authorities) == 0) {
		snprintf(why, CERTIFICATE_WHY_LEN, "no authority is configured (ike.authorities)");
		return NULL;
	}
	chain = certificate_read(payloads, why);
	if (!chain)
		return NULL;
	own = sk_X509_value(chain, 0);
	usage = X509_get_key_usage(own); /* all bits when there is no such extension */
	if (!X509_get0_pubkey(own))
		snprintf(why, CERTIFICATE_WHY_LEN, "certificate refused: its key can't be read");
	else if (!signature_key_is_strong(X509_get0_pubkey(own), weak))
		snprintf(why, CERTIFICATE_WHY_LEN, "certificate refused: %s", weak);
	else if (!certificate_check_chain(credentials, chain, why))
		;
	else if (!(usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)))
		snprintf(why, CERTIFICATE_WHY_LEN, "certificate refused: its key is not for signatures (RFC 4945)");
	else if (!certificate_is_of(own, id))
		snprintf(why, CERTIFICATE_WHY_LEN,
			"certificate refused: the identity is neither its subject nor one of its alternative names");
	else
		key = X509_get_pubkey(own);
	sk_X509_pop_free(chain, X509_free);
	ERR_clear_error();
	return key;
}
