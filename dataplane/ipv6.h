/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a packet carries behind IPv6's extension headers (RFC 8200 section 4). They are a stranger's to choose, so the
 * walk has a bound of headers and never leaves the packet.
 */
#pragma once

#include <rte_ip.h>

#include <stdbool.h>
#include <stdint.h>

enum { IPV6_EXTENSIONS_MAX = 8 }; /* each kind once, destination options twice (section 4.1), leaves some */

struct ipv6_upper {
	uint8_t protocol; /* the first header that is none of those */
	bool is_fragment; /* it has a fragment header that says more than "whole" */
	bool is_first;    /* no fragment, or the first: else what is at `offset` begins in the middle, and `protocol`
			     is what the whole packet goes on with, which may be an extension header again */
	uint16_t offset;  /* from the IPv6 header's first byte, bytes; at most the packet's length */
	uint16_t fragment_offset; /* of the fragment header from the IPv6 header's first byte; 0: there is none */
};

/* `len` bytes are there, from the IPv6 header on. False: they do not hold what the headers say, or too many of them. */
bool ipv6_upper(const struct rte_ipv6_hdr *ip, uint32_t len, struct ipv6_upper *out);
