/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors over IPv4 (RFC 792). */
#include "icmp_family.h"
#include "ipv4.h"

#include <rte_icmp.h>

#include <netinet/in.h>
#include <string.h>

enum {
	TYPE_UNREACHABLE = 3,
	TYPE_SOURCE_QUENCH = 4,
	TYPE_REDIRECT = 5,
	TYPE_TIME_EXCEEDED = 11,
	TYPE_PARAMETER = 12,
	CODE_FRAGMENTATION_NEEDED = 4,
	CODE_TTL = 0,
	ERROR_MAX = 576,    /* RFC 1812 section 4.3.2.3: as much of the packet as fits into this */
	ERROR_TOS = 6 << 5, /* RFC 1812 section 4.3.2.5: internetwork control */
	ERROR_TTL = 64,
	FRONT_LEN = sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_icmp_hdr),
};

/* One station: neither this network, loopback, multicast nor broadcast. */
static bool is_station(uint32_t address)
{
	return address >> 24 != 0 && address >> 24 != 127 && address < 0xe0000000;
}

static bool is_icmp_error(const struct rte_ipv4_hdr *ip, uint32_t len)
{
	uint32_t header_len = rte_ipv4_hdr_len(ip);
	uint8_t type;

	if (ip->next_proto_id != IPPROTO_ICMP)
		return false;
	if (len <= header_len)
		return true; /* who knows */
	type = ((const uint8_t *)ip)[header_len];
	return type == TYPE_UNREACHABLE || type == TYPE_SOURCE_QUENCH || type == TYPE_REDIRECT ||
	       type == TYPE_TIME_EXCEEDED || type == TYPE_PARAMETER;
}

bool icmp4_may_be_sent(const struct icmp_error *error, const struct rte_ipv4_hdr *about, uint32_t len)
{
	(void)error;
	return !(about->fragment_offset & rte_cpu_to_be_16(IPV4_OFFSET_MASK)) && !is_icmp_error(about, len) &&
	       is_station(rte_be_to_cpu_32(about->src_addr)) && is_station(rte_be_to_cpu_32(about->dst_addr));
}

uint16_t icmp4_len(uint32_t len)
{
	return (uint16_t)RTE_MIN(FRONT_LEN + len, (uint32_t)ERROR_MAX);
}

void icmp4_write(void *out, uint16_t error_len, const struct icmp_error *error, const struct rte_ipv4_hdr *about,
	const union ip_address *source, uint16_t id)
{
	struct rte_ipv4_hdr *ip = out;
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)(ip + 1);
	bool too_big = error->kind == ICMP_TOO_BIG;

	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = ERROR_TOS,
		.total_length = rte_cpu_to_be_16(error_len),
		.packet_id = rte_cpu_to_be_16(id),
		.time_to_live = ERROR_TTL,
		.next_proto_id = IPPROTO_ICMP,
		.src_addr = source->ipv4,
		.dst_addr = about->src_addr,
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*icmp = (struct rte_icmp_hdr){
		.icmp_type = too_big ? TYPE_UNREACHABLE : TYPE_TIME_EXCEEDED,
		.icmp_code = too_big ? CODE_FRAGMENTATION_NEEDED : CODE_TTL,
		.icmp_seq_nb = rte_cpu_to_be_16(error->mtu), /* RFC 1191 section 4: the low half of the unused word */
	};
	memcpy(icmp + 1, about, (size_t)error_len - FRONT_LEN);
	icmp->icmp_cksum = (uint16_t)~rte_raw_cksum(icmp, error_len - sizeof(*ip));
}
