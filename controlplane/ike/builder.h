/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes one ISAKMP message into a buffer of the caller: header, payloads chained and their lengths filled in. What
 * does not fit marks the builder as failed and writes nothing more, so only builder_finish needs to be checked.
 */
#pragma once

#include "ike/bytes.h"
#include "ike/isakmp.h"

#include <stdbool.h>

struct builder {
	uint8_t *data;
	size_t capacity, len;
	size_t next_at;	   /* where the type of the next payload goes */
	size_t payload_at; /* the open payload's generic header */
	bool failed;
};

/* Begins with a copy of `hdr`; its next payload and length are filled in later. */
void builder_begin(struct builder *builder, uint8_t *data, size_t capacity, const struct isakmp_hdr *hdr);

/* A payload: open, put its body, close; or all at once. */
void builder_open(struct builder *builder, uint8_t type);
void builder_close(struct builder *builder);
void builder_add(struct builder *builder, uint8_t type, const void *body, size_t body_len);

void builder_put(struct builder *builder, const void *data, size_t len);
void builder_put8(struct builder *builder, uint8_t value);
void builder_put16(struct builder *builder, uint16_t value);
void builder_put32(struct builder *builder, uint32_t value);

/* Writes the distance from `from` to the end into the two bytes at `at`: lengths of what lies inside a payload. */
void builder_patch_len(struct builder *builder, size_t at, size_t from);

/* Writes the header's length. 0, or -EMSGSIZE when something did not fit. */
int builder_finish(struct builder *builder);
