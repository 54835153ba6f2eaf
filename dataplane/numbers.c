/* SPDX-License-Identifier: Apache-2.0 */
#include "numbers.h"

#include "dataplane.h"

#include <string.h>

enum {
	PLACES = 2 * BURST, /* a power of two, and never full */
	PLACE_FREE = 0xff,
};

/* The packets of a burst that share an SA. */
struct group {
	uint32_t child;
	uint32_t packets;
	uint64_t bytes;
	uint64_t next; /* number */
	uint64_t last; /* that may be used */
};

struct groups {
	uint16_t count;
	uint8_t places[PLACES]; /* hash of the SA -> group */
	struct group groups[BURST];
};

static uint8_t group_of(struct groups *groups, uint32_t child)
{
	uint32_t place = child % PLACES;

	/* Neighbouring records have neighbouring numbers: the low bits spread best. */
	while (groups->places[place] != PLACE_FREE) {
		if (groups->groups[groups->places[place]].child == child)
			return groups->places[place];
		place = (place + 1) % PLACES;
	}
	groups->places[place] = (uint8_t)groups->count;
	groups->groups[groups->count] = (struct group){.child = child};
	return (uint8_t)groups->count++;
}

static void tell_lifetime(struct worker *worker, uint32_t child, enum tables_event_kind kind)
{
	struct tables_event event = {.kind = kind, .index = child, .id = worker->dataplane->sas.children[child].id};

	worker_event(worker, &event);
}

/* `before` and `after` lie on the two sides of a limit for exactly one worker and burst. */
static bool crossed(uint64_t before, uint64_t after, uint64_t limit)
{
	return before < limit && after >= limit;
}

static void group_take(struct worker *worker, struct group *group)
{
	struct sa_out *out = &worker->dataplane->sas.out[group->child];
	uint64_t sequence = atomic_fetch_add_explicit(&out->numbers.sequence, group->packets, memory_order_relaxed);
	uint64_t spent = atomic_fetch_add_explicit(&out->numbers.bytes, group->bytes, memory_order_relaxed);
	uint64_t sequence_after = sequence + group->packets, spent_after = spent + group->bytes;

	if (crossed(sequence, sequence_after, out->soft_packets) || crossed(spent, spent_after, out->soft_bytes))
		tell_lifetime(worker, group->child, TABLES_EVENT_SOFT_LIFETIME);
	if (crossed(sequence, sequence_after, out->hard_packets) || crossed(spent, spent_after, out->hard_bytes))
		tell_lifetime(worker, group->child, TABLES_EVENT_HARD_LIFETIME);
	group->next = sequence + 1;
	group->last = spent >= out->hard_bytes ? 0 : out->hard_packets;
}

void numbers_take(struct worker *worker, const uint32_t *children, struct esp_packet *packets, uint16_t count)
{
	struct groups groups = {.count = 0};
	uint8_t group[BURST];

	memset(groups.places, PLACE_FREE, sizeof(groups.places));
	for (uint16_t i = 0; i < count; i++) {
		group[i] = group_of(&groups, children[i]);
		groups.groups[group[i]].packets++;
		groups.groups[group[i]].bytes += packets[i].len;
	}
	for (uint16_t i = 0; i < groups.count; i++)
		group_take(worker, &groups.groups[i]);
	for (uint16_t i = 0; i < count; i++) {
		struct group *of = &groups.groups[group[i]];
		uint64_t number = of->next++;

		packets[i].sequence = number <= of->last ? number : 0;
		packets[i].spi = worker->dataplane->sas.out[of->child].spi;
	}
}
