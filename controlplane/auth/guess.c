/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/guess.h"

#include "hashmap.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { GUESS_ENTRIES_MAX = 65536, GUESS_KEY_LEN = 192 };

/* Whose wrong passwords: "u:USER", "a:ADDRESS", or "p:USER ADDRESS" of a pair that is known. */
struct guess_entry {
	struct hashmap_node by_key;
	TAILQ_ENTRY(guess_entry) by_use; /* longest unused first */
	char key[GUESS_KEY_LEN];
	uint32_t wrong;
	uint64_t window_ends_ms;
};

TAILQ_HEAD(guess_list, guess_entry);

struct guess {
	struct guess_limits limits;
	struct hashmap by_key;
	struct guess_list by_use;
};

struct guess *guess_new(const struct guess_limits *limits, uint64_t seed)
{
	struct guess *guess = calloc(1, sizeof(*guess));

	if (!guess)
		return NULL;
	guess->limits = *limits;
	TAILQ_INIT(&guess->by_use);
	if (hashmap_init(&guess->by_key, seed) < 0) {
		free(guess);
		return NULL;
	}
	return guess;
}

static void guess_drop(struct guess *guess, struct guess_entry *entry)
{
	hashmap_remove(&guess->by_key, &entry->by_key);
	TAILQ_REMOVE(&guess->by_use, entry, by_use);
	free(entry);
}

void guess_free(struct guess *guess)
{
	if (!guess)
		return;
	while (!TAILQ_EMPTY(&guess->by_use))
		guess_drop(guess, TAILQ_FIRST(&guess->by_use));
	hashmap_free(&guess->by_key);
	free(guess);
}

/* The entry of a key, made when `make` says so; NULL when there is none (or no memory). */
static struct guess_entry *guess_entry(struct guess *guess, const char *key, bool make)
{
	uint64_t hash = hashmap_hash(&guess->by_key, key, strlen(key));
	struct hashmap_node *node = hashmap_first(&guess->by_key, hash);
	struct guess_entry *entry = NULL;

	for (; node && !entry; node = hashmap_next(node))
		if (strcmp(hashmap_owner(node, struct guess_entry, by_key)->key, key) == 0)
			entry = hashmap_owner(node, struct guess_entry, by_key);
	if (entry) {
		TAILQ_REMOVE(&guess->by_use, entry, by_use);
	} else {
		entry = make ? calloc(1, sizeof(*entry)) : NULL;
		if (!entry)
			return NULL;
		if (guess->by_key.count >= GUESS_ENTRIES_MAX)
			guess_drop(guess, TAILQ_FIRST(&guess->by_use));
		snprintf(entry->key, sizeof(entry->key), "%s", key);
		hashmap_add(&guess->by_key, &entry->by_key, hash);
	}
	TAILQ_INSERT_TAIL(&guess->by_use, entry, by_use);
	return entry;
}

/* A window that is over has nothing to say. */
static uint32_t guess_wrong(const struct guess_entry *entry, uint64_t now_ms)
{
	return entry && now_ms < entry->window_ends_ms ? entry->wrong : 0;
}

static void guess_add(struct guess *guess, struct guess_entry *entry, uint64_t now_ms)
{
	if (!entry)
		return;
	if (guess_wrong(entry, now_ms) == 0) {
		entry->wrong = 0;
		entry->window_ends_ms = now_ms + (uint64_t)guess->limits.window * 1000;
	}
	entry->wrong++;
}

enum guess_verdict guess_try(struct guess *guess, const char *user, const char *address, uint64_t now_ms)
{
	char key[GUESS_KEY_LEN];
	struct guess_entry *pair, *of_user, *of_address;

	snprintf(key, sizeof(key), "p:%s %s", user, address);
	pair = guess_entry(guess, key, false);
	if (pair) {
		if (guess_wrong(pair, now_ms) >= guess->limits.per_user)
			return GUESS_TOO_MANY_OF_USER;
		guess_add(guess, pair, now_ms);
		return GUESS_ALLOWED;
	}
	snprintf(key, sizeof(key), "u:%s", user);
	of_user = guess_entry(guess, key, true);
	snprintf(key, sizeof(key), "a:%s", address);
	of_address = guess_entry(guess, key, true);
	if (guess_wrong(of_address, now_ms) >= guess->limits.per_address)
		return GUESS_TOO_MANY_OF_ADDRESS;
	if (guess_wrong(of_user, now_ms) >= guess->limits.per_user)
		return GUESS_TOO_MANY_OF_USER;
	guess_add(guess, of_user, now_ms);
	guess_add(guess, of_address, now_ms);
	return GUESS_ALLOWED;
}

static void guess_take_back(struct guess *guess, const char *key)
{
	struct guess_entry *entry = guess_entry(guess, key, false);

	if (entry && entry->wrong > 0)
		entry->wrong--;
}

void guess_right(struct guess *guess, const char *user, const char *address)
{
	struct guess_entry *pair;
	char key[GUESS_KEY_LEN];

	snprintf(key, sizeof(key), "p:%s %s", user, address);
	pair = guess_entry(guess, key, false);
	if (!pair) {
		pair = guess_entry(guess, key, true);
		snprintf(key, sizeof(key), "u:%s", user);
		guess_take_back(guess, key);
		snprintf(key, sizeof(key), "a:%s", address);
		guess_take_back(guess, key);
	}
	if (pair)
		pair->wrong = 0;
}
