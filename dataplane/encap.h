/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outer header before an ESP packet: IPv4 or IPv6 (RFC 4301 section 5.1.2), and UDP where NAT asks for it (RFC
 * 3948).
 */
#pragma once

#include "header.h"
#include "sa.h"

#include <stdint.h>

/* Bytes before the ESP header. */
static inline uint16_t encap_len(const struct sa_outer *outer)
{
	return outer->header_len;
}

/* What the outer header takes from the inner one and the SA's settings. */
struct encap_fields {
	uint8_t tos; /* DSCP and ECN */
	bool df;
};

/* RFC 4301 section 5.1.2.1; ECN is copied (RFC 6040 section 4.1). `inner` may be a fragment, and of either family. */
static inline struct encap_fields encap_fields_of(const struct tunnel_settings *tunnel, const void *inner)
{
	struct encap_fields fields = {.tos = header_tos(inner), .df = tunnel->df == TUNNEL_DF_SET};

	if (tunnel->dscp != TUNNEL_DSCP_COPY)
		fields.tos = (uint8_t)(tunnel->dscp << 2 | (fields.tos & ECN_MASK));
	if (tunnel->df == TUNNEL_DF_COPY)
		fields.df = header_has_df(inner);
	return fields;
}

/* Fills what follows from a peer's endpoints: header_len and checksum. */
void encap_prepare(struct sa_outer *outer);

/*
 * Writes the header that ends where an ESP packet of `esp_len` bytes begins, encap_len bytes. `id` is used in IPv4
 * only.
 */
void encap_write(uint8_t *esp, uint32_t esp_len, const struct sa_outer *outer, struct encap_fields fields, uint16_t id);
