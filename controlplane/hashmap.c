/* SPDX-License-Identifier: Apache-2.0 */
#include "hashmap.h"

#include <errno.h>
#include <stdlib.h>

enum { HASHMAP_BUCKETS_MIN = 64 };

int hashmap_init(struct hashmap *map, uint64_t seed)
{
	*map = (struct hashmap){.mask = HASHMAP_BUCKETS_MIN - 1, .seed = seed};
	map->buckets = calloc(HASHMAP_BUCKETS_MIN, sizeof(struct hashmap_node *));
	return map->buckets ? 0 : -ENOMEM;
}

void hashmap_free(struct hashmap *map)
{
	free(map->buckets);
	map->buckets = NULL;
}

/* FNV-1a over a secret start, its upper bits mixed down in the end. */
uint64_t hashmap_hash(const struct hashmap *map, const void *key, size_t len)
{
	const uint8_t *at = key;
	uint64_t hash = map->seed ^ 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	hash = (hash ^ hash >> 32 ^ map->seed) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}

static void hashmap_grow(struct hashmap *map)
{
	size_t size = (map->mask + 1) * 2;
	struct hashmap_node **wider = calloc(size, sizeof(struct hashmap_node *));

	if (!wider)
		return;
	for (size_t i = 0; i <= map->mask; i++)
		while (map->buckets[i]) {
			struct hashmap_node *node = map->buckets[i];
			struct hashmap_node **to = &wider[node->hash & (size - 1)];

			map->buckets[i] = node->next;
			node->next = *to;
			*to = node;
		}
	free(map->buckets);
	map->buckets = wider;
	map->mask = size - 1;
}

void hashmap_add(struct hashmap *map, struct hashmap_node *node, uint64_t hash)
{
	struct hashmap_node **bucket;

	if (map->count > map->mask)
		hashmap_grow(map);
	bucket = &map->buckets[hash & map->mask];
	*node = (struct hashmap_node){*bucket, hash};
	*bucket = node;
	map->count++;
}

void hashmap_remove(struct hashmap *map, struct hashmap_node *node)
{
	struct hashmap_node **at = &map->buckets[node->hash & map->mask];

	while (*at && *at != node)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = node->next;
	map->count--;
}

struct hashmap_node *hashmap_first(const struct hashmap *map, uint64_t hash)
{
	struct hashmap_node *node = map->buckets[hash & map->mask];

	return !node || node->hash == hash ? node : hashmap_next(&(struct hashmap_node){node, hash});
}

struct hashmap_node *hashmap_next(const struct hashmap_node *node)
{
	struct hashmap_node *at = node->next;

	while (at && at->hash != node->hash)
		at = at->next;
	return at;
}
