/* SPDX-License-Identifier: Apache-2.0 */
/* Networks for the lookups' tests, and random ones out of so few that many contain each other. */
#pragma once

#include "ip.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static inline struct ip_network network_of(uint32_t address, uint8_t len)
{
	union ip_address ip = ip_from_ipv4(address);

	return ip_network_make(&ip, len);
}

static inline uint32_t network_address(uint32_t address, uint8_t len)
{
	struct ip_network network = network_of(address, len);

	return ip_to_ipv4(&network.address);
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

/* The same for either family: of IPv6 2001:db8::/32. */
static inline union ip_address random_ip(bool ipv6)
{
	uint8_t bytes[16] = {0x20, 0x01, 0x0d, 0xb8};

	if (!ipv6)
		return ip_from_ipv4(random_address());
	bytes[5] = (uint8_t)(rand() % 3);
	bytes[7] = (uint8_t)(rand() % 2);
	bytes[15] = (uint8_t)(rand() % 12);
	return ip_from_bytes(bytes);
}

static inline struct ip_network random_network(bool ipv6)
{
	static const uint8_t lens[] = {0, 1, 32, 47, 48, 63, 64, 65, 124, 126, 127, 128, 128};
	union ip_address ip = random_ip(ipv6);

	return ip_network_make(&ip, ipv6 ? lens[(size_t)rand() % sizeof(lens)] : random_len());
}
