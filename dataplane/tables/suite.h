/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ESP algorithms that Sluice knows, in one list: the configuration's names, IKE's proposals, the shared tables and
 * the crypto engine all feed from it. A suite is a cipher mode with a key length, and an integrity algorithm unless the
 * mode has it built in (RFC 4303 section 3.2). Key material of one direction is, in this order (RFC 2409 section 5.5,
 * RFC 4106 section 8.1, RFC 3686 section 5.1): encryption key, salt, integrity key.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang-format off */
/* Bytes of:                  salt, IV, block, ICV     RFC */
#define ESP_MODES(X)                                                                                                   \
	X(ESP_MODE_GCM,               4,  8,  4, 16) /* 4106 */                                                        \
	X(ESP_MODE_CHACHA20_POLY1305, 4,  8,  4, 16) /* 7634 */                                                        \
	X(ESP_MODE_CBC,               0, 16, 16,  0) /* 3602 */                                                        \
	X(ESP_MODE_CTR,               4,  8,  4,  0) /* 3686; the salt is its nonce */                                 \
	X(ESP_MODE_NULL,              0,  0,  4,  0) /* 2410: NO ENCRYPTION */

/* Bytes of:                key, ICV                   RFC */
#define ESP_INTEGRITIES(X)                                                                                             \
	X(ESP_INTEGRITY_NONE,        0,  0) /* the cipher does it */                                                   \
	X(ESP_INTEGRITY_SHA1_96,    20, 12) /* 2404 */                                                                 \
	X(ESP_INTEGRITY_SHA256_128, 32, 16) /* 4868 */                                                                 \
	X(ESP_INTEGRITY_SHA384_192, 48, 24) /* 4868 */                                                                 \
	X(ESP_INTEGRITY_SHA512_256, 64, 32) /* 4868 */

/*                           name in configuration                     key bits */
#define ESP_SUITES(X)                                                                                                  \
	X(ESP_AES128_GCM,            "aes128gcm",        ESP_MODE_GCM,               128, ESP_INTEGRITY_NONE)          \
	X(ESP_AES192_GCM,            "aes192gcm",        ESP_MODE_GCM,               192, ESP_INTEGRITY_NONE)          \
	X(ESP_AES256_GCM,            "aes256gcm",        ESP_MODE_GCM,               256, ESP_INTEGRITY_NONE)          \
	X(ESP_CHACHA20_POLY1305,     "chacha20poly1305", ESP_MODE_CHACHA20_POLY1305, 256, ESP_INTEGRITY_NONE)          \
	X(ESP_AES128_CBC_SHA1_96,    "aes128-sha1",      ESP_MODE_CBC,               128, ESP_INTEGRITY_SHA1_96)       \
	X(ESP_AES192_CBC_SHA1_96,    "aes192-sha1",      ESP_MODE_CBC,               192, ESP_INTEGRITY_SHA1_96)       \
	X(ESP_AES256_CBC_SHA1_96,    "aes256-sha1",      ESP_MODE_CBC,               256, ESP_INTEGRITY_SHA1_96)       \
	X(ESP_AES128_CBC_SHA256_128, "aes128-sha256",    ESP_MODE_CBC,               128, ESP_INTEGRITY_SHA256_128)    \
	X(ESP_AES192_CBC_SHA256_128, "aes192-sha256",    ESP_MODE_CBC,               192, ESP_INTEGRITY_SHA256_128)    \
	X(ESP_AES256_CBC_SHA256_128, "aes256-sha256",    ESP_MODE_CBC,               256, ESP_INTEGRITY_SHA256_128)    \
	X(ESP_AES128_CBC_SHA384_192, "aes128-sha384",    ESP_MODE_CBC,               128, ESP_INTEGRITY_SHA384_192)    \
	X(ESP_AES192_CBC_SHA384_192, "aes192-sha384",    ESP_MODE_CBC,               192, ESP_INTEGRITY_SHA384_192)    \
	X(ESP_AES256_CBC_SHA384_192, "aes256-sha384",    ESP_MODE_CBC,               256, ESP_INTEGRITY_SHA384_192)    \
	X(ESP_AES128_CBC_SHA512_256, "aes128-sha512",    ESP_MODE_CBC,               128, ESP_INTEGRITY_SHA512_256)    \
	X(ESP_AES192_CBC_SHA512_256, "aes192-sha512",    ESP_MODE_CBC,               192, ESP_INTEGRITY_SHA512_256)    \
	X(ESP_AES256_CBC_SHA512_256, "aes256-sha512",    ESP_MODE_CBC,               256, ESP_INTEGRITY_SHA512_256)    \
	X(ESP_AES128_CTR_SHA1_96,    "aes128ctr-sha1",   ESP_MODE_CTR,               128, ESP_INTEGRITY_SHA1_96)       \
	X(ESP_AES192_CTR_SHA1_96,    "aes192ctr-sha1",   ESP_MODE_CTR,               192, ESP_INTEGRITY_SHA1_96)       \
	X(ESP_AES256_CTR_SHA1_96,    "aes256ctr-sha1",   ESP_MODE_CTR,               256, ESP_INTEGRITY_SHA1_96)       \
	X(ESP_AES128_CTR_SHA256_128, "aes128ctr-sha256", ESP_MODE_CTR,               128, ESP_INTEGRITY_SHA256_128)    \
	X(ESP_AES192_CTR_SHA256_128, "aes192ctr-sha256", ESP_MODE_CTR,               192, ESP_INTEGRITY_SHA256_128)    \
	X(ESP_AES256_CTR_SHA256_128, "aes256ctr-sha256", ESP_MODE_CTR,               256, ESP_INTEGRITY_SHA256_128)    \
	X(ESP_AES128_CTR_SHA384_192, "aes128ctr-sha384", ESP_MODE_CTR,               128, ESP_INTEGRITY_SHA384_192)    \
	X(ESP_AES192_CTR_SHA384_192, "aes192ctr-sha384", ESP_MODE_CTR,               192, ESP_INTEGRITY_SHA384_192)    \
	X(ESP_AES256_CTR_SHA384_192, "aes256ctr-sha384", ESP_MODE_CTR,               256, ESP_INTEGRITY_SHA384_192)    \
	X(ESP_AES128_CTR_SHA512_256, "aes128ctr-sha512", ESP_MODE_CTR,               128, ESP_INTEGRITY_SHA512_256)    \
	X(ESP_AES192_CTR_SHA512_256, "aes192ctr-sha512", ESP_MODE_CTR,               192, ESP_INTEGRITY_SHA512_256)    \
	X(ESP_AES256_CTR_SHA512_256, "aes256ctr-sha512", ESP_MODE_CTR,               256, ESP_INTEGRITY_SHA512_256)    \
	X(ESP_NULL_SHA1_96,          "null-sha1",        ESP_MODE_NULL,                0, ESP_INTEGRITY_SHA1_96)       \
	X(ESP_NULL_SHA256_128,       "null-sha256",      ESP_MODE_NULL,                0, ESP_INTEGRITY_SHA256_128)    \
	X(ESP_NULL_SHA384_192,       "null-sha384",      ESP_MODE_NULL,                0, ESP_INTEGRITY_SHA384_192)    \
	X(ESP_NULL_SHA512_256,       "null-sha512",      ESP_MODE_NULL,                0, ESP_INTEGRITY_SHA512_256)
