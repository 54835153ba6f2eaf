/* SPDX-License-Identifier: Apache-2.0 */
#include "peers.h"

#include "reader.h"
#include "sink.h"

#include <rte_malloc.h>

#include <errno.h>

enum {
	ACKNOWLEDGEMENTS =
		4096, /* under way; a power of two. One that finds no room is lost, and the next says the same */
	LONE_MS = 40,
	SAMPLE_MASK = (1 << 14) - 1, /* segments whose checksums are verified: SAMPLE_EACH in so many */
	SAMPLE_EACH = 64,
};

/* On its way to the gateway. */
struct arrival {
	uint64_t due; /* TSC */
	struct rte_mbuf *packet;
};

struct peers {
	struct source_device *device;
	struct meter_counts *counts;
	struct sink *sink;
	struct rte_mempool *pool;
	const struct traffic *traffic; /* NULL: not there yet */
	struct segment_way way;
	struct peer *list;	  /* by session */
	uint32_t lone_at;	  /* which one is looked at next for a lone segment */
	uint64_t lone_after, rtt; /* cycles */
	uint64_t segments;
	struct reader reader;
	uint32_t head, tail; /* of arrivals, counting on */
	struct arrival arrivals[ACKNOWLEDGEMENTS];
};

struct peers *peers_new(struct source_device *device, uint16_t number, uint16_t descriptors)
{
	struct peers *peers = rte_zmalloc("peers", sizeof(*peers), RTE_CACHE_LINE_SIZE);

	if (!peers) {
		errno = ENOMEM;
		return NULL;
	}
	peers->device = device;
	peers->counts = peers->reader.counts = &meter.counts[number];
	peers->sink = sink_new(number, descriptors);
	if (peers->sink)
		return peers;
	rte_free(peers);
	return NULL;
}

void peers_pool_set(struct peers *peers, struct rte_mempool *pool)
{
	peers->pool = pool;
}

void peers_free(struct peers *peers)
{
	if (!peers)
		return;
	while (peers->head != peers->tail)
		rte_pktmbuf_free(peers->arrivals[peers->head++ % ACKNOWLEDGEMENTS].packet);
	sink_free(peers->sink);
	rte_free(peers->list);
	rte_free(peers);
}

uint32_t peers_timestamp(void)
{
	return (uint32_t)(rte_rdtsc() / (rte_get_tsc_hz() / 1000));
}

/* Where the plan's handshake left them. */
static int list_make(struct peers *peers)
{
	const struct traffic *traffic = traffic_current();

	peers->list = rte_zmalloc("peers", traffic->n_sessions * sizeof(*peers->list), RTE_CACHE_LINE_SIZE);
	if (!peers->list)
		return -ENOMEM;
	for (uint32_t i = 0; i < traffic->n_sessions; i++)
		peers->list[i] = (struct peer){
			.next = plan_tcp_gateway_first,
			.recent = PLAN_TCP_TIMESTAMP,
			.sent = plan_tcp_branch_first,
			.window_end = plan_tcp_branch_first + PLAN_TCP_WINDOW,
		};
	peers->way = (struct segment_way){
		.mac = peers->device->mac,
		.port = peers->device->port,
		.timestamps = traffic->arguments->tcp == TCP_TIMESTAMPS,
		.offload = peers->device->arguments->offload,
	};
	peers->lone_after = LONE_MS * rte_get_tsc_hz() / 1000;
	peers->rtt = traffic->arguments->rtt_us * rte_get_tsc_hz() / 1000000;
	peers->traffic = traffic;
	return 0;
}

struct peer *peers_get(struct peers *peers, uint32_t session)
{
	if (unlikely(!peers->traffic) && list_make(peers) < 0)
		return NULL;
	return &peers->list[session];
}

