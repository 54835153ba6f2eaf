/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/prf.h"

#include <errno.h>
#include <pthread.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

/*
 * What the library looks up by name is looked up once, since that takes as long as a hash of what IKE hashes. It is
 * never given back; threads read it without locks.
 */
static struct prf_kind {
	uint16_t hash;
	const char *name;
	EVP_MD *md;
	EVP_MAC_CTX *hmac; /* without a key; it is copied */
} kinds[] = {
	{IKE_HASH_MD5, "MD5", NULL, NULL},
	{IKE_HASH_SHA1, "SHA1", NULL, NULL},
	{IKE_HASH_SHA256, "SHA256", NULL, NULL},
	{IKE_HASH_SHA384, "SHA384", NULL, NULL},
	{IKE_HASH_SHA512, "SHA512", NULL, NULL},
};

/* A hash that the library does not have stays NULL. */
static void prf_look_up(void)
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		OSSL_PARAM params[] = {
			OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)kinds[i].name, 0),
			OSSL_PARAM_construct_end(),
		};

		kinds[i].md = EVP_MD_fetch(NULL, kinds[i].name, NULL);
		kinds[i].hmac = hmac && kinds[i].md ? EVP_MAC_CTX_new(hmac) : NULL;
		if (kinds[i].hmac && EVP_MAC_CTX_set_params(kinds[i].hmac, params) != 1) {
			EVP_MAC_CTX_free(kinds[i].hmac);
			kinds[i].hmac = NULL;
		}
	}
	EVP_MAC_free(hmac);
}

/* NULL for a hash that is not known. */
static const struct prf_kind *prf_kind(uint16_t hash)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, prf_look_up);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].hash == hash)
			return kinds[i].hmac ? &kinds[i] : NULL;
	return NULL;
}

size_t prf_len(uint16_t hash)
{
	const struct prf_kind *kind = prf_kind(hash);

	return kind ? (size_t)EVP_MD_get_size(kind->md) : 0;
}

int prf_hash(uint16_t hash, const struct bytes *parts, size_t count, uint8_t *out)
{
	const struct prf_kind *kind = prf_kind(hash);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool done = kind && context && EVP_DigestInit_ex(context, kind->md, NULL) == 1;

	for (size_t i = 0; done && i < count; i++)
		done = EVP_DigestUpdate(context, parts[i].data, parts[i].len) == 1;
	done = done && EVP_DigestFinal_ex(context, out, NULL) == 1;
	EVP_MD_CTX_free(context);
	return done ? 0 : -EIO;
}

int prf_hmac(uint16_t hash, struct bytes key, const struct bytes *parts, size_t count, uint8_t *out)
{
	const struct prf_kind *kind = prf_kind(hash);
	EVP_MAC_CTX *context = kind ? EVP_MAC_CTX_dup(kind->hmac) : NULL;
	bool done = context && EVP_MAC_init(context, key.data, key.len, NULL) == 1;

	for (size_t i = 0; done && i < count; i++)
		done = EVP_MAC_update(context, parts[i].data, parts[i].len) == 1;
	done = done && EVP_MAC_final(context, out, NULL, PRF_LEN_MAX) == 1;
	EVP_MAC_CTX_free(context);
	return done ? 0 : -EIO;
}

bool prf_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && CRYPTO_memcmp(a.data, b.data, a.len) == 0;
}
