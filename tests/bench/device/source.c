/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include "esp/esp.h"
#include "meter.h"
#include "template.h"

#include <rte_malloc.h>
#include <rte_memcpy.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BURST_MAX = 32, ASK_MS = 1 /* between two looks for the sessions */ };

/* The packets that come next, in the order of the ring. */
struct turn {
	uint32_t session, left; /* of its train */
	uint32_t place;		/* in the mixture of sizes */
};

struct source {
	const struct arguments *arguments;
	struct rte_ether_addr mac;
	uint16_t port;
	bool ready;  /* there are templates */
	bool primed; /* the ring is full */

	struct rte_mempool *pool;
	struct rte_mbuf **ring;
	uint32_t ring_size, head;

	const struct traffic *traffic;
	struct templates templates;
	struct turn turn;
	uint32_t *sequences; /* the last number of each session */
	struct esp_engine *engine;
	struct esp_key *key;
};

struct source *source_new(const struct arguments *arguments, const struct rte_ether_addr *mac, uint16_t port)
{
	struct source *source = rte_zmalloc("source", sizeof(*source), RTE_CACHE_LINE_SIZE);

	if (!source) {
		errno = ENOMEM;
		return NULL;
	}
	source->arguments = arguments;
	source->mac = *mac;
	source->port = port;
	return source;
}

void source_free(struct source *source)
{
	if (!source)
		return;
	source_ring_free(source);
	templates_free(&source->templates);
	rte_free(source->sequences);
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
	const struct traffic *traffic = source->traffic;

	source->engine = esp_engine_new();
	source->key = rte_zmalloc("key", esp_key_size(), ESP_KEY_ALIGN);
	if (!source->engine || !source->key)
		return -ENOMEM;
	return esp_key_expand(source->engine, source->arguments->suite, false, traffic->keymat,
		esp_suite_keymat_len(traffic->suite), source->key);
}

/* -ENOENT: the sessions are not there yet. */
static int traffic_begin(struct source *source)
{
	int rc = traffic_open(source->arguments);

	if (rc < 0)
		return rc;
	source->traffic = traffic_current();
	source->turn.left = source->arguments->train;
	source->sequences = rte_zmalloc("sequences", source->traffic->n_sessions * sizeof(*source->sequences), 0);
	rc = source->sequences ? templates_make(&source->templates, source->traffic, &source->mac, source->port)
			       : -ENOMEM;
	return rc < 0 ? rc : engine_make(source);
}

/* Rare: begins when the sessions are there, and turns the meter's windows. */
static __rte_noinline void source_turn(struct source *source, uint64_t now)
{
	int rc;

	if (source->ready) {
		meter_turn(now);
		return;
	}
	rc = traffic_begin(source);
	if (rc == 0) {
		source->ready = true;
		meter_begin(source->arguments, rte_rdtsc());
		return;
	}
	meter.due = now + ASK_MS * rte_get_tsc_hz() / 1000;
	if (rc == -ENOENT)
		return;
	/* Nothing will ever be measured in this process. */
	fprintf(stderr, "net_bench: the traffic cannot be made: %s\n", strerror(-rc));
	_exit(1);
}

/* Moves on by one packet. Its session is left in `session`. */
static const struct template_shape *turn_take(struct source *source, uint32_t *session, const uint8_t **frame)
{
	struct turn *turn = &source->turn;
	uint8_t shape = source->templates.shape_of[turn->place];

	*session = turn->session;
	*frame = source->templates.frames + template_offset(&source->templates, turn->session, shape);
	if (++turn->place == source->arguments->n_sizes)
		turn->place = 0;
	if (--turn->left == 0) {
		turn->left = source->arguments->train;
		if (++turn->session == source->traffic->n_sessions)
			turn->session = 0;
	}
	return &source->templates.shapes[shape];
}

