/* SPDX-License-Identifier: Apache-2.0 */
#include "reference.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool is_gcm(const struct reference_sa *sa)
{
	return sa->suite->salt_len > 0;
}

static const EVP_CIPHER *cipher_of(const struct reference_sa *sa)
{
	if (is_gcm(sa))
		return sa->suite->key_len == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
	return sa->suite->key_len == 32 ? EVP_aes_256_cbc() : EVP_aes_128_cbc();
}

/* RFC 4106 section 4 for GCM, the IV itself for CBC. */
static void make_iv(const struct reference_sa *sa, const uint8_t *iv, uint8_t *full)
{
	memcpy(full, sa->keymat + sa->suite->key_len, sa->suite->salt_len);
	memcpy(full + sa->suite->salt_len, iv, sa->suite->iv_len);
}

void reference_hmac(const struct reference_sa *sa, const uint8_t *data, size_t len, uint8_t *icv)
{
	const EVP_MD *hash = sa->suite->auth_key_len == 20 ? EVP_sha1() : EVP_sha256();
	uint8_t digest[EVP_MAX_MD_SIZE];

	assert_non_null(HMAC(hash, sa->keymat + sa->suite->key_len, sa->suite->auth_key_len, data, len, digest, NULL));
	memcpy(icv, digest, sa->suite->icv_len);
}

void reference_encrypt_block(const struct reference_sa *sa, const uint8_t *in, uint8_t *out)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int len;

	assert_int_equal(EVP_EncryptInit_ex(context, sa->suite->key_len == 32 ? EVP_aes_256_ecb() : EVP_aes_128_ecb(),
				 NULL, sa->keymat, NULL),
		1);
	EVP_CIPHER_CTX_set_padding(context, 0);
	assert_int_equal(EVP_EncryptUpdate(context, out, &len, in, 16), 1);
	assert_int_equal(len, 16);
	EVP_CIPHER_CTX_free(context);
}

size_t reference_pad(const struct reference_sa *sa, const uint8_t *payload, size_t payload_len, uint8_t next_header,
	uint8_t *plaintext)
{
	size_t len = payload_len;
	uint8_t pad_len = 0;

	if (payload_len)
		memcpy(plaintext, payload, payload_len);
	while ((len + 2) % sa->suite->block_len)
		plaintext[len++] = ++pad_len;
	plaintext[len++] = pad_len;
	plaintext[len++] = next_header;
	return len;
}

static void write_be32(uint8_t *field, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		field[i] = (uint8_t)(value >> (24 - 8 * i));
}

size_t reference_encrypt(const struct reference_sa *sa, uint32_t sequence, const uint8_t *iv, const uint8_t *plaintext,
	size_t plaintext_len, uint8_t *esp)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t *ciphertext = esp + 8 + sa->suite->iv_len, *icv = ciphertext + plaintext_len;
	uint8_t full_iv[16];
	int len;

	write_be32(esp, sa->spi);
	write_be32(esp + 4, sequence);
	memcpy(esp + 8, iv, sa->suite->iv_len);
	make_iv(sa, iv, full_iv);
	assert_int_equal(EVP_EncryptInit_ex(context, cipher_of(sa), NULL, sa->keymat, full_iv), 1);
	EVP_CIPHER_CTX_set_padding(context, 0);
	if (is_gcm(sa))
		assert_int_equal(EVP_EncryptUpdate(context, NULL, &len, esp, 8), 1);
	assert_int_equal(EVP_EncryptUpdate(context, ciphertext, &len, plaintext, (int)plaintext_len), 1);
	assert_int_equal(len, plaintext_len);
	assert_int_equal(EVP_EncryptFinal_ex(context, ciphertext + len, &len), 1);
	if (is_gcm(sa))
		assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, sa->suite->icv_len, icv), 1);
	else
		reference_hmac(sa, esp, (size_t)(icv - esp), icv);
	EVP_CIPHER_CTX_free(context);
	return (size_t)(icv - esp) + sa->suite->icv_len;
}

bool reference_decrypt(
	const struct reference_sa *sa, const uint8_t *esp, size_t esp_len, uint8_t *plaintext, size_t *plaintext_len)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	const uint8_t *ciphertext = esp + 8 + sa->suite->iv_len, *icv = esp + esp_len - sa->suite->icv_len;
	uint8_t full_iv[16], expected[16];
	bool authentic = true;
	int len;

	*plaintext_len = (size_t)(icv - ciphertext);
	if (!is_gcm(sa)) {
		reference_hmac(sa, esp, (size_t)(icv - esp), expected);
		authentic = memcmp(expected, icv, sa->suite->icv_len) == 0;
	}
	make_iv(sa, esp + 8, full_iv);
	assert_int_equal(EVP_DecryptInit_ex(context, cipher_of(sa), NULL, sa->keymat, full_iv), 1);
	EVP_CIPHER_CTX_set_padding(context, 0);
	if (is_gcm(sa)) {
		memcpy(expected, icv, sizeof(expected));
		assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, sizeof(expected), expected), 1);
		assert_int_equal(EVP_DecryptUpdate(context, NULL, &len, esp, 8), 1);
	}
	assert_int_equal(EVP_DecryptUpdate(context, plaintext, &len, ciphertext, (int)*plaintext_len), 1);
	authentic = EVP_DecryptFinal_ex(context, plaintext + len, &len) == 1 && authentic;
	EVP_CIPHER_CTX_free(context);
	return authentic;
}
