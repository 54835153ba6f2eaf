/* SPDX-License-Identifier: Apache-2.0 */
#include "icmp.h"

#include "dataplane.h"
#include "exits.h"
#include "header.h"
#include "outbound.h"

#include <rte_icmp.h>

#include <netinet/in.h>
#include <string.h>

enum {
	TYPE_UNREACHABLE = 3,
	TYPE_SOURCE_QUENCH = 4,
	TYPE_REDIRECT = 5,
	TYPE_TIME_EXCEEDED = 11,
	TYPE_PARAMETER = 12,
	CODE_FRAGMENTATION_NEEDED = 4,
	CODE_TTL = 0,
	ERROR_MAX = 576,    /* RFC 1812 section 4.3.2.3: as much of the packet as fits into this */
	ERROR_TOS = 6 << 5, /* RFC 1812 section 4.3.2.5: internetwork control */
	ERROR_TTL = 64,
};

/* One station: neither this network, loopback, multicast nor broadcast. */
static bool is_station(uint32_t address)
{
	return address >> 24 != 0 && address >> 24 != 127 && address < 0xe0000000;
}

static bool is_icmp_error(const struct rte_ipv4_hdr *ip, uint32_t len)
{
	uint32_t header_len = rte_ipv4_hdr_len(ip);
	uint8_t type;

	if (ip->next_proto_id != IPPROTO_ICMP)
		return false;
	if (len <= header_len)
		return true; /* who knows */
	type = ((const uint8_t *)ip)[header_len];
	return type == TYPE_UNREACHABLE || type == TYPE_SOURCE_QUENCH || type == TYPE_REDIRECT ||
	       type == TYPE_TIME_EXCEEDED || type == TYPE_PARAMETER;
}

/* RFC 1122 section 3.2.2: what no error is ever sent about. */
static bool may_be_answered(const struct rte_ipv4_hdr *ip, uint32_t len)
{
	return !(ip->fragment_offset & rte_cpu_to_be_16(IPV4_OFFSET_MASK)) && !is_icmp_error(ip, len) &&
	       is_station(rte_be_to_cpu_32(ip->src_addr)) && is_station(rte_be_to_cpu_32(ip->dst_addr));
}

/*
 * Whose address the error bears; 0: there is none that it may. To a peer it has to go through the peer's tunnel, so it
 * must be one that the policy covers. Our own kernel believes no address of its own: it gets the destination's.
 */
static uint32_t source_choose(const struct worker *worker, struct rte_mbuf *packet, uint32_t address)
{
	const struct dataplane *dataplane = worker->dataplane;
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);
	const struct packet *meta = packet_of(packet);
	union ip_address from, to = ip_from_be32(ip->src_addr);

	if (meta->source == PACKET_FROM_KERNEL)
		return rte_be_to_cpu_32(ip->dst_addr);
	if (meta->source == PACKET_FROM_PORT) {
		from = port_address(&dataplane->ports[meta->port], false);
		return ip_is_none(&from) ? address : ip_to_ipv4(&from);
	}
	for (uint16_t i = 0; i < dataplane->n_ports; i++) {
		from = port_address(&dataplane->ports[i], false);
		if (!ip_is_none(&from) && policy_find(&dataplane->policies, &from, &to))
			return ip_to_ipv4(&from);
	}
	return 0;
}

static void headers_write(struct worker *worker, struct rte_mbuf *error, uint32_t source, uint32_t destination)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(error, struct rte_ipv4_hdr *);
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)(ip + 1);
	uint16_t len = rte_pktmbuf_data_len(error);

	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = ERROR_TOS,
		.total_length = rte_cpu_to_be_16(len),
		.packet_id = rte_cpu_to_be_16(worker_ipv4_id(worker)),
		.time_to_live = ERROR_TTL,
		.next_proto_id = IPPROTO_ICMP,
		.src_addr = rte_cpu_to_be_32(source),
		.dst_addr = rte_cpu_to_be_32(destination),
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	icmp->icmp_cksum = 0;
	icmp->icmp_cksum = (uint16_t)~rte_raw_cksum(icmp, len - sizeof(*ip));
}

/* The error as a packet; NULL without a buffer. */
static struct rte_mbuf *error_make(
	struct worker *worker, struct rte_mbuf *packet, const struct rte_icmp_hdr *header, uint32_t source)
{
	const struct rte_ipv4_hdr *about = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);
	uint16_t front_len = sizeof(struct rte_ipv4_hdr) + sizeof(*header);
	uint16_t quote_len = (uint16_t)RTE_MIN(rte_pktmbuf_data_len(packet), ERROR_MAX - front_len);
	struct rte_mbuf *error = rte_pktmbuf_alloc(worker->dataplane->packets);
	uint8_t *data = error ? (uint8_t *)rte_pktmbuf_append(error, (uint16_t)(front_len + quote_len)) : NULL;

	if (!data) {
		rte_pktmbuf_free(error);
		return NULL;
	}
	memcpy(data + sizeof(struct rte_ipv4_hdr), header, sizeof(*header));
	memcpy(data + front_len, about, quote_len);
	headers_write(worker, error, source, rte_be_to_cpu_32(about->src_addr));
	return error;
}

static void error_send(
	struct worker *worker, struct rte_mbuf *packet, const struct rte_icmp_hdr *header,
	const union ip_address *address)
{
	const struct rte_ipv4_hdr *about = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);
	const struct packet *meta = packet_of(packet);
	struct rte_mbuf *error;
	uint32_t source;

	if (header_is_ipv6(about) || !may_be_answered(about, rte_pktmbuf_data_len(packet)))
		return;
	source = source_choose(worker, packet, address ? ip_to_ipv4(address) : 0);
	if (source == 0)
		return;
	if (!worker_allowance_take(worker, &worker->icmp, ICMP_RATE)) {
		worker_count(worker, REASON_NOTE_ICMP_RATE, 1);
		return;
	}
	error = error_make(worker, packet, header, source);
	if (!error)
		return;
	worker_count(worker, REASON_IN_ICMP, 1);
	/* To a peer as if it came from a port: it quotes what was encrypted, so it goes by a policy or not at all. */
	*packet_of(error) = (struct packet){
		.port = meta->port,
		.source = meta->source == PACKET_FROM_PEER ? PACKET_FROM_PORT : PACKET_FROM_KERNEL,
	};
	if (meta->source == PACKET_FROM_KERNEL)
		exit_kernel_packet(worker, error, meta->port);
	else
		outbound_process(worker, &error, 1);
}

void icmp_send_too_big(struct worker *worker, struct rte_mbuf *packet, uint16_t mtu, const union ip_address *address)
{
	struct rte_icmp_hdr header = {
		.icmp_type = TYPE_UNREACHABLE,
		.icmp_code = CODE_FRAGMENTATION_NEEDED,
		.icmp_seq_nb = rte_cpu_to_be_16(mtu), /* RFC 1191 section 4: the low half of the unused word */
	};

	error_send(worker, packet, &header, address);
}

void icmp_send_time_exceeded(struct worker *worker, struct rte_mbuf *packet, const union ip_address *address)
{
	struct rte_icmp_hdr header = {.icmp_type = TYPE_TIME_EXCEEDED, .icmp_code = CODE_TTL};

	error_send(worker, packet, &header, address);
}
