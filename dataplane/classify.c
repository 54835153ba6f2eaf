/* SPDX-License-Identifier: Apache-2.0 */
#include "classify.h"

#include "classify_segment.h"
#include "connection_worker.h"
#include "dataplane.h"
#include "exits.h"
#include "header.h"
#include "reassemble.h"

#include <rte_ether.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <netinet/in.h>
#include <string.h>

enum {
	NAT_KEEPALIVE = 0xff,
	PREFETCH_AHEAD = 4,
	SEGMENTS_AHEAD = 8, /* and on ports to which segments of connections come; behind that, */
	PLACE_BEHIND = 4,   /* by so many, where it is remembered whose they are, */
	ENDS_BEHIND = 6,    /* and between which ends those are */
	MAC_BITS = 48,
	MAC_GROUP = 1, /* in the first byte: multicast and broadcast */
};

/* Do two Ethernet addresses, each in six bytes of eight as they lie in memory, differ? */
static inline bool mac_differs(uint64_t a, uint64_t b)
{
	return ((a ^ b) & ((UINT64_C(1) << MAC_BITS) - 1)) != 0;
}

static inline uint64_t frame_destination(const struct rte_ether_hdr *ether)
{
	uint64_t word;

	memcpy(&word, ether, sizeof(word));
	return word;
}

