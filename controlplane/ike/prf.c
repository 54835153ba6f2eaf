/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/prf.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

static const EVP_MD *prf_md(uint16_t hash)
{
	switch (hash) {
	case IKE_HASH_MD5: return EVP_md5();
	case IKE_HASH_SHA1: return EVP_sha1();
	case IKE_HASH_SHA256: return EVP_sha256();
	case IKE_HASH_SHA384: return EVP_sha384();
	case IKE_HASH_SHA512: return EVP_sha512();
	default: return NULL;
	}
}

size_t prf_len(uint16_t hash)
{
	const EVP_MD *md = prf_md(hash);

	return md ? (size_t)EVP_MD_get_size(md) : 0;
}

int prf_hash(uint16_t hash, const struct bytes *parts, size_t count, uint8_t *out)
{
	const EVP_MD *md = prf_md(hash);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool done = md && context && EVP_DigestInit_ex(context, md, NULL) == 1;

	for (size_t i = 0; done && i < count; i++)
		done = EVP_DigestUpdate(context, parts[i].data, parts[i].len) == 1;
	done = done && EVP_DigestFinal_ex(context, out, NULL) == 1;
	EVP_MD_CTX_free(context);
	return done ? 0 : -EIO;
}

int prf_hmac(uint16_t hash, struct bytes key, const struct bytes *parts, size_t count, uint8_t *out)
{
	const EVP_MD *md = prf_md(hash);
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
	bool done = md && context;

	if (done) {
		OSSL_PARAM params[] = {
			OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)EVP_MD_get0_name(md), 0),
			OSSL_PARAM_construct_end(),
		};

		done = EVP_MAC_init(context, key.data, key.len, params) == 1;
	}
	for (size_t i = 0; done && i < count; i++)
		done = EVP_MAC_update(context, parts[i].data, parts[i].len) == 1;
	done = done && EVP_MAC_final(context, out, NULL, PRF_LEN_MAX) == 1;
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
	return done ? 0 : -EIO;
}

bool prf_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && CRYPTO_memcmp(a.data, b.data, a.len) == 0;
}
