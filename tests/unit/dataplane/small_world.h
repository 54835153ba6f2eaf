/* SPDX-License-Identifier: Apache-2.0 */
/* Networks for the lookups' tests, and random ones out of so few that many contain each other. */
#pragma once

#include "sa.h"

#include <stdint.h>
#include <stdlib.h>

static inline struct sa_network network_of(uint32_t address, uint8_t len)
{
	struct sa_network network = {.mask = len ? UINT32_MAX << (32 - len) : 0};

	network.address = address & network.mask;
	return network;
}

static inline uint32_t random_address(void)
{
	return 0x0a000000 | (uint32_t)(rand() % 3) << 16 | (uint32_t)(rand() % 2) << 8 | (uint32_t)(rand() % 12);
}

static inline uint8_t random_len(void)
{
	static const uint8_t lens[] = {0, 8, 15, 16, 23, 24, 28, 30, 31, 32, 32};

	return lens[(size_t)rand() % sizeof(lens)];
}
