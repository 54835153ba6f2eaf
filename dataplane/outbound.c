/* SPDX-License-Identifier: Apache-2.0 */
#include "outbound.h"

#include "connection_output.h"
#include "dataplane.h"
#include "encap.h"
#include "exits.h"
#include "forward.h"
#include "fragment.h"
#include "header.h"
#include "icmp.h"
#include "mss.h"
#include "numbers.h"
#include "transport.h"

/* A burst between its steps; position i of each array is one packet. */
struct outbound {
	uint16_t count;
	uint32_t children[BURST];
	struct encap_fields fields[BURST];
	struct esp_packet esp[BURST];
};

/* To an address of ours? */
static bool is_for_us(const struct worker *worker, const void *header)
{
	union ip_address destination = header_destination(header);

	return route_is_local(&worker->dataplane->routes, &destination);
}

/* What the rules say about a packet in transit (rules.h). True: it has left. */
static bool obey_rules(struct worker *worker, struct rte_mbuf *packet)
{
	const void *header = rte_pktmbuf_mtod(packet, const void *);
	const struct rule *rule = rules_find(&worker->dataplane->rules, header, rte_pktmbuf_data_len(packet));

	if (!rule || (packet_of(packet)->source == PACKET_FROM_PEER && is_for_us(worker, header)))
		return false;
	if (rule->action == CONFIG_ACTION_DISCARD) {
		exit_drop(worker, packet, REASON_DROP_RULE);
		return true;
	}
	worker_count(worker, REASON_NOTE_BYPASSED, 1);
	forward_packet(worker, packet);
	return true;
}

/* The session's own outer address: what ICMP errors bear where the port has none. */
static const union ip_address *local_address(const struct sa_out *out)
{
	return &atomic_load_explicit(&out->outer, memory_order_acquire)->local;
}

/*
 * Step 2: the policy and its SA. `first` is the first policy of the longest prefix. TABLES_NONE where the packet has
 * left.
 */
static uint32_t admit(struct worker *worker, struct rte_mbuf *packet, uint32_t first)
{
	struct dataplane *dataplane = worker->dataplane;
	const void *header = rte_pktmbuf_mtod(packet, const void *);
	uint8_t source = packet_of(packet)->source;
	union ip_address from, to;
	const struct policy *policy = NULL;
	uint32_t child;

	if (first != TABLES_NONE) {
		header_addresses(header, &from, &to);
		policy = policy_match(&dataplane->policies, first, &from);
		/* From a peer to an address of ours: no other peer's policy takes it. */
		if (policy && source == PACKET_FROM_PEER && route_is_local(&dataplane->routes, &to))
			policy = NULL;
	}
	if (unlikely(!policy)) {
		if (source == PACKET_FROM_PORT)
			exit_drop(worker, packet, REASON_DROP_NO_POLICY);
		else
			forward_packet(worker, packet);
		return TABLES_NONE;
	}
	child = atomic_load_explicit(&policy->child, memory_order_acquire);
	if (unlikely(child == TABLES_NONE))
		exit_drop(worker, packet, REASON_DROP_NO_OUTBOUND);
	return child;
}

/* Step 3: going into a tunnel is forwarding (RFC 2003 section 3.1). false: the packet has left. */
static bool ttl_count_down(struct worker *worker, const struct sa_out *out, struct rte_mbuf *packet)
{
	void *header = rte_pktmbuf_mtod(packet, void *);

	if (packet_of(packet)->source == PACKET_FROM_KERNEL)
		return true;
	if (unlikely(header_ttl(header) <= 1)) {
		icmp_send_time_exceeded(worker, packet, local_address(out));
		exit_drop(worker, packet, REASON_DROP_TTL);
		return false;
	}
	header_ttl_decrement(header);
	return true;
}

void outbound_clamp_mss(const struct sa_out *out, struct rte_mbuf *packet)
{
	void *header = rte_pktmbuf_mtod(packet, void *);
	uint32_t len = rte_pktmbuf_data_len(packet);

	/* The packet is asked first: it is at hand, an inbound packet's outbound SA is not. */
	if (unlikely(mss_may_be_syn(header, len)) && out->tunnel.mss_clamp)
		mss_clamp(header, len, atomic_load_explicit(&out->mss_mtu, memory_order_relaxed));
}

