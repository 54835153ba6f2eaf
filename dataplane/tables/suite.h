/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ESP algorithms that Sluice knows, in one list: the configuration's names, IKE's proposals, the shared tables and
 * the crypto engine all feed from it. Lengths are bytes. Key material of one direction is, in this order (RFC 2409
 * section 5.5, RFC 4106 section 8.1): encryption key, salt, integrity key.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*      enum                        name in configuration  key salt iv block auth icv   RFC */
#define ESP_SUITES(X)                                                                                                  \
	X(ESP_AES128_GCM,           "aes128gcm",           16, 4, 8,  4,  0,  16) /* 4106 */                           \
	X(ESP_AES256_GCM,           "aes256gcm",           32, 4, 8,  4,  0,  16) /* 4106 */                           \
	X(ESP_AES128_CBC_SHA1_96,   "aes128-sha1",         16, 0, 16, 16, 20, 12) /* 3602, 2404 */                     \
	X(ESP_AES256_CBC_SHA1_96,   "aes256-sha1",         32, 0, 16, 16, 20, 12) /* 3602, 2404 */                     \
	X(ESP_AES128_CBC_SHA256_128, "aes128-sha256",      16, 0, 16, 16, 32, 16) /* 3602, 4868 */                     \
	X(ESP_AES256_CBC_SHA256_128, "aes256-sha256",      32, 0, 16, 16, 32, 16) /* 3602, 4868 */

enum esp_suite_id {
	ESP_SUITE_NONE = 0,
#define X(id, name, key, salt, iv, block, auth, icv) id,
	ESP_SUITES(X)
#undef X
	ESP_SUITE_COUNT,
};

struct esp_suite {
	const char *name;
	uint8_t key_len;
	uint8_t salt_len;
	uint8_t iv_len;
	uint8_t block_len; /* the padded payload is a multiple of this */
	uint8_t auth_key_len;
	uint8_t icv_len;
};

enum {
	ESP_HDR_LEN = 8,       /* SPI and sequence number, RFC 4303 section 2 */
	ESP_TRAILER_LEN = 2,   /* pad length and next header */
	ESP_KEYMAT_MAX = 68,   /* the longest of the list above */
};

/* The description of a suite; NULL when the number is not one. */
const struct esp_suite *esp_suite_get(uint32_t id);

/* ESP_SUITE_NONE when nothing has that name. */
enum esp_suite_id esp_suite_find(const char *name);

/* Bytes of key material that one direction needs. */
size_t esp_suite_keymat_len(const struct esp_suite *suite);
