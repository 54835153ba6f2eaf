/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the packet path asks of an IP header of either family (RFC 791, RFC 8200). Which it is, the version nibble tells;
 * the header has been found valid before (classify.c, inbound.c). What belongs to one family alone is in ipv4.h.
 */
#pragma once

#include "ip.h"
#include "ipv4.h"

#include <rte_ip.h>

#include <stdbool.h>
#include <stdint.h>

static inline bool header_is_ipv6(const void *header)
{
	return *(const uint8_t *)header >> 4 == 6;
}

static inline void header_addresses(const void *header, union ip_address *source, union ip_address *destination)
{
	if (header_is_ipv6(header)) {
		const struct rte_ipv6_hdr *ip = header;

		*source = ip_from_bytes(ip->src_addr);
		*destination = ip_from_bytes(ip->dst_addr);
	} else {
		const struct rte_ipv4_hdr *ip = header;

		*source = ip_from_be32(ip->src_addr);
		*destination = ip_from_be32(ip->dst_addr);
	}
}

static inline union ip_address header_source(const void *header)
{
	return header_is_ipv6(header) ? ip_from_bytes(((const struct rte_ipv6_hdr *)header)->src_addr)
				      : ip_from_be32(((const struct rte_ipv4_hdr *)header)->src_addr);
}

static inline union ip_address header_destination(const void *header)
{
	return header_is_ipv6(header) ? ip_from_bytes(((const struct rte_ipv6_hdr *)header)->dst_addr)
				      : ip_from_be32(((const struct rte_ipv4_hdr *)header)->dst_addr);
}

/* Header and payload, bytes. */
static inline uint32_t header_total_len(const void *header)
{
	return header_is_ipv6(header)
		       ? (uint32_t)sizeof(struct rte_ipv6_hdr) +
				 rte_be_to_cpu_16(((const struct rte_ipv6_hdr *)header)->payload_len)
		       : rte_be_to_cpu_16(((const struct rte_ipv4_hdr *)header)->total_length);
}

/* Type of service or traffic class: DSCP and ECN (RFC 2474, RFC 3168). */
static inline uint8_t header_tos(const void *header)
{
	const uint8_t *bytes = header;

	return header_is_ipv6(header) ? (uint8_t)(bytes[0] << 4 | bytes[1] >> 4) : bytes[1];
}

/* Sets bits of the ECN field of an IPv6 header. */
static inline void header_ipv6_mark(struct rte_ipv6_hdr *ip, uint8_t ecn)
{
	ip->vtc_flow |= rte_cpu_to_be_32((uint32_t)ecn << RTE_IPV6_HDR_TC_SHIFT);
}

/* May no router cut it? Of IPv6, never (RFC 8200 section 5). */
static inline bool header_has_df(const void *header)
{
	return header_is_ipv6(header) ||
	       (((const struct rte_ipv4_hdr *)header)->fragment_offset & rte_cpu_to_be_16(IPV4_DF)) != 0;
}

/* TTL or hop limit. */
static inline uint8_t header_ttl(const void *header)
{
	return header_is_ipv6(header) ? ((const struct rte_ipv6_hdr *)header)->hop_limits
				      : ((const struct rte_ipv4_hdr *)header)->time_to_live;
}

static inline void header_ttl_decrement(void *header)
{
	if (header_is_ipv6(header))
		((struct rte_ipv6_hdr *)header)->hop_limits--;
	else
		ipv4_ttl_decrement(header);
}

/* Does an IPv6 header hold together within `len` bytes? Mapped addresses are no one's (ip.h). */
static inline bool header_ipv6_is_valid(const struct rte_ipv6_hdr *ip, uint32_t len)
{
	union ip_address source, destination;

	if (len < sizeof(*ip) || !header_is_ipv6(ip) || header_total_len(ip) > len)
		return false;
	header_addresses(ip, &source, &destination);
	return !ip_is_ipv4(&source) && !ip_is_ipv4(&destination);
}

/* Either family: lengths within `len`, and an IPv4 checksum that holds. */
static inline bool header_is_valid(const void *header, uint32_t len)
{
	if (len > 0 && header_is_ipv6(header))
		return header_ipv6_is_valid(header, len);
	return ipv4_is_valid(header, len) && ipv4_checksum_holds(header);
}

/* RFC 6040 section 4.2, figure 4: what the inner ECN field becomes; see ipv4_ecn_decapsulate. */
static inline bool header_ecn_decapsulate(void *header, uint8_t outer_ecn)
{
	uint8_t *bytes = header, inner_ecn = header_tos(header) & ECN_MASK, ecn;

	if (!header_is_ipv6(header))
		return ipv4_ecn_decapsulate(header, outer_ecn);
	if (!ecn_decapsulate(inner_ecn, outer_ecn, &ecn))
		return false;
	bytes[1] = (uint8_t)((bytes[1] & ~(ECN_MASK << 4)) | ecn << 4);
	return true;
}
