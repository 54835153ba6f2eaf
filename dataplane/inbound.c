/* SPDX-License-Identifier: Apache-2.0 */
#include "inbound.h"

#include "dataplane.h"
#include "exits.h"
#include "follow.h"
#include "ipv4.h"
#include "outbound.h"

#include <rte_cycles.h>

#include <netinet/in.h>

enum { NEXT_HEADER_IPV4 = IPPROTO_IPIP, NEXT_HEADER_DUMMY = IPPROTO_NONE };

/* A burst between its steps; position i of each array is one packet. */
struct inbound {
	uint16_t count;
	struct sa_in *sas[BURST];
	struct esp_packet esp[BURST];
};

static struct endpoint endpoint_of(const union ip_address *address, uint16_t port)
{
	return (struct endpoint){.address = ip_to_address(address), .port = port};
}

static void tell_unknown_spi(struct worker *worker, const struct packet *meta, uint32_t spi)
{
	struct tables_event event = {.kind = TABLES_EVENT_UNKNOWN_SPI, .index = TABLES_NONE, .spi = spi};

	/* Ten a second are enough to see who it is. */
	if (worker->now - worker->told_unknown_at < rte_get_tsc_hz() / 10)
		return;
	worker->told_unknown_at = worker->now;
	event.source = endpoint_of(&meta->remote, meta->remote_port);
	event.local = endpoint_of(&meta->local, meta->local_port);
	worker_event(worker, &event);
}

static void tell_lifetime(struct worker *worker, const struct sa_in *in, enum tables_event_kind kind)
{
	uint32_t index = (uint32_t)(in - worker->dataplane->sas.in);
	struct tables_event event = {
		.kind = kind, .index = index, .id = worker->dataplane->sas.children[index].id, .spi = in->spi};

	worker_event(worker, &event);
}

/* Step 1: the SA by its SPI, its owner, and a first look at the replay window (RFC 4303 section 3.4.2, 3.4.3). */
static void admit(struct worker *worker, struct rte_mbuf *packet, struct inbound *burst)
{
	struct packet *meta = packet_of(packet);
	uint8_t *data = rte_pktmbuf_mtod(packet, uint8_t *);
	uint32_t spi = esp_read_spi(data), sequence = esp_read_sequence(data);
	struct sa_in *in = sa_find_in(&worker->dataplane->sas, spi);

	if (!in) {
		tell_unknown_spi(worker, meta, spi);
		exit_drop(worker, packet, REASON_DROP_UNKNOWN_SPI);
		return;
	}
	if (in->owner != worker->number) {
		exit_handoff(worker, packet, in->owner);
		return;
	}
	if (!replay_check(in->replay, sequence)) {
		exit_drop(worker, packet, REASON_DROP_REPLAYED);
		return;
	}
	burst->sas[burst->count] = in;
	burst->esp[burst->count++] = (struct esp_packet){
		.key = in->key,
		.data = data,
		.len = rte_pktmbuf_data_len(packet),
		.spi = spi,
		.sequence = sequence,
		.owner = packet,
	};
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

/* Lifetime in bytes (RFC 4301 section 4.4.2.1). false: used up. */
static bool spend(struct worker *worker, struct sa_in *in, uint32_t len)
{
	in->bytes += len;
	if (in->bytes >= in->soft_bytes && !in->soft_told) {
		in->soft_told = true;
		tell_lifetime(worker, in, TABLES_EVENT_SOFT_LIFETIME);
	}
	if (in->bytes <= in->hard_bytes)
		return true;
	if (!in->hard_told) {
		in->hard_told = true;
		tell_lifetime(worker, in, TABLES_EVENT_HARD_LIFETIME);
	}
	return false;
}

/* Is the decrypted packet one that this SA may carry (RFC 4301 section 5.2, step 4)? REASON_COUNT: it is. */
static enum reason inner_check(const struct sa_in *in, struct rte_mbuf *packet, uint8_t next_header)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);
	union ip_address source, destination;

	if (next_header == NEXT_HEADER_DUMMY)
		return REASON_DROP_DUMMY;
	if (next_header != NEXT_HEADER_IPV4)
		return REASON_DROP_NEXT_HEADER;
	if (!ipv4_is_valid(ip, rte_pktmbuf_data_len(packet)) || rte_ipv4_cksum(ip) != 0)
		return REASON_DROP_INNER;
	source = ip_from_be32(ip->src_addr);
	destination = ip_from_be32(ip->dst_addr);
	if (!ip_network_has(&in->inner_source, &source) || !ip_network_has(&in->inner_destination, &destination))
		return REASON_DROP_SELECTOR;
	if (!ipv4_ecn_decapsulate(ip, packet_of(packet)->outer_ecn))
		return REASON_DROP_ECN;
	return REASON_COUNT;
}

/* Step 3, for one packet that is authentic. Its inner packet, or NULL when it has left. */
static struct rte_mbuf *take_inner(struct worker *worker, struct sa_in *in, const struct esp_packet *esp)
{
	struct rte_mbuf *packet = esp->owner;
	struct packet *meta = packet_of(packet);
	struct tables_traffic *traffic = &worker->counters->traffic[in - worker->dataplane->sas.in];
	bool newest = esp->sequence > in->replay->highest;
	enum reason reason = REASON_DROP_REPLAYED;

	/* Again, and now for good: its twin may have come in the same burst. */
	if (!replay_accept(in->replay, esp->sequence))
		goto drop;
	if (newest) {
		struct flow flow = {meta->remote, meta->local, meta->remote_port, meta->local_port};

		follow_notice(worker, in, &flow);
	}
	rte_pktmbuf_adj(packet, (uint16_t)(esp->data - rte_pktmbuf_mtod(packet, uint8_t *)));
	rte_pktmbuf_trim(packet, (uint16_t)(rte_pktmbuf_data_len(packet) - esp->len));
	reason = REASON_DROP_HARD_LIFETIME;
	if (!spend(worker, in, esp->len))
		goto drop;
	reason = inner_check(in, packet, esp->next_header);
	if (reason != REASON_COUNT)
		goto drop;
	/* Traffic flow confidentiality padding behind the inner packet goes (RFC 4303 section 2.7). */
	rte_pktmbuf_trim(packet, (uint16_t)(rte_pktmbuf_data_len(packet) -
					    rte_be_to_cpu_16(rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *)->total_length)));
	outbound_clamp_mss(&worker->dataplane->sas.out[in - worker->dataplane->sas.in], packet);
	tables_count(&traffic->packets_in, 1);
	tables_count(&traffic->bytes_in, rte_pktmbuf_data_len(packet));
	meta->esp = false;
	meta->source = PACKET_FROM_PEER;
	return packet;
drop:
	exit_drop(worker, packet, reason);
	return NULL;
}

uint16_t inbound_process(struct worker *worker, struct rte_mbuf **packets, uint16_t count)
{
	struct inbound burst;
	uint16_t good = 0;

	burst.count = 0;
	for (uint16_t i = 0; i < count; i++)
		admit(worker, packets[i], &burst);
	/* Step 2: decrypt and verify. */
	esp_open(worker->engine, burst.esp, burst.count);
	for (uint16_t i = 0; i < burst.count; i++) {
		struct rte_mbuf *inner = NULL;

		if (burst.esp[i].status != ESP_OK)
			exit_drop(worker, burst.esp[i].owner, reason_of(burst.esp[i].status));
		else
			inner = take_inner(worker, burst.sas[i], &burst.esp[i]);
		if (inner)
			packets[good++] = inner;
	}
	return good;
}
