/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include "plan.h"

#include <netinet/in.h>
#include <string.h>

enum { TTL = 64, INNER_PORT = 5000 };

void frame_write_ethernet(uint8_t *frame, const struct rte_ether_addr *to, uint16_t port)
{
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)frame;

	ether->dst_addr = *to;
	plan_station(port, ether->src_addr.addr_bytes);
	ether->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
}

void frame_write_ipv4(uint8_t *packet, uint32_t source, uint32_t destination, uint8_t protocol, uint16_t total_len)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)packet;

	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(total_len),
		.time_to_live = TTL,
		.next_proto_id = protocol,
		.src_addr = rte_cpu_to_be_32(source),
		.dst_addr = rte_cpu_to_be_32(destination),
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void udp_write(uint8_t *datagram, uint16_t port, uint16_t len)
{
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)datagram;

	/* No checksum: RFC 3948 section 2.1 wants none outside, and inside nobody looks at it. */
	*udp = (struct rte_udp_hdr){.src_port = rte_cpu_to_be_16(port),
		.dst_port = rte_cpu_to_be_16(port),
		.dgram_len = rte_cpu_to_be_16(len)};
}

void frame_write_inner(uint8_t *packet, uint32_t source, uint32_t destination, uint16_t size)
{
	frame_write_ipv4(packet, source, destination, IPPROTO_UDP, size);
	udp_write(packet + sizeof(struct rte_ipv4_hdr), INNER_PORT, (uint16_t)(size - sizeof(struct rte_ipv4_hdr)));
	memset(packet + FRAME_PAYLOAD_AT, FRAME_PAYLOAD, (size_t)size - FRAME_PAYLOAD_AT);
}

void frame_write_outer(uint8_t *packet, uint32_t source, uint32_t destination, uint16_t port, uint16_t esp_len)
{
	uint16_t udp_len = (uint16_t)(port ? sizeof(struct rte_udp_hdr) + esp_len : 0);
	uint16_t payload_len = port ? udp_len : esp_len;

	frame_write_ipv4(packet, source, destination, port ? IPPROTO_UDP : IPPROTO_ESP,
		(uint16_t)(sizeof(struct rte_ipv4_hdr) + payload_len));
	if (port)
		udp_write(packet + sizeof(struct rte_ipv4_hdr), port, udp_len);
}

bool frame_is_inner(const uint8_t *packet, uint32_t len, uint32_t source, uint32_t destination)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)packet;

	if (len < FRAME_PAYLOAD_AT || ip->version_ihl != RTE_IPV4_VHL_DEF || rte_be_to_cpu_16(ip->total_length) != len)
		return false;
	if (ip->next_proto_id != IPPROTO_UDP || ip->time_to_live + 1 < TTL)
		return false;
	if (ip->src_addr != rte_cpu_to_be_32(source) || ip->dst_addr != rte_cpu_to_be_32(destination))
		return false;
	for (uint32_t i = FRAME_PAYLOAD_AT; i < len; i++)
		if (packet[i] != FRAME_PAYLOAD)
			return false;
	return true;
}
