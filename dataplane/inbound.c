/* SPDX-License-Identifier: Apache-2.0 */
#include "inbound.h"

#include "dataplane.h"
#include "exits.h"
#include "follow.h"
#include "header.h"
#include "outbound.h"
#include "transport.h"

#include <rte_cycles.h>
#include <rte_prefetch.h>
#include <rte_udp.h>

#include <netinet/in.h>

enum { AHEAD = 8 /* packets whose SAs are fetched while others leave */ };

enum { NEXT_HEADER_IPV4 = IPPROTO_IPIP, NEXT_HEADER_IPV6 = IPPROTO_IPV6, NEXT_HEADER_DUMMY = IPPROTO_NONE };

/* A burst between its steps; position i of each array is one packet. */
struct inbound {
	uint16_t count;
	struct sa_in *sas[BURST];
	struct esp_packet esp[BURST];
};

static struct flow flow_of(const struct packet *meta, const void *header)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)((const uint8_t *)header + meta->outer_len) - 1;
	struct flow flow;

	header_addresses(header, &flow.remote, &flow.local);
	flow.remote_port = meta->udp ? rte_be_to_cpu_16(udp->src_port) : 0;
	flow.local_port = meta->udp ? rte_be_to_cpu_16(udp->dst_port) : 0;
	return flow;
}

/*
 * Did it come from where its session's peer is? Asked for every packet: field by field, since a flow that is put
 * together and read again as a whole waits for its stores.
 */
static bool is_from_place(const struct packet *meta, const void *header, const struct sa_outer *outer)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)((const uint8_t *)header + meta->outer_len) - 1;

	/* In a TCP connection it came from whom sluiced takes for it, and where that is is sluiced's to say. */
	if (unlikely(meta->stream))
		return true;
	if (meta->udp ? udp->src_port != rte_cpu_to_be_16(outer->remote_port) ||
				udp->dst_port != rte_cpu_to_be_16(outer->local_port)
		      : outer->remote_port != 0)
		return false;
	if (outer->ipv6) {
		const struct rte_ipv6_hdr *ip = header;

		return header_is_ipv6(header) && memcmp(ip->src_addr, &outer->remote, sizeof(ip->src_addr)) == 0 &&
		       memcmp(ip->dst_addr, &outer->local, sizeof(ip->dst_addr)) == 0;
	} else {
		const struct rte_ipv4_hdr *ip = header;

		return !header_is_ipv6(header) && ip->src_addr == outer->remote.ipv4 &&
		       ip->dst_addr == outer->local.ipv4;
	}
}

static void event_set_flow(struct tables_event *event, const struct flow *flow)
{
	event->source = (struct endpoint){.address = ip_to_address(&flow->remote), .port = flow->remote_port};
	event->local = (struct endpoint){.address = ip_to_address(&flow->local), .port = flow->local_port};
}

static void tell_unknown_spi(struct worker *worker, struct rte_mbuf *packet, uint32_t spi)
{
	struct tables_event event = {.kind = TABLES_EVENT_UNKNOWN_SPI, .index = TABLES_NONE, .spi = spi};
	struct flow flow;

	/* Ten a second are enough to see who it is. */
	if (worker->now - worker->told_unknown_at < rte_get_tsc_hz() / 10)
		return;
	worker->told_unknown_at = worker->now;
	flow = flow_of(packet_of(packet), packet_outer(packet));
	event_set_flow(&event, &flow);
	worker_event(worker, &event);
}

static void tell_lifetime(struct worker *worker, const struct sa_in *in, enum tables_event_kind kind)
{
	struct tables_event event = {
		.kind = kind, .index = in->index, .id = worker->dataplane->sas.children[in->index].id, .spi = in->spi};

	worker_event(worker, &event);
}

/* Step 1: the SA by its SPI, and is it ours? NULL: the packet has left. */
static struct sa_in *sa_of(struct worker *worker, struct rte_mbuf *packet)
{
	uint32_t spi = esp_read_spi(rte_pktmbuf_mtod(packet, const uint8_t *));
	struct sa_in *in = sa_find_in(&worker->dataplane->sas, spi);

	if (unlikely(!in)) {
		tell_unknown_spi(worker, packet, spi);
		exit_drop(worker, packet, REASON_DROP_UNKNOWN_SPI);
		return NULL;
	}
	if (unlikely(in->owner != worker->number)) {
		exit_handoff(worker, packet, in->owner);
		return NULL;
	}
	return in;
}

