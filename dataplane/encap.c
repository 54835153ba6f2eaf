/* SPDX-License-Identifier: Apache-2.0 */
#include "encap.h"

#include "ipv4.h"

#include <rte_udp.h>

#include <errno.h>
#include <netinet/in.h>

enum { OUTER_TTL = 64 };

struct encap_fields encap_fields_of(const struct tunnel_settings *tunnel, const struct rte_ipv4_hdr *inner)
{
	struct encap_fields fields = {.tos = inner->type_of_service, .df = tunnel->df == TUNNEL_DF_SET};

	if (tunnel->dscp != TUNNEL_DSCP_COPY)
		fields.tos = (uint8_t)(tunnel->dscp << 2 | (inner->type_of_service & ECN_MASK));
	if (tunnel->df == TUNNEL_DF_COPY)
		fields.df = (inner->fragment_offset & rte_cpu_to_be_16(IPV4_DF)) != 0;
	return fields;
}

static uint8_t protocol_of(const struct sa_outer *outer)
{
	return outer->udp ? IPPROTO_UDP : IPPROTO_ESP;
}

uint32_t encap_checksum_begin(const struct sa_outer *outer)
{
	uint32_t local = ip_to_ipv4(&outer->local), remote = ip_to_ipv4(&outer->remote);

	return (RTE_IPV4_VHL_DEF << 8) + (OUTER_TTL << 8) + protocol_of(outer) + (local >> 16) +
	       (local & 0xffff) + (remote >> 16) + (remote & 0xffff);
}

/* From numbers in registers: reading back a header that was just written stalls the processor. */
static rte_be16_t checksum_end(uint32_t sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	return rte_cpu_to_be_16((uint16_t)~sum);
}

int encap_prepend(struct rte_mbuf *packet, const struct sa_outer *outer, struct encap_fields fields, uint16_t id)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)rte_pktmbuf_prepend(packet, encap_len(outer));
	uint16_t total_len;

	if (!ip)
		return -ENOSPC;
	total_len = rte_pktmbuf_data_len(packet);
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
	if (outer->udp) {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

		udp->src_port = rte_cpu_to_be_16(outer->local_port);
		udp->dst_port = rte_cpu_to_be_16(outer->remote_port);
		udp->dgram_len = rte_cpu_to_be_16((uint16_t)(total_len - sizeof(*ip)));
		udp->dgram_cksum = 0; /* RFC 3948 section 2.1 */
	}
	return 0;
}
