/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_segment.h"

#include "connection_worker.h"
#include "dataplane.h"
#include "exits.h"
#include "forward.h"
#include "header.h"

#include <netinet/in.h>
#include <string.h>

enum {
	SEGMENT_TTL = 64,
	HEADERS_MAX = sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv6_hdr) + TCP_HEADER_MAX,
};

/* What all segments of a connection that leave in one turn share. */
struct way {
	const struct connection_ends *ends;
	struct forward_way forward;
	bool port_adds; /* the TCP checksum */
	uint32_t sum;	/* IPv4: of the header's words that are always the same, not folded */
};

/* --- buffers ------------------------------------------------------------------------------------------------------ */

/*
 * The frame's own buffer, where the payload is its beginning: headers can be written before that, unless an earlier
 * transmission still lies in a port's queue.
 */
static struct rte_mbuf *own_buffer(const struct tcp_departure *departure)
{
	struct rte_mbuf *own = departure->owner;

	if (!own || rte_mbuf_refcnt_read(own) != 1 ||
		departure->payload != (const uint8_t *)own->buf_addr + packet_of(own)->frame_offset ||
		packet_of(own)->frame_offset < HEADERS_MAX)
		return NULL;
	own->data_off = packet_of(own)->frame_offset;
	packet_len_set(own, departure->payload_len);
	rte_mbuf_refcnt_set(own, 2); /* nobody else has it */
	return own;
}

static struct rte_mbuf *copied_buffer(struct worker *worker, const struct tcp_departure *departure)
{
	struct rte_mbuf *copy = rte_pktmbuf_alloc(worker->dataplane->packets);

	if (!copy)
		return NULL;
	if (rte_pktmbuf_tailroom(copy) < departure->payload_len || rte_pktmbuf_headroom(copy) < HEADERS_MAX) {
		rte_pktmbuf_free(copy);
		return NULL;
	}
	packet_len_set(copy, departure->payload_len);
	if (departure->payload_len > 0)
		memcpy(rte_pktmbuf_mtod(copy, void *), departure->payload, departure->payload_len);
	return copy;
}

/* --- headers ------------------------------------------------------------------------------------------------------ */

static uint32_t ipv4_sum(const struct connection_ends *ends)
{
	uint32_t local = rte_be_to_cpu_32(ends->local.ipv4), remote = rte_be_to_cpu_32(ends->remote.ipv4);

	return (RTE_IPV4_VHL_DEF << 8) + IPV4_DF + (SEGMENT_TTL << 8 | IPPROTO_TCP) + (local >> 16) + (local & 0xffff) +
	       (remote >> 16) + (remote & 0xffff);
}

/*
 * No router may cut a segment: TCP does that, when it is told how (RFC 1191). The checksum is made of what is in
 * registers: reading back what was just written stalls the processor.
 */
static void ipv4_write(struct rte_mbuf *packet, const struct way *way, uint8_t tos, uint16_t id)
{
	uint16_t total_len = (uint16_t)(rte_pktmbuf_data_len(packet) + sizeof(struct rte_ipv4_hdr));
	uint32_t sum = way->sum + tos + total_len + id;

	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	packet_begin_move(packet, -(int)sizeof(struct rte_ipv4_hdr));
	*rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *) = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = tos,
		.total_length = rte_cpu_to_be_16(total_len),
		.packet_id = rte_cpu_to_be_16(id),
		.fragment_offset = rte_cpu_to_be_16(IPV4_DF),
		.time_to_live = SEGMENT_TTL,
		.next_proto_id = IPPROTO_TCP,
		.hdr_checksum = rte_cpu_to_be_16((uint16_t)~sum),
		.src_addr = way->ends->local.ipv4,
		.dst_addr = way->ends->remote.ipv4,
	};
}