static void acknowledge(struct peers *peers, struct peer *peer, uint64_t now)
{
	const struct segment segment = {
		.session = (uint32_t)(peer - peers->list),
		.sequence = peer->sent,
		.acknowledgement = peer->next,
		.ts_value = peers_timestamp(),
		.ts_echo = peer->recent,
	};
	struct rte_mbuf *packet;

	peer->pending = 0;
	if (peers->tail - peers->head == ACKNOWLEDGEMENTS)
		return;
	packet = rte_pktmbuf_alloc(peers->pool);
	if (unlikely(!packet)) {
		meter_add(&peers->counts->starved, 1);
		return;
	}
	segment_write(packet, &peers->way, &segment, 0);
	peers->arrivals[peers->tail++ % ACKNOWLEDGEMENTS] = (struct arrival){.due = now + peers->rtt, .packet = packet};
}

static void bad(struct peers *peers)
{
	meter_add(&peers->counts->checked, 1);
	meter_add(&peers->counts->bad, 1);
}

static void data_take(struct peers *peers, struct peer *peer, const struct segment_seen *seen, uint64_t now)
{
	if (seen->sequence != peer->next) {
		/* What came already says that an acknowledgement was late; a gap, that the gateway lost something. */
		if ((int32_t)(seen->sequence - peer->next) > 0)
			bad(peers);
		else
			meter_add(&peers->counts->again, 1);
		acknowledge(peers, peer, now);
		return;
	}
	reader_take(&peers->reader, peer, seen->session, seen->payload, seen->payload_len, seen->push);
	peer->next += seen->payload_len;
	peer->recent = seen->ts_value;
	peer->heard = now;
	if (++peer->pending >= peers->traffic->arguments->acknowledge)
		acknowledge(peers, peer, now);
}

static void segment_take(struct peers *peers, const struct rte_mbuf *packet, uint64_t now)
{
	bool sample = (peers->segments++ & SAMPLE_MASK) < SAMPLE_EACH;
	struct segment_seen seen;
	struct peer *peer;

	if (!traffic_current() || (!peers->traffic && list_make(peers) < 0))
		return;
	switch (segment_read(packet, peers->way.timestamps, &seen)) {
	case SEGMENT_FOREIGN: return;
	case SEGMENT_BAD: bad(peers); return;
	case SEGMENT_GOOD: break;
	}
	if (seen.session >= peers->traffic->n_sessions ||
		(sample && !segment_checksum_is_right(packet, peers->way.offload))) {
		bad(peers);
		return;
	}
	peer = &peers->list[seen.session];
	/* Acknowledged is no more than was sent; a window never gets smaller (RFC 9293 section 3.8.6). */
	if ((int32_t)(seen.acknowledgement - peer->sent) > 0 ||
		(int32_t)(seen.acknowledgement + seen.window - peer->window_end) < 0)
		bad(peers);
	else
		peer->window_end = seen.acknowledgement + seen.window;
	meter_add(&peers->counts->segments, 1);
	if (seen.payload_len > 0)
		data_take(peers, peer, &seen, now);
}

uint16_t peers_transmit(void *queue, struct rte_mbuf **packets, uint16_t count)
{
	struct peers *peers = queue;
	uint64_t begin = rte_rdtsc();

	count = RTE_MIN(count, (uint16_t)SINK_BURST_MAX);
	for (uint16_t i = 0; i < count; i++)
		segment_take(peers, packets[i], begin);
	sink_keep(peers->sink, packets, count);
	meter_exclude(peers->counts, begin);
	return count;
}

/* One peer a call: it has sent nothing more for a while. */
static void lone_look(struct peers *peers, uint64_t now)
{
	struct peer *peer = &peers->list[peers->lone_at];

	if (peer->pending > 0 && now - peer->heard > peers->lone_after)
		acknowledge(peers, peer, now);
	if (++peers->lone_at == peers->traffic->n_sessions)
		peers->lone_at = 0;
}

uint16_t peers_receive(void *queue, struct rte_mbuf **packets, uint16_t count)
{
	struct peers *peers = queue;
	uint64_t begin = rte_rdtsc();
	uint16_t n = 0;

	if (!peers->traffic)
		return 0;
	lone_look(peers, begin);
	while (n < count && peers->head != peers->tail && peers->arrivals[peers->head % ACKNOWLEDGEMENTS].due <= begin)
		packets[n++] = peers->arrivals[peers->head++ % ACKNOWLEDGEMENTS].packet;
	meter_exclude(peers->counts, begin);
	return n;
}
