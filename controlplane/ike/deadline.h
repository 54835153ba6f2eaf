/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits for its time: a binary heap of deadlines that lie inside the things that wait. Times are the host's
 * monotonic milliseconds; nothing here reads a clock.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct deadline {
	uint64_t due_ms;
	size_t place; /* in the heap, from 1; 0: not waiting */
	void (*fire)(void *engine, struct deadline *deadline);
};

struct deadline_heap {
	struct deadline **items; /* items[0] is not used */
	size_t count, capacity;
	size_t enrolled; /* deadlines that may wait at the same time */
};

/* Makes room for `count` more deadlines, so that setting one can't fail; gives it back. 0 or -ENOMEM. */
int deadline_enroll(struct deadline_heap *heap, size_t count);
void deadline_retire(struct deadline_heap *heap, size_t count);

/* Sets or moves a deadline that room was made for. */
void deadline_set(struct deadline_heap *heap, struct deadline *deadline, uint64_t due_ms);
void deadline_cancel(struct deadline_heap *heap, struct deadline *deadline);

/* Takes the first one that is due off the heap; NULL when none is. */
struct deadline *deadline_take(struct deadline_heap *heap, uint64_t now_ms);

/* When the next one is due; UINT64_MAX when nothing waits. */
uint64_t deadline_next(const struct deadline_heap *heap);

void deadline_free(struct deadline_heap *heap);
