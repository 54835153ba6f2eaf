/* SPDX-License-Identifier: Apache-2.0 */
#include "ip.h"

union ip_address ip_of_address(const struct address *address)
{
	union ip_address none = {.words = {0, 0}};

	switch (address->family) {
	case ADDRESS_IPV4: return ip_from_ipv4(address_to_ipv4(address));
	case ADDRESS_IPV6: return ip_from_bytes(address->bytes);
	default: return none;
	}
}

struct address ip_to_address(const union ip_address *address)
{
	struct address out = {.family = ADDRESS_IPV6};

	if (ip_is_none(address))
		return (struct address){.family = ADDRESS_NONE};
	if (ip_is_ipv4(address))
		return address_ipv4(ip_to_ipv4(address));
	memcpy(out.bytes, address->bytes, sizeof(out.bytes));
	return out;
}

static uint64_t mask_word(unsigned int bits)
{
	return bits == 0 ? 0 : rte_cpu_to_be_64(UINT64_MAX << (64 - bits));
}

static struct ip_network network_of_bits(const union ip_address *address, unsigned int bits)
{
	struct ip_network network;

	network.mask.words[0] = mask_word(bits < 64 ? bits : 64);
	network.mask.words[1] = mask_word(bits > 64 ? bits - 64 : 0);
	network.address.words[0] = address->words[0] & network.mask.words[0];
	network.address.words[1] = address->words[1] & network.mask.words[1];
	return network;
}

struct ip_network ip_network_make(const union ip_address *address, uint8_t len)
{
	return network_of_bits(address, ip_is_ipv4(address) ? IP_PREFIX_IPV4 + len : len);
}

/* By the family that the prefix says: ::/0 is every IPv6 address, and 0.0.0.0/0 every IPv4 one. */
struct ip_network ip_network_of(const struct prefix *prefix)
{
	union ip_address address = ip_of_address(&prefix->address);

	return network_of_bits(
		&address, prefix->address.family == ADDRESS_IPV4 ? IP_PREFIX_IPV4 + prefix->len : prefix->len);
}

uint8_t ip_network_bits(const struct ip_network *network)
{
	return (uint8_t)(__builtin_popcountll(network->mask.words[0]) + __builtin_popcountll(network->mask.words[1]));
}

bool ip_network_equal(const struct ip_network *a, const struct ip_network *b)
{
	return ip_equal(&a->address, &b->address) && ip_equal(&a->mask, &b->mask);
}
