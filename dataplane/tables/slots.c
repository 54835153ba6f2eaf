/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int slots_init(struct slots *slots, uint32_t capacity)
{
	memset(slots, 0, sizeof(*slots));
	slots->ring = calloc(capacity, sizeof(*slots->ring));
	slots->is_free = calloc(capacity, sizeof(*slots->is_free));
	if (!slots->ring || !slots->is_free) {
		slots_free(slots);
		return -ENOMEM;
	}
	slots->capacity = capacity;
	return 0;
}

void slots_free(struct slots *slots)
{
	free(slots->ring);
	free(slots->is_free);
	memset(slots, 0, sizeof(*slots));
}

void slots_put(struct slots *slots, uint32_t slot)
{
	if (slot >= slots->capacity || slots->is_free[slot])
		return;
	slots->is_free[slot] = true;
	slots->ring[(slots->first + slots->count++) % slots->capacity] = slot;
}

int slots_take(struct slots *slots, uint32_t *slot)
{
	if (slots->count == 0)
		return -ENOSPC;
	*slot = slots->ring[slots->first];
	slots->is_free[*slot] = false;
	slots->first = (slots->first + 1) % slots->capacity;
	slots->count--;
	return 0;
}
