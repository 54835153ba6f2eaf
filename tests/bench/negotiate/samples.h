/* SPDX-License-Identifier: Apache-2.0 */
/* How long something took, many times: median, 99th percentile and the longest. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct samples {
	uint32_t *us;
	size_t count, capacity; /* beyond it none is taken */
};

/* 0 or -ENOMEM. */
int samples_init(struct samples *samples, size_t capacity);
void samples_free(struct samples *samples);

/* Both by the same clock, microseconds. */
void samples_add(struct samples *samples, uint64_t from_us, uint64_t to_us);

/* A line to standard output, where there are any: "NAME COUNT unanswered N median_ms N p99_ms N most_ms N". Empties it.
 */
void samples_report(struct samples *samples, const char *name, size_t unanswered);
