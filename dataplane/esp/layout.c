/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/layout.h"

#include <endian.h>
#include <string.h>

/* Padding up to the block; RFC 4303 section 2.4 asks for 4 bytes even where the cipher does not. */
static size_t layout_pad_len(const struct esp_suite *suite, size_t payload_len)
{
	/* Every block is a power of two. */
	return -(payload_len + ESP_TRAILER_LEN) & (suite->block_len - 1u);
}

size_t esp_overhead(const struct esp_suite *suite, size_t payload_len)
{
	return esp_front_len(suite) + layout_pad_len(suite, payload_len) + ESP_TRAILER_LEN + suite->icv_len;
}

static uint32_t layout_read_be32(const uint8_t *field)
{
	uint32_t wire;

	memcpy(&wire, field, sizeof(wire));
	return be32toh(wire);
}

static void layout_write_be32(uint8_t *field, uint32_t value)
{
	uint32_t wire = htobe32(value);

	memcpy(field, &wire, sizeof(wire));
}

uint32_t esp_read_spi(const uint8_t *esp)
{
	return layout_read_be32(esp);
}

uint32_t esp_read_sequence(const uint8_t *esp)
{
	return layout_read_be32(esp + 4);
}

/* RFC 4303 section 2.4: 1, 2, 3, ... In one store where there is room for more than the padding: all of it is overwritten. */
static void layout_write_pad(uint8_t *pad, size_t pad_len, size_t room)
{
	static const uint8_t bytes[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

	if (room >= sizeof(bytes))
		memcpy(pad, bytes, sizeof(bytes));
	else
		memcpy(pad, bytes, pad_len);
}

/* The nonce is the sequence number; an IV field of 16 bytes has 8 zeros behind it. */
static void layout_write_iv(uint8_t *iv, size_t iv_len, uint64_t sequence)
{
	static const uint64_t zero = 0;
	uint64_t nonce = htobe64(sequence);

	if (iv_len == 0)
		return;
	memcpy(iv, &nonce, sizeof(nonce));
	if (iv_len > sizeof(nonce))
		memcpy(iv + sizeof(nonce), &zero, sizeof(zero));
}

enum esp_status layout_wrap(struct esp_packet *packet)
{
	const struct esp_suite *suite = esp_key_suite(packet->key);
	size_t front_len = esp_front_len(suite);
	size_t pad_len = layout_pad_len(suite, packet->len);
	size_t overhead = front_len + pad_len + ESP_TRAILER_LEN + suite->icv_len;
	uint8_t *trailer = packet->data + packet->len;

	if (packet->len > ESP_LEN_MAX - overhead)
		return ESP_FAILED;
	if (packet->headroom < front_len || packet->tailroom < overhead - front_len)
		return ESP_NO_ROOM;

	layout_write_pad(trailer, pad_len, packet->tailroom);
	trailer += pad_len;
	trailer[0] = (uint8_t)pad_len;
	trailer[1] = packet->next_header;

	packet->data -= front_len;
	packet->len += (uint32_t)overhead;
	layout_write_be32(packet->data, packet->spi);
	layout_write_be32(packet->data + 4, (uint32_t)packet->sequence);
	layout_write_iv(packet->data + ESP_HDR_LEN, suite->iv_len, packet->sequence);
	return ESP_OK;
}

enum esp_status layout_check(const struct esp_packet *packet)
{
	const struct esp_suite *suite = esp_key_suite(packet->key);
	size_t fixed_len = esp_front_len(suite) + suite->icv_len;

	if (packet->len < fixed_len + suite->block_len)
		return ESP_TOO_SHORT;
	if (packet->len > ESP_LEN_MAX)
		return ESP_FAILED;
	if ((packet->len - fixed_len) & (suite->block_len - 1u))
		return ESP_BAD_LENGTH;
	return ESP_OK;
}

enum esp_status layout_unwrap(struct esp_packet *packet)
{
	struct layout layout = layout_of(packet, esp_key_suite(packet->key));
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
