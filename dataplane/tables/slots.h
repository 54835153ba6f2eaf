/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free slot numbers, first in first out: the slot that has been free longest is given out next, so that a number (and
 * the SPI made of it) rests as long as possible.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct slots {
	uint32_t *ring;
	bool *is_free; /* by slot number */
	uint32_t capacity;
	uint32_t first, count;
};

/* Empty at first. 0 or -ENOMEM. */
int slots_init(struct slots *slots, uint32_t capacity);
void slots_free(struct slots *slots);

/* Makes a number free; one that is free already stays so. */
void slots_put(struct slots *slots, uint32_t slot);

/* 0 or -ENOSPC. */
int slots_take(struct slots *slots, uint32_t *slot);
