/* SPDX-License-Identifier: Apache-2.0 */
#include "outbound.h"

#include "dataplane.h"
#include "encap.h"
#include "exits.h"
#include "forward.h"
#include "ipv4.h"

#include <netinet/in.h>

/* A burst between its steps; position i of each array is one packet. */
struct outbound {
	uint16_t count;
	uint32_t children[BURST];
	uint8_t tos[BURST];
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

/*
 * Step 1: the rules, the policy, its SA, and the TTL: going into a tunnel is forwarding (RFC 2003 section 3.1). NULL where
 * the packet has left.
 */
static struct sa_out *admit(struct worker *worker, struct rte_mbuf *packet, uint32_t *child)
{
	struct dataplane *dataplane = worker->dataplane;
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);
	uint8_t source = packet_of(packet)->source;
	const struct policy *policy;

	if (dataplane->rules.count > 0 && source != PACKET_FROM_KERNEL && obey_rules(worker, packet))
		return NULL;
	policy = policy_find(&dataplane->policies, rte_be_to_cpu_32(ip->src_addr), rte_be_to_cpu_32(ip->dst_addr));
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
			exit_drop(worker, packet, REASON_DROP_TTL);
			return NULL;
		}
		ipv4_ttl_decrement(ip);
	}
	return &dataplane->sas.out[*child];
}

static void tell_lifetime(struct worker *worker, uint32_t child, enum tables_event_kind kind)
{
	struct tables_event event = {
		.kind = kind, .index = child, .id = worker->dataplane->sas.children[child].id};

	worker_event(worker, &event);
}

/* `before` and `after` lie on the two sides of a limit for exactly one worker and burst. */
static bool crossed(uint64_t before, uint64_t after, uint64_t limit)
{
	return before < limit && after >= limit;
}

/*
 * Step 2: one atomic add takes the numbers for all packets of the burst that use the SA of packet `first`, one more adds
 * their bytes. Numbers beyond the limit are never used (RFC 4303 section 3.3.3): such packets get 0.
 */
static void take_numbers(struct worker *worker, struct outbound *burst, uint16_t first)
{
	uint32_t child = burst->children[first];
	struct sa_out *out = &worker->dataplane->sas.out[child];
	uint64_t packets = 0, bytes = 0, sequence, spent;

	for (uint16_t i = first; i < burst->count; i++) {
		if (burst->children[i] != child)
			continue;
		packets++;
		bytes += burst->esp[i].len;
	}
	sequence = atomic_fetch_add_explicit(&out->numbers.sequence, packets, memory_order_relaxed);
	spent = atomic_fetch_add_explicit(&out->numbers.bytes, bytes, memory_order_relaxed);
	if (crossed(sequence, sequence + packets, out->soft_packets) || crossed(spent, spent + bytes, out->soft_bytes))
		tell_lifetime(worker, child, TABLES_EVENT_SOFT_LIFETIME);
	if (crossed(sequence, sequence + packets, out->hard_packets) || crossed(spent, spent + bytes, out->hard_bytes))
		tell_lifetime(worker, child, TABLES_EVENT_HARD_LIFETIME);
	for (uint16_t i = first; i < burst->count; i++) {
		if (burst->children[i] != child)
			continue;
		sequence++;
		burst->esp[i].sequence = sequence > out->hard_packets || spent >= out->hard_bytes ? 0 : sequence;
		burst->esp[i].spi = out->spi;
		burst->children[i] = TABLES_NONE; /* has its number */
	}
}

/* Takes out the packets that got no number. */
static void keep_numbered(struct worker *worker, struct outbound *burst, uint32_t *children)
{
	uint16_t good = 0;

	for (uint16_t i = 0; i < burst->count; i++) {
		if (burst->esp[i].sequence == 0) {
			exit_drop(worker, burst->esp[i].owner, REASON_DROP_HARD_LIFETIME);
			continue;
		}
		burst->esp[good] = burst->esp[i];
		burst->tos[good] = burst->tos[i];
		children[good++] = children[i];
	}
	burst->count = good;
}

/* RFC 6864 section 5.2: unique for as long as can be. Each worker has its part of the numbers and goes round in it. */
static uint16_t ipv4_id_take(struct worker *worker)
{
	uint32_t share = WORKER_IPV4_IDS / worker->dataplane->n_workers;

	worker->ipv4_id = worker->ipv4_id + 1u < share ? (uint16_t)(worker->ipv4_id + 1) : 0;
	return (uint16_t)(worker->number * share + worker->ipv4_id);
}

/* Step 4, for one ESP packet: outer header, and on its way. */
static void encapsulate(struct worker *worker, const struct esp_packet *esp, uint32_t child, uint8_t tos, uint32_t inner_len)
{
	struct rte_mbuf *packet = esp->owner;
	const struct sa_session *peer = worker->dataplane->sas.out[child].peer;
	const struct sa_outer *outer = atomic_load_explicit(&peer->outer, memory_order_acquire);
	struct tables_traffic *traffic = &worker->counters->traffic[child];
	uint16_t front_len = (uint16_t)(rte_pktmbuf_mtod(packet, uint8_t *) - esp->data);

	/* seal wrote before and behind the payload; head- and tailroom were sufficient. */
	rte_pktmbuf_prepend(packet, front_len);
	rte_pktmbuf_append(packet, (uint16_t)(esp->len - rte_pktmbuf_data_len(packet)));
	if (encap_prepend(packet, outer, tos, ipv4_id_take(worker)) < 0) {
		exit_drop(worker, packet, REASON_DROP_NO_ROOM);
		return;
	}
	tables_count(&traffic->packets_out, 1);
	tables_count(&traffic->bytes_out, inner_len);
	packet_of(packet)->source = PACKET_FROM_KERNEL;
	forward_packet(worker, packet);
}

void outbound_process(struct worker *worker, struct rte_mbuf **packets, uint16_t count)
{
	struct outbound burst;
	uint32_t children[BURST], inner_len[BURST];

	burst.count = 0;
	for (uint16_t i = 0; i < count; i++) {
		uint16_t at = burst.count;
		struct sa_out *out = admit(worker, packets[i], &children[at]);

		if (!out)
			continue;
		burst.children[at] = children[at];
		burst.tos[at] = rte_pktmbuf_mtod(packets[i], struct rte_ipv4_hdr *)->type_of_service;
		burst.esp[at] = (struct esp_packet){
			.key = out->key,
			.data = rte_pktmbuf_mtod(packets[i], uint8_t *),
			.len = rte_pktmbuf_data_len(packets[i]),
			.headroom = rte_pktmbuf_headroom(packets[i]),
			.tailroom = rte_pktmbuf_tailroom(packets[i]),
			.next_header = IPPROTO_IPIP,
			.owner = packets[i],
		};
		burst.count++;
	}
	for (uint16_t i = 0; i < burst.count; i++)
		if (burst.children[i] != TABLES_NONE)
			take_numbers(worker, &burst, i);
	keep_numbered(worker, &burst, children);
	for (uint16_t i = 0; i < burst.count; i++)
		inner_len[i] = burst.esp[i].len;
	/* Step 3: encrypt. */
	esp_seal(worker->engine, burst.esp, burst.count);
	for (uint16_t i = 0; i < burst.count; i++) {
		if (burst.esp[i].status == ESP_OK)
			encapsulate(worker, &burst.esp[i], children[i], burst.tos[i], inner_len[i]);
		else
			exit_drop(worker, burst.esp[i].owner,
				burst.esp[i].status == ESP_NO_ROOM ? REASON_DROP_NO_ROOM : REASON_DROP_CRYPTO);
	}
}
