/* SPDX-License-Identifier: Apache-2.0 */
#include "cable.h"

#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000000, IP_HEADER_LEN = 20 };

static const uint8_t address[2][4] = {{192, 0, 2, 1}, {198, 51, 100, 2}};

/* --- dice and events ---------------------------------------------------------------------------------------------- */

uint64_t network_random(struct network *network)
{
	network->random ^= network->random << 13;
	network->random ^= network->random >> 7;
	network->random ^= network->random << 17;
	return network->random;
}

static bool happens(struct network *network, double probability)
{
	return probability > 0 && (double)(network_random(network) >> 11) < probability * (double)(UINT64_C(1) << 53);
}

static bool earlier(const struct packet *a, const struct packet *b)
{
	return a->time != b->time ? a->time < b->time : a->serial < b->serial;
}

static void heap_push(struct network *network, struct packet *packet)
{
	size_t at = network->n_heap++;

	if (network->n_heap > network->heap_room) {
		network->heap_room = network->heap_room ? 2 * network->heap_room : 1024;
		network->heap = realloc(network->heap, network->heap_room * sizeof(*network->heap));
		assert_non_null(network->heap);
	}
	for (; at > 0 && earlier(packet, network->heap[(at - 1) / 2]); at = (at - 1) / 2)
		network->heap[at] = network->heap[(at - 1) / 2];
	network->heap[at] = packet;
}

struct packet *cable_pop(struct network *network)
{
	struct packet *first = network->heap[0], *last = network->heap[--network->n_heap];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < network->n_heap) {
		if (child + 1 < network->n_heap && earlier(network->heap[child + 1], network->heap[child]))
			child++;
		if (!earlier(network->heap[child], last))
			break;
		network->heap[at] = network->heap[child];
		at = child;
	}
	network->heap[at] = last;
	return first;
}

/* --- the way through ---------------------------------------------------------------------------------------------- */

/* A middlebox forwards the front of a segment, with a checksum that is right; or a cable the front of a packet. */
static void truncate_packet(struct network *network, struct packet *packet)
{
	uint32_t header_len = (uint32_t)(packet->bytes[12] >> 4) * 4, payload_len = packet->len - header_len;
	const uint8_t *from = address[!packet->to], *to = address[packet->to];
	uint16_t sum;

	if (payload_len < 2 || happens(network, 0.5)) {
		packet->len = (uint32_t)(network_random(network) % packet->len);
		return;
	}
	packet->len = header_len + 1 + (uint32_t)(network_random(network) % (payload_len - 1));
	packet->bytes[13] &= (uint8_t) ~(TCP_FLAG_PSH | TCP_FLAG_FIN);
	memset(packet->bytes + TCP_CHECKSUM_OFFSET, 0, sizeof(sum));
	sum = tcp_checksum(
		from, to, 4, packet->bytes, header_len, packet->bytes + header_len, packet->len - header_len);
	memcpy(packet->bytes + TCP_CHECKSUM_OFFSET, &sum, sizeof(sum));
}

/* When it leaves the bottleneck; 0: its queue is full. */
static uint64_t through_bottleneck(struct network *network, struct network_end *end, uint32_t len)
{
	const struct network_quality *quality = &network->quality;
	uint64_t start = end->busy_until > network->now ? end->busy_until : network->now;

	if (quality->rate == 0)
		return network->now;
	if (quality->queue && (start - network->now) * quality->rate / SECOND > quality->queue)
		return 0;
	end->busy_until = start + (len + IP_HEADER_LEN) * (uint64_t)SECOND / quality->rate;
	return end->busy_until;
}

void cable_transmit(struct network *network, uint32_t from, const struct tcp_departure *departure)
{
	const struct network_quality *quality = &network->quality;
	struct packet *packet = malloc(sizeof(*packet)), *copy;
	uint64_t leaves =
		through_bottleneck(network, &network->ends[from], departure->header_len + departure->payload_len);
	uint16_t sum = tcp_checksum(address[from], address[!from], 4, departure->header, departure->header_len,
		departure->payload, departure->payload_len);

	assert_non_null(packet);
	assert_true(departure->header_len + departure->payload_len <= CABLE_LEN_MAX);
	network->segments++;
	*packet = (struct packet){
		.to = !from,
		.serial = network->serial++,
		.len = departure->header_len + departure->payload_len,
		.time = leaves + quality->delay + (quality->jitter ? network_random(network) % quality->jitter : 0),
		.marked = departure->ecn_capable && happens(network, quality->mark),
	};
	memcpy(packet->bytes, departure->header, departure->header_len);
	memcpy(packet->bytes + TCP_CHECKSUM_OFFSET, &sum, sizeof(sum));
	if (departure->payload_len)
		memcpy(packet->bytes + departure->header_len, departure->payload, departure->payload_len);
	if (leaves == 0 || happens(network, quality->loss)) {
		network->lost++;
		free(packet);
		return;
	}
	if (happens(network, quality->reorder))
		packet->time += 1 + network_random(network) % (quality->delay + 1);
	if (happens(network, quality->truncate))
		truncate_packet(network, packet);
	if (happens(network, quality->duplicate)) {
		copy = malloc(sizeof(*copy));
		assert_non_null(copy);
		*copy = *packet;
		copy->serial = network->serial++;
		copy->time += network_random(network) % (quality->delay + 1);
		heap_push(network, copy);
	}
	heap_push(network, packet);
}

bool cable_is_intact(const struct packet *packet)
{
	uint32_t to = packet->to;

	return packet->len >= TCP_HEADER_LEN &&
	       tcp_checksum(address[!to], address[to], 4, packet->bytes, packet->len, NULL, 0) == 0;
}
