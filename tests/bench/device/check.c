/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "frame.h"
#include "reference.h"
#include "traffic.h"

#include <netinet/in.h>

enum { ESP_ROOM = 2048 };

static bool size_is_ours(const struct arguments *arguments, uint32_t size)
{
	for (uint32_t i = 0; i < arguments->n_sizes; i++)
		if (arguments->sizes[i] == size)
			return true;
	return false;
}

/* Is the outer header right? The ESP packet in it, and its length; NULL: no. */
static const uint8_t *outer_open(const struct traffic *traffic, const uint8_t *packet, uint32_t len, uint32_t *esp_len)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)packet;
	uint16_t esp_at = (uint16_t)(frame_esp_at(traffic->arguments->udp != 0) - FRAME_IP_AT);
	uint8_t protocol = traffic->arguments->udp ? IPPROTO_UDP : IPPROTO_ESP;

	if (len <= esp_at + (uint32_t)ESP_HDR_LEN || len > ESP_ROOM || ip->version_ihl != RTE_IPV4_VHL_DEF ||
		rte_be_to_cpu_16(ip->total_length) != len)
		return NULL;
	if (ip->next_proto_id != protocol || ip->src_addr != rte_cpu_to_be_32(plan_gateway))
		return NULL;
	*esp_len = len - esp_at;
	return packet + esp_at;
}

bool check_esp(uint32_t session, const uint8_t *esp, uint32_t esp_len)
{
	const struct traffic *traffic = traffic_current();
	uint8_t inner[ESP_ROOM];
	uint32_t spi;
	int inner_len;

	if (esp_len <= ESP_HDR_LEN || esp_len > ESP_ROOM)
		return false;
	memcpy(&spi, esp, sizeof(spi));
	if (rte_be_to_cpu_32(spi) != PLAN_SPI_OUT + session)
		return false;
	inner_len = reference_open(traffic->suite, traffic->keymat, esp, esp_len, inner);
	return inner_len > 0 && size_is_ours(traffic->arguments, (uint32_t)inner_len) &&
	       frame_is_inner(inner, (uint32_t)inner_len, plan_lan_host, plan_branch_host(session));
}

static bool check_out(const struct traffic *traffic, const uint8_t *packet, uint32_t len)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)packet;
	uint32_t esp_len = 0, session = rte_be_to_cpu_32(ip->dst_addr) - plan_branch(0);
	const uint8_t *esp = outer_open(traffic, packet, len, &esp_len);

	return esp && session < traffic->n_sessions && check_esp(session, esp, esp_len);
}

static bool check_in(const struct traffic *traffic, const uint8_t *packet, uint32_t len)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)packet;
	uint32_t source = rte_be_to_cpu_32(ip->src_addr);
	uint32_t session = (source - plan_branch_host(0)) >> 8;

	return size_is_ours(traffic->arguments, len) && session < traffic->n_sessions &&
	       frame_is_inner(packet, len, plan_branch_host(session), plan_lan_host);
}

/* Right, or left to the card, which offers to do it (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM). */
static bool checksum_is_right(const struct rte_mbuf *frame)
{
	return frame->ol_flags & RTE_MBUF_F_TX_IP_CKSUM ||
	       rte_ipv4_cksum(rte_pktmbuf_mtod_offset(frame, const struct rte_ipv4_hdr *, FRAME_IP_AT)) == 0;
}

enum check_verdict check_frame(const struct rte_mbuf *frame)
{
	const struct traffic *traffic = traffic_current();
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(frame, const struct rte_ether_hdr *);
	const uint8_t *packet = (const uint8_t *)(ether + 1);
	uint32_t len = rte_pktmbuf_data_len(frame) - (uint32_t)sizeof(*ether);
	bool good;

	if (!traffic || rte_is_multicast_ether_addr(&ether->dst_addr) ||
		ether->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return CHECK_FOREIGN;
	if (frame->nb_segs != 1 || len < sizeof(struct rte_ipv4_hdr) || !checksum_is_right(frame))
		return CHECK_BAD;
	good = traffic->arguments->mode == MODE_OUT ? check_out(traffic, packet, len) : check_in(traffic, packet, len);
	return good ? CHECK_GOOD : CHECK_BAD;
}
