/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ESP by OpenSSL, one packet at a time: an implementation that shares nothing with those that are measured. It opens
 * samples of what they sealed, and makes the AES-GCM packets that they are to open.
 */
#pragma once

#include "tables/suite.h"

#include <stdint.h>

/*
 * Verifies and decrypts the ESP packet `esp` into `plain`, which has room for esp_len bytes. The payload's length
 * without padding and trailer; -EBADMSG when it is not authentic or its padding is wrong, -EINVAL for impossible
 * lengths.
 */
int reference_open(
	const struct esp_suite *suite, const uint8_t *keymat, const uint8_t *esp, uint32_t esp_len, uint8_t *plain);

/*
 * AES-GCM (RFC 4106): seals payload_len bytes of IPv4 in `payload` into `esp`, which has room for 40 bytes more. The
 * ESP packet's length, or -EIO. The IV is the caller's.
 */
int reference_seal_gcm(const struct esp_suite *suite, const uint8_t *keymat, uint32_t spi, uint32_t sequence,
	const uint8_t iv[8], const uint8_t *payload, uint32_t payload_len, uint8_t *esp);
