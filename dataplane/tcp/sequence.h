/* SPDX-License-Identifier: Apache-2.0 */
/* Sequence numbers wrap: comparisons are modulo 2^32 (RFC 9293 section 3.4). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

static inline bool sequence_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool sequence_at_most(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline uint32_t sequence_later(uint32_t a, uint32_t b)
{
	return sequence_before(a, b) ? b : a;
}

static inline uint32_t sequence_earlier(uint32_t a, uint32_t b)
{
	return sequence_before(a, b) ? a : b;
}
