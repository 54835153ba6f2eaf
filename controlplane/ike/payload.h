/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From bytes to a list of payloads, once per message, before anything of it is believed (RFC 2408 sections 5.2, 5.3).
 * The list points into the message. Whoever holds one may rely on this: each body has a length that its type
 * allows, a type that stands alone stands there once, and there are at most PAYLOADS_MAX.
 */
#pragma once

#include "ike/bytes.h"
#include "ike/isakmp.h"

#include <stdbool.h>

enum { PAYLOADS_MAX = 32 };

struct payload {
	uint8_t type; /* enum isakmp_payload; those of NAT-T drafts appear as the final ones */
	struct bytes body;
};

struct payload_list {
	struct payload items[PAYLOADS_MAX];
	size_t count;
	uint32_t present; /* a bit for each type, PAYLOAD_BIT */
	bool draft;	  /* a payload number of the NAT-T drafts was used */
	size_t used;	  /* bytes of the chain; what follows is padding */
};

#define PAYLOAD_BIT(type) (1u << (type))

/*
 * Checks header and length of a datagram. Returns the header, or NULL with a sentence in *why. The version is not
 * judged here.
 */
const struct isakmp_hdr *payload_header(struct bytes datagram, const char **why);

/*
 * Walks the chain in `data`, which begins with a payload of type `first`. `version` is the header's: payload numbers
 * mean something else in each. 0, -EBADMSG with a sentence in *why, or -EPROTONOSUPPORT for a version that has no table
 * here.
 */
int payload_parse(uint8_t version, uint8_t first, struct bytes data, struct payload_list *out, const char **why);

/* The first payload of a type at or behind `from`, or NULL. */
const struct payload *payload_find(const struct payload_list *list, uint8_t type, const struct payload *from);

/* The body of a payload that the caller knows to be there; an empty one otherwise. */
struct bytes payload_body(const struct payload_list *list, uint8_t type);
