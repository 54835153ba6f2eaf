/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/framing.h"

#include <string.h>

enum { KEEPALIVE = 0xff };

static const uint8_t non_esp_marker[FRAMING_MARKER_LEN];

/* What one whole payload is. */
static void read_payload(uint8_t *payload, uint32_t len, struct framing_frame *out)
{
	*out = (struct framing_frame){.kind = FRAMING_ESP, .payload = payload, .payload_len = len};
	if (len == 1 && payload[0] == KEEPALIVE) {
		out->kind = FRAMING_KEEPALIVE;
	} else if (len <= FRAMING_MARKER_LEN) {
		out->kind = FRAMING_RUNT;
	} else if (memcmp(payload, non_esp_marker, FRAMING_MARKER_LEN) == 0) {
		out->kind = FRAMING_IKE;
		out->payload += FRAMING_MARKER_LEN;
		out->payload_len -= FRAMING_MARKER_LEN;
	}
}

static size_t read_frame(const struct framing *framing, uint8_t *data, size_t len, struct framing_frame *out)
{
	uint32_t whole, payload_len;

	*out = (struct framing_frame){.kind = FRAMING_PARTIAL};
	if (len < FRAMING_HEAD_LEN) {
		out->payload_len = FRAMING_HEAD_LEN - (uint32_t)len;
		return 0;
	}
	whole = (uint32_t)data[0] << 8 | data[1];
	payload_len = whole - FRAMING_HEAD_LEN;
	/* Known from the head alone, so that nobody waits for the bytes of a frame that will be refused. */
	if (whole < FRAMING_HEAD_LEN)
		out->kind = FRAMING_NO_LENGTH;
	else if (payload_len > framing->payload_max)
		out->kind = FRAMING_TOO_LONG;
	else if (len < whole)
		out->payload_len = whole - (uint32_t)len;
	else
		read_payload(data + FRAMING_HEAD_LEN, payload_len, out);
	return out->kind == FRAMING_PARTIAL || framing_refusal(out->kind) ? 0 : whole;
}

size_t framing_read(struct framing *framing, uint8_t *data, size_t len, struct framing_frame *out)
{
	size_t prefix_len = 0, known = len < FRAMING_PREFIX_LEN ? len : FRAMING_PREFIX_LEN;

	if (framing->awaits_prefix) {
		*out = (struct framing_frame){.kind = FRAMING_PARTIAL};
		/* One wrong byte is enough to know. */
		if (memcmp(data, FRAMING_PREFIX, known) != 0) {
			out->kind = FRAMING_NO_PREFIX;
			return 0;
		}
		if (known < FRAMING_PREFIX_LEN) {
			out->payload_len = FRAMING_PREFIX_LEN - (uint32_t)known;
			return 0;
		}
		framing->awaits_prefix = false;
		prefix_len = FRAMING_PREFIX_LEN;
	}
	return prefix_len + read_frame(framing, data + prefix_len, len - prefix_len, out);
}

const char *framing_refusal(enum framing_kind kind)
{
	switch (kind) {
	case FRAMING_NO_PREFIX: return "it does not begin with \"IKETCP\" (RFC 9329 section 4)";
	case FRAMING_NO_LENGTH: return "a frame's length is 0 or 1 (RFC 9329 section 3)";
	case FRAMING_TOO_LONG: return "a frame is longer than is allowed here";
	default: return NULL;
	}
}

void framing_write_head(uint8_t head[FRAMING_HEAD_LEN], uint32_t payload_len)
{
	uint32_t whole = payload_len + FRAMING_HEAD_LEN;

	head[0] = (uint8_t)(whole >> 8);
	head[1] = (uint8_t)whole;
}
