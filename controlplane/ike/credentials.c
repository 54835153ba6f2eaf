/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/credentials.h"

#include "ike/signature.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* X509_VERIFY_PARAM_set_auth_level: 112 bits, which wants 2,048 bits of RSA and more than SHA-1 all the way up. */
enum { CREDENTIALS_LEVEL = 2, CREDENTIALS_SENTENCE_LEN = 640 };

struct credentials_reader {
	void (*report)(void *context, const char *sentence);
	void *context;
	bool failed;
};

static void credentials_refuse(struct credentials_reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void credentials_refuse(struct credentials_reader *reader, const char *format, ...)
{
	char sentence[CREDENTIALS_SENTENCE_LEN];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	reader->report(reader->context, sentence);
	reader->failed = true;
}

/* A file with a key in it must be closed to others; NULL when it can't be used. */
static FILE *credentials_open(struct credentials_reader *reader, const char *setting, const char *path, bool is_private)
{
	FILE *file = fopen(path, "re");
	struct stat st;

	if (!file) {
		credentials_refuse(reader, "%s: %s can't be read: %s", setting, path, strerror(errno));
		return NULL;
	}
	if (fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode) &&
		!(is_private && (st.st_mode & (S_IROTH | S_IWOTH))))
		return file;
	if (!S_ISREG(st.st_mode))
		credentials_refuse(reader, "%s: %s is not a regular file; expected one in PEM form", setting, path);
	else
		credentials_refuse(reader, "%s: %s is not private: its mode is %04o; expected 0640 or less, say: chmod 640 %s",
			setting, path, (unsigned)st.st_mode & 07777, path);
	fclose(file);
	return NULL;
}

/* All certificates of a file; at least one, or it is refused. */
static STACK_OF(X509) *credentials_read_certificates(
	struct credentials_reader *reader, const char *setting, const char *path)
{
	FILE *file = credentials_open(reader, setting, path, false);
	STACK_OF(X509) *found = file ? sk_X509_new_null() : NULL;
	X509 *certificate;

	while (found && (certificate = PEM_read_X509(file, NULL, NULL, NULL)))
		if (!sk_X509_push(found, certificate)) {
			X509_free(certificate);
			break;
		}
	ERR_clear_error(); /* the end of the file is one */
	if (found && sk_X509_num(found) == 0)
		credentials_refuse(reader, "%s: %s holds no certificate in PEM form (BEGIN CERTIFICATE)", setting, path);
	if (file)
		fclose(file);
	return found;
}

/* No passphrase is asked for: there is nobody to answer. */
static int credentials_no_passphrase(char *buffer, int size, int writing, void *context)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

static void credentials_read_key(struct credentials_reader *reader, struct credentials *credentials, const char *path)
{
	FILE *file = credentials_open(reader, "ike.key", path, true);
	char why[SIGNATURE_WHY_LEN];

	if (!file)
		return;
	credentials->key = PEM_read_PrivateKey(file, NULL, credentials_no_passphrase, NULL);
	fclose(file);
	ERR_clear_error();
	if (!credentials->key)
		credentials_refuse(reader,
			"ike.key: %s holds no private key in PEM form without passphrase (BEGIN PRIVATE KEY)", path);
	else if (!signature_key_is_strong(credentials->key, why))
		credentials_refuse(reader, "ike.key: %s can't be used: %s", path, why);
	else if (credentials->certificate && X509_check_private_key(credentials->certificate, credentials->key) != 1)
		credentials_refuse(reader, "ike.key: %s is not the key of the first certificate in ike.certificate", path);
	ERR_clear_error();
	if (credentials->key)
		credentials->method = signature_method(credentials->key);
}

static void credentials_read_own(struct credentials_reader *reader, struct credentials *credentials,
	const struct config_ike *config)
{
	if (!config->certificate[0])
		return;
	credentials->chain = credentials_read_certificates(reader, "ike.certificate", config->certificate);
	if (credentials->chain && sk_X509_num(credentials->chain) > 0)
		credentials->certificate = sk_X509_shift(credentials->chain);
	credentials_read_key(reader, credentials, config->key);
}

static void credentials_read_authorities(
	struct credentials_reader *reader, struct credentials *credentials, const char *path)
{
	STACK_OF(X509) *found = credentials_read_certificates(reader, "ike.authorities", path);