enum esp_mode {
#define X(mode, salt, iv, block, icv) mode,
	ESP_MODES(X)
#undef X
	ESP_MODE_COUNT,
};

enum esp_integrity {
#define X(integrity, key, icv) integrity,
	ESP_INTEGRITIES(X)
#undef X
	ESP_INTEGRITY_COUNT,
};

enum esp_suite_id {
	ESP_SUITE_NONE = 0,
#define X(id, name, mode, key_bits, integrity) id,
	ESP_SUITES(X)
#undef X
	ESP_SUITE_COUNT,
};
/* clang-format on */

struct esp_suite {
	const char *name;
	uint8_t mode;	   /* enum esp_mode */
	uint8_t integrity; /* enum esp_integrity */
	uint8_t key_len;
	uint8_t salt_len;
	uint8_t iv_len;
	uint8_t block_len; /* the padded payload is a multiple of this */
	uint8_t auth_key_len;
	uint8_t icv_len;
};

enum {
	ESP_HDR_LEN = 8,	      /* SPI and sequence number, RFC 4303 section 2 */
	ESP_TRAILER_LEN = 2,	      /* pad length and next header */
	ESP_KEYMAT_MAX = 32 + 4 + 64, /* the longest of the list above: AES256 in counter mode with SHA512 */
};

/* Position 0 is none. */
extern const struct esp_suite esp_suites[ESP_SUITE_COUNT];

/* The description of a suite; NULL when the number is not one. */
static inline const struct esp_suite *esp_suite_get(uint32_t id)
{
	return id > ESP_SUITE_NONE && id < ESP_SUITE_COUNT ? &esp_suites[id] : NULL;
}

/* ESP_SUITE_NONE when nothing has that name. */
enum esp_suite_id esp_suite_find(const char *name);

/* Bytes of key material that one direction needs. */
size_t esp_suite_keymat_len(const struct esp_suite *suite);

/* Combined mode (RFC 4303 section 3.3.2.2): one algorithm encrypts and authenticates, with one key. */
static inline bool esp_suite_is_combined(const struct esp_suite *suite)
{
	return suite->integrity == ESP_INTEGRITY_NONE;
}
