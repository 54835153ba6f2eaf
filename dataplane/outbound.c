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
#include "numbers.h"
#include "transport.h"

enum {
	AHEAD = 8,	       /* packets whose counters are fetched while others leave */
	CONNECTIONS_AHEAD = 6, /* whose TCP connections, while others go in; of those that have come nearer, */
	LAST_AHEAD = 3,	       /* by so many, what is remembered of the segment before */
};

/* A burst between its steps; position i of each array is one packet. */
struct outbound {
	uint16_t count;
	uint32_t generation; /* of the routes */
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
	const struct policy *policy = NULL;
	uint32_t child;

	if (first != TABLES_NONE) {
		union ip_address from = header_source(header);

		policy = policy_match(&dataplane->policies, first, &from);
		/* From a peer to an address of ours: no other peer's policy takes it. */
		if (policy && source == PACKET_FROM_PEER && is_for_us(worker, header))
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

/*
 * Step 7, for one ESP packet: outer header, and on its way. To a neighbour that is known it goes from here, since each
 * further look at the packet's place would cost as much as the header. The fields come by reference: compilers run out
 * of registers here, and what is put aside as a byte and read again as a word waits for all stores before it.
 */
static inline void encapsulate(struct worker *worker, const struct esp_packet *esp, uint32_t child,
	const struct encap_fields *fields, uint32_t generation)
{
	struct dataplane *dataplane = worker->dataplane;
	struct rte_mbuf *packet = esp->owner;
	const struct sa_out *out = &dataplane->sas.out[child];
	struct sa_outer *outer = atomic_load_explicit(&out->outer, memory_order_acquire);
	struct tables_traffic *traffic = &worker->counters->traffic[child];
	uint32_t room = (uint32_t)(esp->data - (const uint8_t *)packet->buf_addr), len = esp->len + encap_len(outer);
	uint16_t mtu = atomic_load_explicit(&out->outer_mtu, memory_order_relaxed);
	uint8_t *begin = esp->data - encap_len(outer);
	union adjacency hop;

	tables_count(&traffic->packets_out, 1);
	tables_count(&traffic->bytes_out, rte_pktmbuf_data_len(packet));
	if (unlikely(outer->stream)) {
		packet_place(packet, esp->data, esp->len);
		exit_stream(worker, packet, dataplane->sas.in[child].session);
		return;
	}
	if (unlikely(room < encap_len(outer))) {
		exit_drop(worker, packet, REASON_DROP_NO_ROOM);
		return;
	}
	encap_write(esp->data, esp->len, outer, *fields, worker_ipv4_id(worker));
	hop = route_find_again(&dataplane->routes, &outer->remote, &outer->route, generation);
	if (likely(hop.state == ADJACENCY_REACHED && len <= (uint32_t)RTE_MIN(mtu, dataplane->ports[hop.port].mtu) &&
		    room >= (uint32_t)encap_len(outer) + RTE_ETHER_HDR_LEN)) {
		begin -= RTE_ETHER_HDR_LEN;
		forward_write_ethernet(begin, &dataplane->ports[hop.port], hop, outer->ipv6);
		packet_place(packet, begin, len + RTE_ETHER_HDR_LEN);
		exit_transmit(worker, packet, hop.port);
		return;
	}
	packet_place(packet, begin, len);
	packet_of(packet)->source = PACKET_FROM_KERNEL;
	forward_esp(worker, packet, &outer->remote, mtu);
}

/* What step 7 writes for packet `i`, where there is such a packet. */
static inline void prefetch_traffic(const struct worker *worker, const struct outbound *burst, uint16_t i)
{
	if (i < burst->count)
		rte_prefetch0(&worker->counters->traffic[burst->children[i]]);
}

/* Steps 5 to 7 for all that was gathered. */
static void burst_send(struct worker *worker, struct outbound *burst)
{
	if (burst->count == 0)
		return;
	if (unlikely(numbers_take(worker, burst->children, burst->esp, burst->count) != burst->count))
		keep_numbered(worker, burst);
	for (uint16_t i = 0; i < AHEAD; i++)
		prefetch_traffic(worker, burst, i);
	/* Step 6: encrypt. */
	esp_seal(worker->engine, burst->esp, burst->count);
	for (uint16_t i = 0; i < burst->count; i++) {
		prefetch_traffic(worker, burst, i + AHEAD);
		if (likely(burst->esp[i].status == ESP_OK))
			encapsulate(worker, &burst->esp[i], burst->children[i], &burst->fields[i], burst->generation);
		else
			exit_drop(worker, burst->esp[i].owner,
				burst->esp[i].status == ESP_NO_ROOM ? REASON_DROP_NO_ROOM : REASON_DROP_CRYPTO);
	}
	burst->count = 0;
}

static inline void burst_add(struct worker *worker, struct outbound *burst, struct rte_mbuf *packet, uint32_t child)
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
	outbound_payload(out, sa_key(&worker->dataplane->sas, child, SA_KEY_OUT), packet, esp);
}

/* By what TCP connection a peer is reached now; NULL: by none, or it has gone. */
static inline struct connection *stream_of(const struct worker *worker, uint32_t child)
{
	const struct sa_outer *outer =
		atomic_load_explicit(&worker->dataplane->sas.out[child].outer, memory_order_acquire);

	return connections_find(&worker->dataplane->connections, outer->connection);
}

/* What fits goes into the burst, or to its TCP connection. `stream`: what stream_of said, or NULL: it was not asked. */
static inline void packet_add(struct worker *worker, struct outbound *burst, struct rte_mbuf *packet, uint32_t child,
	struct connection *stream)
{
	const struct sa_outer *outer =
		atomic_load_explicit(&worker->dataplane->sas.out[child].outer, memory_order_acquire);

