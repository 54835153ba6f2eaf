/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An address of either family as one value, so that comparisons and lookups need not ask which: IPv6 as it goes on the
 * wire, IPv4 mapped into it (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2). Networks are a comparison under a mask. The
 * contract's struct address (tables/address.h) is what configuration and control plane use; here it becomes what
 * packets are compared with. A short IPv6 prefix such as ::/0 holds every mapped address, too: whoever compares with
 * networks that peers or operators named has compared the families first. Mapped addresses in IPv6 headers are refused
 * (classify.c).
 */
#pragma once

#include "tables/address.h"

#include <rte_byteorder.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

union ip_address {
	uint8_t bytes[16];
	uint64_t words[2];
	struct {
		uint32_t before[2];
		rte_be32_t mapped; /* 0x0000ffff: the rest is an IPv4 address */
		rte_be32_t ipv4;
	};
};

/* Bits outside of the mask are zero in the address. */
struct ip_network {
	union ip_address address, mask;
};

enum { IP_PREFIX_IPV4 = 96 }; /* bits before a mapped IPv4 address */

static inline union ip_address ip_from_be32(rte_be32_t ipv4)
{
	return (union ip_address){.words = {0, (uint64_t)ipv4 << 32 | rte_cpu_to_be_32(0xffff)}};
}

static inline union ip_address ip_from_ipv4(uint32_t host_order)
{
	return ip_from_be32(rte_cpu_to_be_32(host_order));
}

static inline union ip_address ip_from_bytes(const uint8_t ipv6[16])
{
	union ip_address address;

	memcpy(&address, ipv6, sizeof(address));
	return address;
}

static inline bool ip_is_ipv4(const union ip_address *address)
{
	return address->words[0] == 0 && address->mapped == rte_cpu_to_be_32(0xffff);
}

/* Host order; of a mapped address. */
static inline uint32_t ip_to_ipv4(const union ip_address *address)
{
	return rte_be_to_cpu_32(address->ipv4);
}

/* No address at all: neither family's. */
static inline bool ip_is_none(const union ip_address *address)
{
	return (address->words[0] | address->words[1]) == 0;
}

static inline bool ip_equal(const union ip_address *a, const union ip_address *b)
{
	return ((a->words[0] ^ b->words[0]) | (a->words[1] ^ b->words[1])) == 0;
}

/* fe80::/10 (RFC 4291 section 2.5.6): means something on one link alone. */
static inline bool ip_is_link_local(const union ip_address *address)
{
	return (address->words[0] & rte_cpu_to_be_64(UINT64_C(0xffc0) << 48)) ==
	       rte_cpu_to_be_64(UINT64_C(0xfe80) << 48);
}

static inline bool ip_network_has(const struct ip_network *network, const union ip_address *address)
{
	return (((address->words[0] & network->mask.words[0]) ^ network->address.words[0]) |
		       ((address->words[1] & network->mask.words[1]) ^ network->address.words[1])) == 0;
}

/* Have both the same first `bits`, of 128? */
static inline bool ip_begins_alike(const union ip_address *a, const union ip_address *b, uint8_t bits)
{
	uint64_t upper = rte_be_to_cpu_64(a->words[0] ^ b->words[0]), lower = rte_be_to_cpu_64(a->words[1] ^ b->words[1]);

	if (bits > 64)
		return upper == 0 && lower >> (128 - bits) == 0;
	return bits == 0 || upper >> (64 - bits) == 0;
}

/* ip_network_has where both are known to be of IPv4. */
static inline bool ip_network_has_ipv4(const struct ip_network *network, rte_be32_t address)
{
	return (address & network->mask.ipv4) == network->address.ipv4;
}

/* From and to the contract's form. ADDRESS_NONE and :: are both no address. */
union ip_address ip_of_address(const struct address *address);
struct address ip_to_address(const union ip_address *address);

/* `len` counts as the family does: at most 32 for IPv4. */
struct ip_network ip_network_of(const struct prefix *prefix);
struct ip_network ip_network_make(const union ip_address *address, uint8_t len);

/* Bits of the mask, of 128. */
uint8_t ip_network_bits(const struct ip_network *network);
bool ip_network_equal(const struct ip_network *a, const struct ip_network *b);
