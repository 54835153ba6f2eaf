/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the fields of an ESP packet lie (RFC 4303 section 2), without any cryptography: put around a payload before it
 * is encrypted, checked before and after a packet is decrypted. Works on the caller's packet; keeps no state.
 *
 *   SPI 4 | sequence 4 | IV | payload, pad 1 2 3 ..., pad length 1, next header 1 | ICV
 *   |<---- front ---------->|<---- ciphertext: a multiple of the block --------->|
 *
 * The high half of an extended sequence number is nowhere in it: RFC 4303 section 2.2.1.
 */
#pragma once

#include "esp/esp.h"

struct layout {
	uint8_t *iv;
	uint8_t *ciphertext;
	uint8_t *icv;
	size_t ciphertext_len;
};

/* The fields of a whole ESP packet, one that layout_wrap made or layout_check accepted. */
static inline struct layout layout_of(const struct esp_packet *packet, const struct esp_suite *suite)
{
	size_t front_len = esp_front_len(suite);

	return (struct layout){
		.iv = packet->data + ESP_HDR_LEN,
		.ciphertext = packet->data + front_len,
		.icv = packet->data + packet->len - suite->icv_len,
		.ciphertext_len = packet->len - front_len - suite->icv_len,
	};
}

/*
 * Grows a payload to an ESP packet that lacks encryption and ICV; its IV field holds the nonce, the sequence number.
 * ESP_OK; ESP_NO_ROOM or ESP_FAILED with nothing touched.
 */
enum esp_status layout_wrap(struct esp_packet *packet);

/* Every length of a stranger's packet, checked once. ESP_OK, ESP_TOO_SHORT, ESP_BAD_LENGTH or ESP_FAILED. */
enum esp_status layout_check(const struct esp_packet *packet);

/* Shrinks an authentic, decrypted packet to its payload. ESP_OK, or ESP_BAD_PAD with nothing touched. */
enum esp_status layout_unwrap(struct esp_packet *packet);