	if (unlikely(outer->connection != TABLES_NONE))
		connection_send(worker, packet, child, likely(stream) ? stream : stream_of(worker, child));
	else
		burst_add(worker, burst, packet, child);
}

static __rte_noinline void enter_long(struct worker *worker, struct outbound *burst, struct rte_mbuf *packet,
	uint32_t child, struct connection *stream, uint16_t mtu)
{
	struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX];
	uint16_t n_pieces = fit_long(worker, &worker->dataplane->sas.out[child], packet, mtu, pieces);

	for (uint16_t piece = 0; piece < n_pieces; piece++)
		packet_add(worker, burst, pieces[piece], child, stream);
}

/* Steps 3 and 4 for a packet, and on with it. */
static inline void enter(struct worker *worker, struct outbound *burst, struct rte_mbuf *packet, uint32_t child,
	struct connection *stream)
{
	const struct sa_out *out = &worker->dataplane->sas.out[child];
	uint16_t mtu = atomic_load_explicit(&out->inner_mtu, memory_order_relaxed);

	if (!ttl_count_down(worker, out, packet))
		return;
	if (unlikely(out->transport && !transport_may_carry(packet))) {
		exit_drop(worker, packet, REASON_DROP_TRANSPORT);
		return;
	}
	outbound_clamp_mss(out, packet);
	if (likely(rte_pktmbuf_data_len(packet) <= mtu))
		packet_add(worker, burst, packet, child, stream);
	else
		enter_long(worker, burst, packet, child, stream, mtu);
}

/* What the steps from 3 on will read of an SA. */
static void prefetch_sa(const struct worker *worker, uint32_t child)
{
	const struct sa_store *sas = &worker->dataplane->sas;

	rte_prefetch0(&sas->out[child]);
	rte_prefetch0_write(sa_numbers(sas, child));
	esp_key_prefetch(sa_key(sas, child, SA_KEY_OUT));
}

/* And where its peer is. */
static void prefetch_outer(const struct worker *worker, uint32_t child)
{
	const struct sa_out *out = &worker->dataplane->sas.out[child];

	rte_prefetch0(atomic_load_explicit(&out->outer, memory_order_relaxed));
}

/* What packet `at` of a burst will need of its connection, and when that has arrived, of the segment before it. */
static __rte_always_inline void prefetch_stream(struct connection *const *streams, uint16_t at, uint16_t count)
{
	if (at < count && streams[at] && (at == 0 || streams[at] != streams[at - 1]))
		connection_prefetch(streams[at]);
	if (at >= LAST_AHEAD && at - LAST_AHEAD < count && streams[at - LAST_AHEAD])
		tcp_prefetch_last(&streams[at - LAST_AHEAD]->tcp);
}

/* Steps 3 and 4 where there are TCP connections. */
static void enter_streams(struct worker *worker, struct outbound *burst, struct rte_mbuf **packets,
	const uint32_t *children, uint16_t count)
{
	struct connection *streams[BURST];

	for (uint16_t i = 0; i < count; i++)
		streams[i] = stream_of(worker, children[i]);
	for (uint16_t i = 0; i < CONNECTIONS_AHEAD; i++)
		prefetch_stream(streams, i, count);
	for (uint16_t i = 0; i < count; i++) {
		prefetch_stream(streams, i + CONNECTIONS_AHEAD, count);
		enter(worker, burst, packets[i], children[i], streams[i]);
	}
}

/* Step 1, where there are rules. The packets that go on come to the front; how many. */
static uint16_t keep_unruled(struct worker *worker, struct rte_mbuf **packets, uint16_t count)
{
	uint16_t good = 0;

	for (uint16_t i = 0; i < count; i++)
		if (packet_of(packets[i])->source == PACKET_FROM_KERNEL || !obey_rules(worker, packets[i]))
			packets[good++] = packets[i];
	return good;
}

/* Each loop is one step for the whole burst, and fetches what the next one reads. */
void outbound_process(struct worker *worker, struct rte_mbuf **packets, uint16_t count)
{
	struct dataplane *dataplane = worker->dataplane;
	uint32_t first[BURST], children[BURST];
	struct outbound burst;
	uint16_t good = 0;

	if (dataplane->rules.count > 0)
		count = keep_unruled(worker, packets, count);
	for (uint16_t i = 0; i < count; i++) {
		first[i] = policy_first_of(&dataplane->policies, rte_pktmbuf_mtod(packets[i], const void *));
		if (first[i] != TABLES_NONE)
			rte_prefetch0(&dataplane->policies.policies[first[i]]);
	}
	for (uint16_t i = 0; i < count; i++) {
		uint32_t child = admit(worker, packets[i], first[i]);

		if (child == TABLES_NONE)
			continue;
		prefetch_sa(worker, child);
		packets[good] = packets[i];
		children[good++] = child;
	}
	for (uint16_t i = 0; i < good; i++)
		prefetch_outer(worker, children[i]);
	burst.count = 0;
	burst.generation = route_generation(&dataplane->routes);
	if (connection_lookup_has_any(&dataplane->connections.lookup))
		enter_streams(worker, &burst, packets, children, good);
	else
		for (uint16_t i = 0; i < good; i++)
			enter(worker, &burst, packets[i], children[i], NULL);
	burst_send(worker, &burst);
}
