/* SPDX-License-Identifier: Apache-2.0 */
#include "outbound.h"

#include "dataplane.h"
#include "encap.h"
#include "exits.h"
#include "forward.h"
#include "fragment.h"
#include "icmp.h"
#include "ipv4.h"
#include "mss.h"
#include "numbers.h"

#include <netinet/in.h>

/* A burst between its steps; position i of each array is one packet. */
struct outbound {
	uint16_t count;
	uint32_t children[BURST];
	struct encap_fields fields[BURST];
	struct esp_packet esp[BURST];
};

/* What the rules say about a packet in transit (rules.h). True: it has left. */
static bool obey_rules(struct worker *worker, struct rte_mbuf *packet)
{
	struct dataplane *dataplane = worker->dataplane;
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);
	const struct rule *rule = rules_find(&dataplane->rules, ip);

	if (!rule || (packet_of(packet)->source == PACKET_FROM_PEER &&
			     route_find(&dataplane->routes, rte_be_to_cpu_32(ip->dst_addr), NULL).state == ADJACENCY_LOCAL))
		return false;
	if (rule->action == CONFIG_ACTION_DISCARD) {
		exit_drop(worker, packet, REASON_DROP_RULE);
		return true;
	}
	worker_count(worker, REASON_NOTE_BYPASSED, 1);
	forward_packet(worker, packet);
	return true;
}

/* The session's own outer address. */
static uint32_t local_address(const struct sa_out *out)
{
	return ip_to_ipv4(&atomic_load_explicit(&out->peer->outer, memory_order_acquire)->local);
}

/*
 * Step 1: the rules, the policy, its SA, and the TTL: going into a tunnel is forwarding (RFC 2003 section 3.1). NULL where
 * the packet has left.
 */
static struct sa_out *admit(struct worker *worker, struct rte_mbuf *packet, uint32_t *child)
{
	struct dataplane *dataplane = worker->dataplane;
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);
	union ip_address from = ip_from_be32(ip->src_addr), to = ip_from_be32(ip->dst_addr);
	uint8_t source = packet_of(packet)->source;
	const struct policy *policy;

	if (dataplane->rules.count > 0 && source != PACKET_FROM_KERNEL && obey_rules(worker, packet))
		return NULL;
	policy = policy_find(&dataplane->policies, &from, &to);
	/* From a peer to an address of ours: no other peer's policy takes it. */
	if (policy && source == PACKET_FROM_PEER &&
		route_find(&dataplane->routes, rte_be_to_cpu_32(ip->dst_addr), NULL).state == ADJACENCY_LOCAL)
		policy = NULL;
	if (!policy && source == PACKET_FROM_PORT) {
		exit_drop(worker, packet, REASON_DROP_NO_POLICY);
		return NULL;
	}
	if (!policy) {
		forward_packet(worker, packet);
		return NULL;
	}
	*child = atomic_load_explicit(&policy->child, memory_order_acquire);
	if (*child == TABLES_NONE) {
		exit_drop(worker, packet, REASON_DROP_NO_OUTBOUND);
		return NULL;
	}
	if (source != PACKET_FROM_KERNEL) {
		if (ip->time_to_live <= 1) {
			icmp_send_time_exceeded(worker, packet, local_address(&dataplane->sas.out[*child]));
			exit_drop(worker, packet, REASON_DROP_TTL);
			return NULL;
		}
		ipv4_ttl_decrement(ip);
	}
	return &dataplane->sas.out[*child];
}

void outbound_clamp_mss(const struct sa_out *out, struct rte_mbuf *packet)
{
	uint32_t mtu = atomic_load_explicit(&out->inner_mtu, memory_order_relaxed);

	if (out->tunnel.mss_clamp && mtu > MSS_HEADERS_LEN)
		mss_clamp(rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *), rte_pktmbuf_data_len(packet),
			(uint16_t)RTE_MIN(mtu - MSS_HEADERS_LEN, (uint32_t)UINT16_MAX));
}

/*
 * Step 2: what is too long is cut here, cut as an outer packet later, or returned to its sender (RFC 4301 section 8).
 * Fills `pieces` and returns how many; 0: it has left.
 */
static uint16_t fit(struct worker *worker, const struct sa_out *out, struct rte_mbuf *packet,
	struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX])
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);
	uint16_t mtu = (uint16_t)atomic_load_explicit(&out->inner_mtu, memory_order_relaxed);
	bool outer_may_be_cut = !encap_fields_of(&out->tunnel, ip).df;
	bool may_be_cut = !(ip->fragment_offset & rte_cpu_to_be_16(IPV4_DF));
	bool has_options = ip->version_ihl != RTE_IPV4_VHL_DEF; /* which fragment_cut refuses */

	pieces[0] = packet;
	if (rte_pktmbuf_data_len(packet) <= mtu)
		return 1;
	if (outer_may_be_cut && (out->tunnel.fragment == TUNNEL_FRAGMENT_AFTER || (may_be_cut && has_options)))
		return 1;
	if (may_be_cut)
		return fragment_cut(worker, packet, mtu, pieces);
	icmp_send_fragmentation_needed(worker, packet, mtu, local_address(out));
	exit_drop(worker, packet, REASON_DROP_MTU);
	return 0;
}

