/* SPDX-License-Identifier: Apache-2.0 */
#include "reference.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const EVP_CIPHER *cipher_of(const struct reference_sa *sa)
{
	static const char *const modes[ESP_MODE_COUNT] = {
		[ESP_MODE_GCM] = "GCM", [ESP_MODE_CBC] = "CBC", [ESP_MODE_CTR] = "CTR"};
	char name[16];

	if (sa->suite->mode == ESP_MODE_NULL)
		return EVP_enc_null();
	if (sa->suite->mode == ESP_MODE_CHACHA20_POLY1305)
		return EVP_chacha20_poly1305();
	snprintf(name, sizeof(name), "AES-%u-%s", sa->suite->key_len * 8u, modes[sa->suite->mode]);
	return EVP_get_cipherbyname(name);
}

/* The IV itself for CBC; salt and IV for the others, and for CTR the number of the first block, RFC 3686 section 4. */
static void make_iv(const struct reference_sa *sa, const uint8_t *iv, uint8_t *full)
{
	memset(full, 0, 16);
	memcpy(full, sa->keymat + sa->suite->key_len, sa->suite->salt_len);
	memcpy(full + sa->suite->salt_len, iv, sa->suite->iv_len);
	if (sa->suite->mode == ESP_MODE_CTR)
		full[15] = 1;
}

static void write_be32(uint8_t *field, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		field[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* What a combined mode authenticates besides: RFC 4106 section 5. */
static void add_header(const struct reference_sa *sa, EVP_CIPHER_CTX *context, const uint8_t *esp, uint32_t high)
{
	uint8_t aad[12];
	int len;

	memcpy(aad, esp, 4);
	write_be32(aad + 4, high);
	memcpy(aad + (sa->extended ? 8 : 4), esp + 4, 4);
	assert_int_equal(EVP_CipherUpdate(context, NULL, &len, aad, sa->extended ? 12 : 8), 1);
}

void reference_hmac(const struct reference_sa *sa, uint32_t high, const uint8_t *data, size_t len, uint8_t *icv)
{
	static const char *const hashes[ESP_INTEGRITY_COUNT] = {[ESP_INTEGRITY_SHA1_96] = "SHA1",
		[ESP_INTEGRITY_SHA256_128] = "SHA256",
		[ESP_INTEGRITY_SHA384_192] = "SHA384",
		[ESP_INTEGRITY_SHA512_256] = "SHA512"};
	const uint8_t *key = sa->keymat + sa->suite->key_len + sa->suite->salt_len;
	uint8_t digest[EVP_MAX_MD_SIZE], *covered = malloc(len + 4);

	assert_non_null(covered);
	memcpy(covered, data, len);
	write_be32(covered + len, high);
	assert_non_null(HMAC(EVP_get_digestbyname(hashes[sa->suite->integrity]), key, sa->suite->auth_key_len, covered,
		len + (sa->extended ? 4 : 0), digest, NULL));
	memcpy(icv, digest, sa->suite->icv_len);
	free(covered);
}

void reference_encrypt_block(const struct reference_sa *sa, const uint8_t *in, uint8_t *out)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	char name[16];
	int len;

	snprintf(name, sizeof(name), "AES-%u-ECB", sa->suite->key_len * 8u);
	assert_int_equal(EVP_EncryptInit_ex(context, EVP_get_cipherbyname(name), NULL, sa->keymat, NULL), 1);
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

size_t reference_encrypt(const struct reference_sa *sa, uint64_t sequence, const uint8_t *iv, const uint8_t *plaintext,
	size_t plaintext_len, uint8_t *esp)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t *ciphertext = esp + 8 + sa->suite->iv_len, *icv = ciphertext + plaintext_len;
	uint8_t full_iv[16];
	int len;

	write_be32(esp, sa->spi);
	write_be32(esp + 4, (uint32_t)sequence);
	memcpy(esp + 8, iv, sa->suite->iv_len);
	make_iv(sa, iv, full_iv);
	assert_int_equal(EVP_EncryptInit_ex(context, cipher_of(sa), NULL, sa->keymat, full_iv), 1);
	EVP_CIPHER_CTX_set_padding(context, 0);
	if (esp_suite_is_combined(sa->suite))
		add_header(sa, context, esp, (uint32_t)(sequence >> 32));
	assert_int_equal(EVP_EncryptUpdate(context, ciphertext, &len, plaintext, (int)plaintext_len), 1);
	assert_int_equal(len, plaintext_len);
	assert_int_equal(EVP_EncryptFinal_ex(context, ciphertext + len, &len), 1);
	if (esp_suite_is_combined(sa->suite))
		assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, sa->suite->icv_len, icv), 1);
	else
		reference_hmac(sa, (uint32_t)(sequence >> 32), esp, (size_t)(icv - esp), icv);
	EVP_CIPHER_CTX_free(context);
	return (size_t)(icv - esp) + sa->suite->icv_len;
}

bool reference_decrypt(
	const struct reference_sa *sa, const uint8_t *esp, size_t esp_len, uint8_t *plaintext, size_t *plaintext_len)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	const uint8_t *ciphertext = esp + 8 + sa->suite->iv_len, *icv = esp + esp_len - sa->suite->icv_len;
	uint8_t full_iv[16], expected[32];
	bool authentic = true;
	int len;

	*plaintext_len = (size_t)(icv - ciphertext);
	if (!esp_suite_is_combined(sa->suite)) {
		reference_hmac(sa, sa->high, esp, (size_t)(icv - esp), expected);
		authentic = memcmp(expected, icv, sa->suite->icv_len) == 0;
	}
	make_iv(sa, esp + 8, full_iv);
	assert_int_equal(EVP_DecryptInit_ex(context, cipher_of(sa), NULL, sa->keymat, full_iv), 1);
	EVP_CIPHER_CTX_set_padding(context, 0);
	if (esp_suite_is_combined(sa->suite)) {
		memcpy(expected, icv, sa->suite->icv_len);
		assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, sa->suite->icv_len, expected), 1);
		add_header(sa, context, esp, sa->high);
	}
	assert_int_equal(EVP_DecryptUpdate(context, plaintext, &len, ciphertext, (int)*plaintext_len), 1);
	authentic = EVP_DecryptFinal_ex(context, plaintext + len, &len) == 1 && authentic;
	EVP_CIPHER_CTX_free(context);
	return authentic;
}
