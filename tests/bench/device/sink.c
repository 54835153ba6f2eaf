/* SPDX-License-Identifier: Apache-2.0 */
#include "sink.h"

#include "check.h"
#include "meter.h"

#include <rte_malloc.h>

#include <errno.h>

enum {
	SAMPLE_FIRST = 256, /* packets that are all checked */
	SAMPLE_SHIFT = 14,  /* then one burst in so many packets, as a power of two */
};

struct sink {
	struct meter_counts *counts;
	uint64_t taken;
	uint32_t ring_size, head;
	struct rte_mbuf *ring[];
};

struct sink *sink_new(uint16_t number, uint16_t descriptors)
{
	struct sink *sink =
		rte_zmalloc("sink", sizeof(*sink) + descriptors * sizeof(sink->ring[0]), RTE_CACHE_LINE_SIZE);

	if (!sink) {
		errno = ENOMEM;
		return NULL;
	}
	sink->counts = &meter.counts[number];
	sink->ring_size = descriptors;
	return sink;
}

void sink_free(struct sink *sink)
{
	if (!sink)
		return;
	for (uint32_t i = 0; i < sink->ring_size; i++)
		rte_pktmbuf_free(sink->ring[i]);
	rte_free(sink);
}

static bool sample_is_due(uint64_t taken, uint16_t count)
{
	return taken < SAMPLE_FIRST || taken >> SAMPLE_SHIFT != (taken + count) >> SAMPLE_SHIFT;
}

static __rte_noinline void sample(struct sink *sink, struct rte_mbuf **packets, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		enum check_verdict verdict = check_frame(packets[i]);

		meter_add(&sink->counts->checked, verdict != CHECK_FOREIGN);
		meter_add(&sink->counts->bad, verdict == CHECK_BAD);
	}
}

void sink_keep(struct sink *sink, struct rte_mbuf **packets, uint16_t count)
{
	struct rte_mbuf *sent[SINK_BURST_MAX];
	unsigned int n_sent = 0;

	for (uint16_t i = 0; i < count; i++) {
		struct rte_mbuf *oldest = sink->ring[sink->head];

		sink->ring[sink->head] = packets[i];
		if (++sink->head == sink->ring_size)
			sink->head = 0;
		if (oldest)
			sent[n_sent++] = oldest;
	}
	if (n_sent > 0)
		rte_pktmbuf_free_bulk(sent, n_sent);
}

uint16_t sink_transmit(void *queue, struct rte_mbuf **packets, uint16_t count)
{
	struct sink *sink = queue;
	uint64_t begin = rte_rdtsc();

	count = RTE_MIN(count, (uint16_t)SINK_BURST_MAX);
	if (unlikely(sample_is_due(sink->taken, count)))
		sample(sink, packets, count);
	sink->taken += count;
	sink_keep(sink, packets, count);
	meter_add(&sink->counts->received, count);
	meter_exclude(sink->counts, begin);
	return count;
}
