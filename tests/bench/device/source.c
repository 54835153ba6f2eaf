/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include "esp/esp.h"
#include "meter.h"
#include "peers.h"
#include "stream.h"

#include <rte_malloc.h>
#include <rte_memcpy.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BURST_MAX = 32, ASK_MS = 1 /* between two looks for the sessions */ };

struct source {
	struct source_device *device;
	struct meter_counts *counts;
	uint16_t number;
	bool ready;  /* there is a list of sessions */
	bool primed; /* the ring is full */

	struct rte_mempool *pool;
	struct rte_mbuf **ring;
	uint32_t ring_size, head;

	struct turn turn;
	struct stream *stream; /* NULL: packets of their own, no TCP */
	struct esp_engine *engine;
	struct esp_key *key;
};

struct source *source_new(struct source_device *device, uint16_t number)
{
	struct source *source = rte_zmalloc("source", sizeof(*source), RTE_CACHE_LINE_SIZE);

	if (!source) {
		errno = ENOMEM;
		return NULL;
	}
	source->device = device;
	source->number = number;
	source->counts = &meter.counts[number];
	return source;
}

void source_free(struct source *source)
{
	if (!source)
		return;
	source_ring_free(source);
	turn_free(&source->turn);
	stream_free(source->stream);
	rte_free(source->key);
	esp_engine_free(source->engine);
	rte_free(source);
}

int source_ring_make(struct source *source, struct rte_mempool *pool, uint16_t descriptors)
{
	source_ring_free(source);
	source->pool = pool;
	source->ring_size = descriptors;
	source->ring = rte_zmalloc("ring", descriptors * sizeof(*source->ring), RTE_CACHE_LINE_SIZE);
	return source->ring ? 0 : -ENOMEM;
}

void source_ring_free(struct source *source)
{
	for (uint32_t i = 0; source->ring && i < source->ring_size; i++)
		rte_pktmbuf_free(source->ring[i]);
	rte_free(source->ring);
	source->ring = NULL;
	source->head = 0;
	source->primed = false;
}

static int engine_make(struct source *source)
{
	const struct traffic *traffic = traffic_current();

	source->engine = esp_engine_new();
	source->key = rte_zmalloc("key", esp_key_size(), ESP_KEY_ALIGN);
	if (!source->engine || !source->key)
		return -ENOMEM;
	return esp_key_expand(source->engine, source->device->arguments->suite, false, traffic->keymat,
		esp_suite_keymat_len(traffic->suite), source->key);
}

/* What is sent goes into TCP connections. */
static int stream_make(struct source *source)
{
	struct source_device *device = source->device;
	const struct segment_way way = {
		.mac = device->mac,
		.port = device->port,
		.timestamps = device->arguments->tcp == TCP_TIMESTAMPS,
		.offload = device->arguments->offload,
	};

	source->stream = stream_new(&source->turn, device->peers[source->number], &way);
	return source->stream ? 0 : -errno;
}

/* For all queues. -ENOENT: the sessions are not there yet. */
static int traffic_begin(struct source_device *device)
{
	int rc = traffic_open(device->arguments);

	if (rc == 0)
		rc = templates_make(&device->templates, traffic_current(), &device->mac, device->port);
	return rc;
}

static int queue_begin(struct source *source)
{
	const struct arguments *arguments = source->device->arguments;
	int rc = turn_make(&source->turn, source->device, source->number);

	if (rc == 0)
		rc = engine_make(source);
	if (rc == 0 && arguments->mode == MODE_IN && arguments->tcp != TCP_NO)
		rc = stream_make(source);
	source->ready = rc == 0;
	return rc;
}

/* Nothing will ever be measured in this process. */
static void give_up(int rc)
{
	fprintf(stderr, "net_bench: the traffic cannot be made: %s\n", strerror(-rc));
	_exit(1);
}

/* Rare: begins when the sessions are there. */
static __rte_noinline void source_look(struct source *source)
{
	struct source_device *device = source->device;
	int rc = 0;

	if (source->number == 0) {
		rc = traffic_begin(device);
		if (rc == -ENOENT) {
			meter.due = rte_rdtsc() + ASK_MS * rte_get_tsc_hz() / 1000;
			return;
		}
	}
	if (rc == 0)
		rc = queue_begin(source);
	if (rc < 0)
		give_up(rc);
	if (source->number > 0)
		return;
	meter_begin(device->arguments, rte_rdtsc());
	atomic_store_explicit(&device->ready, true, memory_order_release);
}

