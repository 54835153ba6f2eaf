/* SPDX-License-Identifier: Apache-2.0 */
#include "classify_segment.h"

#include "connection.h"
#include "connection_input.h"
#include "connection_worker.h"
#include "dataplane.h"
#include "exits.h"
#include "header.h"

#include <rte_tcp.h>

#include <netinet/in.h>

/*
 * A segment of a TCP connection that carries a session, or may (RFC 9329; the kernel knows which): to one of our ports
 * for that, and no SYN.
 */
static bool is_stream_segment(const struct worker *worker, const struct rte_tcp_hdr *tcp)
{
	return !(tcp->tcp_flags & RTE_TCP_SYN_FLAG) &&
	       config_is_tcp_port(worker->dataplane->config, rte_be_to_cpu_16(tcp->dst_port));
}

/* An ACK right before it may be needless now. */
static inline void segment_add(
	struct worker *worker, struct connection *connection, struct rte_mbuf *packet, struct classified *out)
{
	uint16_t at = out->n_segments;

	if (at > 0 && out->connections[at - 1] == connection &&
		connection_is_overtaken(worker, connection, out->segments[at - 1], packet))
		out->n_segments = --at;
	else
		connection_prefetch_for(connection, packet);
	out->connections[at] = connection;
	out->segments[at] = packet;
	out->n_segments++;
}

void classify_segment(struct worker *worker, struct rte_mbuf *packet, uint16_t header_len, struct classified *out)
{
	const struct connection_lookup *lookup = &worker->dataplane->connections.lookup;
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(packet, const struct rte_tcp_hdr *, header_len);
	struct packet *meta = packet_of(packet);
	struct connection *connection = NULL;

	if (connection_lookup_has_any(lookup))
		connection = connection_lookup_segment(
			lookup, &worker->connections->memory, rte_pktmbuf_mtod(packet, const void *), header_len);
	if (connection) {
		worker->connections->segments_on[meta->port] = true;
		meta->kind = PACKET_SEGMENT;
		meta->outer_len = (uint8_t)header_len;
		if (connection->owner != worker->number)
			exit_handoff(worker, packet, connection->owner);
		else
			segment_add(worker, connection, packet, out);
	} else if (is_stream_segment(worker, tcp)) {
		exit_kernel_segment(worker, packet, meta->port);
	} else {
		exit_kernel_packet(worker, packet, meta->port);
	}
}

/* Whole and valid, alone in its packet, and without anything between IP and TCP. */
static inline bool is_plain_ipv4(const struct rte_mbuf *frame, const struct rte_ipv4_hdr *ip, uint32_t len)
{
	return len >= sizeof(*ip) + sizeof(struct rte_tcp_hdr) && ip->version_ihl == RTE_IPV4_VHL_DEF &&
	       ip->next_proto_id == IPPROTO_TCP && !ipv4_is_fragment(ip) && ipv4_is_valid(ip, len) &&
	       rte_be_to_cpu_16(ip->total_length) >= sizeof(*ip) + sizeof(struct rte_tcp_hdr) &&
	       ((frame->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD ||
		       ipv4_checksum_holds(ip));
}

static inline bool is_plain_ipv6(const struct rte_ipv6_hdr *ip, uint32_t len)
{
	return len >= sizeof(*ip) + sizeof(struct rte_tcp_hdr) && header_is_ipv6(ip) && ip->proto == IPPROTO_TCP &&
	       header_ipv6_is_valid(ip, len) && rte_be_to_cpu_16(ip->payload_len) >= sizeof(struct rte_tcp_hdr);
}

bool classify_segment_at_sight(struct worker *worker, uint16_t port, struct rte_mbuf *frame, struct classified *out)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(frame, const struct rte_ether_hdr *);
	const void *header = ether + 1;
	uint32_t len = rte_pktmbuf_data_len(frame) - (uint32_t)sizeof(*ether);
	bool ipv6 = ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6);
	uint16_t header_len = ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	struct connection *connection;

	if (rte_pktmbuf_data_len(frame) < sizeof(*ether) || frame->nb_segs != 1 ||
		(!ipv6 && ether->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)) ||
		!(ipv6 ? is_plain_ipv6(header, len) : is_plain_ipv4(frame, header, len)))
		return false;
	connection = connection_lookup_again(
		&worker->dataplane->connections.lookup, &worker->connections->memory, header, header_len);
	if (!connection || connection->owner != worker->number)
		return false;
	*packet_of(frame) = (struct packet){
		.port = port, .source = PACKET_FROM_PORT, .kind = PACKET_SEGMENT, .outer_len = (uint8_t)header_len};
	packet_place(frame, header, header_total_len(header));
	segment_add(worker, connection, frame, out);
	return true;
}
