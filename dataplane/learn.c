/* SPDX-License-Identifier: Apache-2.0 */
#include "learn.h"

#include "dataplane.h"
#include "header.h"
#include "mtu.h"

#include <rte_cycles.h>
#include <rte_icmp.h>
#include <rte_udp.h>

#include <netinet/in.h>

enum { TYPE_UNREACHABLE = 3, CODE_FRAGMENTATION_NEEDED = 4 };

/* The ports and the ESP header of the quoted packet; false: too little was quoted, or it is another kind of packet. */
static bool quote_read(const struct rte_ipv4_hdr *ip, uint32_t len, struct learn_message *message)
{
	uint32_t header_len = rte_ipv4_hdr_len(ip);
	const uint8_t *payload = (const uint8_t *)ip + header_len;
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)payload;

	message->udp = ip->next_proto_id == IPPROTO_UDP;
	if (ip->next_proto_id != IPPROTO_ESP && !message->udp)
		return false;
	if (len < header_len + (message->udp ? sizeof(*udp) : 0) + ESP_HDR_LEN)
		return false;
	message->local_port = message->udp ? rte_be_to_cpu_16(udp->src_port) : 0;
	message->remote_port = message->udp ? rte_be_to_cpu_16(udp->dst_port) : 0;
	payload += message->udp ? sizeof(*udp) : 0;
	message->spi = esp_read_spi(payload);
	message->sequence = esp_read_sequence(payload);
	return true;
}

/* Does the message hold together, and tell of a packet that was longer than the MTU that it names? */
static bool message_read(const struct rte_mbuf *packet, struct learn_message *message)
{
	const struct rte_ipv4_hdr *outer = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *), *quoted;
	uint32_t header_len = rte_ipv4_hdr_len(outer), len = rte_pktmbuf_data_len(packet);
	const struct rte_icmp_hdr *icmp = (const struct rte_icmp_hdr *)((const uint8_t *)outer + header_len);

	if (header_is_ipv6(outer) || len < header_len + sizeof(*icmp) + sizeof(*quoted))
		return false;
	len -= header_len;
	if (icmp->icmp_type != TYPE_UNREACHABLE || icmp->icmp_code != CODE_FRAGMENTATION_NEEDED ||
		rte_raw_cksum(icmp, len) != 0xffff)
		return false;
	len -= (uint32_t)sizeof(*icmp);
	quoted = (const struct rte_ipv4_hdr *)(icmp + 1);
	if (quoted->version_ihl >> 4 != 4 || rte_ipv4_hdr_len(quoted) < sizeof(*quoted) ||
		quoted->src_addr != outer->dst_addr || quoted->fragment_offset & rte_cpu_to_be_16(IPV4_OFFSET_MASK))
		return false;
	message->mtu = rte_be_to_cpu_16(icmp->icmp_seq_nb);
	message->local = ip_from_be32(quoted->src_addr);
	message->remote = ip_from_be32(quoted->dst_addr);
	return message->mtu != 0 && message->mtu < rte_be_to_cpu_16(quoted->total_length) &&
	       quote_read(quoted, len, message);
}

void learn_notice(struct worker *worker, const struct rte_mbuf *packet)
{
	struct learn_message *slot = &worker->learn;

	if (atomic_load_explicit(&slot->full, memory_order_acquire) || !message_read(packet, slot))
		return;
	atomic_store_explicit(&slot->full, true, memory_order_release);
}

static bool is_quoted(const struct sa_out *out, const struct learn_message *message)
{
	const struct sa_outer *outer = atomic_load_explicit(&out->outer, memory_order_relaxed);
	uint64_t last = atomic_load_explicit(&out->numbers.sequence, memory_order_relaxed);

	return out->spi == message->spi && ip_equal(&outer->local, &message->local) &&
	       ip_equal(&outer->remote, &message->remote) &&
	       outer->udp == message->udp && outer->local_port == message->local_port &&
	       outer->remote_port == message->remote_port && message->sequence != 0 && message->sequence <= last &&
	       last - message->sequence < LEARN_RECENT;
}

/* The session whose packet is quoted, or TABLES_NONE. There is no order by outbound SPI: such messages are rare. */
static uint32_t session_find(const struct sa_store *sas, const struct learn_message *message)
{
	for (uint32_t i = 0; i < sas->n_children; i++)
		if (sas->children[i].id != 0 && !sas->children[i].leaving && is_quoted(&sas->out[i], message))
			return sas->children[i].session;
	return TABLES_NONE;
}

static void take_up(struct dataplane *dataplane, const struct learn_message *message, uint64_t now)
{
	uint32_t index = session_find(&dataplane->sas, message);
	uint16_t mtu = RTE_MAX(message->mtu, (uint16_t)MTU_FLOOR);
	struct sa_session *session;

	if (index == TABLES_NONE)
		return;
	session = &dataplane->sas.sessions[index];
	if (mtu > mtu_outer(dataplane, session) || (mtu == mtu_outer(dataplane, session) && !session->path_mtu))
		return;
	session->path_mtu = mtu;
	session->path_mtu_until = now + LEARN_SECONDS * rte_get_tsc_hz();
	if (dataplane->learned_until == 0 || session->path_mtu_until < dataplane->learned_until)
		dataplane->learned_until = session->path_mtu_until;
	mtu_set_session(dataplane, index);
}

static void forget_old(struct dataplane *dataplane, uint64_t now)
{
	dataplane->learned_until = 0;
	for (uint32_t i = 0; i < dataplane->sas.n_sessions; i++) {
		struct sa_session *session = &dataplane->sas.sessions[i];

		if (session->id == 0 || session->path_mtu == 0)
			continue;
		if (now >= session->path_mtu_until) {
			session->path_mtu = 0;
			mtu_set_session(dataplane, i);
		} else if (dataplane->learned_until == 0 || session->path_mtu_until < dataplane->learned_until) {
			dataplane->learned_until = session->path_mtu_until;
		}
	}
}

void learn_apply(struct dataplane *dataplane, uint64_t now)
{
	for (uint16_t i = 0; i < dataplane->n_workers; i++) {
		struct learn_message *slot = &dataplane->workers[i].learn;

		if (!atomic_load_explicit(&slot->full, memory_order_acquire))
			continue;
		take_up(dataplane, slot, now);
		atomic_store_explicit(&slot->full, false, memory_order_release);
	}
	if (dataplane->learned_until != 0 && now >= dataplane->learned_until)
		forget_old(dataplane, now);
}
