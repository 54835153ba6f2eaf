/* SPDX-License-Identifier: Apache-2.0 */
#include "reference.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <errno.h>
#include <netinet/in.h>
#include <rte_byteorder.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { AAD_LEN = 8, ICV_LEN_MAX = 64, BLOCK_MAX = 16 };

/* Only for those that encrypt: not RFC 2410. */
static const char *cipher_name(const struct esp_suite *suite, char name[32])
{
	static const char *const modes[ESP_MODE_COUNT] = {
		[ESP_MODE_GCM] = "GCM", [ESP_MODE_CBC] = "CBC", [ESP_MODE_CTR] = "CTR"};

	if (suite->mode == ESP_MODE_CHACHA20_POLY1305)
		return "ChaCha20-Poly1305";
	snprintf(name, 32, "AES-%u-%s", suite->key_len * 8u, modes[suite->mode]);
	return name;
}

static const EVP_MD *hash_of(const struct esp_suite *suite)
{
	switch (suite->integrity) {
	case ESP_INTEGRITY_SHA1_96: return EVP_sha1();
	case ESP_INTEGRITY_SHA256_128: return EVP_sha256();
	case ESP_INTEGRITY_SHA384_192: return EVP_sha384();
	case ESP_INTEGRITY_SHA512_256: return EVP_sha512();
	default: return NULL;
	}
}

/* One context for all packets: only key and IV change. */
static EVP_CIPHER_CTX *cipher_begin(
	const struct esp_suite *suite, const uint8_t *keymat, const uint8_t *iv, int encrypt)
{
	static _Thread_local EVP_CIPHER_CTX *context;
	static _Thread_local EVP_CIPHER *cipher;
	uint8_t full_iv[BLOCK_MAX] = {0};
	char name[32];

	if (!context) {
		context = EVP_CIPHER_CTX_new();
		cipher = EVP_CIPHER_fetch(NULL, cipher_name(suite, name), NULL);
	}
	memcpy(full_iv, keymat + suite->key_len, suite->salt_len);
	memcpy(full_iv + suite->salt_len, iv, suite->iv_len);
	if (suite->mode == ESP_MODE_CTR)
		full_iv[BLOCK_MAX - 1] = 1; /* RFC 3686 section 4: nonce, IV, block counter from one */
	if (!context || !cipher || EVP_CipherInit_ex2(context, cipher, keymat, full_iv, encrypt, NULL) != 1)
		return NULL;
	EVP_CIPHER_CTX_set_padding(context, 0);
	return context;
}

static bool hmac_is_right(const struct esp_suite *suite, const uint8_t *keymat, const uint8_t *esp, uint32_t len)
{
	const uint8_t *key = keymat + suite->key_len + suite->salt_len;
	const EVP_MD *hash = hash_of(suite);
	uint8_t digest[EVP_MAX_MD_SIZE];

	return hash && HMAC(hash, key, suite->auth_key_len, esp, len, digest, NULL) &&
	       memcmp(digest, esp + len, suite->icv_len) == 0;
}

static bool decrypt(const struct esp_suite *suite, const uint8_t *keymat, const uint8_t *esp, const uint8_t *ciphertext,
	uint32_t len, uint8_t *plain)
{
	EVP_CIPHER_CTX *context;
	uint8_t icv[ICV_LEN_MAX];
	int written;

	if (suite->mode == ESP_MODE_NULL) {
		memcpy(plain, ciphertext, len);
		return true;
	}
	context = cipher_begin(suite, keymat, esp + ESP_HDR_LEN, 0);
	if (!context)
		return false;
	if (esp_suite_is_combined(suite)) {
		memcpy(icv, ciphertext + len, suite->icv_len);
		if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, suite->icv_len, icv) != 1 ||
			EVP_DecryptUpdate(context, NULL, &written, esp, AAD_LEN) != 1)
			return false;
	}
	return EVP_DecryptUpdate(context, plain, &written, ciphertext, (int)len) == 1 &&
	       EVP_DecryptFinal_ex(context, plain + written, &written) == 1;
}

int reference_open(
	const struct esp_suite *suite, const uint8_t *keymat, const uint8_t *esp, uint32_t esp_len, uint8_t *plain)
{
	uint32_t front_len = ESP_HDR_LEN + suite->iv_len, fixed_len = front_len + suite->icv_len, len, pad_len;

	if (esp_len < fixed_len + suite->block_len || (esp_len - fixed_len) % suite->block_len)
		return -EINVAL;
	len = esp_len - fixed_len;
	if (!esp_suite_is_combined(suite) && !hmac_is_right(suite, keymat, esp, esp_len - suite->icv_len))
		return -EBADMSG;
	if (!decrypt(suite, keymat, esp, esp + front_len, len, plain))
		return -EBADMSG;
	pad_len = plain[len - ESP_TRAILER_LEN];
	if (plain[len - 1] != IPPROTO_IPIP || pad_len > len - ESP_TRAILER_LEN)
		return -EBADMSG;
	for (uint32_t i = 0; i < pad_len; i++)
		if (plain[len - ESP_TRAILER_LEN - pad_len + i] != i + 1)
			return -EBADMSG;
	return (int)(len - ESP_TRAILER_LEN - pad_len);
}

int reference_seal_gcm(const struct esp_suite *suite, const uint8_t *keymat, uint32_t spi, uint32_t sequence,
	const uint8_t iv[8], const uint8_t *payload, uint32_t payload_len, uint8_t *esp)
{
	uint32_t header[2] = {rte_cpu_to_be_32(spi), rte_cpu_to_be_32(sequence)};
	uint8_t trailer[BLOCK_MAX], *ciphertext = esp + ESP_HDR_LEN + suite->iv_len;
	EVP_CIPHER_CTX *context = cipher_begin(suite, keymat, iv, 1);
	int written, trailer_len = 0;

	/* RFC 4303 section 2.4: pad bytes 1, 2, 3 ..., then their number and the next header. */
	while ((payload_len + (uint32_t)trailer_len + ESP_TRAILER_LEN) % suite->block_len) {
		trailer[trailer_len] = (uint8_t)(trailer_len + 1);
		trailer_len++;
	}
	trailer[trailer_len] = (uint8_t)trailer_len;
	trailer[++trailer_len] = IPPROTO_IPIP;
	trailer_len++;
	memcpy(esp, header, sizeof(header));
	memcpy(esp + ESP_HDR_LEN, iv, suite->iv_len);
	if (!context || EVP_EncryptUpdate(context, NULL, &written, esp, AAD_LEN) != 1 ||
		EVP_EncryptUpdate(context, ciphertext, &written, payload, (int)payload_len) != 1)
		return -EIO;
	ciphertext += written;
	if (EVP_EncryptUpdate(context, ciphertext, &written, trailer, trailer_len) != 1)
		return -EIO;
	ciphertext += written;
	if (EVP_EncryptFinal_ex(context, ciphertext, &written) != 1 ||
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, suite->icv_len, ciphertext) != 1)
		return -EIO;
	return (int)(ciphertext - esp) + suite->icv_len;
}
