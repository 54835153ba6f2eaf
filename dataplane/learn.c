/* SPDX-License-Identifier: Apache-2.0 */
#include "learn.h"

#include "connection_worker.h"
#include "dataplane.h"
#include "header.h"
#include "mtu.h"

#include <rte_cycles.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <netinet/in.h>
#include <string.h>

enum {
	TYPE_UNREACHABLE = 3,
	CODE_FRAGMENTATION_NEEDED = 4,
	TYPE6_TOO_BIG = 2,
	IPV6_OFFSET_MASK = 0xfff8, /* in a fragment header */
	ICMP_LEN = 8,		   /* of either family: type, code, checksum, and a word that ends in the MTU */
};

/* Of a segment, a router quotes 8 bytes at least: ports and sequence number. */
static bool quote_read_segment(const struct rte_tcp_hdr *tcp, uint32_t len, struct learn_message *message)
{
	if (len < offsetof(struct rte_tcp_hdr, recv_ack))
		return false;
	message->local_port = rte_be_to_cpu_16(tcp->src_port);
	message->remote_port = rte_be_to_cpu_16(tcp->dst_port);
	message->sequence = rte_be_to_cpu_32(tcp->sent_seq);
	return true;
}

/* The ports and the ESP header of the quoted packet; false: too little was quoted, or it is another kind of packet. */
static bool quote_read(uint8_t protocol, const uint8_t *payload, uint32_t len, struct learn_message *message)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)payload;

	message->tcp = protocol == IPPROTO_TCP;
	if (message->tcp)
		return quote_read_segment((const struct rte_tcp_hdr *)payload, len, message);
	message->udp = protocol == IPPROTO_UDP;
	if (protocol != IPPROTO_ESP && !message->udp)
		return false;
	if (len < (message->udp ? sizeof(*udp) : 0) + ESP_HDR_LEN)
		return false;
	message->local_port = message->udp ? rte_be_to_cpu_16(udp->src_port) : 0;
	message->remote_port = message->udp ? rte_be_to_cpu_16(udp->dst_port) : 0;
	payload += message->udp ? sizeof(*udp) : 0;
	message->spi = esp_read_spi(payload);
	message->sequence = esp_read_sequence(payload);
	return true;
}

/* Did one of ours send it that was longer than the MTU that the message names? */
static bool is_of(const union ip_address *local, const void *quoted, struct learn_message *message)
{
	header_addresses(quoted, &message->local, &message->remote);
	return ip_equal(local, &message->local) && message->mtu != 0 && message->mtu < header_total_len(quoted);
}

/* Does an ICMP packet of `len` bytes hold together, and what does it quote? */
static bool ipv4_read(const struct rte_ipv4_hdr *outer, uint32_t len, struct learn_message *message)
{
	union ip_address local = ip_from_be32(outer->dst_addr);
	const uint8_t *icmp = (const uint8_t *)outer + rte_ipv4_hdr_len(outer);
	const struct rte_ipv4_hdr *quoted = (const struct rte_ipv4_hdr *)(icmp + ICMP_LEN);
	uint32_t header_len;

	len -= rte_ipv4_hdr_len(outer);
	if (len < ICMP_LEN + sizeof(*quoted) || icmp[0] != TYPE_UNREACHABLE || icmp[1] != CODE_FRAGMENTATION_NEEDED ||
		rte_raw_cksum(icmp, len) != 0xffff)
		return false;
	len -= ICMP_LEN;
	header_len = rte_ipv4_hdr_len(quoted);
	if (quoted->version_ihl >> 4 != 4 || header_len < sizeof(*quoted) || header_len > len ||
		quoted->fragment_offset & rte_cpu_to_be_16(IPV4_OFFSET_MASK))
		return false;
	message->mtu = (uint32_t)(icmp[6] << 8 | icmp[7]);
	return is_of(&local, quoted, message) &&
	       quote_read(quoted->next_proto_id, (const uint8_t *)quoted + header_len, len - header_len, message);
}

