/* SPDX-License-Identifier: Apache-2.0 */
/* What an outer header says besides addresses and lengths, for whoever writes one: the workers, or a kernel socket. */
#pragma once

#include "header.h"
#include "tables/tunnel.h"

#include <stdbool.h>
#include <stdint.h>

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
