/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/tls_verify.h"

#include "tables/address.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

enum { DATE_LEN = 32, NAME_LEN = 96 };

static void format_date(const struct tm *date, char text[DATE_LEN])
{
	strftime(text, DATE_LEN, "%Y-%m-%d %H:%M:%S UTC", date);
}

static void format_certificate_date(const ASN1_TIME *asn1, char text[DATE_LEN])
{
	struct tm date;

	snprintf(text, DATE_LEN, "an unknown date");
	if (ASN1_TIME_to_tm(asn1, &date) == 1)
		format_date(&date, text);
}

/* The common name, in printable characters: it is a stranger's. */
static void format_name(X509 *certificate, char text[NAME_LEN])
{
	if (!certificate || X509_NAME_get_text_by_NID(
				    X509_get_subject_name(certificate), NID_commonName, text, NAME_LEN) < 0)
		snprintf(text, NAME_LEN, "unnamed");
	for (char *at = text; *at; at++)
		if (*at < ' ' || *at > '~' || *at == '"')
			*at = '?';
}

static void say_dates(struct tls_verify *verify, const char *whose, X509 *certificate, bool early)
{
	char limit[DATE_LEN], now[DATE_LEN], name[NAME_LEN];
	time_t clock = time(NULL);
	struct tm date;

	format_certificate_date(
		early ? X509_get0_notBefore(certificate) : X509_get0_notAfter(certificate), limit);
	format_date(gmtime_r(&clock, &date), now);
	format_name(certificate, name);
	verify->failure = TLS_FAILURE_CLOCK;
	snprintf(verify->why, sizeof(verify->why), "%s certificate (%s) %s %s, and the clock here says %s", whose, name,
		early ? "is valid only from" : "expired on", limit, now);
}

static void say_name(struct tls_verify *verify)
{
	snprintf(verify->why, sizeof(verify->why),
		"the gateway's certificate is good but not that of %s: none of its alternative names is this one",
		verify->name ? verify->name : "the one expected");
}

/* Notes the first check that failed. */
static void note(struct tls_verify *verify, const char *whose, X509_STORE_CTX *context, int error)
{
	X509 *certificate = X509_STORE_CTX_get_current_cert(context);
	char name[NAME_LEN];

	if (verify->failure != TLS_FAILURE_NONE)
		return;
	verify->failure = TLS_FAILURE_CERTIFICATE;
	switch (error) {
	case X509_V_ERR_CERT_NOT_YET_VALID: say_dates(verify, whose, certificate, true); return;
	case X509_V_ERR_CERT_HAS_EXPIRED: say_dates(verify, whose, certificate, false); return;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_EMAIL_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH: say_name(verify); return;
	default:
		format_name(certificate, name);
		snprintf(verify->why, sizeof(verify->why), "%s certificate is refused: %s (%s)", whose,
			X509_verify_cert_error_string(error), name);
	}
}

static struct tls_verify *verify_of(X509_STORE_CTX *context)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());

	return SSL_get_app_data(ssl);
}

/* Without a revocation list of an issuer the certificate counts as not revoked, unless the configuration wants one. */
static bool is_tolerated(const struct tls_verify *verify, int error)
{
	return error == X509_V_ERR_UNABLE_TO_GET_CRL && !verify->credentials->require_crl;
}

int tls_verify_gateway(int ok, X509_STORE_CTX *context)
{
	struct tls_verify *verify = verify_of(context);
	int error = X509_STORE_CTX_get_error(context);

	if (ok || is_tolerated(verify, error))
		return 1;
	note(verify, "the gateway's", context, error);
	return 0;
}

int tls_verify_client(int ok, X509_STORE_CTX *context)
{
	struct tls_verify *verify = verify_of(context);
	int error = X509_STORE_CTX_get_error(context);

	if (!ok && !is_tolerated(verify, error))
		note(verify, "the client's", context, error);
	return 1;
}

bool tls_verify_expect(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
	struct address address;

	if (!name || !name[0])
		return false;
	if (address_parse(name, &address) == 0)
		return X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1;
	if (strchr(name, '@'))
		return X509_VERIFY_PARAM_set1_email(parameters, name, 0) == 1;
	X509_VERIFY_PARAM_set_hostflags(parameters,
		X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1 &&
	       (SSL_set_tlsext_host_name(ssl, name) == 1 || (ERR_clear_error(), true));
}