/* The Ethernet header goes; what the frame was padded with, too. false: the packet has left. */
static inline bool ip_begin(struct worker *worker, struct rte_mbuf *frame, bool ipv6)
{
	const void *header = rte_pktmbuf_mtod_offset(frame, const void *, sizeof(struct rte_ether_hdr));
	uint32_t len = rte_pktmbuf_data_len(frame) - (uint32_t)sizeof(struct rte_ether_hdr);
	bool valid, checked = (frame->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD;

	valid = frame->nb_segs == 1 && (ipv6 ? header_ipv6_is_valid(header, len) : ipv4_is_valid(header, len));
	if (unlikely(!valid)) {
		exit_drop(worker, frame, REASON_DROP_MALFORMED);
		return false;
	}
	if (unlikely(!ipv6 && !checked && !ipv4_checksum_holds(header))) {
		exit_drop(worker, frame, REASON_DROP_CHECKSUM);
		return false;
	}
	packet_place(frame, header, header_total_len(header));
	return true;
}

/* What inbound needs to know of the outer headers, which stay where they are, before the data. */
static void esp_begin(
	struct worker *worker, struct rte_mbuf *packet, uint16_t outer_len, bool udp, struct classified *out)
{
	struct packet *meta = packet_of(packet);

	meta->kind = PACKET_ESP;
	meta->outer_len = (uint8_t)outer_len;
	meta->udp = udp;
	meta->stream = false;
	packet_begin_move(packet, outer_len);
	sa_prefetch_in(&worker->dataplane->sas, esp_read_spi(rte_pktmbuf_mtod(packet, const uint8_t *)));
	out->esp[out->n_esp++] = packet;
}

static bool udp_checksum_holds(struct rte_mbuf *packet, const void *header, const struct rte_udp_hdr *udp)
{
	/* A zero checksum is usual here and proves nothing; another one has to be right (RFC 3948 section 2.1, RFC
	 * 6935). */
	if (udp->dgram_cksum == 0 || (packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	return (header_is_ipv6(header) ? rte_ipv6_udptcp_cksum_verify(header, udp)
				       : rte_ipv4_udptcp_cksum_verify(header, udp)) == 0;
}

/*
 * A datagram to a port that IKE and ESP share (RFC 3948 section 2): a zero marker is IKE, one byte 0xff a keepalive,
 * an SPI of ours has its top bit set, and what is left are notices for the control plane.
 */
static void classify_nat_port(
	struct worker *worker, struct rte_mbuf *packet, uint16_t header_len, struct classified *out)
{
	const void *header = rte_pktmbuf_mtod(packet, const void *);
	const struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(packet, const struct rte_udp_hdr *, header_len);
	const uint8_t *payload = (const uint8_t *)(udp + 1);
	uint16_t udp_len = rte_be_to_cpu_16(udp->dgram_len), payload_len;

	if (udp_len < sizeof(*udp) || udp_len > rte_pktmbuf_data_len(packet) - header_len) {
		exit_drop(worker, packet, REASON_DROP_MALFORMED);
		return;
	}
	if (!udp_checksum_holds(packet, header, udp)) {
		exit_drop(worker, packet, REASON_DROP_CHECKSUM);
		return;
	}
	payload_len = (uint16_t)(udp_len - sizeof(*udp));
	if (payload_len >= ESP_HDR_LEN && payload[0] & 0x80) {
		packet_len_set(packet, (uint32_t)header_len + udp_len);
		esp_begin(worker, packet, (uint16_t)(header_len + sizeof(*udp)), true, out);
		return;
	}
	if (payload_len == 1 && payload[0] == NAT_KEEPALIVE) {
		exit_drop(worker, packet, REASON_DROP_KEEPALIVE);
		return;
	}
	exit_kernel_packet(worker, packet, packet_of(packet)->port);
}

/* `protocol` follows the IP header, which has `header_len` bytes. */
static void classify_local(
	struct worker *worker, struct rte_mbuf *packet, uint8_t protocol, uint16_t header_len, struct classified *out)
{
	uint16_t payload_len = (uint16_t)(rte_pktmbuf_data_len(packet) - header_len);

	if (protocol == IPPROTO_UDP && payload_len >= sizeof(struct rte_udp_hdr)) {
		const struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(packet, const struct rte_udp_hdr *, header_len);

		if (config_is_nat_port(&worker->dataplane->config->ike, rte_be_to_cpu_16(udp->dst_port))) {
			classify_nat_port(worker, packet, header_len, out);
			return;
		}
	}
	if (protocol == IPPROTO_ESP) {
		if (payload_len < ESP_HDR_LEN)
			exit_drop(worker, packet, REASON_DROP_ESP_LENGTH);
		else
			esp_begin(worker, packet, header_len, false, out);
		return;
	}
	if (protocol == IPPROTO_TCP && payload_len >= sizeof(struct rte_tcp_hdr)) {
		classify_segment(worker, packet, header_len, out);
		return;
	}
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		learn_notice(worker, packet);
	exit_kernel_packet(worker, packet, packet_of(packet)->port);
}

/* A whole packet to us. Of IPv6, ESP or UDP behind further extension headers is nobody's that we know: the kernel's. */
static void classify_whole(struct worker *worker, struct rte_mbuf *packet, struct classified *out)
{
	const void *header = rte_pktmbuf_mtod(packet, const void *);

	if (header_is_ipv6(header))
		classify_local(worker, packet, ((const struct rte_ipv6_hdr *)header)->proto,
			(uint16_t)sizeof(struct rte_ipv6_hdr), out);
	else
		classify_local(worker, packet, ((const struct rte_ipv4_hdr *)header)->next_proto_id,
			rte_ipv4_hdr_len(header), out);
}

static bool is_fragment(const void *header)
{
	return header_is_ipv6(header) ? ((const struct rte_ipv6_hdr *)header)->proto == IPPROTO_FRAGMENT
				      : ipv4_is_fragment(header);
}

/* Of a fragment to us: may it be a piece of ESP, of UDP or of a segment? */
static bool fragment_is_collected(const struct rte_mbuf *fragment)
{
	const void *header = rte_pktmbuf_mtod(fragment, const void *);
	const struct rte_ipv6_fragment_ext *extension =
		rte_pktmbuf_mtod_offset(fragment, const struct rte_ipv6_fragment_ext *, sizeof(struct rte_ipv6_hdr));
	uint8_t protocol;

	if (!header_is_ipv6(header))
		protocol = ((const struct rte_ipv4_hdr *)header)->next_proto_id;
	else if (rte_pktmbuf_data_len(fragment) >= sizeof(struct rte_ipv6_hdr) + sizeof(*extension))
		protocol = extension->next_header;
	else
		return false;
	return protocol == IPPROTO_UDP || protocol == IPPROTO_ESP || protocol == IPPROTO_TCP;
}

/* A piece of a packet to us: ports are in the first one only, so all pieces of UDP, ESP and TCP are collected. */
static void classify_fragment(struct worker *worker, struct rte_mbuf *fragment, struct classified *out)
{
	struct rte_mbuf *whole;
	uint16_t owner;

	if (!fragment_is_collected(fragment)) {
		exit_kernel_packet(worker, fragment, packet_of(fragment)->port);
		return;
	}
	owner = reassemble_owner(fragment, worker->dataplane->n_workers);
	if (owner != worker->number) {
		exit_handoff(worker, fragment, owner);
		return;
	}
	whole = reassemble_take(worker, fragment);
	if (whole)
		classify_whole(worker, whole, out);
}

static void classified_begin(struct classified *out)
{
	out->n_esp = out->n_plain = out->n_segments = out->n_sends = 0;
}

void classify_handed_over(struct worker *worker, struct rte_mbuf **packets, uint16_t count, struct classified *out)
{
	classified_begin(out);
	for (uint16_t i = 0; i < count; i++) {
		struct packet *meta = packet_of(packets[i]);

		switch (meta->kind) {
		case PACKET_ESP: out->esp[out->n_esp++] = packets[i]; break;
		case PACKET_SEND:
		case PACKET_IKE: out->sends[out->n_sends++] = packets[i]; break;
		case PACKET_SEGMENT:
			/* Its connection may have gone meanwhile. */
			meta->kind = PACKET_IP;
			classify_whole(worker, packets[i], out);
			break;
		default: classify_fragment(worker, packets[i], out);
		}
	}
}

/* Neither IP to our Ethernet address: other protocols and groups are the kernel's. */
static void classify_other(struct worker *worker, uint16_t port, struct rte_mbuf *frame)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(frame, const struct rte_ether_hdr *);

	if (!(ether->dst_addr.addr_bytes[0] & MAC_GROUP) &&
		mac_differs(frame_destination(ether), port_mac_word(&worker->dataplane->ports[port])))
		exit_drop(worker, frame, REASON_DROP_OTHER_MAC);
	else
		exit_kernel_frame(worker, frame, port);
}

static inline void classify_frame(
	struct worker *worker, uint16_t port, struct rte_mbuf *frame, uint64_t mac, struct classified *out)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(frame, const struct rte_ether_hdr *);
	union ip_address destination;
	const void *header;
	bool ipv6;

	if (unlikely(rte_pktmbuf_data_len(frame) < sizeof(*ether))) {
		exit_drop(worker, frame, REASON_DROP_MALFORMED);
		return;
	}
	*packet_of(frame) = (struct packet){.port = port, .source = PACKET_FROM_PORT};
	ipv6 = ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6);
	if (unlikely(mac_differs(frame_destination(ether), mac) ||
		     (!ipv6 && ether->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)))) {
		classify_other(worker, port, frame);
		return;
	}
	if (!ip_begin(worker, frame, ipv6))
		return;
	header = rte_pktmbuf_mtod(frame, const void *);
	destination = header_destination(header);
	if (!route_is_local(&worker->dataplane->routes, &destination)) {
		policy_prefetch(&worker->dataplane->policies, header);
		out->plain[out->n_plain++] = frame;
	} else if (is_fragment(header)) {
		classify_fragment(worker, frame, out);
	} else {
		classify_whole(worker, frame, out);
	}
}