/* Takes out the packets that got no number. */
static void keep_numbered(struct worker *worker, struct outbound *burst)
{
	uint16_t good = 0;

	for (uint16_t i = 0; i < burst->count; i++) {
		if (burst->esp[i].sequence == 0) {
			exit_drop(worker, burst->esp[i].owner, REASON_DROP_HARD_LIFETIME);
			continue;
		}
		burst->esp[good] = burst->esp[i];
		burst->fields[good] = burst->fields[i];
		burst->children[good++] = burst->children[i];
	}
	burst->count = good;
}

/* Step 5, for one ESP packet: outer header, and on its way. */
static void encapsulate(struct worker *worker, const struct esp_packet *esp, uint32_t child, struct encap_fields fields,
	uint32_t inner_len)
{
	struct rte_mbuf *packet = esp->owner;
	const struct sa_session *peer = worker->dataplane->sas.out[child].peer;
	const struct sa_outer *outer = atomic_load_explicit(&peer->outer, memory_order_acquire);
	struct tables_traffic *traffic = &worker->counters->traffic[child];
	uint16_t front_len = (uint16_t)(rte_pktmbuf_mtod(packet, uint8_t *) - esp->data);

	/* seal wrote before and behind the payload; head- and tailroom were sufficient. */
	rte_pktmbuf_prepend(packet, front_len);
	rte_pktmbuf_append(packet, (uint16_t)(esp->len - rte_pktmbuf_data_len(packet)));
	if (encap_prepend(packet, outer, fields, worker_ipv4_id(worker)) < 0) {
		exit_drop(worker, packet, REASON_DROP_NO_ROOM);
		return;
	}
	tables_count(&traffic->packets_out, 1);
	tables_count(&traffic->bytes_out, inner_len);
	packet_of(packet)->source = PACKET_FROM_KERNEL;
	forward_packet(worker, packet);
}

/* Steps 3 to 5 for all that was gathered. */
static void burst_send(struct worker *worker, struct outbound *burst)
{
	uint32_t inner_len[BURST];

	numbers_take(worker, burst->children, burst->esp, burst->count);
	keep_numbered(worker, burst);
	for (uint16_t i = 0; i < burst->count; i++)
		inner_len[i] = burst->esp[i].len;
	/* Step 4: encrypt. */
	esp_seal(worker->engine, burst->esp, burst->count);
	for (uint16_t i = 0; i < burst->count; i++) {
		if (burst->esp[i].status == ESP_OK)
			encapsulate(worker, &burst->esp[i], burst->children[i], burst->fields[i], inner_len[i]);
		else
			exit_drop(worker, burst->esp[i].owner,
				burst->esp[i].status == ESP_NO_ROOM ? REASON_DROP_NO_ROOM : REASON_DROP_CRYPTO);
	}
	burst->count = 0;
}

static void burst_add(struct worker *worker, struct outbound *burst, struct rte_mbuf *packet, uint32_t child)
{
	const struct sa_out *out = &worker->dataplane->sas.out[child];
	uint16_t at;

	if (burst->count == BURST) /* pieces make it more than came in */
		burst_send(worker, burst);
	at = burst->count++;
	burst->children[at] = child;
	burst->fields[at] = encap_fields_of(&out->tunnel, rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *));
	burst->esp[at] = (struct esp_packet){
		.key = out->key,
		.data = rte_pktmbuf_mtod(packet, uint8_t *),
		.len = rte_pktmbuf_data_len(packet),
		.headroom = rte_pktmbuf_headroom(packet),
		.tailroom = rte_pktmbuf_tailroom(packet),
		.next_header = IPPROTO_IPIP,
		.owner = packet,
	};
}

void outbound_process(struct worker *worker, struct rte_mbuf **packets, uint16_t count)
{
	struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX];
	struct outbound burst;

	burst.count = 0;
	for (uint16_t i = 0; i < count; i++) {
		uint32_t child;
		const struct sa_out *out = admit(worker, packets[i], &child);
		uint16_t n_pieces;

		if (!out)
			continue;
		outbound_clamp_mss(out, packets[i]);
		n_pieces = fit(worker, out, packets[i], pieces);
		for (uint16_t piece = 0; piece < n_pieces; piece++)
			burst_add(worker, &burst, pieces[piece], child);
	}
	burst_send(worker, &burst);
}
