/* SPDX-License-Identifier: Apache-2.0 */
#include "classify.h"

#include "dataplane.h"
#include "exits.h"
#include "ipv4.h"
#include "reassemble.h"

#include <rte_ether.h>
#include <rte_udp.h>

#include <netinet/in.h>
#include <string.h>

enum { NAT_KEEPALIVE = 0xff, PREFETCH_AHEAD = 4 };

/* The Ethernet header goes; what the frame was padded with, too. false: the packet has left. */
static bool ipv4_begin(struct worker *worker, struct rte_mbuf *frame)
{
	const struct rte_ipv4_hdr *ip;
	uint16_t total_len;

	rte_pktmbuf_adj(frame, sizeof(struct rte_ether_hdr));
	ip = rte_pktmbuf_mtod(frame, const struct rte_ipv4_hdr *);
	if (frame->nb_segs != 1 || !ipv4_is_valid(ip, rte_pktmbuf_data_len(frame))) {
		exit_drop(worker, frame, REASON_DROP_MALFORMED);
		return false;
	}
	if (rte_ipv4_cksum(ip) != 0) {
		exit_drop(worker, frame, REASON_DROP_CHECKSUM);
		return false;
	}
	total_len = rte_be_to_cpu_16(ip->total_length);
	rte_pktmbuf_trim(frame, (uint16_t)(rte_pktmbuf_data_len(frame) - total_len));
	return true;
}

/* What inbound needs to know of the outer header, which goes now. */
static void esp_begin(struct rte_mbuf *packet, uint16_t outer_len, uint16_t remote_port, uint16_t local_port,
	struct classified *out)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);
	struct packet *meta = packet_of(packet);

	meta->esp = true;
	meta->remote = ip_from_be32(ip->src_addr);
	meta->local = ip_from_be32(ip->dst_addr);
	meta->remote_port = remote_port;
	meta->local_port = local_port;
	meta->outer_ecn = ip->type_of_service & ECN_MASK;
	rte_pktmbuf_adj(packet, outer_len);
	out->esp[out->n_esp++] = packet;
}

/*
 * A datagram to the port that IKE and ESP share (RFC 3948 section 2): a zero marker is IKE, one byte 0xff a keepalive,
 * an SPI of ours has its top bit set, and what is left are notices for the control plane.
 */
static void classify_nat_port(struct worker *worker, struct rte_mbuf *packet, uint16_t header_len, struct classified *out)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);
	const struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(packet, const struct rte_udp_hdr *, header_len);
	const uint8_t *payload = (const uint8_t *)(udp + 1);
	uint16_t udp_len = rte_be_to_cpu_16(udp->dgram_len), payload_len;

	if (udp_len < sizeof(*udp) || udp_len > rte_pktmbuf_data_len(packet) - header_len) {
		exit_drop(worker, packet, REASON_DROP_MALFORMED);
		return;
	}
	/* A zero checksum is usual here and proves nothing; another one has to be right (RFC 3948 section 2.1). */
	if (udp->dgram_cksum != 0 && rte_ipv4_udptcp_cksum_verify(ip, udp) != 0) {
		exit_drop(worker, packet, REASON_DROP_CHECKSUM);
		return;
	}
	payload_len = (uint16_t)(udp_len - sizeof(*udp));
	if (payload_len == 1 && payload[0] == NAT_KEEPALIVE) {
		exit_drop(worker, packet, REASON_DROP_KEEPALIVE);
		return;
	}
	if (payload_len >= ESP_HDR_LEN && payload[0] & 0x80) {
		rte_pktmbuf_trim(packet, (uint16_t)(rte_pktmbuf_data_len(packet) - header_len - udp_len));
		esp_begin(packet, (uint16_t)(header_len + sizeof(*udp)), rte_be_to_cpu_16(udp->src_port),
			rte_be_to_cpu_16(udp->dst_port), out);
		return;
	}
	exit_kernel_packet(worker, packet, packet_of(packet)->port);
}

static void classify_local(struct worker *worker, struct rte_mbuf *packet, struct classified *out)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);
	uint16_t header_len = rte_ipv4_hdr_len(ip), payload_len = (uint16_t)(rte_pktmbuf_data_len(packet) - header_len);
	uint16_t nat_port = worker->dataplane->config->ike.nat_port;

	if (ip->next_proto_id == IPPROTO_ESP) {
		if (payload_len < ESP_HDR_LEN)
			exit_drop(worker, packet, REASON_DROP_ESP_LENGTH);
		else
			esp_begin(packet, header_len, 0, 0, out);
		return;
	}
	if (ip->next_proto_id == IPPROTO_ICMP)
		learn_notice(worker, packet);
	if (ip->next_proto_id == IPPROTO_UDP && payload_len >= sizeof(struct rte_udp_hdr)) {
		const struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(packet, const struct rte_udp_hdr *, header_len);

		if (udp->dst_port == rte_cpu_to_be_16(nat_port)) {
			classify_nat_port(worker, packet, header_len, out);
			return;
		}
	}
	exit_kernel_packet(worker, packet, packet_of(packet)->port);
}

