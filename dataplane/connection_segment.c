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

static inline uint32_t ip_header_len(const struct connection *connection)
{
	return connection->ends.ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
}

/* Where all segments of a connection that leave in one turn go. */
struct way {
	const struct connection *connection;
	uint64_t hop;	  /* the word of an adjacency: to a neighbour that is known and takes segments of ... */
	uint32_t len_max; /* ... IP packets of so many bytes; 0: there is no such neighbour now */
	uint16_t port;	  /* of the hop */
	bool port_adds;	  /* the TCP checksum */
};

/* To a neighbour that is known, from this worker's queue. `len`: TCP header and payload. */
static inline bool goes_straight(const struct way *way, uint32_t len)
{
	return len + ip_header_len(way->connection) <= way->len_max;
}

/* --- buffers ------------------------------------------------------------------------------------------------------ */

/*
 * The frame's own buffer, where the payload is its beginning: headers can be written before that, unless an earlier
 * transmission still lies in a port's queue. Only where it goes straight, so that a buffer which is shared is this
 * worker's alone (connection_release).
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

/*
 * An ACK alone has a short buffer, so that those in a port's queue keep none from the packets: their buffers come round
 * sooner, and what comes round sooner is more often in a cache.
 */
static struct rte_mbuf *headers_buffer(struct worker *worker)
{
	_Static_assert((int)HEADERS_MAX <= (int)RTE_PKTMBUF_HEADROOM, "they fit before the data");
	struct rte_mbuf *buffer = rte_pktmbuf_alloc(worker->dataplane->headers);

	return likely(buffer) ? buffer : rte_pktmbuf_alloc(worker->dataplane->packets);
}

static struct rte_mbuf *copied_buffer(struct worker *worker, const struct tcp_departure *departure)
{
	struct rte_mbuf *copy;

	if (departure->payload_len == 0)
		return headers_buffer(worker);
	copy = rte_pktmbuf_alloc(worker->dataplane->packets);
	if (!copy)
		return NULL;
	if (rte_pktmbuf_tailroom(copy) < departure->payload_len || rte_pktmbuf_headroom(copy) < HEADERS_MAX) {
		rte_pktmbuf_free(copy);
		return NULL;
	}
	packet_len_set(copy, departure->payload_len);
	memcpy(rte_pktmbuf_mtod(copy, void *), departure->payload, departure->payload_len);
	return copy;
}

/* --- headers ------------------------------------------------------------------------------------------------------ */

void connection_way_init(struct connection *connection)
{
	const struct connection_ends *ends = &connection->ends;
	const void *local = ends->ipv6 ? (const void *)&ends->local : (const void *)&ends->local.ipv4;
	const void *remote = ends->ipv6 ? (const void *)&ends->remote : (const void *)&ends->remote.ipv4;
	size_t len = ends->ipv6 ? sizeof(ends->local) : sizeof(ends->local.ipv4);
	uint32_t addresses = (uint32_t)rte_be_to_cpu_16(rte_raw_cksum(local, len)) +
			     rte_be_to_cpu_16(rte_raw_cksum(remote, len));

	route_forget(&connection->route);
	connection->sum = addresses;
}

static uint16_t folded(uint32_t sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)(sum + (sum >> 16));
}

/*
 * No router may cut a segment: TCP does that, when it is told how (RFC 1191). Eight bytes at a time, put together in
 * registers, as encap.c does.
 */
static __rte_always_inline uint8_t *ipv4_write(
	const struct connection *connection, uint8_t *tcp, uint32_t len, uint8_t tos, uint16_t id)
{
	uint8_t *ip = tcp - sizeof(struct rte_ipv4_hdr);
	uint16_t total_len = (uint16_t)(len + sizeof(struct rte_ipv4_hdr));
	uint32_t same = (RTE_IPV4_VHL_DEF << 8) + IPV4_DF + (SEGMENT_TTL << 8 | IPPROTO_TCP);
	uint16_t sum = (uint16_t)~folded(connection->sum + same + tos + total_len + id);
	rte_be64_t first = rte_cpu_to_be_64((uint64_t)(RTE_IPV4_VHL_DEF << 8 | tos) << 48 | (uint64_t)total_len << 32 |
					    (uint32_t)id << 16 | IPV4_DF);
	rte_be64_t second = rte_cpu_to_be_64((uint64_t)(SEGMENT_TTL << 8 | IPPROTO_TCP) << 48 | (uint64_t)sum << 32 |
					     ip_to_ipv4(&connection->ends.local));

	memcpy(ip, &first, sizeof(first));
	memcpy(ip + sizeof(first), &second, sizeof(second));
	memcpy(ip + 2 * sizeof(first), &connection->ends.remote.ipv4, sizeof(rte_be32_t));
	return ip;
}

