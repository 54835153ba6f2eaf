/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attribute payload of transactions (draft-ietf-ipsec-isakmp-mode-cfg-05 section 3.2): read into a list before
 * anything of it is believed, and written. What an attribute means is known by xauth and mode_config. The list points
 * into the message.
 */
#pragma once

#include "ike/builder.h"
#include "ike/bytes.h"

#include <stdbool.h>

enum { ATTRIBUTES_MAX = 64 };

struct attribute {
	uint16_t type;
	struct bytes value; /* of a basic attribute its two bytes; may be empty: a request asks so */
};

struct attributes {
	uint8_t type; /* enum isakmp_cfg */
	uint16_t identifier;
	struct attribute items[ATTRIBUTES_MAX];
	size_t count;
};

/* Takes the body of an attribute payload apart. 0; -EBADMSG with a sentence in *why. */
int attributes_parse(struct bytes body, struct attributes *out, const char **why);

/* The first attribute of a type at or behind `from` (NULL: from the front), or NULL. */
const struct attribute *attributes_find(
	const struct attributes *attributes, uint16_t type, const struct attribute *from);

/* The value as a number; 0 for one that is empty or longer than four bytes. */
uint32_t attribute_number(const struct attribute *attribute);

/* Whether there is any attribute of XAUTH. */
bool attributes_are_xauth(const struct attributes *attributes);

/* An attribute payload: open it, write attributes, close it with builder_close. */
void attributes_open(struct builder *builder, uint8_t type, uint16_t identifier);
void attributes_put(struct builder *builder, uint16_t type, const void *value, size_t value_len);
void attributes_put_basic(struct builder *builder, uint16_t type, uint16_t value);
