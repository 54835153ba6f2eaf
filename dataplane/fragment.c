/* SPDX-License-Identifier: Apache-2.0 */
#include "fragment.h"

#include "dataplane.h"
#include "exits.h"
#include "header.h"

#include <string.h>

/* RFC 791 section 3.1: of the options only those with the copied bit go into later fragments. We copy none: the headers
 * that are cut here are our own, or plain ones; a packet with options is refused instead of being altered. */
static bool may_be_cut(const struct rte_ipv4_hdr *ip, uint16_t mtu, uint32_t end)
{
	return end <= UINT16_MAX - sizeof(*ip) && ip->version_ihl == RTE_IPV4_VHL_DEF && !(ip->fragment_offset & rte_cpu_to_be_16(IPV4_DF)) &&
	       mtu >= sizeof(*ip) + 8;
}

static void header_write(struct rte_ipv4_hdr *ip, uint16_t offset, bool more, uint16_t payload_len)
{
	ip->total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + payload_len));
	ip->fragment_offset = rte_cpu_to_be_16((uint16_t)(offset / 8 | (more ? IPV4_MF : 0)));
	ipv4_checksum_set(ip);
}

/* One further piece: a copy of the header and of its part of the payload. */
static struct rte_mbuf *piece_make(struct worker *worker, const struct rte_mbuf *packet, uint32_t from, uint16_t len)
{
	const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *);
	struct rte_mbuf *piece = rte_pktmbuf_alloc(worker->dataplane->packets);

	if (!piece)
		return NULL;
	uint8_t *out = (uint8_t *)rte_pktmbuf_append(piece, (uint16_t)(sizeof(struct rte_ipv4_hdr) + len));

	if (!out) {
		rte_pktmbuf_free(piece);
		return NULL;
	}
	memcpy(out, data, sizeof(struct rte_ipv4_hdr));
	memcpy(out + sizeof(struct rte_ipv4_hdr), data + sizeof(struct rte_ipv4_hdr) + from, len);
	*packet_of(piece) = *packet_of((struct rte_mbuf *)packet);
	return piece;
}

uint16_t fragment_cut(struct worker *worker, struct rte_mbuf *packet, uint16_t mtu,
	struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX])
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);
	uint32_t payload_len = rte_pktmbuf_data_len(packet) - (uint32_t)sizeof(*ip);
	uint16_t step = (uint16_t)((mtu - sizeof(*ip)) & ~7u), count = 1;
	/* It may be a fragment itself already. */
	uint16_t first = (uint16_t)((rte_be_to_cpu_16(ip->fragment_offset) & IPV4_OFFSET_MASK) * 8);
	bool more = (ip->fragment_offset & rte_cpu_to_be_16(IPV4_MF)) != 0;

	if (header_is_ipv6(ip) || !may_be_cut(ip, mtu, first + payload_len) || payload_len > (uint32_t)step * FRAGMENT_PIECES_MAX) {
		exit_drop(worker, packet, REASON_DROP_MTU);
		return 0;
	}
	pieces[0] = packet;
	for (uint32_t at = step; at < payload_len; at += step) {
		uint16_t len = (uint16_t)RTE_MIN((uint32_t)step, payload_len - at);
		struct rte_mbuf *piece = piece_make(worker, packet, at, len);

		if (!piece)
			goto no_buffer;
		header_write(rte_pktmbuf_mtod(piece, struct rte_ipv4_hdr *), (uint16_t)(first + at),
			more || at + len < payload_len, len);
		pieces[count++] = piece;
	}
	rte_pktmbuf_trim(packet, (uint16_t)(payload_len - step));
	header_write(ip, first, true, step);
	worker_count(worker, REASON_IN_CUT, count - 1u);
	return count;
no_buffer:
	rte_pktmbuf_free_bulk(pieces + 1, count - 1u);
	exit_drop(worker, packet, REASON_DROP_NO_BUFFER);
	return 0;
}
