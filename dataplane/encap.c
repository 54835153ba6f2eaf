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
}

/* From numbers in registers: reading back a header that was just written stalls the processor. */
static rte_be16_t checksum_end(uint32_t sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	return rte_cpu_to_be_16((uint16_t)~sum);
}

static void udp_write(struct rte_udp_hdr *udp, const struct sa_outer *outer, uint16_t udp_len)
{
	udp->src_port = rte_cpu_to_be_16(outer->local_port);
	udp->dst_port = rte_cpu_to_be_16(outer->remote_port);
	udp->dgram_len = rte_cpu_to_be_16(udp_len);
	udp->dgram_cksum = 0; /* RFC 3948 section 2.1 */
}

static void write_ipv4(
	uint8_t *esp, uint32_t esp_len, const struct sa_outer *outer, struct encap_fields fields, uint16_t id)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(esp - outer->header_len);
	uint16_t total_len = (uint16_t)(outer->header_len + esp_len);

	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = fields.tos,
		.total_length = rte_cpu_to_be_16(total_len),
		.packet_id = rte_cpu_to_be_16(id),
		.fragment_offset = fields.df ? rte_cpu_to_be_16(IPV4_DF) : 0,
		.time_to_live = OUTER_TTL,
		.next_proto_id = protocol_of(outer),
		.hdr_checksum = checksum_end(
			outer->checksum + fields.tos + total_len + id + (fields.df ? (uint32_t)IPV4_DF : 0)),
		.src_addr = outer->local.ipv4,
		.dst_addr = outer->remote.ipv4,
	};
	if (outer->udp)
		udp_write((struct rte_udp_hdr *)(ip + 1), outer, (uint16_t)(total_len - sizeof(*ip)));
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
	udp_write(udp, outer, payload_len);
	sum = outer->checksum + 2u * payload_len + rte_be_to_cpu_16(rte_raw_cksum(esp, esp_len));
	udp->dgram_cksum = checksum_end(sum);
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