static uint8_t *ipv6_write(const struct connection *connection, uint8_t *tcp, uint32_t len, uint8_t tos)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)tcp - 1;

	ip->vtc_flow = rte_cpu_to_be_32(6u << 28 | (uint32_t)tos << RTE_IPV6_HDR_TC_SHIFT);
	ip->payload_len = rte_cpu_to_be_16((uint16_t)len);
	ip->proto = IPPROTO_TCP;
	ip->hop_limits = SEGMENT_TTL;
	memcpy(ip->src_addr, &connection->ends.local, sizeof(ip->src_addr));
	memcpy(ip->dst_addr, &connection->ends.remote, sizeof(ip->dst_addr));
	return (uint8_t *)ip;
}

/* Of the pseudo-header alone, and where the headers lie, for a port that adds the rest. */
static inline void checksum_begin(
	struct rte_mbuf *packet, const struct way *way, uint8_t *tcp, uint32_t header_len, uint32_t len)
{
	bool ipv6 = way->connection->ends.ipv6;
	uint16_t sum = rte_cpu_to_be_16(folded(way->connection->sum + IPPROTO_TCP + len));

	packet->ol_flags &= ~(uint64_t)(RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6);
	if (!way->port_adds)
		return;
	packet->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM | (ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
	packet->tx_offload = rte_mbuf_tx_offload(
		sizeof(struct rte_ether_hdr), ip_header_len(way->connection), header_len, 0, 0, 0, 0);
	memcpy(tcp + TCP_CHECKSUM_OFFSET, &sum, sizeof(sum));
}

/* The whole, when all of the segment is there. */
static void checksum_write(const struct connection *connection, uint8_t *tcp, uint32_t header_len, uint32_t len)
{
	const struct connection_ends *ends = &connection->ends;
	bool ipv6 = ends->ipv6;
	uint16_t sum = tcp_checksum(ipv6 ? (const void *)&ends->local : (const void *)&ends->local.ipv4,
		ipv6 ? (const void *)&ends->remote : (const void *)&ends->remote.ipv4,
		ipv6 ? sizeof(ends->local) : sizeof(ends->local.ipv4), tcp, header_len, tcp + header_len,
		len - header_len);

	memcpy(tcp + TCP_CHECKSUM_OFFSET, &sum, sizeof(sum));
}

/* Before the TCP header: IP's. Returns where that begins. */
static inline uint8_t *ip_write(
	struct worker *worker, const struct connection *connection, uint8_t *tcp, uint32_t len, bool ecn_capable)
{
	uint8_t tos = ecn_capable ? ECN_ECT_0 : ECN_NOT_ECT;

