/* SPDX-License-Identifier: Apache-2.0 */
#include "encap.h"

#include "ipv4.h"

#include <rte_udp.h>

#include <errno.h>
#include <netinet/in.h>

enum { OUTER_TTL = 64 };

int encap_prepend(struct rte_mbuf *packet, const struct sa_outer *outer, uint8_t tos, uint16_t id)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)rte_pktmbuf_prepend(packet, encap_len(outer));
	uint16_t total_len;

	if (!ip)
		return -ENOSPC;
	total_len = rte_pktmbuf_data_len(packet);
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = tos,
		.total_length = rte_cpu_to_be_16(total_len),
		.packet_id = rte_cpu_to_be_16(id),
		/* DF stays clear: what exceeds the port's MTU is cut after encryption. */
		.time_to_live = OUTER_TTL,
		.next_proto_id = outer->udp ? IPPROTO_UDP : IPPROTO_ESP,
		.src_addr = rte_cpu_to_be_32(outer->local),
		.dst_addr = rte_cpu_to_be_32(outer->remote),
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	if (outer->udp) {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

		udp->src_port = rte_cpu_to_be_16(outer->local_port);
		udp->dst_port = rte_cpu_to_be_16(outer->remote_port);
		udp->dgram_len = rte_cpu_to_be_16((uint16_t)(total_len - sizeof(*ip)));
		udp->dgram_cksum = 0; /* RFC 3948 section 2.1 */
	}
	return 0;
}