/* Our own packets have no extension header but that of fragments, of which the first has what is looked for. */
static bool ipv6_quote_read(const struct rte_ipv6_hdr *quoted, uint32_t len, struct learn_message *message)
{
	const uint8_t *payload = (const uint8_t *)(quoted + 1);
	const struct rte_ipv6_fragment_ext *extension = (const struct rte_ipv6_fragment_ext *)payload;
	uint8_t protocol = quoted->proto;

	len -= (uint32_t)sizeof(*quoted);
	if (protocol == IPPROTO_FRAGMENT) {
		if (len < sizeof(*extension) || extension->frag_data & rte_cpu_to_be_16(IPV6_OFFSET_MASK))
			return false;
		protocol = extension->next_header;
		payload += sizeof(*extension);
		len -= (uint32_t)sizeof(*extension);
	}
	return quote_read(protocol, payload, len, message);
}

/* The same over IPv6. A code says nothing here (RFC 4443 section 3.2), and too small an MTU is no truth (RFC 8201
 * section 4). */
static bool ipv6_read(const struct rte_ipv6_hdr *outer, uint32_t len, struct learn_message *message)
{
	union ip_address local = ip_from_bytes(outer->dst_addr);
	const uint8_t *icmp = (const uint8_t *)(outer + 1);
	const struct rte_ipv6_hdr *quoted = (const struct rte_ipv6_hdr *)(icmp + ICMP_LEN);
	rte_be32_t mtu;

	len -= (uint32_t)sizeof(*outer);
	if (len < ICMP_LEN + sizeof(*quoted) || icmp[0] != TYPE6_TOO_BIG || !header_is_ipv6(quoted) ||
		rte_ipv6_udptcp_cksum_verify(outer, icmp) != 0)
		return false;
	memcpy(&mtu, icmp + 4, sizeof(mtu));
	message->mtu = rte_be_to_cpu_32(mtu);
	return message->mtu >= MTU_FLOOR_IPV6 && is_of(&local, quoted, message) &&
	       ipv6_quote_read(quoted, len - ICMP_LEN, message);
}

static bool message_read(const struct rte_mbuf *packet, struct learn_message *message)
{
	const void *outer = rte_pktmbuf_mtod(packet, const void *);
	uint32_t len = rte_pktmbuf_data_len(packet);

	return header_is_ipv6(outer) ? ipv6_read(outer, len, message) : ipv4_read(outer, len, message);
}

void learn_notice(struct worker *worker, const struct rte_mbuf *packet)
{
	struct learn_message *slot = &worker->learn;

	if (atomic_load_explicit(&slot->full, memory_order_acquire) || !message_read(packet, slot))
		return;
	if (slot->tcp) { /* what it is about is another worker's, if not this one's */
		connection_learn_mtu(worker, slot);
		return;
	}
	atomic_store_explicit(&slot->full, true, memory_order_release);
	worker->wants_main = true;
}

/* Of the sequence number, packets show the lower half only. */
static bool is_recent(const struct sa_numbers *numbers, uint32_t sequence)
{
	uint64_t last = atomic_load_explicit(&numbers->sequence, memory_order_relaxed);
	uint32_t age = (uint32_t)last - sequence;

	return age < LEARN_RECENT && age < last;
}

static bool is_quoted(const struct sa_store *sas, uint32_t index, const struct learn_message *message)
{
	const struct sa_outer *outer = atomic_load_explicit(&sas->out[index].outer, memory_order_relaxed);

	return ip_equal(&outer->local, &message->local) && ip_equal(&outer->remote, &message->remote) &&
	       outer->udp == message->udp && outer->local_port == message->local_port &&
	       outer->remote_port == message->remote_port && is_recent(sa_numbers(sas, index), message->sequence);
}

/* The session whose packet is quoted, or TABLES_NONE. */
static uint32_t session_find(const struct sa_store *sas, const struct learn_message *message)
{
	uint32_t index = sa_first_out(sas, message->spi);

	for (; index != TABLES_NONE; index = sas->children[index].next_out)
		if (!sas->children[index].leaving && sas->out[index].spi == message->spi &&
			is_quoted(sas, index, message))
			return sas->children[index].session;
	return TABLES_NONE;
}

static void take_up(struct dataplane *dataplane, const struct learn_message *message, uint64_t now)
{
	uint32_t index = session_find(&dataplane->sas, message);
	uint16_t mtu = (uint16_t)RTE_MAX(message->mtu, (uint32_t)MTU_FLOOR); /* less than the length of a packet */
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
