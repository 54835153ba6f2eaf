/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/place.h"

#include <string.h>

enum {
	WORDS = sizeof(struct place) / sizeof(uint32_t),
	TRIES = 10000, /* a writer needs some nanoseconds, unless it is taken off its core just there */
};
_Static_assert(sizeof(struct place) == WORDS * sizeof(uint32_t), "a place is whole words");

/*
 * Each word is stored with release and loaded with acquire order: a reader that got one word of a newer write sees its
 * odd version, too. No fence is needed, which the thread sanitizers would not understand.
 */
void place_write(struct tables_place *shared, const struct endpoint *local, const struct endpoint *remote,
	uint32_t encapsulation)
{
	struct place place = {.local = *local, .remote = *remote, .encapsulation = encapsulation};
	uint32_t words[WORDS], version = atomic_load_explicit(&shared->version, memory_order_relaxed);

	memcpy(words, &place, sizeof(words));
	version += version & 1; /* the other process can write there */
	atomic_store_explicit(&shared->version, version + 1, memory_order_relaxed);
	for (int i = 0; i < WORDS; i++)
		atomic_store_explicit(&shared->words[i], words[i], memory_order_release);
	version += 2;
	atomic_store_explicit(&shared->version, version ? version : 2, memory_order_release);
}

bool place_read(const struct tables_place *shared, struct place *place)
{
	uint32_t words[WORDS];

	for (int i = 0; i < TRIES; i++) {
		uint32_t version = atomic_load_explicit(&shared->version, memory_order_acquire);

		if (version == 0)
			return false;
		for (int word = 0; word < WORDS; word++)
			words[word] = atomic_load_explicit(&shared->words[word], memory_order_acquire);
		if (version & 1 || atomic_load_explicit(&shared->version, memory_order_relaxed) != version)
			continue;
		memcpy(place, words, sizeof(*place));
		return true;
	}
	return false;
}

void place_clear(struct tables_place *shared)
{
	atomic_store_explicit(&shared->version, 0, memory_order_relaxed);
}
