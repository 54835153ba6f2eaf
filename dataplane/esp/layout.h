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

#include "esp/engine.h"
#include "esp/esp.h"

#include <endian.h>
#include <string.h>

struct layout {
	uint8_t *iv;
	uint8_t *ciphertext;
	uint8_t *icv;
	size_t ciphertext_len;
};

/* The fields of a whole ESP packet, one that layout_wrap made or layout_check accepted. */
static inline struct layout layout_of(const struct esp_packet *packet)
{
	const struct esp_key *key = packet->key;

	return (struct layout){
		.iv = packet->data + ESP_HDR_LEN,
		.ciphertext = packet->data + key->front_len,
		.icv = packet->data + packet->len - key->icv_len,
		.ciphertext_len = packet->len - key->front_len - key->icv_len,
	};
}

/* Padding up to the block, a power of two; RFC 4303 section 2.4 asks for 4 bytes even where the cipher does not. */
static inline size_t layout_pad_len(size_t block_mask, size_t payload_len)
{
	return -(payload_len + ESP_TRAILER_LEN) & block_mask;
}

/* RFC 4303 section 2.4: 1, 2, 3, ... In one store where there is room for more than the padding: all of it is
 * overwritten. */
static inline void layout_write_pad(uint8_t *pad, size_t pad_len, size_t room)
{
	static const uint8_t bytes[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

	if (room >= sizeof(bytes))
		memcpy(pad, bytes, sizeof(bytes));
	else
		memcpy(pad, bytes, pad_len);
}

/* SPI, number, and as the IV field's nonce the number again; a field of 16 bytes has 8 zeros behind it. */
static inline void layout_write_front(uint8_t *front, const struct esp_packet *packet)
{
	uint64_t sequence = htobe64(packet->sequence);
	uint64_t words[3] = {htobe32(packet->spi) | (sequence & 0xffffffff00000000), sequence, 0};

	memcpy(front, &words[0], sizeof(words[0]));
	if (packet->key->iv_len == 0)
		return;
	memcpy(front + ESP_HDR_LEN, &words[1], sizeof(words[1]));
	if (packet->key->iv_len > sizeof(words[1]))
		memcpy(front + ESP_HDR_LEN + 8, &words[2], sizeof(words[2]));
}

/*
 * Grows a payload to an ESP packet that lacks encryption and ICV; its IV field holds the nonce, the sequence number.
 * ESP_OK; ESP_NO_ROOM or ESP_FAILED with nothing touched.
 */
static inline enum esp_status layout_wrap(struct esp_packet *packet)
{
	const struct esp_key *key = packet->key;
	size_t front_len = key->front_len;
	size_t pad_len = layout_pad_len(key->block_mask, packet->len);
	size_t behind_len = pad_len + ESP_TRAILER_LEN + key->icv_len;
	uint8_t *trailer = packet->data + packet->len;
	uint16_t ending = (uint16_t)(pad_len | (unsigned int)packet->next_header << 8);

	if (packet->len > ESP_LEN_MAX - front_len - behind_len)
		return ESP_FAILED;
	if (packet->headroom < front_len || packet->tailroom < behind_len)
		return ESP_NO_ROOM;

	layout_write_pad(trailer, pad_len, packet->tailroom);
	memcpy(trailer + pad_len, &ending, sizeof(ending));
	packet->data -= front_len;
	packet->len += (uint32_t)(front_len + behind_len);
	layout_write_front(packet->data, packet);
	return ESP_OK;
}

/* Every length of a stranger's packet, checked once. ESP_OK, ESP_TOO_SHORT, ESP_BAD_LENGTH or ESP_FAILED. */
static inline enum esp_status layout_check(const struct esp_packet *packet)
{
	const struct esp_key *key = packet->key;
	size_t fixed_len = (size_t)key->front_len + key->icv_len;

	if (packet->len < fixed_len + key->block_mask + 1u)
		return ESP_TOO_SHORT;
	if (packet->len > ESP_LEN_MAX)
		return ESP_FAILED;
	if ((packet->len - fixed_len) & key->block_mask)
		return ESP_BAD_LENGTH;
	return ESP_OK;
}

/* Shrinks an authentic, decrypted packet to its payload. ESP_OK, or ESP_BAD_PAD with nothing touched. */
static inline enum esp_status layout_unwrap(struct esp_packet *packet)
{
	struct layout layout = layout_of(packet);
	const uint8_t *trailer = layout.ciphertext + layout.ciphertext_len - ESP_TRAILER_LEN;
	size_t pad_len = trailer[0];
	const uint8_t *pad;

	/* An authentic peer may still be a broken one: the pad length is bounded before anything is read through it. */
	if (pad_len > layout.ciphertext_len - ESP_TRAILER_LEN)
		return ESP_BAD_PAD;
	pad = trailer - pad_len;
	for (size_t i = 0; i < pad_len; i++)
		if (pad[i] != i + 1) /* RFC 4303 section 2.4: the receiver SHOULD inspect it */
			return ESP_BAD_PAD;

	packet->data = layout.ciphertext;
	packet->len = (uint32_t)(layout.ciphertext_len - ESP_TRAILER_LEN - pad_len);
	packet->next_header = trailer[1];
	return ESP_OK;
}
