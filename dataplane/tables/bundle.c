/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/bundle.h"

#include <string.h>

bool bundle_add(uint8_t bytes[BUNDLE_LEN_MAX], size_t *len, const struct bundle_head *head, const void *packet)
{
	if (head->packet_len == 0 || head->packet_len > BUNDLE_PACKET_MAX ||
		BUNDLE_LEN_MAX - *len < sizeof(*head) + head->packet_len)
		return false;
	memcpy(bytes + *len, head, sizeof(*head));
	memcpy(bytes + *len + sizeof(*head), packet, head->packet_len);
	*len += sizeof(*head) + head->packet_len;
	return true;
}

bool bundle_next(uint8_t *bytes, size_t len, size_t *at, struct bundle_packet *out)
{
	size_t left = len - *at;

	if (left < sizeof(out->head))
		return false;
	memcpy(&out->head, bytes + *at, sizeof(out->head));
	left -= sizeof(out->head);
	if (out->head.packet_len == 0 || out->head.packet_len > left)
		return false;
	out->data = bytes + *at + sizeof(out->head);
	*at += sizeof(out->head) + out->head.packet_len;
	return true;
}
