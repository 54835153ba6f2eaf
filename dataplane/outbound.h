/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From plain packets to ESP (RFC 4303 section 3.3): rules, policy, TTL, MSS, cut to what fits, sequence numbers,
 * encrypt as a burst, outer header. A packet without rule and policy goes in the clear when its source allows that
 * (packet.h), else it is dropped.
 */
#pragma once

#include "header.h"
#include "mss.h"
#include "sa.h"
#include "worker.h"

#include <netinet/in.h>

/* `packets` begin at their IP header; at most BURST. All of them leave. */
void outbound_process(struct worker *worker, struct rte_mbuf **packets, uint16_t count);

/* Lowers the MSS of a TCP SYN, going either way through the pair of SAs that `out` belongs to, where that is
 * configured. */
static inline void outbound_clamp_mss(const struct sa_out *out, struct rte_mbuf *packet)
{
	void *header = rte_pktmbuf_mtod(packet, void *);
	uint32_t len = rte_pktmbuf_data_len(packet);

	/* The packet is asked first: it is at hand, an inbound packet's outbound SA is not. */
	if (unlikely(mss_may_be_syn(header, len)) && out->tunnel.mss_clamp)
		mss_clamp(header, len, atomic_load_explicit(&out->mss_mtu, memory_order_relaxed));
}

/* What ESP is to carry of a packet: the whole, or in transport mode what follows its header, which goes. */
static inline void outbound_payload(
	const struct sa_out *out, const struct esp_key *key, struct rte_mbuf *packet, struct esp_packet *esp)
{
	const void *header = rte_pktmbuf_mtod(packet, const void *);

	esp->next_header = header_is_ipv6(header) ? IPPROTO_IPV6 : IPPROTO_IPIP;
	if (out->transport) {
		esp->next_header = ((const struct rte_ipv4_hdr *)header)->next_proto_id;
		packet_begin_move(packet, (int)sizeof(struct rte_ipv4_hdr));
	}
	esp->key = key;
	esp->data = rte_pktmbuf_mtod(packet, uint8_t *);
	esp->len = rte_pktmbuf_data_len(packet);
	esp->headroom = rte_pktmbuf_headroom(packet);
	esp->tailroom = rte_pktmbuf_tailroom(packet);
	esp->owner = packet;
}
