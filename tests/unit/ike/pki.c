/* SPDX-License-Identifier: Apache-2.0 */
#include "pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

enum { DAY = 86400 };

static char directory[64];
static long serial;

void pki_begin(void)
{
	strcpy(directory, "/tmp/sluice-pki-XXXXXX");
	assert_non_null(mkdtemp(directory));
}

void pki_end(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	assert_int_equal(system(command), 0);
}

char *pki_path(const char *file, char *path)
{
	snprintf(path, CONFIG_FILE_LEN, "%s/%s", directory, file);
	return path;
}

static FILE *open_file(const char *name, const char *suffix, const char *mode)
{
	char file[64], path[CONFIG_FILE_LEN];
	FILE *opened;

	snprintf(file, sizeof(file), "%s.%s", name, suffix);
	opened = fopen(pki_path(file, path), mode);
	if (!opened)
		fail_msg("no file %s", path);
	return opened;
}

X509 *pki_read(const char *name)
{
	FILE *file = open_file(name, "pem", "r");
	X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);

	assert_non_null(certificate);
	fclose(file);
	return certificate;
}

static EVP_PKEY *read_key(const char *name)
{
	FILE *file = open_file(name, "key", "r");
	EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);

	assert_non_null(key);
	fclose(file);
	return key;
}

static EVP_PKEY *make_rsa(unsigned bits, unsigned exponent)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *e = BN_new();
	EVP_PKEY *key = NULL;

	assert_int_equal(BN_set_word(e, exponent), 1);
	assert_int_equal(EVP_PKEY_keygen_init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(context, (int)bits), 1);
	assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, e), 1);
	assert_int_equal(EVP_PKEY_generate(context, &key), 1);
	BN_free(e);
	EVP_PKEY_CTX_free(context);
	return key;
}

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static void name_entry(X509_NAME *name, const char *field, const char *value)
{
	assert_int_equal(X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC, (const uint8_t *)value, -1, -1, 0), 1);
}

static void fill(X509 *certificate, const struct pki_certificate *wanted, X509 *issuer, EVP_PKEY *key)
{
	bool usual = wanted->from == 0 && wanted->to == 0;
	X509_NAME *name = X509_get_subject_name(certificate);

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), (usual ? -1 : wanted->from) * (long)DAY);
	X509_gmtime_adj(X509_getm_notAfter(certificate), (usual ? 365 : wanted->to) * (long)DAY);
	name_entry(name, "C", "DE");
	name_entry(name, "O", "Example");
	name_entry(name, "CN", wanted->name);
	X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
	assert_int_equal(X509_set_pubkey(certificate, key), 1);
	extend(certificate, issuer, NID_basic_constraints, wanted->authority ? "critical,CA:TRUE" : "CA:FALSE");
	if (wanted->names)
		extend(certificate, issuer, NID_subject_alt_name, wanted->names);
	if (wanted->usage)
		extend(certificate, issuer, NID_key_usage, wanted->usage);
}

void pki_make(const struct pki_certificate *wanted)
{
	const char *kind = wanted->key ? wanted->key : "P-256";
	X509 *certificate = X509_new(), *issuer = wanted->issuer ? pki_read(wanted->issuer) : NULL;
	EVP_PKEY *signer = wanted->issuer ? read_key(wanted->issuer) : NULL, *key;
	FILE *file;

	if (strncmp(kind, "rsa", 3) == 0)
		key = make_rsa((unsigned)atoi(kind + 3), wanted->exponent ? wanted->exponent : 65537);
	else if (strcmp(kind, "ed25519") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		key = EVP_EC_gen(kind);
	assert_non_null(key);
	fill(certificate, wanted, issuer ? issuer : certificate, key);
	assert_true(X509_sign(certificate, signer ? signer : key, EVP_sha256()) > 0);
	file = open_file(wanted->name, "pem", "w");
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	fclose(file);
	file = open_file(wanted->name, "key", "w");
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	EVP_PKEY_free(key);
	EVP_PKEY_free(signer);
	X509_free(issuer);
	X509_free(certificate);
}

void pki_revoke(const char *name, const char *const *revoked, int days)
{
	X509 *issuer = pki_read(name);
	EVP_PKEY *key = read_key(name);
	ASN1_TIME *time = ASN1_TIME_new();
	X509_CRL *crl = X509_CRL_new();
	FILE *file;

	assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
	assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)), 1);
	X509_gmtime_adj(time, -10 * DAY);
	X509_CRL_set1_lastUpdate(crl, time);
	for (; *revoked; revoked++) {
		X509 *certificate = pki_read(*revoked);
		X509_REVOKED *entry = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate));
		X509_REVOKED_set_revocationDate(entry, time);
		assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
		X509_free(certificate);
	}
	X509_gmtime_adj(time, days * (long)DAY);
	X509_CRL_set1_nextUpdate(crl, time);
	assert_true(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
	file = open_file(name, "crl", "w");
	assert_int_equal(PEM_write_X509_CRL(file, crl), 1);
	fclose(file);
	X509_CRL_free(crl);
	ASN1_TIME_free(time);
	EVP_PKEY_free(key);
	X509_free(issuer);
}

void pki_append(const char *to, const char *from)
{
	X509 *certificate = pki_read(from);
	FILE *file = open_file(to, "pem", "a");

	assert_int_equal(PEM_write_X509(file, certificate), 1);
	fclose(file);
	X509_free(certificate);
}

void pki_use(struct config_ike *ike, const char *name, const char *authority)
{
	char file[64];

	snprintf(file, sizeof(file), "%s.pem", name);
	pki_path(file, ike->certificate);
	snprintf(file, sizeof(file), "%s.key", name);
	pki_path(file, ike->key);
	snprintf(file, sizeof(file), "%s.pem", authority);
	pki_path(file, ike->authorities[0]);
	ike->n_authorities = 1;
}
