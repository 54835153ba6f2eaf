/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SA payload's inner structure (RFC 2408 sections 3.4 to 3.6), common to both phases: proposals, transforms and
 * their attributes, read one after another and written. What an attribute means is known by phase1 and phase2.
 */
#pragma once

#include "ike/builder.h"
#include "ike/bytes.h"

#include <stdbool.h>

/* One transform, as it stands in a proposal. */
struct sa_transform {
	unsigned ordinal; /* of its proposal payload in the SA, from 0 */
	uint8_t proposal; /* the proposal's number; payloads with the same number belong together */
	uint8_t protocol; /* enum isakmp_protocol */
	struct bytes spi;
	uint8_t id;
	struct bytes whole; /* the transform payload with its headers */
	struct bytes attributes;
};

/*
 * Calls `each` for every transform of an SA payload's body. 0; -EBADMSG with a sentence in *why when structure, DOI or
 * situation are wrong (some calls may have been made).
 */
int sa_payload_walk(struct bytes body, void (*each)(void *context, const struct sa_transform *transform), void *context,
	const char **why);

struct sa_attribute {
	uint16_t type;
	uint64_t value; /* of both encodings, basic and variable */
	bool too_long;	/* a variable one of more than eight bytes: it has no value */
};

/* Takes one attribute off the front of `rest`: 1, 0 at the end, -EBADMSG when it does not fit. */
int sa_payload_attribute(struct bytes *rest, struct sa_attribute *out);

/* The SA payload's head, with the payload left open. */
void sa_payload_begin(struct builder *builder);

/* A proposal of `transforms` transforms, which the caller then writes. Returns what sa_payload_end_proposal wants. */
size_t sa_payload_begin_proposal(
	struct builder *builder, bool last, uint8_t number, uint8_t protocol, struct bytes spi, uint8_t transforms);
void sa_payload_end_proposal(struct builder *builder, size_t began);

size_t sa_payload_begin_transform(struct builder *builder, bool last, uint8_t number, uint8_t id);
void sa_payload_end_transform(struct builder *builder, size_t began);

/* A transform as it was offered, now the only one: RFC 2408 section 4.2 wants it back unchanged. */
void sa_payload_echo_transform(struct builder *builder, struct bytes whole);

/* Attributes: basic (two bytes) and variable (four bytes here). */
void sa_payload_put_basic(struct builder *builder, uint16_t type, uint16_t value);
void sa_payload_put_variable(struct builder *builder, uint16_t type, uint32_t value);
