/* SPDX-License-Identifier: Apache-2.0 */
#include "encap.h"

#include <rte_udp.h>

#include <netinet/in.h>

enum { OUTER_TTL = 64 };

static uint8_t protocol_of(const struct sa_outer *outer)
{
	return outer->udp ? IPPROTO_UDP : IPPROTO_ESP;
}

static uint32_t sum_words(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

/* What is the same in every header to this peer: of IPv4's own checksum, or of UDP's over IPv6 (RFC 8200 section 8.1).
 */
static uint32_t checksum_begin(const struct sa_outer *outer)
{
	if (outer->ipv6)
		return sum_words(&outer->local, sizeof(outer->local)) +
		       sum_words(&outer->remote, sizeof(outer->remote)) + IPPROTO_UDP + outer->local_port +
		       outer->remote_port;
	return (RTE_IPV4_VHL_DEF << 8) + (OUTER_TTL << 8) + protocol_of(outer) +
	       sum_words(&outer->local.ipv4, sizeof(outer->local.ipv4)) +
	       sum_words(&outer->remote.ipv4, sizeof(outer->remote.ipv4));
}

void encap_prepare(struct sa_outer *outer)
{
	outer->header_len = (uint8_t)((outer->ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr)) +
				      (outer->udp ? sizeof(struct rte_udp_hdr) : 0));
	outer->checksum = checksum_begin(outer);
	outer->third = rte_cpu_to_be_64(
		(uint64_t)ip_to_ipv4(&outer->remote) << 32 | (uint32_t)outer->local_port << 16 | outer->remote_port);
}

/* The complement of the folded sum, host order. */
static inline uint16_t checksum_end(uint32_t sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

/* Eight bytes at a time, put together in registers: fields written one by one would be half of the work. */
static inline void write_ipv4(
	uint8_t *esp, uint32_t esp_len, const struct sa_outer *outer, struct encap_fields fields, uint16_t id)
{
	uint8_t *ip = esp - outer->header_len;
	uint16_t total_len = (uint16_t)(outer->header_len + esp_len), df = fields.df ? (uint16_t)IPV4_DF : 0;
	uint32_t sum = outer->checksum + fields.tos + total_len + id + df;
	rte_be64_t first = rte_cpu_to_be_64((uint64_t)(RTE_IPV4_VHL_DEF << 8 | fields.tos) << 48 |
					    (uint64_t)total_len << 32 | (uint32_t)id << 16 | df);
	rte_be64_t second = rte_cpu_to_be_64((uint64_t)(OUTER_TTL << 8 | protocol_of(outer)) << 48 |
					     (uint64_t)checksum_end(sum) << 32 | ip_to_ipv4(&outer->local));
	rte_be32_t udp_end = rte_cpu_to_be_32((uint32_t)(total_len - sizeof(struct rte_ipv4_hdr)) << 16);

	memcpy(ip, &first, sizeof(first));
	memcpy(ip + 8, &second, sizeof(second));
	if (outer->udp) { /* its checksum is zero: RFC 3948 section 2.1 */
		memcpy(ip + 16, &outer->third, sizeof(outer->third));
		memcpy(ip + 24, &udp_end, sizeof(udp_end));
	} else {
		memcpy(ip + 16, &outer->remote.ipv4, sizeof(outer->remote.ipv4));
	}
}

/*
 * IPv6's UDP needs its checksum: receivers drop a zero one unless they were told otherwise (RFC 6935). The flow label
 * stays zero, so that nothing of the inner flows shows (RFC 6437 section 2 lets us).
 */
static void write_ipv6(uint8_t *esp, uint32_t esp_len, const struct sa_outer *outer, struct encap_fields fields)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(esp - outer->header_len);
	uint16_t payload_len = (uint16_t)(outer->header_len - sizeof(*ip) + esp_len);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	uint32_t sum;

	ip->vtc_flow = rte_cpu_to_be_32(6u << 28 | (uint32_t)fields.tos << 20);
	ip->payload_len = rte_cpu_to_be_16(payload_len);
	ip->proto = protocol_of(outer);
	ip->hop_limits = OUTER_TTL;
	memcpy(ip->src_addr, &outer->local, sizeof(ip->src_addr));
	memcpy(ip->dst_addr, &outer->remote, sizeof(ip->dst_addr));
	if (!outer->udp)
		return;
	udp->src_port = rte_cpu_to_be_16(outer->local_port);
	udp->dst_port = rte_cpu_to_be_16(outer->remote_port);
	udp->dgram_len = rte_cpu_to_be_16(payload_len);
	udp->dgram_cksum = 0;
	sum = outer->checksum + 2u * payload_len + rte_be_to_cpu_16(rte_raw_cksum(esp, esp_len));
	udp->dgram_cksum = rte_cpu_to_be_16(checksum_end(sum));
	if (udp->dgram_cksum == 0)
		udp->dgram_cksum = 0xffff; /* RFC 768: zero says that there is none */
}

void encap_write(uint8_t *esp, uint32_t esp_len, const struct sa_outer *outer, struct encap_fields fields, uint16_t id)
{
	if (outer->ipv6)
		write_ipv6(esp, esp_len, outer, fields);
	else
		write_ipv4(esp, esp_len, outer, fields, id);
}

uint8_t encap_write_addresses(uint8_t *esp, const union ip_address *remote, const union ip_address *local)
{
	if (!ip_is_ipv4(remote)) {
		struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)esp - 1;

		*ip = (struct rte_ipv6_hdr){.vtc_flow = rte_cpu_to_be_32(6u << 28)};
		memcpy(ip->src_addr, remote, sizeof(ip->src_addr));
		memcpy(ip->dst_addr, local, sizeof(ip->dst_addr));
		return sizeof(*ip);
	} else {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)esp - 1;

		*ip = (struct rte_ipv4_hdr){
			.version_ihl = RTE_IPV4_VHL_DEF, .src_addr = remote->ipv4, .dst_addr = local->ipv4};
		return sizeof(*ip);
	}
}
