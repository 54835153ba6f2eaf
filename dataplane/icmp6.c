/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors over IPv6 (RFC 4443). */
#include "icmp_family.h"
#include "ipv6.h"

#include <netinet/in.h>
#include <string.h>

enum {
	TYPE_TOO_BIG = 2,
	TYPE_TIME_EXCEEDED = 3,
	TYPE_INFORMATIONAL = 128, /* below it are the errors (section 2.1) */
	TYPE_REDIRECT = 137,
	CODE_HOP_LIMIT = 0,
	MTU_MIN = 1280,	      /* RFC 8200 section 5; and what an error may be long (RFC 4443 section 2.4 (c)) */
	ERROR_CLASS = 6 << 5, /* as in IPv4: internetwork control */
	ERROR_HOP_LIMIT = 64,
	MULTICAST = 0xff,
};

struct icmp6_hdr {
	uint8_t type, code;
	rte_be16_t checksum;
	rte_be32_t mtu; /* too big; else unused */
};

enum { FRONT_LEN = sizeof(struct rte_ipv6_hdr) + sizeof(struct icmp6_hdr) };

/* One station, that can be sent to from here: neither multicast, link-local, loopback nor none. */
static bool is_station(const uint8_t bytes[16])
{
	static const uint8_t none[15];
	union ip_address address = ip_from_bytes(bytes);

	return bytes[0] != MULTICAST && !ip_is_link_local(&address) &&
	       (memcmp(bytes, none, sizeof(none)) != 0 || bytes[15] > 1);
}

/* An ICMP error or a redirect; or ICMP of which the type can't be seen. */
static bool may_be_icmp_error(const struct rte_ipv6_hdr *ip, uint32_t len)
{
	struct ipv6_upper upper;
	uint8_t type;

	if (!ipv6_upper(ip, len, &upper))
		return true;
	if (upper.protocol != IPPROTO_ICMPV6)
		return false;
	if (!upper.is_first || upper.offset >= len)
		return true;
	type = ((const uint8_t *)ip)[upper.offset];
	return type < TYPE_INFORMATIONAL || type == TYPE_REDIRECT;
}

bool icmp6_may_be_sent(const struct icmp_error *error, const struct rte_ipv6_hdr *about, uint32_t len)
{
	/* Those to many have one path MTU, too (section 2.4 (e.3)). */
	bool destination_fits =
		about->dst_addr[0] == MULTICAST ? error->kind == ICMP_TOO_BIG : is_station(about->dst_addr);

	return is_station(about->src_addr) && destination_fits && !may_be_icmp_error(about, len);
}

uint16_t icmp6_len(uint32_t len)
{
	return (uint16_t)RTE_MIN(FRONT_LEN + len, (uint32_t)MTU_MIN);
}

void icmp6_write(void *out, uint16_t error_len, const struct icmp_error *error, const struct rte_ipv6_hdr *about,
	const union ip_address *source)
{
	struct rte_ipv6_hdr *ip = out;
	struct icmp6_hdr *icmp = (struct icmp6_hdr *)(ip + 1);
	bool too_big = error->kind == ICMP_TOO_BIG;

	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = rte_cpu_to_be_32(6u << 28 | (uint32_t)ERROR_CLASS << RTE_IPV6_HDR_TC_SHIFT),
		.payload_len = rte_cpu_to_be_16((uint16_t)(error_len - sizeof(*ip))),
		.proto = IPPROTO_ICMPV6,
		.hop_limits = ERROR_HOP_LIMIT,
	};
	memcpy(ip->src_addr, source, sizeof(ip->src_addr));
	memcpy(ip->dst_addr, about->src_addr, sizeof(ip->dst_addr));
	*icmp = (struct icmp6_hdr){
		.type = too_big ? TYPE_TOO_BIG : TYPE_TIME_EXCEEDED,
		.code = CODE_HOP_LIMIT, /* of "too big", it is 0 as well */
		.mtu = too_big ? rte_cpu_to_be_32(RTE_MAX(error->mtu, (uint16_t)MTU_MIN)) : 0,
	};
	memcpy(icmp + 1, about, (size_t)error_len - FRONT_LEN);
	icmp->checksum = rte_ipv6_udptcp_cksum(ip, icmp);
}
