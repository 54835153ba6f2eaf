/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/deadline.h"

#include <errno.h>
#include <stdlib.h>

static void deadline_place(struct deadline_heap *heap, struct deadline *deadline, size_t place)
{
	heap->items[place] = deadline;
	deadline->place = place;
}

/* Moves the one at `place` up or down until the heap is in order again. */
static void deadline_settle(struct deadline_heap *heap, size_t place)
{
	struct deadline *moving = heap->items[place];

	while (place > 1 && heap->items[place / 2]->due_ms > moving->due_ms) {
		deadline_place(heap, heap->items[place / 2], place);
		place /= 2;
	}
	while (place * 2 <= heap->count) {
		size_t child = place * 2;

		if (child < heap->count && heap->items[child + 1]->due_ms < heap->items[child]->due_ms)
			child++;
		if (heap->items[child]->due_ms >= moving->due_ms)
			break;
		deadline_place(heap, heap->items[child], place);
		place = child;
	}
	deadline_place(heap, moving, place);
}

int deadline_enroll(struct deadline_heap *heap, size_t count)
{
	size_t capacity = heap->capacity ? heap->capacity : 64;
	struct deadline **wider;

	while (capacity < heap->enrolled + count + 1)
		capacity *= 2;
	if (capacity > heap->capacity) {
		wider = realloc(heap->items, capacity * sizeof(struct deadline *));
		if (!wider)
			return -ENOMEM;
		heap->items = wider;
		heap->capacity = capacity;
	}
	heap->enrolled += count;
	return 0;
}

void deadline_retire(struct deadline_heap *heap, size_t count)
{
	heap->enrolled -= count;
}

void deadline_set(struct deadline_heap *heap, struct deadline *deadline, uint64_t due_ms)
{
	deadline->due_ms = due_ms;
	if (deadline->place == 0)
		deadline_place(heap, deadline, ++heap->count);
	deadline_settle(heap, deadline->place);
}

void deadline_cancel(struct deadline_heap *heap, struct deadline *deadline)
{
	size_t place = deadline->place;

	if (place == 0)
		return;
	deadline->place = 0;
	deadline = heap->items[heap->count--];
	if (place > heap->count)
		return;
	deadline_place(heap, deadline, place);
	deadline_settle(heap, place);
}

struct deadline *deadline_take(struct deadline_heap *heap, uint64_t now_ms)
{
	struct deadline *first;

	if (deadline_next(heap) > now_ms)
		return NULL;
	first = heap->count ? heap->items[1] : NULL;
	if (first)
		deadline_cancel(heap, first);
	return first;
}

uint64_t deadline_next(const struct deadline_heap *heap)
{
	return heap->count ? heap->items[1]->due_ms : UINT64_MAX;
}

void deadline_free(struct deadline_heap *heap)
{
	free(heap->items);
	*heap = (struct deadline_heap){0};
}
