/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/builder.h"

#include <errno.h>
#include <string.h>

void builder_begin(struct builder *builder, uint8_t *data, size_t capacity, const struct isakmp_hdr *hdr)
{
	*builder = (struct builder){.data = data, .capacity = capacity};
	builder_put(builder, hdr, sizeof(*hdr));
	builder->next_at = offsetof(struct isakmp_hdr, next_payload);
	if (!builder->failed)
		data[builder->next_at] = ISAKMP_NONE;
}

void builder_put(struct builder *builder, const void *data, size_t len)
{
	if (builder->failed || len > builder->capacity - builder->len) {
		builder->failed = true;
		return;
	}
	if (len > 0)
		memcpy(builder->data + builder->len, data, len);
	builder->len += len;
}

void builder_put8(struct builder *builder, uint8_t value)
{
	builder_put(builder, &value, sizeof(value));
}

void builder_put16(struct builder *builder, uint16_t value)
{
	uint8_t wire[2];

	bytes_put16(wire, value);
	builder_put(builder, wire, sizeof(wire));
}

void builder_put32(struct builder *builder, uint32_t value)
{
	uint8_t wire[4];

	bytes_put32(wire, value);
	builder_put(builder, wire, sizeof(wire));
}

void builder_open(struct builder *builder, uint8_t type)
{
	builder->payload_at = builder->len;
	builder_put32(builder, 0);
	if (builder->failed)
		return;
	builder->data[builder->next_at] = type;
	builder->next_at = builder->payload_at;
}

void builder_patch_len(struct builder *builder, size_t at, size_t from)
{
	if (!builder->failed && builder->len - from > UINT16_MAX)
		builder->failed = true;
	if (!builder->failed)
		bytes_put16(builder->data + at, (uint16_t)(builder->len - from));
}

void builder_close(struct builder *builder)
{
	builder_patch_len(builder, builder->payload_at + offsetof(struct payload_hdr, length), builder->payload_at);
}

void builder_add(struct builder *builder, uint8_t type, const void *body, size_t body_len)
{
	builder_open(builder, type);
	builder_put(builder, body, body_len);
	builder_close(builder);
}

int builder_finish(struct builder *builder)
{
	if (builder->failed)
		return -EMSGSIZE;
	bytes_put32(builder->data + offsetof(struct isakmp_hdr, length), (uint32_t)builder->len);
	return 0;
}
