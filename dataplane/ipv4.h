/* SPDX-License-Identifier: Apache-2.0 */
/* Small IPv4 helpers of the packet path (RFC 791, RFC 1624, RFC 6040). */
#pragma once

#include <rte_byteorder.h>
#include <rte_ip.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	IPV4_DF = RTE_IPV4_HDR_DF_FLAG,
	IPV4_MF = RTE_IPV4_HDR_MF_FLAG,
	IPV4_OFFSET_MASK = RTE_IPV4_HDR_OFFSET_MASK,
	ECN_MASK = 3,
	ECN_NOT_ECT = 0,
	ECN_ECT_1 = 1,
	ECN_ECT_0 = 2,
	ECN_CE = 3,
};

static inline bool ipv4_is_fragment(const struct rte_ipv4_hdr *ip)
{
	return (ip->fragment_offset & rte_cpu_to_be_16(IPV4_MF | IPV4_OFFSET_MASK)) != 0;
}

/* Does the header hold together within `len` bytes? The checksum is another question. */
static inline bool ipv4_is_valid(const struct rte_ipv4_hdr *ip, uint32_t len)
{
	uint32_t header_len, total_len;

	if (len < sizeof(*ip) || ip->version_ihl >> 4 != 4)
		return false;
	header_len = (ip->version_ihl & 0x0f) * 4u;
	total_len = rte_be_to_cpu_16(ip->total_length);
	return header_len >= sizeof(*ip) && total_len >= header_len && total_len <= len;
}

/* RFC 1624: the checksum after the TTL went down by one. */
static inline void ipv4_ttl_decrement(struct rte_ipv4_hdr *ip)
{
	uint32_t sum = (uint32_t)ip->hdr_checksum + rte_cpu_to_be_16(0x0100);

	ip->hdr_checksum = (uint16_t)(sum + (sum >= 0xffff));
	ip->time_to_live--;
}

static inline void ipv4_checksum_set(struct rte_ipv4_hdr *ip)
{
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

/* RFC 791: the sum of all words of a valid header is all ones. The usual header has no options: five words of 32 bits. */
static inline bool ipv4_checksum_holds(const struct rte_ipv4_hdr *ip)
{
	uint64_t words[2], sum;
	uint32_t last, half, quarter;

	if (ip->version_ihl != RTE_IPV4_VHL_DEF)
		return rte_ipv4_cksum(ip) == 0;
	memcpy(words, ip, sizeof(words));
	memcpy(&last, (const uint8_t *)ip + sizeof(words), sizeof(last));
	sum = (words[0] & UINT32_MAX) + (words[0] >> 32) + (words[1] & UINT32_MAX) + (words[1] >> 32) + last;
	sum = (sum & UINT32_MAX) + (sum >> 32);
	half = (uint32_t)sum + (uint32_t)(sum >> 32);
	quarter = (half & 0xffff) + (half >> 16);
	/* All ones, or that twice: one more carry to be added. */
	return quarter == 0xffff || quarter == 0x1fffe;
}

/*
 * RFC 6040 section 4.2, figure 4: what the inner ECN field becomes. false when the packet must be dropped, because its
 * transport would not understand that it met congestion.
 */
static inline bool ecn_decapsulate(uint8_t inner_ecn, uint8_t outer_ecn, uint8_t *ecn)
{
	*ecn = inner_ecn;
	if (outer_ecn == ECN_CE && inner_ecn == ECN_NOT_ECT)
		return false;
	if (outer_ecn == ECN_CE || (outer_ecn == ECN_ECT_1 && inner_ecn == ECN_ECT_0))
		*ecn = outer_ecn;
	return true;
}

static inline bool ipv4_ecn_decapsulate(struct rte_ipv4_hdr *inner, uint8_t outer_ecn)
{
	uint8_t inner_ecn = inner->type_of_service & ECN_MASK, ecn;

	if (!ecn_decapsulate(inner_ecn, outer_ecn, &ecn))
		return false;
	if (ecn != inner_ecn) {
		inner->type_of_service = (uint8_t)((inner->type_of_service & ~ECN_MASK) | ecn);
		ipv4_checksum_set(inner);
	}
	return true;
}