static void ipv6_write(struct rte_mbuf *packet, const struct way *way, uint8_t tos)
{
	uint16_t len = rte_pktmbuf_data_len(packet);
	struct rte_ipv6_hdr *ip;

	packet_begin_move(packet, -(int)sizeof(*ip));
	ip = rte_pktmbuf_mtod(packet, struct rte_ipv6_hdr *);
	ip->vtc_flow = rte_cpu_to_be_32(6u << 28 | (uint32_t)tos << RTE_IPV6_HDR_TC_SHIFT);
	ip->payload_len = rte_cpu_to_be_16(len);
	ip->proto = IPPROTO_TCP;
	ip->hop_limits = SEGMENT_TTL;
	memcpy(ip->src_addr, &way->ends->local, sizeof(ip->src_addr));
	memcpy(ip->dst_addr, &way->ends->remote, sizeof(ip->dst_addr));
}

/* The whole, or what the port asks for: that of the pseudo-header alone, and where the headers lie. */
static void checksum_write(
	struct rte_mbuf *packet, const struct way *way, uint8_t *tcp, uint32_t header_len, uint32_t len)
{
	const struct connection_ends *ends = way->ends;
	bool ipv6 = ends->ipv6;
	const void *local = ipv6 ? (const void *)&ends->local : (const void *)&ends->local.ipv4;
	const void *remote = ipv6 ? (const void *)&ends->remote : (const void *)&ends->remote.ipv4;
	size_t address_len = ipv6 ? sizeof(ends->local) : sizeof(ends->local.ipv4);
	uint16_t sum;

	packet->ol_flags &= ~(uint64_t)(RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6);
	if (way->port_adds) {
		packet->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM | (ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
		packet->tx_offload = rte_mbuf_tx_offload(sizeof(struct rte_ether_hdr),
			ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr), header_len, 0, 0, 0, 0);
		sum = (uint16_t)~tcp_checksum_pseudo(local, remote, address_len, len);
	} else {
		sum = tcp_checksum(local, remote, address_len, tcp, header_len, tcp + header_len, len - header_len);
	}
	memcpy(tcp + TCP_CHECKSUM_OFFSET, &sum, sizeof(sum));
}

/* --- on their way ------------------------------------------------------------------------------------------------- */

static void segment_send(struct worker *worker, const struct way *way, const struct tcp_departure *departure)
{
	struct rte_mbuf *packet = own_buffer(departure);
	uint8_t tos = departure->ecn_capable ? ECN_ECT_0 : ECN_NOT_ECT;
	uint8_t *tcp;

	worker_count(worker, REASON_IN_SEGMENT, 1);
	if (!packet)
		packet = copied_buffer(worker, departure);
	if (unlikely(!packet)) {
		worker_count(worker, REASON_DROP_NO_BUFFER, 1);
		return;
	}
	packet_begin_move(packet, -(int)departure->header_len);
	tcp = rte_pktmbuf_mtod(packet, uint8_t *);
	if (likely(departure->header_len == TCP_HEADER_LEN + TCP_TIMESTAMPS_LEN))
		memcpy(tcp, departure->header, TCP_HEADER_LEN + TCP_TIMESTAMPS_LEN);
	else
		memcpy(tcp, departure->header, departure->header_len);
	checksum_write(packet, way, tcp, departure->header_len, rte_pktmbuf_data_len(packet));
	if (way->ends->ipv6)
		ipv6_write(packet, way, tos);
	else
		ipv4_write(packet, way, tos, worker_ipv4_id(worker));
	packet_of(packet)->source = PACKET_FROM_KERNEL;
	forward_by(worker, packet, &way->forward, UINT16_MAX);
}

static struct way way_find(const struct worker *worker, const struct connection_ends *ends)
{
	struct way way = {.ends = ends, .forward = forward_find(worker, &ends->remote), .sum = ipv4_sum(ends)};

	way.port_adds = way.forward.hop.state == ADJACENCY_REACHED &&
			worker->dataplane->ports[way.forward.hop.port].adds_tcp_checksum;
	return way;
}

bool connection_segments_send(struct worker *worker, struct connection *connection, uint32_t max)
{
	uint64_t now = connection_worker_now(worker);
	struct tcp_departure departure;
	struct way way;
	uint32_t n = 0;

	for (; n < max && tcp_output(&connection->tcp, &departure, now); n++) {
		if (n == 0)
			way = way_find(worker, &connection->ends);
		segment_send(worker, &way, &departure);
	}
	return n == max;
}