/* Sealing makes header, trailer and ICV anew; the template has the inner packet at its place between them. */
static struct esp_packet seal_wanted(
	const struct source *source, struct rte_mbuf *packet, uint32_t session, const struct template_shape *shape)
{
	uint8_t *data = rte_pktmbuf_mtod_offset(packet, uint8_t *, shape->inner_at);

	return (struct esp_packet){
		.key = source->key,
		.data = data,
		.len = shape->size,
		.headroom = (uint16_t)(shape->inner_at - shape->esp_at),
		.tailroom = (uint16_t)(rte_pktmbuf_tailroom(packet) + shape->frame_len - shape->inner_at - shape->size),
		.spi = source->traffic->spis_in[session],
		.sequence = source->sequences[session],
		.next_header = IPPROTO_IPIP,
	};
}

/* Writes the next packets into fresh buffers, as the card's DMA would. */
static void source_fill(struct source *source, struct rte_mbuf **packets, uint16_t count)
{
	struct esp_packet seals[BURST_MAX];
	size_t n_seals = 0;

	for (uint16_t i = 0; i < count; i++) {
		struct rte_mbuf *packet = packets[i];
		const struct template_shape *shape;
		const uint8_t *frame;
		uint32_t session, wire;
		uint8_t *data = rte_pktmbuf_mtod(packet, uint8_t *);

		shape = turn_take(source, &session, &frame);
		rte_memcpy(data, frame, shape->frame_len);
		packet->data_len = shape->frame_len;
		packet->pkt_len = shape->frame_len;
		packet->port = source->port;
		/* What any server's card says of a packet. */
		packet->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
		packet->packet_type =
			RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 |
			(shape->esp_at && !source->arguments->udp ? RTE_PTYPE_TUNNEL_ESP : RTE_PTYPE_L4_UDP);
		if (!shape->esp_at)
			continue;
		source->sequences[session]++;
		if (!shape->patch) {
			seals[n_seals++] = seal_wanted(source, packet, session, shape);
			continue;
		}
		wire = rte_cpu_to_be_32(source->sequences[session]);
		memcpy(data + shape->esp_at + 4, &wire, sizeof(wire));
		patch_apply(shape->patch, source->sequences[session], data + shape->icv_at);
	}
	if (n_seals > 0)
		esp_seal(source->engine, seals, n_seals);
}

/* The first time round there is nothing in the ring yet. */
static bool source_prime(struct source *source)
{
	for (uint32_t at = 0; at < source->ring_size; at += BURST_MAX) {
		uint16_t count = (uint16_t)RTE_MIN((uint32_t)BURST_MAX, source->ring_size - at);

		if (rte_pktmbuf_alloc_bulk(source->pool, source->ring + at, count) < 0)
			return false;
		source_fill(source, source->ring + at, count);
	}
	source->primed = true;
	return true;
}

static bool source_begin(struct source *source, uint64_t now)
{
	if (unlikely(now >= meter.due) && meter.running)
		source_turn(source, now);
	if (!source->ready || !meter.running || source->arguments->fault == FAULT_SILENT)
		return false;
	return likely(source->primed) || source_prime(source);
}

uint16_t source_receive(void *queue, struct rte_mbuf **packets, uint16_t count)
{
	struct source *source = queue;
	struct rte_mbuf *fresh[BURST_MAX];
	uint64_t begin = rte_rdtsc();

	count = RTE_MIN(count, (uint16_t)BURST_MAX);
	if (!source_begin(source, begin))
		return 0;
	if (unlikely(rte_pktmbuf_alloc_bulk(source->pool, fresh, count) < 0)) {
		meter.starved++;
		count = 0;
	}
	source_fill(source, fresh, count);
	for (uint16_t i = 0; i < count; i++) {
		packets[i] = source->ring[source->head];
		source->ring[source->head] = fresh[i];
		if (++source->head == source->ring_size)
			source->head = 0;
	}
	meter.sent += count;
	meter_exclude(begin);
	return count;
}