/* Step 2: its number, with the high half of an extended one, and what decryption needs. */
static inline void burst_add(struct inbound *burst, struct rte_mbuf *packet, struct sa_in *in)
{
	uint8_t *data = rte_pktmbuf_mtod(packet, uint8_t *);
	uint32_t low = esp_read_sequence(data);
	struct esp_packet *esp = &burst->esp[burst->count];

	burst->sas[burst->count++] = in;
	esp->key = in->key;
	esp->data = data;
	esp->len = rte_pktmbuf_data_len(packet);
	esp->spi = in->spi;
	esp->sequence = in->extended ? replay_infer(in->replay, low) : low;
	esp->owner = packet;
	replay_prefetch(in->replay, esp->sequence);
}

/* What step 5 will read of packet `i`'s SA besides the numbers, where there is such a packet. */
static inline void prefetch_rest(const struct worker *worker, const struct inbound *burst, uint16_t i)
{
	const struct sa_in *in;

	if (i >= burst->count)
		return;
	in = burst->sas[i];
	rte_prefetch0(atomic_load_explicit(&in->outer, memory_order_relaxed));
	rte_prefetch0(&in->inner_source);
	rte_prefetch0(&worker->counters->traffic[in->index]);
}

/* Step 3: a first look at the replay windows (RFC 4303 section 3.4.3), so that replays cost no decryption. */
static void keep_new(struct worker *worker, struct inbound *burst)
{
	uint16_t good = 0;

	for (uint16_t i = 0; i < burst->count; i++) {
		if (unlikely(!replay_check(burst->sas[i]->replay, burst->esp[i].sequence))) {
			exit_drop(worker, burst->esp[i].owner, REASON_DROP_REPLAYED);
			continue;
		}
		if (unlikely(good != i)) {
			burst->esp[good] = burst->esp[i];
			burst->sas[good] = burst->sas[i];
		}
		good++;
	}
	burst->count = good;
}

static enum reason reason_of(enum esp_status status)
{
	switch (status) {
	case ESP_TOO_SHORT:
	case ESP_BAD_LENGTH: return REASON_DROP_ESP_LENGTH;
	case ESP_BAD_ICV: return REASON_DROP_ICV;
	case ESP_BAD_PAD: return REASON_DROP_PAD;
	default: return REASON_DROP_CRYPTO;
	}
}

/* Lifetime in bytes (RFC 4301 section 4.4.2.1), where something is to be said about it. false: used up. */
static bool spend_limit(struct worker *worker, struct sa_in *in)
{
	if (in->bytes <= in->hard_bytes) {
		tell_lifetime(worker, in, TABLES_EVENT_SOFT_LIFETIME);
		in->bytes_told = sa_beyond(in->hard_bytes);
		return true;
	}
	if (in->bytes_told != 0)
		tell_lifetime(worker, in, TABLES_EVENT_HARD_LIFETIME);
	in->bytes_told = 0;
	return false;
}

static bool spend(struct worker *worker, struct sa_in *in, uint32_t len)
{
	in->bytes += len;
	return likely(in->bytes < in->bytes_told) || spend_limit(worker, in);
}

/* Is what was decrypted the payload that this SA carries: another IP packet, or what follows ours? REASON_COUNT: it is.
 */
static enum reason payload_check(const struct sa_in *in, uint8_t next_header)
{
	if (next_header == NEXT_HEADER_DUMMY)
		return REASON_DROP_DUMMY;
	if (!in->transport && next_header != (in->ipv6 ? NEXT_HEADER_IPV6 : NEXT_HEADER_IPV4))
		return REASON_DROP_NEXT_HEADER;
	return REASON_COUNT;
}

/* May this SA carry a packet with that header, valid and of its family? */
static inline bool is_selected(const struct sa_in *in, const void *header)
{
	union ip_address source, destination;

	if (likely(!in->ipv6)) {
		const struct rte_ipv4_hdr *ip = header;

		return ip_network_has_ipv4(&in->inner_source, ip->src_addr) &&
		       ip_network_has_ipv4(&in->inner_destination, ip->dst_addr);
	}
	header_addresses(header, &source, &destination);
	return ip_network_has(&in->inner_source, &source) && ip_network_has(&in->inner_destination, &destination);
}