/* The line before the frame, too: the outer headers go there. */
static inline void prefetch_frame(const struct rte_mbuf *frame)
{
	rte_prefetch0(rte_pktmbuf_mtod(frame, void *));
	rte_prefetch0(rte_pktmbuf_mtod_offset(frame, void *, -(ptrdiff_t)RTE_CACHE_LINE_SIZE));
}

/* Where segments of connections come, these are looked for first; what frame `at` needs for that is fetched in steps. */
static inline void prefetch_segment(
	const struct connection_memory *memory, struct rte_mbuf **frames, uint16_t at, uint16_t count)
{
	if (at < count)
		prefetch_frame(frames[at]);
	if (at >= PLACE_BEHIND && at - PLACE_BEHIND < count)
		classify_prefetch_place(memory, frames[at - PLACE_BEHIND]);
	if (at >= ENDS_BEHIND && at - ENDS_BEHIND < count)
		classify_prefetch_ends(memory, frames[at - ENDS_BEHIND]);
}

static void classify_frames_and_segments(
	struct worker *worker, uint16_t port, struct rte_mbuf **frames, uint16_t count, struct classified *out)
{
	const struct connection_memory *memory = &worker->connections->memory;
	uint64_t mac = port_mac_word(&worker->dataplane->ports[port]);