/* Sealing makes header, trailer and ICV anew; the template has the inner packet at its place between them. */
static struct esp_packet seal_wanted(const struct source *source, struct rte_mbuf *packet,
	const struct turn_session *session, const struct template_shape *shape)
{
	uint8_t *data = rte_pktmbuf_mtod_offset(packet, uint8_t *, shape->inner_at);

	return (struct esp_packet){
		.key = source->key,
		.data = data,
		.len = shape->size,
		.headroom = (uint16_t)(shape->inner_at - shape->esp_at),
		.tailroom = (uint16_t)(rte_pktmbuf_tailroom(packet) + shape->frame_len - shape->inner_at - shape->size),
		.spi = source->turn.traffic->spis_in[session->session],
		.sequence = session->sequence,
		.next_header = IPPROTO_IPIP,
	};
}

/* What any server's card says of a packet. */
static void packet_describe(const struct source_device *device, struct rte_mbuf *packet, uint16_t len, bool bare_esp)
{
	packet->data_len = len;
	packet->pkt_len = len;
	packet->port = device->port;
	packet->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	packet->packet_type =
		RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | (bare_esp ? RTE_PTYPE_TUNNEL_ESP : RTE_PTYPE_L4_UDP);
}

/* Writes the next packets into fresh buffers, as the card's DMA would. */
static void packets_fill(struct source *source, struct rte_mbuf **packets, uint16_t count)
{
	bool udp = source->device->arguments->udp != 0;
	struct esp_packet seals[BURST_MAX];
	size_t n_seals = 0;

	for (uint16_t i = 0; i < count; i++) {
		uint8_t *data = rte_pktmbuf_mtod(packets[i], uint8_t *);
		const struct template_session *own;
		const struct template_shape *shape;
		struct turn_session *session;

		shape = turn_take(&source->turn, &session, &own);
		template_write(shape, own, data);
		packet_describe(source->device, packets[i], shape->frame_len, shape->esp_at && !udp);
		if (!shape->esp_at)
			continue;
		if (shape->patch) {
			turn_number(session, shape, data);
			continue;
		}
		session->sequence++;
		seals[n_seals++] = seal_wanted(source, packets[i], session, shape);
	}
	if (n_seals > 0)
		esp_seal(source->engine, seals, n_seals);
}

/* Returns how many: fewer than `count` where TCP may not send more. */
static uint16_t source_fill(struct source *source, struct rte_mbuf **packets, uint16_t count)
{
	uint32_t frames = count;

	if (source->stream)
		count = stream_fill(source->stream, packets, count, &frames);
	else
		packets_fill(source, packets, count);
	meter_add(&source->counts->sent, frames);
	return count;
}

/* The first time round there is nothing in the ring yet. It gets shorter where the windows have no room for all of it.
 */
static bool source_prime(struct source *source)
{
	for (uint32_t at = 0; at < source->ring_size; at += BURST_MAX) {
		uint16_t count = (uint16_t)RTE_MIN((uint32_t)BURST_MAX, source->ring_size - at), filled;

		if (rte_pktmbuf_alloc_bulk(source->pool, source->ring + at, count) < 0)
			return false;
		filled = source_fill(source, source->ring + at, count);
		if (filled == count)
			continue;
		rte_pktmbuf_free_bulk(source->ring + at + filled, count - filled);
		memset(source->ring + at + filled, 0, (count - filled) * sizeof(*source->ring));
		source->ring_size = at + filled;
	}
	source->primed = source->ring_size > 0;
	return source->primed;
}

static bool source_begin(struct source *source, uint64_t now)
{
	struct source_device *device = source->device;

	if (unlikely(!source->ready)) {
		if (source->number == 0 ? now >= meter.due : atomic_load_explicit(&device->ready, memory_order_acquire))
			source_look(source);
		return false;
	}
	if (source->number == 0 && unlikely(now >= meter.due) && meter.running)
		meter_turn(now);
	if (!atomic_load_explicit(&meter.running, memory_order_relaxed) || source->turn.n_sessions == 0 ||
		device->arguments->fault == FAULT_SILENT)
		return false;
	return likely(source->primed) || source_prime(source);
}

uint16_t source_receive(void *queue, struct rte_mbuf **packets, uint16_t count)
{
	struct source *source = queue;
	struct rte_mbuf *fresh[BURST_MAX];
	uint64_t begin = rte_rdtsc();
	uint16_t filled;

	count = RTE_MIN(count, (uint16_t)BURST_MAX);
	if (!source_begin(source, begin))
		return 0;
	if (unlikely(rte_pktmbuf_alloc_bulk(source->pool, fresh, count) < 0)) {
		meter_add(&source->counts->starved, 1);
		count = 0;
	}
	filled = source_fill(source, fresh, count);
	if (unlikely(filled < count))
		rte_pktmbuf_free_bulk(fresh + filled, count - filled);
	for (uint16_t i = 0; i < filled; i++) {
		packets[i] = source->ring[source->head];
		source->ring[source->head] = fresh[i];
		if (++source->head == source->ring_size)
			source->head = 0;
	}
	meter_exclude(source->counts, begin);
	return filled;
}
