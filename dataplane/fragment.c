/* SPDX-License-Identifier: Apache-2.0 */
#include "fragment.h"

#include "dataplane.h"
#include "exits.h"
#include "header.h"

#include <netinet/in.h>
#include <string.h>

enum { IPV6_MORE = 1 };

/* One further piece: a copy of the headers and of its part of the payload. */
static struct rte_mbuf *piece_make(
	struct worker *worker, struct rte_mbuf *packet, uint16_t header_len, uint32_t from, uint16_t len)
{
	const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *);
	struct rte_mbuf *piece = rte_pktmbuf_alloc(worker->dataplane->packets);

	if (!piece)
		return NULL;
	uint8_t *out = (uint8_t *)rte_pktmbuf_append(piece, (uint16_t)(header_len + len));

	if (!out) {
		rte_pktmbuf_free(piece);
		return NULL;
	}
	memcpy(out, data, header_len);
	memcpy(out + header_len, data + header_len + from, len);
	*packet_of(piece) = *packet_of(packet);
	return piece;
}

/* Cuts what follows the headers into parts of `step` bytes, each behind these headers as they are. */
static uint16_t cut(struct worker *worker, struct rte_mbuf *packet, uint16_t header_len, uint16_t step,
	struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX])
{
	uint32_t payload_len = rte_pktmbuf_data_len(packet) - (uint32_t)header_len;
	uint16_t count = 1;

	pieces[0] = packet;
	for (uint32_t at = step; at < payload_len; at += step) {
		uint16_t len = (uint16_t)RTE_MIN((uint32_t)step, payload_len - at);

		pieces[count] = piece_make(worker, packet, header_len, at, len);
		if (!pieces[count])
			goto no_buffer;
		count++;
	}
	packet_len_set(packet, (uint32_t)header_len + RTE_MIN((uint32_t)step, payload_len));
	worker_count(worker, REASON_IN_CUT, count - 1u);
	return count;
no_buffer:
	rte_pktmbuf_free_bulk(pieces + 1, count - 1u);
	exit_drop(worker, packet, REASON_DROP_NO_BUFFER);
	return 0;
}

static uint16_t refuse(struct worker *worker, struct rte_mbuf *packet, enum reason reason)
{
	exit_drop(worker, packet, reason);
	return 0;
}

/* Bytes of payload in each piece but the last: a multiple of 8; 0: none fit. */
static uint16_t step_of(uint16_t mtu, uint16_t header_len)
{
	return mtu < header_len ? 0 : (uint16_t)((mtu - header_len) & ~7u);
}

/* RFC 791 section 3.1: of the options only those with the copied bit go into later fragments. We copy none: the headers
 * that are cut here are our own, or plain ones; a packet with options is refused instead of being altered. */
static bool ipv4_may_be_cut(const struct rte_ipv4_hdr *ip, uint32_t end)
{
	return end <= UINT16_MAX - sizeof(*ip) && ip->version_ihl == RTE_IPV4_VHL_DEF &&
	       !(ip->fragment_offset & rte_cpu_to_be_16(IPV4_DF));
}

static uint16_t ipv4_cut(
	struct worker *worker, struct rte_mbuf *packet, uint16_t mtu, struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX])
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);
	uint16_t step = step_of(mtu, sizeof(*ip)), count;
	uint32_t payload_len = rte_pktmbuf_data_len(packet) - (uint32_t)sizeof(*ip);
	/* It may be a fragment itself already. */
	uint16_t first = (uint16_t)((rte_be_to_cpu_16(ip->fragment_offset) & IPV4_OFFSET_MASK) * 8);
	bool more = (ip->fragment_offset & rte_cpu_to_be_16(IPV4_MF)) != 0;

	if (!ipv4_may_be_cut(ip, first + payload_len) || payload_len > (uint32_t)step * FRAGMENT_PIECES_MAX)
		return refuse(worker, packet, REASON_DROP_MTU);
	count = cut(worker, packet, sizeof(*ip), step, pieces);
	for (uint16_t i = 0; i < count; i++) {
		struct rte_ipv4_hdr *header = rte_pktmbuf_mtod(pieces[i], struct rte_ipv4_hdr *);
		uint16_t offset = (uint16_t)((first + i * (uint32_t)step) / 8);

		header->total_length = rte_cpu_to_be_16(rte_pktmbuf_data_len(pieces[i]));
		header->fragment_offset = rte_cpu_to_be_16((uint16_t)(offset | (more || i + 1 < count ? IPV4_MF : 0)));
		ipv4_checksum_set(header);
	}
	return count;
}

/*
 * The fragment header goes right behind the IPv6 header, so nothing may follow that routers read, and it must not be a
 * fragment already. ESP packets of ours are like that, and so is what was reassembled here.
 */
static bool ipv6_may_be_cut(const struct rte_ipv6_hdr *ip)
{
	return ip->proto != IPPROTO_HOPOPTS && ip->proto != IPPROTO_ROUTING && ip->proto != IPPROTO_DSTOPTS &&
	       ip->proto != IPPROTO_FRAGMENT;
}

static uint16_t ipv6_cut(
	struct worker *worker, struct rte_mbuf *packet, uint16_t mtu, struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX])
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(packet, const struct rte_ipv6_hdr *);
	const uint16_t header_len = sizeof(*ip) + RTE_IPV6_FRAG_HDR_SIZE;
	uint16_t step = step_of(mtu, header_len), count;
	uint32_t payload_len = rte_pktmbuf_data_len(packet) - (uint32_t)sizeof(*ip);
	struct rte_ipv6_fragment_ext extension = {.next_header = ip->proto};

	if (!ipv6_may_be_cut(ip) || payload_len > (uint32_t)step * FRAGMENT_PIECES_MAX)
		return refuse(worker, packet, REASON_DROP_MTU);
	if (rte_pktmbuf_headroom(packet) < sizeof(extension) + RTE_ETHER_HDR_LEN ||
		rte_pktmbuf_data_len(packet) > UINT16_MAX - sizeof(extension))
		return refuse(worker, packet, REASON_DROP_NO_ROOM);
	packet_begin_move(packet, -(int)sizeof(extension));
	memmove(rte_pktmbuf_mtod(packet, void *), ip, sizeof(*ip));
	extension.id = rte_cpu_to_be_32(worker_ipv6_id(worker));
	count = cut(worker, packet, header_len, step, pieces);
	for (uint16_t i = 0; i < count; i++) {
		struct rte_ipv6_hdr *header = rte_pktmbuf_mtod(pieces[i], struct rte_ipv6_hdr *);

		header->proto = IPPROTO_FRAGMENT;
		header->payload_len = rte_cpu_to_be_16((uint16_t)(rte_pktmbuf_data_len(pieces[i]) - sizeof(*header)));
		/* The offset in units of 8 bytes stands above three bits of flags. */
		extension.frag_data = rte_cpu_to_be_16((uint16_t)(i * step | (i + 1 < count ? IPV6_MORE : 0)));
		memcpy(header + 1, &extension, sizeof(extension));
	}
	return count;
}

uint16_t fragment_cut(
	struct worker *worker, struct rte_mbuf *packet, uint16_t mtu, struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX])
{
	return header_is_ipv6(rte_pktmbuf_mtod(packet, const void *)) ? ipv6_cut(worker, packet, mtu, pieces)
								      : ipv4_cut(worker, packet, mtu, pieces);
}
