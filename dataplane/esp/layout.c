/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/layout.h"

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