/* A piece of a packet to us: ports are in the first one only, so all UDP and ESP pieces are collected. */
static void classify_fragment(struct worker *worker, struct rte_mbuf *fragment, struct classified *out)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(fragment, const struct rte_ipv4_hdr *);
	uint16_t owner = reassemble_owner(fragment, worker->dataplane->n_workers);
	struct rte_mbuf *whole;

	if (ip->next_proto_id != IPPROTO_UDP && ip->next_proto_id != IPPROTO_ESP) {
		exit_kernel_packet(worker, fragment, packet_of(fragment)->port);
		return;
	}
	if (owner != worker->number) {
		exit_handoff(worker, fragment, owner);
		return;
	}
	whole = reassemble_take(worker, fragment);
	if (whole)
		classify_local(worker, whole, out);
}

void classify_handed_over(struct worker *worker, struct rte_mbuf **packets, uint16_t count, struct classified *out)
{
	out->n_esp = out->n_plain = 0;
	for (uint16_t i = 0; i < count; i++) {
		if (packet_of(packets[i])->esp)
			out->esp[out->n_esp++] = packets[i];
		else
			classify_fragment(worker, packets[i], out);
	}
}

static void classify_frame(struct worker *worker, uint16_t port, struct rte_mbuf *frame, struct classified *out)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(frame, const struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip;

	if (rte_pktmbuf_data_len(frame) < sizeof(*ether)) {
		exit_drop(worker, frame, REASON_DROP_MALFORMED);
		return;
	}
	*packet_of(frame) = (struct packet){.port = port, .source = PACKET_FROM_PORT};
	if (rte_is_multicast_ether_addr(&ether->dst_addr)) {
		exit_kernel_frame(worker, frame, port);
		return;
	}
	if (!rte_is_same_ether_addr(&ether->dst_addr, &worker->dataplane->ports[port].mac)) {
		exit_drop(worker, frame, REASON_DROP_OTHER_MAC);
		return;
	}
	if (ether->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)) {
		exit_kernel_frame(worker, frame, port);
		return;
	}
	if (!ipv4_begin(worker, frame))
		return;
	ip = rte_pktmbuf_mtod(frame, const struct rte_ipv4_hdr *);
	if (route_find(&worker->dataplane->routes, rte_be_to_cpu_32(ip->dst_addr), NULL).state != ADJACENCY_LOCAL)
		out->plain[out->n_plain++] = frame;
	else if (ipv4_is_fragment(ip))
		classify_fragment(worker, frame, out);
	else
		classify_local(worker, frame, out);
}

void classify_frames(struct worker *worker, uint16_t port, struct rte_mbuf **frames, uint16_t count,
	struct classified *out)
{
	out->n_esp = out->n_plain = 0;
	for (uint16_t i = 0; i < count; i++) {
		/* The line before the frame, too: the outer headers go there. */
		if (i + PREFETCH_AHEAD < count) {
			rte_prefetch0(rte_pktmbuf_mtod(frames[i + PREFETCH_AHEAD], void *));
			rte_prefetch0(rte_pktmbuf_mtod_offset(
				frames[i + PREFETCH_AHEAD], void *, -(ptrdiff_t)RTE_CACHE_LINE_SIZE));
		}
		classify_frame(worker, port, frames[i], out);
	}
}

/* IKE makes the SAs, so none may carry it, whatever their selectors say (RFC 4301 section 4.4.1). */
static bool is_ike(const struct worker *worker, const struct rte_ipv4_hdr *ip, uint16_t len)
{
	const struct config_ike *ike = &worker->dataplane->config->ike;
	uint16_t header_len = rte_ipv4_hdr_len(ip), port;
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)((const uint8_t *)ip + header_len);

	if (ip->next_proto_id != IPPROTO_UDP || len < header_len + sizeof(*udp) ||
		(ip->fragment_offset & rte_cpu_to_be_16(IPV4_OFFSET_MASK)))
		return false;
	port = rte_be_to_cpu_16(udp->src_port);
	return port == ike->port || port == ike->nat_port;
}

/* Does a session protect this frame of our own host? */
static bool kernel_frame_has_policy(const struct worker *worker, struct rte_mbuf *frame)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(frame, const struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(ether + 1);
	uint16_t len = rte_pktmbuf_data_len(frame);
	union ip_address source, destination;

	if (len < sizeof(*ether) + sizeof(*ip))
		return false;
	source = ip_from_be32(ip->src_addr);
	destination = ip_from_be32(ip->dst_addr);
	return ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) &&
	       !is_ike(worker, ip, (uint16_t)(len - sizeof(*ether))) &&
	       policy_find(&worker->dataplane->policies, &source, &destination) != NULL;
}

void classify_kernel(struct worker *worker, uint16_t port, struct rte_mbuf **frames, uint16_t count,
	struct classified *out)
{
	out->n_esp = out->n_plain = 0;
	for (uint16_t i = 0; i < count; i++) {
		*packet_of(frames[i]) = (struct packet){.port = port, .source = PACKET_FROM_KERNEL};
		if (!kernel_frame_has_policy(worker, frames[i]))
			exit_transmit(worker, frames[i], port);
		else if (ipv4_begin(worker, frames[i]))
			out->plain[out->n_plain++] = frames[i];
	}
}