	for (uint16_t i = 0; i < SEGMENTS_AHEAD; i++)
		prefetch_segment(memory, frames, i, count);
	for (uint16_t i = 0; i < count; i++) {
		prefetch_segment(memory, frames, i + SEGMENTS_AHEAD, count);
		if (mac_differs(frame_destination(rte_pktmbuf_mtod(frames[i], const void *)), mac) ||
			!classify_segment_at_sight(worker, port, frames[i], out))
			classify_frame(worker, port, frames[i], mac, out);
	}
}

void classify_frames(
	struct worker *worker, uint16_t port, struct rte_mbuf **frames, uint16_t count, struct classified *out)
{
	uint64_t mac = port_mac_word(&worker->dataplane->ports[port]);

	classified_begin(out);
	for (uint16_t i = 0; i < count; i++)
		rte_prefetch0(frames[i]);
	if (worker->connections->segments_on[port]) {
		classify_frames_and_segments(worker, port, frames, count, out);
		return;
	}
	for (uint16_t i = 0; i < RTE_MIN(count, PREFETCH_AHEAD); i++)
		prefetch_frame(frames[i]);
	for (uint16_t i = 0; i < count; i++) {
		if (i + PREFETCH_AHEAD < count)
			prefetch_frame(frames[i + PREFETCH_AHEAD]);
		classify_frame(worker, port, frames[i], mac, out);
	}
}

/* IKE makes the SAs, so none may carry it, whatever their selectors say (RFC 4301 section 4.4.1). */
static bool is_ike(const struct worker *worker, const void *header, uint32_t len)
{
	const struct config_ike *ike = &worker->dataplane->config->ike;
	bool ipv6 = header_is_ipv6(header);
	uint32_t header_len = ipv6 ? sizeof(struct rte_ipv6_hdr) : rte_ipv4_hdr_len(header);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)((const uint8_t *)header + header_len);
	uint8_t protocol = ipv6 ? ((const struct rte_ipv6_hdr *)header)->proto
				: ((const struct rte_ipv4_hdr *)header)->next_proto_id;
	uint16_t port;

	if (protocol != IPPROTO_UDP || len < header_len + sizeof(*udp))
		return false;
	if (!ipv6 && ((const struct rte_ipv4_hdr *)header)->fragment_offset & rte_cpu_to_be_16(IPV4_OFFSET_MASK))
		return false;
	port = rte_be_to_cpu_16(udp->src_port);
	return port == ike->port || config_is_nat_port(ike, port);
}

/* Does a session protect this frame of our own host? */
static bool kernel_frame_has_policy(const struct worker *worker, struct rte_mbuf *frame)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(frame, const struct rte_ether_hdr *);
	const void *header = ether + 1;
	uint32_t len = rte_pktmbuf_data_len(frame);
	union ip_address source, destination;

	if (len < sizeof(*ether))
		return false;
	len -= (uint32_t)sizeof(*ether);
	if (ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)	     ? !ipv4_is_valid(header, len)
		: ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6) ? !header_ipv6_is_valid(header, len)
									     : true)
		return false;
	if (is_ike(worker, header, len))
		return false;
	header_addresses(header, &source, &destination);
	return policy_find(&worker->dataplane->policies, &source, &destination) != NULL;
}

void classify_kernel(
	struct worker *worker, uint16_t port, struct rte_mbuf **frames, uint16_t count, struct classified *out)
{
	classified_begin(out);
	for (uint16_t i = 0; i < count; i++) {
		const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(frames[i], const struct rte_ether_hdr *);

		*packet_of(frames[i]) = (struct packet){.port = port, .source = PACKET_FROM_KERNEL};
		if (!kernel_frame_has_policy(worker, frames[i]))
			exit_transmit(worker, frames[i], port);
		else if (ip_begin(worker, frames[i], ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6)))
			out->plain[out->n_plain++] = frames[i];
	}
}
