/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks of the control plane: monotonic milliseconds for whatever waits, Unix seconds for what stands in the
 * shared tables and must keep its meaning when this process is started again.
 */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline int64_t clock_unix(void)
{
	return (int64_t)time(NULL);
}
