/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/layout.h"

#include <endian.h>
#include <string.h>

size_t esp_overhead(const struct esp_suite *suite, size_t payload_len)
{
	return esp_front_len(suite) + layout_pad_len(suite->block_len - 1u, payload_len) + ESP_TRAILER_LEN + suite->icv_len;
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