/*
 * Step 4: what is too long is cut here, cut as an outer packet later, or returned to its sender (RFC 4301 section 8).
 * Fills `pieces` and returns how many; 0: it has left.
 */
static uint16_t fit_long(struct worker *worker, const struct sa_out *out, struct rte_mbuf *packet, uint16_t mtu,
	struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX])
{
	const void *header = rte_pktmbuf_mtod(packet, const void *);
	bool outer_may_be_cut = !encap_fields_of(&out->tunnel, header).df;
	bool may_be_cut = !header_has_df(header);
	/* Transport mode protects whole packets (RFC 4303 section 3.3.4); fragment_cut refuses options. */
	bool only_after = out->transport || *(const uint8_t *)header != RTE_IPV4_VHL_DEF;

	pieces[0] = packet;
	if (outer_may_be_cut && (out->tunnel.fragment == TUNNEL_FRAGMENT_AFTER || (may_be_cut && only_after)))
		return 1;
	if (may_be_cut && !out->transport)
		return fragment_cut(worker, packet, mtu, pieces);
	icmp_send_too_big(worker, packet, mtu, local_address(out));
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

/* Step 7, for one ESP packet: outer header, and on its way. */
static void encapsulate(struct worker *worker, const struct esp_packet *esp, uint32_t child, struct encap_fields fields)
{
	struct rte_mbuf *packet = esp->owner;
	const struct sa_out *out = &worker->dataplane->sas.out[child];
	const struct sa_outer *outer = atomic_load_explicit(&out->outer, memory_order_acquire);
	struct tables_traffic *traffic = &worker->counters->traffic[child];
	uint8_t *begin = rte_pktmbuf_mtod(packet, uint8_t *);
	uint16_t outer_len = encap_len(outer);

	tables_count(&traffic->packets_out, 1);
	tables_count(&traffic->bytes_out, rte_pktmbuf_data_len(packet));
	/* seal wrote before and behind the payload, within head- and tailroom. */
	packet_begin_move(packet, (int)(esp->data - begin));
	packet_len_set(packet, esp->len);
	if (unlikely(outer->stream)) {
		exit_stream(worker, packet, out->session);
		return;
	}
	if (unlikely(rte_pktmbuf_headroom(packet) < outer_len)) {
		exit_drop(worker, packet, REASON_DROP_NO_ROOM);
		return;
	}
	encap_write(esp->data, esp->len, outer, fields, worker_ipv4_id(worker));
	packet_begin_move(packet, -(int)outer_len);
	packet_of(packet)->source = PACKET_FROM_KERNEL;
	forward_esp(worker, packet, &outer->remote, atomic_load_explicit(&out->outer_mtu, memory_order_relaxed));
}

/* Steps 5 to 7 for all that was gathered. */
static void burst_send(struct worker *worker, struct outbound *burst)
{
	if (burst->count == 0)
		return;
	if (unlikely(numbers_take(worker, burst->children, burst->esp, burst->count) != burst->count))
		keep_numbered(worker, burst);
	/* Step 6: encrypt. */
	esp_seal(worker->engine, burst->esp, burst->count);
	for (uint16_t i = 0; i < burst->count; i++) {
		if (likely(burst->esp[i].status == ESP_OK))
			encapsulate(worker, &burst->esp[i], burst->children[i], burst->fields[i]);
		else
			exit_drop(worker, burst->esp[i].owner,
				burst->esp[i].status == ESP_NO_ROOM ? REASON_DROP_NO_ROOM : REASON_DROP_CRYPTO);
	}
	burst->count = 0;
}

static void burst_add(struct worker *worker, struct outbound *burst, struct rte_mbuf *packet, uint32_t child)
{
	const struct sa_out *out = &worker->dataplane->sas.out[child];
	const void *header = rte_pktmbuf_mtod(packet, const void *);
	struct esp_packet *esp;

	if (burst->count == BURST) /* pieces make it more than came in */
		burst_send(worker, burst);
	esp = &burst->esp[burst->count];
	burst->children[burst->count] = child;
	burst->fields[burst->count] = encap_fields_of(&out->tunnel, header);
	/* What is to be cut here may be cut (mtu.h). */
	if (unlikely(atomic_load_explicit(&out->outer_mtu, memory_order_relaxed) != UINT16_MAX))
		burst->fields[burst->count].df = false;
	burst->count++;
	outbound_payload(out, packet, esp);
}

/* What fits goes into the burst, or waits for its TCP connection. */
static void packet_add(struct worker *worker, struct outbound *burst, struct rte_mbuf *packet, uint32_t child)
{
	const struct sa_outer *outer =
		atomic_load_explicit(&worker->dataplane->sas.out[child].outer, memory_order_acquire);

	if (unlikely(outer->connection != TABLES_NONE))
		connection_send(worker, packet, child, outer->connection);
	else
		burst_add(worker, burst, packet, child);
}

/* Steps 3 and 4 for a packet, and on with it. */
static void enter(struct worker *worker, struct outbound *burst, struct rte_mbuf *packet, uint32_t child)
{
	struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX];
	struct sa_out *out = &worker->dataplane->sas.out[child];
	uint16_t mtu = atomic_load_explicit(&out->inner_mtu, memory_order_relaxed), n_pieces;

	if (!ttl_count_down(worker, out, packet))
		return;
	if (unlikely(out->transport && !transport_may_carry(packet))) {
		exit_drop(worker, packet, REASON_DROP_TRANSPORT);
		return;
	}
	outbound_clamp_mss(out, packet);
	if (likely(rte_pktmbuf_data_len(packet) <= mtu)) {
		packet_add(worker, burst, packet, child);
		return;
	}
	n_pieces = fit_long(worker, out, packet, mtu, pieces);
	for (uint16_t piece = 0; piece < n_pieces; piece++)
		packet_add(worker, burst, pieces[piece], child);
}