	while (found && sk_X509_num(found) > 0) {
		X509 *authority = sk_X509_shift(found);

		if (X509_check_ca(authority) == 0)
			credentials_refuse(
				reader, "ike.authorities: a certificate in %s is not that of an authority", path);
		if (X509_STORE_add_cert(credentials->store, authority) != 1 ||
			!sk_X509_push(credentials->authorities, authority)) {
			credentials_refuse(reader, "ike.authorities: no memory for %s", path);
			X509_free(authority);
		}
	}
	sk_X509_free(found);
}

static void credentials_read_crls(struct credentials_reader *reader, struct credentials *credentials, const char *path)
{
	FILE *file = credentials_open(reader, "ike.crls", path, false);
	size_t found = 0;
	X509_CRL *crl;

	while (file && (crl = PEM_read_X509_CRL(file, NULL, NULL, NULL))) {
		if (X509_STORE_add_crl(credentials->store, crl) != 1)
			credentials_refuse(reader, "ike.crls: no memory for %s", path);
		X509_CRL_free(crl);
		found++;
	}
	ERR_clear_error();
	if (file && found == 0)
		credentials_refuse(reader, "ike.crls: %s holds no revocation list in PEM form (BEGIN X509 CRL)", path);
	if (file)
		fclose(file);
}

/*
 * The key decides which method we can use; a peer that may use none of its own could never connect. Where users log in
 * we respond, for clients' part is sluice-connect's, whose peers have no such mark.
 */
static void credentials_check_peers(
	struct credentials_reader *reader, const struct credentials *credentials, const struct config *config)
{
	for (size_t i = 0; credentials->key && i < config->n_peers; i++)
		for (size_t k = 0; k < config->peers[i].n_auth; k++) {
			uint16_t method = config->peers[i].auth[k];
			uint16_t wanted = ike_auth_signature(method, !config->peers[i].users);
			char name[IKE_AUTH_TEXT_LEN], ours[IKE_AUTH_TEXT_LEN];

			if (wanted && wanted != credentials->method)
				credentials_refuse(reader,
					"peer %s: auth: \"%s\" needs another key than that in ike.key, which is for \"%s\"",
					config->peers[i].name, ike_auth_format(method, name),
					ike_auth_format(credentials->method, ours));
		}
}

static int credentials_make_store(struct credentials *credentials, const struct config_ike *config)
{
	X509_VERIFY_PARAM *parameters;

	credentials->store = X509_STORE_new();
	credentials->authorities = sk_X509_new_null();
	if (!credentials->store || !credentials->authorities)
		return -ENOMEM;
	parameters = X509_STORE_get0_param(credentials->store);
	X509_VERIFY_PARAM_set_auth_level(parameters, CREDENTIALS_LEVEL);
	credentials->require_crl = config->require_crl;
	if (config->n_crls > 0 || config->require_crl)
		X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return 0;
}

int credentials_load(const struct config *config, struct credentials **out,
	void (*report)(void *context, const char *sentence), void *context)
{
	struct credentials_reader reader = {.report = report, .context = context};
	const struct config_ike *ike = &config->ike;
	struct credentials *credentials;

	*out = NULL;
	if (!ike->certificate[0] && ike->n_authorities == 0)
		return 0;
	credentials = calloc(1, sizeof(*credentials));
	if (credentials)
		atomic_init(&credentials->holders, 1);
	if (!credentials || credentials_make_store(credentials, ike) < 0) {
		credentials_free(credentials);
		return -ENOMEM;
	}
	credentials_read_own(&reader, credentials, ike);
	for (size_t i = 0; i < ike->n_authorities; i++)
		credentials_read_authorities(&reader, credentials, ike->authorities[i]);
	for (size_t i = 0; i < ike->n_crls; i++)
		credentials_read_crls(&reader, credentials, ike->crls[i]);
	credentials_check_peers(&reader, credentials, config);
	if (reader.failed) {
		credentials_free(credentials);
		return -EINVAL;
	}
	*out = credentials;
	return 0;
}

const struct credentials *credentials_hold(const struct credentials *held)
{
	struct credentials *credentials = (struct credentials *)held;

	if (credentials)
		atomic_fetch_add_explicit(&credentials->holders, 1, memory_order_relaxed);
	return held;
}

void credentials_free(const struct credentials *held)
{
	struct credentials *credentials = (struct credentials *)held;

	if (!credentials || atomic_fetch_sub_explicit(&credentials->holders, 1, memory_order_acq_rel) > 1)
		return;
	X509_free(credentials->certificate);
	sk_X509_pop_free(credentials->chain, X509_free);
	EVP_PKEY_free(credentials->key);
	X509_STORE_free(credentials->store);
	sk_X509_pop_free(credentials->authorities, X509_free);
	free(credentials);
}
