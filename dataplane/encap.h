/* SPDX-License-Identifier: Apache-2.0 */
/* The outer header before an ESP packet: IPv4 (RFC 4301 section 5.1.2.1), and UDP where NAT asks for it (RFC 3948). */
#pragma once

#include "sa.h"

#include <rte_ip.h>
#include <rte_mbuf.h>

#include <stdint.h>

enum { ENCAP_MAX_LEN = 28 };

/* Bytes before the ESP header. */
static inline uint16_t encap_len(const struct sa_outer *outer)
{
	return outer->udp ? 28 : 20;
}

/* What the outer header takes from the inner one and the SA's settings. */
struct encap_fields {
	uint8_t tos; /* DSCP and ECN */
	bool df;
};

/* RFC 4301 section 5.1.2.1; ECN is copied (RFC 6040 section 4.1). `inner` may be a fragment. */
struct encap_fields encap_fields_of(const struct tunnel_settings *tunnel, const struct rte_ipv4_hdr *inner);

/* Sum of what is the same in every header to this peer, for sa_outer.checksum. */
uint32_t encap_checksum_begin(const struct sa_outer *outer);

/* Prepends the header to a packet that begins at its ESP header. 0, or -ENOSPC without headroom. */
int encap_prepend(struct rte_mbuf *packet, const struct sa_outer *outer, struct encap_fields fields, uint16_t id);
