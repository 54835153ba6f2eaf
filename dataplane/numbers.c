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

/* An only worker shares them with nobody that writes, and saves the locked instruction. Returns what was before. */
static uint64_t take(const struct worker *worker, _Atomic uint64_t *from, uint64_t count)
{
	uint64_t before;

	if (worker->dataplane->n_workers > 1)
		return atomic_fetch_add_explicit(from, count, memory_order_relaxed);
	before = atomic_load_explicit(from, memory_order_relaxed);
	atomic_store_explicit(from, before + count, memory_order_relaxed);
	return before;
}

static void bytes_take(struct worker *worker, struct group *group)
{
	const struct sa_limits *limits = &worker->dataplane->sas.limits[group->child];
	uint64_t spent = take(worker, &sa_numbers(&worker->dataplane->sas, group->child)->bytes, group->bytes);

	if (crossed(spent, spent + group->bytes, limits->soft_bytes))
		tell_lifetime(worker, group->child, TABLES_EVENT_SOFT_LIFETIME);
	if (crossed(spent, spent + group->bytes, limits->hard_bytes))
		tell_lifetime(worker, group->child, TABLES_EVENT_HARD_LIFETIME);
	if (spent >= limits->hard_bytes)
		group->last = 0;
}

/* The soft limit is behind, or both are. */
static void packets_limit(struct worker *worker, struct group *group, uint64_t before, uint64_t after)
{
	const struct sa_limits *limits = &worker->dataplane->sas.limits[group->child];

	if (crossed(before, after, limits->soft_packets))
		tell_lifetime(worker, group->child, TABLES_EVENT_SOFT_LIFETIME);
	if (crossed(before, after, limits->hard_packets))
		tell_lifetime(worker, group->child, TABLES_EVENT_HARD_LIFETIME);
	group->last = limits->hard_packets;
}

static inline void group_take(struct worker *worker, struct group *group)
{
	const struct sa_store *sas = &worker->dataplane->sas;
	const struct sa_out *out = &sas->out[group->child];
	uint64_t sequence = take(worker, &sa_numbers(sas, group->child)->sequence, group->packets);
	uint64_t after = sequence + group->packets;

	group->next = sequence + 1;
	group->last = UINT64_MAX;
	if (unlikely(after >= out->packets_told))
		packets_limit(worker, group, sequence, after);
	if (out->limits_bytes)
		bytes_take(worker, group);
}

bool numbers_take_one(struct worker *worker, uint32_t child, struct esp_packet *packet)
{
	struct group group = {.child = child, .packets = 1, .bytes = packet->len};

	group_take(worker, &group);
	packet->sequence = likely(group.next <= group.last) ? group.next : 0;
	packet->spi = worker->dataplane->sas.out[child].spi;
	return packet->sequence != 0;
}

/* Where nobody else takes numbers there is nothing to gain from taking an SA's together. */
static uint16_t take_alone(struct worker *worker, const uint32_t *children, struct esp_packet *packets, uint16_t count)
{
	uint16_t numbered = 0;

	for (uint16_t i = 0; i < count; i++)
		numbered += numbers_take_one(worker, children[i], &packets[i]);
	return numbered;
}

static uint16_t take_grouped(
	struct worker *worker, const uint32_t *children, struct esp_packet *packets, uint16_t count)
{
	struct groups groups = {.count = 0};
	uint8_t group[BURST];
	uint16_t numbered = 0;

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

		packets[i].sequence = likely(number <= of->last) ? number : 0;
		packets[i].spi = worker->dataplane->sas.out[of->child].spi;
		numbered += packets[i].sequence != 0;
	}
	return numbered;
}

uint16_t numbers_take(struct worker *worker, const uint32_t *children, struct esp_packet *packets, uint16_t count)
{
	return worker->dataplane->n_workers > 1 ? take_grouped(worker, children, packets, count)
						: take_alone(worker, children, packets, count);
}
