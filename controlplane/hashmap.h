/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chained hash table whose nodes lie inside the things that they find; it owns none of them. Two nodes may have the
 * same hash: the caller compares keys while it walks. The seed keeps strangers from choosing what falls together.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct hashmap_node {
	struct hashmap_node *next;
	uint64_t hash;
};

struct hashmap {
	struct hashmap_node **buckets;
	size_t mask, count;
	uint64_t seed;
};

/* 0 or -ENOMEM. */
int hashmap_init(struct hashmap *map, uint64_t seed);
void hashmap_free(struct hashmap *map);

uint64_t hashmap_hash(const struct hashmap *map, const void *key, size_t len);

/* Grows when it is full; when there is no memory for that it only gets slower. */
void hashmap_add(struct hashmap *map, struct hashmap_node *node, uint64_t hash);
void hashmap_remove(struct hashmap *map, struct hashmap_node *node);

/* The first node with this hash, and the next one; NULL at the end. */
struct hashmap_node *hashmap_first(const struct hashmap *map, uint64_t hash);
struct hashmap_node *hashmap_next(const struct hashmap_node *node);

/* The structure that a node or deadline lies in. */
#define hashmap_owner(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