	return connection->ends.ipv6 ? ipv6_write(connection, tcp, len, tos)
				     : ipv4_write(connection, tcp, len, tos, worker_ipv4_id(worker));
}

/* And Ethernet's, of an IP packet of `len` bytes: the packet is a frame for the way's port. */
static inline void ethernet_write(
	const struct worker *worker, const struct way *way, struct rte_mbuf *packet, uint8_t *ip, uint32_t len)
{
	uint8_t *frame = ip - RTE_ETHER_HDR_LEN;

	forward_write_ethernet(frame, &worker->dataplane->ports[way->port], (union adjacency){.word = way->hop},
		way->connection->ends.ipv6);
	packet_place(packet, frame, len + RTE_ETHER_HDR_LEN);
}

/* --- on their way ------------------------------------------------------------------------------------------------- */

/*
 * Word by word, as it was written a moment ago: a processor that reads in one piece what it stored in two waits until
 * both have reached the cache. `volatile`, for a compiler would make one piece of them.
 */
static inline void header_copy(uint8_t *tcp, const struct tcp_departure *departure)
{
	const volatile uint64_t *words = departure->words;
	uint32_t at = 0;

	for (; at + sizeof(*words) <= departure->header_len; at += sizeof(*words)) {
		uint64_t word = words[at / sizeof(*words)];

		memcpy(tcp + at, &word, sizeof(word));
	}
	if (at < departure->header_len) /* a header's length is a multiple of four */
		memcpy(tcp + at, departure->header + at, sizeof(uint32_t));
}

static void segment_send(struct worker *worker, const struct way *way, const struct tcp_departure *departure)
{
	uint32_t header_len = departure->header_len, len = header_len + departure->payload_len;
	bool straight = goes_straight(way, len);
	struct rte_mbuf *packet = straight ? own_buffer(departure) : NULL;
	uint8_t *tcp, *ip;

	worker_count(worker, REASON_IN_SEGMENT, 1);
	if (!packet)
		packet = copied_buffer(worker, departure);
	if (unlikely(!packet)) {
		worker_count(worker, REASON_DROP_NO_BUFFER, 1);
		return;
	}
	tcp = rte_pktmbuf_mtod(packet, uint8_t *) - header_len;
	header_copy(tcp, departure);
	checksum_begin(packet, way, tcp, header_len, len);
	if (!way->port_adds)
		checksum_write(way->connection, tcp, header_len, len);
	ip = ip_write(worker, way->connection, tcp, len, departure->ecn_capable);
	len += (uint32_t)(tcp - ip);
	if (likely(straight)) {
		ethernet_write(worker, way, packet, ip, len);
		exit_transmit(worker, packet, way->port);
		return;
	}
	packet_place(packet, ip, len);
	packet_of(packet)->source = PACKET_FROM_KERNEL;
	forward_esp(worker, packet, &way->connection->ends.remote, UINT16_MAX);
}

static __rte_always_inline void way_find(const struct worker *worker, struct connection *connection, struct way *way)
{
	const struct dataplane *dataplane = worker->dataplane;
	union adjacency hop = route_find_again(
		&dataplane->routes, &connection->ends.remote, &connection->route, route_generation(&dataplane->routes));
	bool reached = hop.state == ADJACENCY_REACHED;

	way->connection = connection;
	way->hop = hop.word;
	way->port = hop.port;
	way->len_max = reached ? dataplane->ports[hop.port].mtu : 0;
	way->port_adds = reached && dataplane->ports[hop.port].adds_tcp_checksum;
}

bool connection_segments_send(struct worker *worker, struct connection *connection, uint32_t max)
{
	uint64_t now = connection_worker_now(worker);
	struct tcp_departure departure;
	struct way way;
	uint32_t n = 0;

	for (; n < max && tcp_output(&connection->tcp, &departure, now); n++) {
		if (n == 0)
			way_find(worker, connection, &way);
		segment_send(worker, &way, &departure);
	}
	return n == max;
}

bool connection_segment_begin(struct worker *worker, struct connection *connection, struct rte_mbuf *packet,
	uint8_t *frame, uint32_t frame_len, struct connection_begun *begun)
{
	uint32_t room = (uint32_t)(frame - (const uint8_t *)packet->buf_addr), header_len, len;
	uint8_t *tcp, *ip;
	struct way way;

	if (unlikely(rte_mbuf_refcnt_read(packet) != 1 || room < HEADERS_MAX))
		return false;
	way_find(worker, connection, &way);
	if (unlikely(!goes_straight(&way, tcp_header_len_plain(&connection->tcp) + frame_len)))
		return false;
	header_len = tcp_send_at_once(&connection->tcp, frame, frame_len, packet, connection_worker_now(worker));
	rte_mbuf_refcnt_set(packet, 2); /* its endpoint's, and the port's */
	len = header_len + frame_len;
	tcp = frame - header_len;
	checksum_begin(packet, &way, tcp, header_len, len);
	ip = ip_write(worker, connection, tcp, len, connection->tcp.ecn);
	ethernet_write(worker, &way, packet, ip, (uint32_t)(tcp - ip) + len);
	begun->port = way.port;
	begun->header_len = (uint16_t)header_len;
	begun->frame_len = frame_len;
	begun->connection = way.port_adds ? NULL : connection;
	return true;
}

void connection_segment_end(struct worker *worker, const struct connection_begun *begun, struct rte_mbuf *packet)
{
	uint32_t header_len = begun->header_len;
	uint8_t *frame = (uint8_t *)packet->buf_addr + packet_of(packet)->frame_offset;

	if (begun->connection)
		checksum_write(begun->connection, frame - header_len, header_len, header_len + begun->frame_len);
	exit_transmit(worker, packet, begun->port);
}
