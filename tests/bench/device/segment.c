/* SPDX-License-Identifier: Apache-2.0 */
#include "segment.h"

#include "frame.h"
#include "plan.h"

#include <rte_tcp.h>

#include <netinet/in.h>
#include <string.h>

enum {
	TCP_AT = FRAME_IP_AT + sizeof(struct rte_ipv4_hdr),
	OPTIONS_AT = TCP_AT + sizeof(struct rte_tcp_hdr),
	TIMESTAMPS_LEN = 12,
	OFFSET_UNIT = 4, /* bytes */
	BRANCH_WINDOW = 65535,
};

/* NOP, NOP, kind 8, length 10 (RFC 7323 appendix A); then TSval and TSecr. */
static const uint8_t timestamps_head[] = {1, 1, 8, 10};

static uint16_t tcp_len(bool timestamps)
{
	return (uint16_t)(sizeof(struct rte_tcp_hdr) + (timestamps ? TIMESTAMPS_LEN : 0));
}

uint16_t segment_payload_at(bool timestamps)
{
	return (uint16_t)(TCP_AT + tcp_len(timestamps));
}

static void word_put(uint8_t *at, uint32_t value)
{
	uint32_t wire = rte_cpu_to_be_32(value);

	memcpy(at, &wire, sizeof(wire));
}

static uint32_t word_get(const uint8_t *at)
{
	uint32_t wire;

	memcpy(&wire, at, sizeof(wire));
	return rte_be_to_cpu_32(wire);
}

static void tcp_write(uint8_t *frame, const struct segment_way *way, const struct segment *segment)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(frame + TCP_AT);

	*tcp = (struct rte_tcp_hdr){
		.src_port = rte_cpu_to_be_16(PLAN_TCP_BRANCH_PORT),
		.dst_port = rte_cpu_to_be_16(PLAN_TCP_PORT),
		.sent_seq = rte_cpu_to_be_32(segment->sequence),
		.recv_ack = rte_cpu_to_be_32(segment->acknowledgement),
		.data_off = (uint8_t)(tcp_len(way->timestamps) / OFFSET_UNIT << 4),
		.tcp_flags = RTE_TCP_ACK_FLAG | (segment->push ? RTE_TCP_PSH_FLAG : 0),
		.rx_win = rte_cpu_to_be_16(BRANCH_WINDOW),
	};
	if (!way->timestamps)
		return;
	memcpy(frame + OPTIONS_AT, timestamps_head, sizeof(timestamps_head));
	word_put(frame + OPTIONS_AT + 4, segment->ts_value);
	word_put(frame + OPTIONS_AT + 8, segment->ts_echo);
}

void segment_write(
	struct rte_mbuf *packet, const struct segment_way *way, const struct segment *segment, uint16_t payload_len)
{
	uint8_t *frame = rte_pktmbuf_mtod(packet, uint8_t *);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + FRAME_IP_AT);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(frame + TCP_AT);
	uint16_t len = (uint16_t)(segment_payload_at(way->timestamps) + payload_len);

	frame_write_ethernet(frame, &way->mac, way->port);
	frame_write_ipv4(
		(uint8_t *)ip, plan_branch(segment->session), plan_gateway, IPPROTO_TCP, (uint16_t)(len - FRAME_IP_AT));
	tcp_write(frame, way, segment);
	tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
	packet->data_len = len;
	packet->pkt_len = len;
	packet->port = way->port;
	packet->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | (way->offload ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0);
	packet->packet_type = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP;
}

static bool ports_are_ours(const struct rte_tcp_hdr *tcp)
{
	return tcp->src_port == rte_cpu_to_be_16(PLAN_TCP_PORT) &&
	       tcp->dst_port == rte_cpu_to_be_16(PLAN_TCP_BRANCH_PORT);
}

enum segment_verdict segment_read(const struct rte_mbuf *packet, bool timestamps, struct segment_seen *out)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	const struct rte_ether_hdr *ether = (const struct rte_ether_hdr *)frame;
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(frame + FRAME_IP_AT);
	const struct rte_tcp_hdr *tcp = (const struct rte_tcp_hdr *)(frame + TCP_AT);
	uint16_t payload_at = segment_payload_at(timestamps);

	if (rte_is_multicast_ether_addr(&ether->dst_addr) || ether->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return SEGMENT_FOREIGN;
	if (packet->nb_segs != 1 || packet->data_len < payload_at || ip->version_ihl != RTE_IPV4_VHL_DEF ||
		ip->next_proto_id != IPPROTO_TCP ||
		rte_be_to_cpu_16(ip->total_length) != packet->data_len - FRAME_IP_AT)
		return SEGMENT_BAD;
	if (ip->src_addr != rte_cpu_to_be_32(plan_gateway) || !ports_are_ours(tcp) ||
		(tcp->data_off >> 4) * OFFSET_UNIT != tcp_len(timestamps))
		return SEGMENT_BAD;
	if ((tcp->tcp_flags & ~RTE_TCP_PSH_FLAG) != RTE_TCP_ACK_FLAG)
		return SEGMENT_BAD;
	*out = (struct segment_seen){
		.session = rte_be_to_cpu_32(ip->dst_addr) - plan_branch(0),
		.sequence = rte_be_to_cpu_32(tcp->sent_seq),
		.acknowledgement = rte_be_to_cpu_32(tcp->recv_ack),
		.window = (uint32_t)rte_be_to_cpu_16(tcp->rx_win) << PLAN_TCP_SCALE,
		.payload = frame + payload_at,
		.payload_len = packet->data_len - payload_at,
		.push = tcp->tcp_flags & RTE_TCP_PSH_FLAG,
	};
	if (!timestamps)
		return SEGMENT_GOOD;
	out->ts_value = word_get(frame + OPTIONS_AT + 4);
	out->ts_echo = word_get(frame + OPTIONS_AT + 8);
	return memcmp(frame + OPTIONS_AT, timestamps_head, sizeof(timestamps_head)) == 0 ? SEGMENT_GOOD : SEGMENT_BAD;
}

bool segment_checksum_is_right(const struct rte_mbuf *packet, bool offload)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(frame + FRAME_IP_AT);
	const struct rte_tcp_hdr *tcp = (const struct rte_tcp_hdr *)(frame + TCP_AT);
	const uint64_t wanted = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM;

	if (!(packet->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) && rte_ipv4_cksum(ip) != 0)
		return false;
	if ((packet->ol_flags & RTE_MBUF_F_TX_L4_MASK) == 0)
		return rte_ipv4_udptcp_cksum_verify(ip, tcp) == 0;
	return offload && (packet->ol_flags & wanted) == wanted && packet->l2_len == FRAME_IP_AT &&
	       packet->l3_len == sizeof(*ip) && tcp->cksum == rte_ipv4_phdr_cksum(ip, packet->ol_flags);
}
