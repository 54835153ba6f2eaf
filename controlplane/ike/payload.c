/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/payload.h"

#include <errno.h>

/* What the parser demands of each type: length of the body, and how often. `most` 0: not a payload of its own. */
struct payload_rule {
	uint16_t body_min, body_max;
	uint8_t most;
};

enum { PAYLOAD_TYPES = 32, PAYLOAD_PRIVATE = 128, PAYLOAD_HASH_MAX = 64 };

/* clang-format off */
static const struct payload_rule v1_rules[PAYLOAD_TYPES] = {
	[ISAKMP_SA]           = {sizeof(struct sa_hdr) + sizeof(struct proposal_hdr), UINT16_MAX, 1},
	[ISAKMP_KE]           = {1, UINT16_MAX, 1},
	[ISAKMP_ID]           = {sizeof(struct id_hdr), UINT16_MAX, 2}, /* IDci and IDcr */
	[ISAKMP_CERT]         = {1, UINT16_MAX, PAYLOADS_MAX},
	[ISAKMP_CERT_REQUEST] = {1, UINT16_MAX, PAYLOADS_MAX},
	[ISAKMP_HASH]         = {1, PAYLOAD_HASH_MAX, 1},
	[ISAKMP_SIGNATURE]    = {1, UINT16_MAX, 1},
	[ISAKMP_NONCE]        = {ISAKMP_NONCE_MIN, ISAKMP_NONCE_MAX, 1},
	[ISAKMP_NOTIFICATION] = {sizeof(struct notify_hdr), UINT16_MAX, PAYLOADS_MAX},
	[ISAKMP_DELETE]       = {sizeof(struct delete_hdr), UINT16_MAX, PAYLOADS_MAX},
	[ISAKMP_VENDOR_ID]    = {1, UINT16_MAX, PAYLOADS_MAX},
	[ISAKMP_ATTRIBUTES]   = {4, UINT16_MAX, 1},
	[ISAKMP_NAT_D]        = {1, UINT16_MAX, PAYLOADS_MAX},
	[ISAKMP_NAT_OA]       = {8, UINT16_MAX, 2},
};
/* clang-format on */

const struct isakmp_hdr *payload_header(struct bytes datagram, const char **why)
{
	const struct isakmp_hdr *hdr = (const struct isakmp_hdr *)datagram.data;

	if (datagram.len < sizeof(*hdr)) {
		*why = "shorter than an ISAKMP header";
		return NULL;
	}
	if (bytes_get32(hdr->length) != datagram.len) {
		*why = "the length in its header is not that of the datagram";
		return NULL;
	}
	return hdr;
}

/* Notes one payload that has been cut out of the chain. */
static int payload_take(struct payload_list *list, uint8_t type, struct bytes body, const char **why)
{
	const struct payload_rule *rule;
	size_t same = 1;

	if (type == ISAKMP_NAT_D_DRAFT || type == ISAKMP_NAT_OA_DRAFT) {
		type = type == ISAKMP_NAT_D_DRAFT ? ISAKMP_NAT_D : ISAKMP_NAT_OA;
		list->draft = true;
	}
	if (type >= PAYLOAD_PRIVATE)
		return 0; /* private use: nothing that we have agreed on, RFC 2408 section 3.1 */
	rule = &v1_rules[type < PAYLOAD_TYPES ? type : 0];
	if (rule->most == 0) {
		*why = "a payload of unknown type";
		return -EBADMSG;
	}
	if (body.len < rule->body_min || body.len > rule->body_max) {
		*why = "a payload is too short or too long for its type";
		return -EBADMSG;
	}
	for (size_t i = 0; i < list->count; i++)
		same += list->items[i].type == type;
	if (same > rule->most) {
		*why = "a payload that stands alone came more than once";
		return -EBADMSG;
	}
	if (list->count == PAYLOADS_MAX) {
		*why = "too many payloads";
		return -EBADMSG;
	}
	list->items[list->count++] = (struct payload){type, body};
	list->present |= PAYLOAD_BIT(type);
	return 0;
}

int payload_parse(uint8_t version, uint8_t first, struct bytes data, struct payload_list *out, const char **why)
{
	uint8_t type = first;
	size_t seen = 0;

	*out = (struct payload_list){0};
	if (version != ISAKMP_VERSION_1)
		return -EPROTONOSUPPORT;
	while (type != ISAKMP_NONE) {
		const struct payload_hdr *hdr = (const struct payload_hdr *)(data.data + out->used);
		size_t len;

		if (data.len - out->used < sizeof(*hdr)) {
			*why = "the chain of payloads leaves the message";
			return -EBADMSG;
		}
		len = bytes_get16(hdr->length);
		if (len < sizeof(*hdr) || len > data.len - out->used) {
			*why = "a payload's length does not fit";
			return -EBADMSG;
		}
		if (hdr->reserved != 0 || ++seen > PAYLOADS_MAX) {
			*why = hdr->reserved ? "a reserved byte is not zero" : "too many payloads";
			return -EBADMSG;
		}
		if (payload_take(out, type, bytes_of(hdr + 1, len - sizeof(*hdr)), why) < 0)
			return -EBADMSG;
		out->used += len;
		type = hdr->next_payload;
	}
	return 0;
}

const struct payload *payload_find(const struct payload_list *list, uint8_t type, const struct payload *from)
{
	const struct payload *end = list->items + list->count;

	for (const struct payload *at = from ? from : list->items; at < end; at++)
		if (at->type == type)
			return at;
	return NULL;
}

struct bytes payload_body(const struct payload_list *list, uint8_t type)
{
	const struct payload *found = payload_find(list, type, NULL);

	return found ? found->body : bytes_of(NULL, 0);
}