/* Is the decrypted packet one that this SA may carry (RFC 4301 section 5.2, step 4)? REASON_COUNT: it is. */
static inline enum reason inner_check(const struct sa_in *in, void *header, uint32_t len, uint8_t outer_ecn)
{
	/* Families are compared before networks: ip.h. */
	if (!header_is_valid(header, len) || header_is_ipv6(header) != in->ipv6)
		return REASON_DROP_INNER;
	if (!is_selected(in, header))
		return REASON_DROP_SELECTOR;
	if (!header_ecn_decapsulate(header, outer_ecn))
		return REASON_DROP_ECN;
	return REASON_COUNT;
}

/* Step 5, for one packet that is authentic. Its inner packet, or NULL when it has left. */
static inline struct rte_mbuf *take_inner(struct worker *worker, struct sa_in *in, const struct esp_packet *esp)
{
	struct rte_mbuf *packet = esp->owner;
	struct packet *meta = packet_of(packet);
	const void *outer = packet_outer(packet);
	struct tables_traffic *traffic = &worker->counters->traffic[in->index];
	uint8_t outer_ecn = header_tos(outer) & ECN_MASK;
	bool newest = esp->sequence > in->replay->highest;
	enum reason reason = REASON_DROP_REPLAYED;
	uint8_t *header = esp->data;
	uint32_t len = esp->len;

	/* Again, and now for good: its twin may have come in the same burst. */
	if (!replay_accept(in->replay, esp->sequence))
		goto drop;
	if (newest && unlikely(!is_from_place(meta, outer, atomic_load_explicit(&in->outer, memory_order_acquire)))) {
		struct flow flow = flow_of(meta, outer);

		follow_notice(worker, in, &flow);
	}
	reason = REASON_DROP_HARD_LIFETIME;
	if (!spend(worker, in, len))
		goto drop;
	reason = payload_check(in, esp->next_header);
	if (reason != REASON_COUNT)
		goto drop;
	if (unlikely(in->transport)) {
		packet_place(packet, header, len);
		transport_restore(packet, in, outer, esp->next_header);
		header = rte_pktmbuf_mtod(packet, uint8_t *);
		len = rte_pktmbuf_data_len(packet);
	}
	reason = inner_check(in, header, len, outer_ecn);
	if (reason != REASON_COUNT)
		goto drop;
	/* Traffic flow confidentiality padding behind the inner packet goes (RFC 4303 section 2.7). */
	len = header_total_len(header);
	packet_place(packet, header, len);
	outbound_clamp_mss(&worker->dataplane->sas.out[in->index], packet);
	tables_count(&traffic->packets_in, 1);
	tables_count(&traffic->bytes_in, len);
	meta->kind = PACKET_IP;
	meta->source = PACKET_FROM_PEER;
	policy_prefetch(&worker->dataplane->policies, header);
	route_prefetch(&worker->dataplane->routes, header);
	return packet;
drop:
	exit_drop(worker, packet, reason);
	return NULL;
}

/* Steps 1 to 3 for a burst. */
static void admit(struct worker *worker, struct rte_mbuf **packets, uint16_t count, struct inbound *burst)
{
	struct sa_in *sas[BURST];
	uint16_t good = 0;

	for (uint16_t i = 0; i < count; i++) {
		struct sa_in *in = sa_of(worker, packets[i]);

		if (unlikely(!in))
			continue;
		rte_prefetch0(in->replay);
		packets[good] = packets[i];
		sas[good++] = in;
	}
	burst->count = 0;
	for (uint16_t i = 0; i < good; i++)
		burst_add(burst, packets[i], sas[i]);
	keep_new(worker, burst);
}

uint16_t inbound_process(struct worker *worker, struct rte_mbuf **packets, uint16_t count)
{
	struct inbound burst;
	uint16_t good = 0;

	if (count == 0)
		return 0;
	admit(worker, packets, count, &burst);
	for (uint16_t i = 0; i < AHEAD; i++)
		prefetch_rest(worker, &burst, i);
	/* Step 4: decrypt and verify. */
	esp_open(worker->engine, burst.esp, burst.count);
	for (uint16_t i = 0; i < burst.count; i++) {
		struct rte_mbuf *inner = NULL;

		prefetch_rest(worker, &burst, i + AHEAD);
		if (unlikely(burst.esp[i].status != ESP_OK))
			exit_drop(worker, burst.esp[i].owner, reason_of(burst.esp[i].status));
		else
			inner = take_inner(worker, burst.sas[i], &burst.esp[i]);
		if (likely(inner))
			packets[good++] = inner;
	}
	return good;
}
