/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/sa_payload.h"

#include <errno.h>

enum { ATTRIBUTE_BASIC = 0x8000, ATTRIBUTE_HDR_LEN = 4 };

/*
 * Cuts one payload of type `own` off the front of `rest`. *more says whether another of the type follows, by the next
 * payload field (RFC 2408 sections 3.5 and 3.6: its own type, or zero for the last).
 */
static int sa_payload_cut(struct bytes *rest, uint8_t own, size_t min_len, struct bytes *out, bool *more)
{
	const struct payload_hdr *hdr = (const struct payload_hdr *)rest->data;
	size_t len;

	if (rest->len < min_len)
		return -EBADMSG;
	len = bytes_get16(hdr->length);
	if (len < min_len || len > rest->len || hdr->reserved != 0)
		return -EBADMSG;
	if (hdr->next_payload != ISAKMP_NONE && hdr->next_payload != own)
		return -EBADMSG;
	*more = hdr->next_payload == own;
	*out = bytes_of(rest->data, len);
	*rest = bytes_of(rest->data + len, rest->len - len);
	return 0;
}

/* All transforms of one proposal. */
static int sa_payload_walk_proposal(struct bytes proposal, unsigned ordinal,
	void (*each)(void *context, const struct sa_transform *transform), void *context)
{
	const struct proposal_hdr *hdr = (const struct proposal_hdr *)proposal.data;
	struct bytes rest = bytes_of(proposal.data + sizeof(*hdr), proposal.len - sizeof(*hdr));
	struct sa_transform transform = {
		.ordinal = ordinal,
		.proposal = hdr->number,
		.protocol = hdr->protocol,
		.spi = bytes_of(rest.data, hdr->spi_len),
	};
	unsigned seen = 0;
	bool more = true;

	if (hdr->spi_len > rest.len)
		return -EBADMSG;
	rest = bytes_of(rest.data + hdr->spi_len, rest.len - hdr->spi_len);
	while (more) {
		const struct transform_hdr *transform_hdr = (const struct transform_hdr *)rest.data;

		if (sa_payload_cut(&rest, ISAKMP_TRANSFORM, sizeof(*transform_hdr), &transform.whole, &more) < 0)
			return -EBADMSG;
		transform.id = transform_hdr->id;
		transform.attributes = bytes_of(transform_hdr + 1, transform.whole.len - sizeof(*transform_hdr));
		each(context, &transform);
		seen++;
	}
	return rest.len == 0 && seen == hdr->transforms ? 0 : -EBADMSG;
}

int sa_payload_walk(struct bytes body, void (*each)(void *context, const struct sa_transform *transform), void *context,
	const char **why)
{
	const struct sa_hdr *hdr = (const struct sa_hdr *)body.data;
	struct bytes rest, proposal;
	bool more = true;

	*why = "the SA payload's structure is wrong";
	if (body.len < sizeof(*hdr))
		return -EBADMSG;
	if (bytes_get32(hdr->doi) != ISAKMP_DOI_IPSEC ||
		bytes_get32(hdr->situation) != ISAKMP_SITUATION_IDENTITY_ONLY) {
		*why = "the SA payload's DOI or situation is not that of IPsec";
		return -EBADMSG;
	}
	rest = bytes_of(hdr + 1, body.len - sizeof(*hdr));
	for (unsigned ordinal = 0; more; ordinal++) {
		if (sa_payload_cut(&rest, ISAKMP_PROPOSAL, sizeof(struct proposal_hdr), &proposal, &more) < 0)
			return -EBADMSG;
		if (sa_payload_walk_proposal(proposal, ordinal, each, context) < 0)
			return -EBADMSG;
	}
	return rest.len == 0 ? 0 : -EBADMSG;
}

int sa_payload_attribute(struct bytes *rest, struct sa_attribute *out)
{
	size_t len = ATTRIBUTE_HDR_LEN;
	uint16_t type;

	if (rest->len == 0)
		return 0;
	if (rest->len < ATTRIBUTE_HDR_LEN)
		return -EBADMSG;
	type = bytes_get16(rest->data);
	*out = (struct sa_attribute){.type = type & (ATTRIBUTE_BASIC - 1), .value = bytes_get16(rest->data + 2)};
	if (!(type & ATTRIBUTE_BASIC)) {
		size_t value_len = (size_t)out->value;

		len += value_len;
		if (len > rest->len || value_len == 0)
			return -EBADMSG;
		out->too_long = value_len > sizeof(out->value);
		out->value = 0;
		for (size_t i = 0; i < value_len && !out->too_long; i++)
			out->value = out->value << 8 | rest->data[ATTRIBUTE_HDR_LEN + i];
	}
	*rest = bytes_of(rest->data + len, rest->len - len);
	return 1;
}

void sa_payload_begin(struct builder *builder)
{
	builder_open(builder, ISAKMP_SA);
	builder_put32(builder, ISAKMP_DOI_IPSEC);
	builder_put32(builder, ISAKMP_SITUATION_IDENTITY_ONLY);
}

size_t sa_payload_begin_proposal(
	struct builder *builder, bool last, uint8_t number, uint8_t protocol, struct bytes spi, uint8_t transforms)
{
	size_t began = builder->len;

	builder_put8(builder, last ? ISAKMP_NONE : ISAKMP_PROPOSAL);
	builder_put8(builder, 0);
	builder_put16(builder, 0);
	builder_put8(builder, number);
	builder_put8(builder, protocol);
	builder_put8(builder, (uint8_t)spi.len);
	builder_put8(builder, transforms);
	builder_put(builder, spi.data, spi.len);
	return began;
}

void sa_payload_end_proposal(struct builder *builder, size_t began)
{
	builder_patch_len(builder, began + offsetof(struct payload_hdr, length), began);
}

size_t sa_payload_begin_transform(struct builder *builder, bool last, uint8_t number, uint8_t id)
{
	size_t began = builder->len;

	builder_put8(builder, last ? ISAKMP_NONE : ISAKMP_TRANSFORM);
	builder_put8(builder, 0);
	builder_put16(builder, 0);
	builder_put8(builder, number);
	builder_put8(builder, id);
	builder_put16(builder, 0);
	return began;
}

void sa_payload_end_transform(struct builder *builder, size_t began)
{
	builder_patch_len(builder, began + offsetof(struct payload_hdr, length), began);
}

void sa_payload_echo_transform(struct builder *builder, struct bytes whole)
{
	builder_put8(builder, ISAKMP_NONE);
	builder_put(builder, whole.data + 1, whole.len - 1);
}

void sa_payload_put_basic(struct builder *builder, uint16_t type, uint16_t value)
{
	builder_put16(builder, ATTRIBUTE_BASIC | type);
	builder_put16(builder, value);
}

void sa_payload_put_variable(struct builder *builder, uint16_t type, uint32_t value)
{
	builder_put16(builder, type);
	builder_put16(builder, sizeof(value));
	builder_put32(builder, value);
}