/* What the steps from 3 on will read of an SA. */
static void prefetch_sa(const struct worker *worker, uint32_t child, size_t len)
{
	const struct sa_store *sas = &worker->dataplane->sas;

	rte_prefetch0(&sas->out[child].outer);
	rte_prefetch0_write(&sas->out[child].numbers);
	rte_prefetch0(&worker->counters->traffic[child]);
	esp_key_prefetch(sa_key(sas, child, SA_KEY_OUT), len);
}

/* Each loop is one step for the whole burst, and fetches what the next one reads. */
void outbound_process(struct worker *worker, struct rte_mbuf **packets, uint16_t count)
{
	struct dataplane *dataplane = worker->dataplane;
	uint32_t first[BURST], children[BURST];
	struct outbound burst;
	uint16_t good = 0;

	/* Step 1: rules. */
	for (uint16_t i = 0; i < count; i++) {
		union ip_address to;

		if (dataplane->rules.count > 0 && packet_of(packets[i])->source != PACKET_FROM_KERNEL &&
			obey_rules(worker, packets[i]))
			continue;
		to = header_destination(rte_pktmbuf_mtod(packets[i], const void *));
		policy_prefetch(&dataplane->policies, &to);
		packets[good++] = packets[i];
	}
	count = good;
	for (uint16_t i = 0; i < count; i++) {
		union ip_address to = header_destination(rte_pktmbuf_mtod(packets[i], const void *));

		first[i] = policy_first(&dataplane->policies, &to);
		if (first[i] != TABLES_NONE)
			rte_prefetch0(&dataplane->policies.policies[first[i]]);
	}
	good = 0;
	for (uint16_t i = 0; i < count; i++) {
		uint32_t child = admit(worker, packets[i], first[i]);

		if (child == TABLES_NONE)
			continue;
		prefetch_sa(worker, child, rte_pktmbuf_data_len(packets[i]));
		packets[good] = packets[i];
		children[good++] = child;
	}
	for (uint16_t i = 0; i < good; i++)
		rte_prefetch0(atomic_load_explicit(&dataplane->sas.out[children[i]].outer, memory_order_relaxed));
	burst.count = 0;
	for (uint16_t i = 0; i < good; i++)
		enter(worker, &burst, packets[i], children[i]);
	burst_send(worker, &burst);
}
