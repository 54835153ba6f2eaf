/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/attributes.h"

#include "ike/isakmp.h"

#include <errno.h>

enum { ATTRIBUTE_BASIC = 0x8000, ATTRIBUTE_HDR_LEN = 4 };

int attributes_parse(struct bytes body, struct attributes *out, const char **why)
{
	const struct attributes_hdr *hdr = (const struct attributes_hdr *)body.data;
	struct bytes rest;

	*out = (struct attributes){.count = 0};
	*why = "the attribute payload is shorter than its header";
	if (body.len < sizeof(*hdr))
		return -EBADMSG;
	out->type = hdr->type;
	out->identifier = bytes_get16(hdr->identifier);
	*why = "the attribute payload is none of request, reply, set and acknowledgement";
	if (hdr->type < ISAKMP_CFG_REQUEST || hdr->type > ISAKMP_CFG_ACK)
		return -EBADMSG;
	for (rest = bytes_of(hdr + 1, body.len - sizeof(*hdr)); rest.len > 0;) {
		bool basic;
		size_t len;

		*why = "an attribute's length does not fit its payload";
		if (rest.len < ATTRIBUTE_HDR_LEN)
			return -EBADMSG;
		basic = bytes_get16(rest.data) & ATTRIBUTE_BASIC;
		len = basic ? 0 : bytes_get16(rest.data + 2);
		if (len > rest.len - ATTRIBUTE_HDR_LEN)
			return -EBADMSG;
		*why = "there are too many attributes";
		if (out->count == ATTRIBUTES_MAX)
			return -EBADMSG;
		out->items[out->count++] = (struct attribute){
			.type = bytes_get16(rest.data) & (ATTRIBUTE_BASIC - 1),
			.value = basic ? bytes_of(rest.data + 2, 2) : bytes_of(rest.data + ATTRIBUTE_HDR_LEN, len),
		};
		rest = bytes_of(rest.data + ATTRIBUTE_HDR_LEN + len, rest.len - ATTRIBUTE_HDR_LEN - len);
	}
	return 0;
}

const struct attribute *attributes_find(
	const struct attributes *attributes, uint16_t type, const struct attribute *from)
{
	const struct attribute *end = attributes->items + attributes->count;

	for (const struct attribute *at = from ? from : attributes->items; at < end; at++)
		if (at->type == type)
			return at;
	return NULL;
}

uint32_t attribute_number(const struct attribute *attribute)
{
	uint32_t number = 0;

	for (size_t i = 0; attribute->value.len <= sizeof(number) && i < attribute->value.len; i++)
		number = number << 8 | attribute->value.data[i];
	return number;
}

bool attributes_are_xauth(const struct attributes *attributes)
{
	for (size_t i = 0; i < attributes->count; i++)
		if (attributes->items[i].type >= XAUTH_TYPE && attributes->items[i].type <= XAUTH_ANSWER)
			return true;
	return false;
}

void attributes_open(struct builder *builder, uint8_t type, uint16_t identifier)
{
	builder_open(builder, ISAKMP_ATTRIBUTES);
	builder_put8(builder, type);
	builder_put8(builder, 0);
	builder_put16(builder, identifier);
}

void attributes_put(struct builder *builder, uint16_t type, const void *value, size_t value_len)
{
	builder_put16(builder, type);
	builder_put16(builder, (uint16_t)value_len);
	builder_put(builder, value, value_len);
}

void attributes_put_basic(struct builder *builder, uint16_t type, uint16_t value)
{
	builder_put16(builder, ATTRIBUTE_BASIC | type);
	builder_put16(builder, value);
}
