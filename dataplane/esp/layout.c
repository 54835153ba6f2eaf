/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/layout.h"

#include <endian.h>
#include <string.h>

size_t esp_overhead(const struct esp_suite *suite, size_t payload_len)
{
	return esp_front_len(suite) + layout_pad_len(suite->block_len - 1u, payload_len) + ESP_TRAILER_LEN + suite->icv_len;
}

uint32_t esp_payload_max(const struct esp_suite *suite, uint32_t esp_len)
{
	uint32_t fixed_len = (uint32_t)esp_front_len(suite) + suite->icv_len, room;

	if (esp_len < fixed_len)
		return 0;
	/* RFC 4303 section 2.4: payload, padding and trailer fill whole blocks. */
	room = (esp_len - fixed_len) / suite->block_len * suite->block_len;
	return room > ESP_TRAILER_LEN ? room - ESP_TRAILER_LEN : 0;
}

static uint32_t layout_read_be32(const uint8_t *field)
{
	uint32_t wire;

	memcpy(&wire, field, sizeof(wire));
	return be32toh(wire);
}

uint32_t esp_read_spi(const uint8_t *esp)
{
	return layout_read_be32(esp);
}

uint32_t esp_read_sequence(const uint8_t *esp)
{
	return layout_read_be32(esp + 4);
}
