/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

#include "header.h"
#include "packet.h"
#include "sa.h"

#include <rte_tcp.h>
#include <rte_udp.h>

#include <netinet/in.h>

bool transport_may_carry(struct rte_mbuf *packet)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);

	return packet_of(packet)->source == PACKET_FROM_KERNEL && ip->version_ihl == RTE_IPV4_VHL_DEF &&
	       !ipv4_is_fragment(ip);
}

static void checksum_renew(struct rte_ipv4_hdr *ip, uint32_t len)
{
	uint32_t payload_len = len - (uint32_t)sizeof(*ip);

	if (ip->next_proto_id == IPPROTO_TCP && payload_len >= sizeof(struct rte_tcp_hdr)) {
		struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);

		tcp->cksum = 0;
		tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
	} else if (ip->next_proto_id == IPPROTO_UDP && payload_len >= sizeof(struct rte_udp_hdr)) {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

		/* Zero says that there is none, which is as good: the packet is authentic. */
		udp->dgram_cksum = 0;
	}
}

void transport_restore(
	struct rte_mbuf *packet, const struct sa_in *in, const struct rte_ipv4_hdr *outer, uint8_t protocol)
{
	const struct rte_ipv4_hdr from = *outer; /* what is written may lie over it */
	bool udp = packet_of(packet)->udp;
	struct rte_ipv4_hdr *ip;

	packet_begin_move(packet, -(int)sizeof(*ip));
	ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = from.type_of_service,
		.total_length = rte_cpu_to_be_16(rte_pktmbuf_data_len(packet)),
		.packet_id = from.packet_id,
		.fragment_offset = from.fragment_offset & rte_cpu_to_be_16(IPV4_DF),
		.time_to_live = from.time_to_live,
		.next_proto_id = protocol,
		.src_addr = udp ? in->inner_source.address.ipv4 : from.src_addr,
		.dst_addr = udp ? in->inner_destination.address.ipv4 : from.dst_addr,
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	if (udp)
		checksum_renew(ip, rte_pktmbuf_data_len(packet));
}
