/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/signature.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

enum { SIGNATURE_RSA_BITS_MIN = 2048, SIGNATURE_RSA_EXPONENT_MIN = 65537, SIGNATURE_ORDER_MAX = 66 };

static const struct signature_curve {
	int nid;
	uint16_t method;
	uint16_t order_len;
} curves[] = {
	{NID_X9_62_prime256v1, IKE_AUTH_ECDSA_256, 32},
	{NID_secp384r1, IKE_AUTH_ECDSA_384, 48},
	{NID_secp521r1, IKE_AUTH_ECDSA_521, 66},
};

/* NULL when the key is none of these curves'. */
static const struct signature_curve *signature_find_curve(const EVP_PKEY *key)
{
	char name[64];
	int nid;

	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
		EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) != 1)
		return NULL;
	nid = OBJ_txt2nid(name);
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (curves[i].nid == nid)
			return &curves[i];
	return NULL;
}

uint16_t signature_method(const EVP_PKEY *key)
{
	const struct signature_curve *curve = signature_find_curve(key);

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		return IKE_AUTH_RSA;
	return curve ? curve->method : 0;
}

bool signature_key_is_strong(const EVP_PKEY *key, char *why)
{
	BIGNUM *exponent = NULL;
	bool strong;

	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
		strong = signature_find_curve(key) != NULL;
		if (!strong)
			snprintf(why, SIGNATURE_WHY_LEN,
				"its key is neither RSA nor ECDSA on one of the curves P-256, P-384 and P-521");
		return strong;
	}
	if (EVP_PKEY_get_bits(key) < SIGNATURE_RSA_BITS_MIN) {
		snprintf(why, SIGNATURE_WHY_LEN, "its RSA key has %d bits; at least %d are accepted",
			EVP_PKEY_get_bits(key), SIGNATURE_RSA_BITS_MIN);
		return false;
	}
	strong = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
		 (BN_num_bits(exponent) > 32 || BN_get_word(exponent) >= SIGNATURE_RSA_EXPONENT_MIN);
	if (!strong)
		snprintf(why, SIGNATURE_WHY_LEN, "its RSA key has a public exponent below %d",
			SIGNATURE_RSA_EXPONENT_MIN);
	BN_free(exponent);
	return strong;
}

/* The library's form of an ECDSA signature, DER, to the wire's. */
static int signature_unwrap(const struct signature_curve *curve, const uint8_t *der, size_t der_len, uint8_t *out)
{
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
	int len = curve->order_len, rc = -EIO;

	if (signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, len) == len &&
		BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + len, len) == len)
		rc = 2 * len;
	ECDSA_SIG_free(signature);
	return rc;
}

/* And back. Returns the length of what the caller frees with OPENSSL_free, or -1. */
static int signature_wrap(const struct signature_curve *curve, struct bytes wire, uint8_t **der)
{
	BIGNUM *r = BN_bin2bn(wire.data, curve->order_len, NULL);
	BIGNUM *s = BN_bin2bn(wire.data + curve->order_len, curve->order_len, NULL);
	ECDSA_SIG *signature = ECDSA_SIG_new();
	int len = -1;

	*der = NULL;
	if (r && s && signature && ECDSA_SIG_set0(signature, r, s) == 1) {
		r = s = NULL;
		len = i2d_ECDSA_SIG(signature, der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(signature);
	return len;
}

/* A context without a digest: what is signed is one already. */
static EVP_PKEY_CTX *signature_context(EVP_PKEY *key, int (*begin)(EVP_PKEY_CTX *))
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);

	if (context && begin(context) == 1 &&
		(EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA ||
			EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1))
		return context;
	EVP_PKEY_CTX_free(context);
	return NULL;
}

int signature_make(EVP_PKEY *key, struct bytes hash, uint8_t *out)
{
	const struct signature_curve *curve = signature_find_curve(key);
	EVP_PKEY_CTX *context = signature_context(key, EVP_PKEY_sign_init);
	uint8_t made[SIGNATURE_MAX];
	size_t len = sizeof(made);
	int rc = -EIO;

	if (context && EVP_PKEY_get_size(key) <= SIGNATURE_MAX &&
		EVP_PKEY_sign(context, made, &len, hash.data, hash.len) == 1) {
		if (curve) {
			rc = signature_unwrap(curve, made, len, out);
		} else {
			memcpy(out, made, len);
			rc = (int)len;
		}
	}
	EVP_PKEY_CTX_free(context);
	return rc;
}

/* The block is taken apart by the library, which wants all of its padding; then all that was in it has to be the hash. */
static int signature_check_rsa(EVP_PKEY *key, struct bytes hash, struct bytes signature)
{
	EVP_PKEY_CTX *context;
	uint8_t block[SIGNATURE_MAX];
	size_t len = sizeof(block);
	int rc = -EIO;

	if (EVP_PKEY_get_size(key) > SIGNATURE_MAX || signature.len != (size_t)EVP_PKEY_get_size(key))
		return -EBADMSG;
	context = signature_context(key, EVP_PKEY_verify_recover_init);
	if (context) {
		rc = EVP_PKEY_verify_recover(context, block, &len, signature.data, signature.len) == 1 &&
				     len == hash.len && CRYPTO_memcmp(block, hash.data, hash.len) == 0
			     ? 0
			     : -EBADMSG;
	}
	EVP_PKEY_CTX_free(context);
	return rc;
}

static int signature_check_ecdsa(
	EVP_PKEY *key, const struct signature_curve *curve, struct bytes hash, struct bytes signature)
{
	EVP_PKEY_CTX *context;
	int rc = -EIO, der_len;
	uint8_t *der;

	if (signature.len != 2u * curve->order_len)
		return -EBADMSG;
	der_len = signature_wrap(curve, signature, &der);
	context = signature_context(key, EVP_PKEY_verify_init);
	/* 1: it is; 0: it is not; negative: something else went wrong, and that is not 1 either. */
	if (der_len > 0 && context)
		rc = EVP_PKEY_verify(context, der, (size_t)der_len, hash.data, hash.len) == 1 ? 0 : -EBADMSG;
	EVP_PKEY_CTX_free(context);
	OPENSSL_free(der);
	return rc;
}

int signature_check(EVP_PKEY *key, struct bytes hash, struct bytes signature)
{
	const struct signature_curve *curve = signature_find_curve(key);

	if (curve)
		return signature_check_ecdsa(key, curve, hash, signature);
	return signature_check_rsa(key, hash, signature);
}
