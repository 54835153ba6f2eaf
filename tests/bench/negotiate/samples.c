/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int samples_init(struct samples *samples, size_t capacity)
{
	*samples = (struct samples){.us = calloc(capacity, sizeof(*samples->us)), .capacity = capacity};
	return samples->us ? 0 : -ENOMEM;
}

void samples_free(struct samples *samples)
{
	free(samples->us);
}

void samples_add(struct samples *samples, uint64_t from_us, uint64_t to_us)
{
	if (samples->count < samples->capacity)
		samples->us[samples->count++] = (uint32_t)(to_us - from_us);
}

static int compare(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

	return (one > other) - (one < other);
}

void samples_report(struct samples *samples, const char *name, size_t unanswered)
{
	const uint32_t *us = samples->us;
	size_t count = samples->count;

	if (count == 0)
		return;
	qsort(samples->us, count, sizeof(samples->us[0]), compare);
	printf("%s %zu unanswered %zu median_ms %.1f p99_ms %.1f most_ms %.1f\n", name, count, unanswered,
		us[count / 2] / 1e3, us[count * 99 / 100] / 1e3, us[count - 1] / 1e3);
	samples->count = 0;
}
