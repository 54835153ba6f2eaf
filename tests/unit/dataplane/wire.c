/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <string.h>

uint16_t wire_read16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

uint32_t wire_read32(const uint8_t *bytes)
{
	return (uint32_t)wire_read16(bytes) << 16 | wire_read16(bytes + 2);
}

void wire_write16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

void wire_write32(uint8_t *bytes, uint32_t value)
{
	wire_write16(bytes, (uint16_t)(value >> 16));
	wire_write16(bytes + 2, (uint16_t)value);
}

static uint32_t sum_of(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint16_t wire_checksum(const uint8_t *bytes, size_t len)
{
	return fold(sum_of(bytes, len));
}

size_t wire_ethernet(
	uint8_t *out, const uint8_t *to, const uint8_t *from, uint16_t type, const void *payload, size_t len)
{
	if (len > 0)
		memmove(out + WIRE_ETHERNET_LEN, payload, len);
	memcpy(out, to, WIRE_MAC_LEN);
	memcpy(out + WIRE_MAC_LEN, from, WIRE_MAC_LEN);
	wire_write16(out + 12, type);
	return WIRE_ETHERNET_LEN + len;
}

void wire_ipv4_checksum(uint8_t *ipv4)
{
	wire_write16(ipv4 + 10, 0);
	wire_write16(ipv4 + 10, wire_checksum(ipv4, (ipv4[0] & 15u) * 4u));
}

size_t wire_ipv4(uint8_t *out, const struct wire_ipv4 *header, const void *payload, size_t len)
{
	size_t header_len = WIRE_IPV4_LEN + (size_t)header->options_len;

	if (len > 0)
		memmove(out + header_len, payload, len);
	memset(out, 1, header_len); /* option 1: no operation */
	out[0] = (uint8_t)(0x40 | header_len / 4);
	out[1] = header->tos;
	wire_write16(out + 2, (uint16_t)(header_len + len));
	wire_write16(out + 4, header->id);
	wire_write16(out + 6, header->fragment);
	out[8] = header->ttl ? header->ttl : 64;
	out[9] = header->protocol;
	wire_write32(out + 12, header->source);
	wire_write32(out + 16, header->destination);
	wire_ipv4_checksum(out);
	return header_len + len;
}

size_t wire_udp(uint8_t *out, uint16_t from, uint16_t to, const void *payload, size_t len)
{
	if (len > 0)
		memmove(out + WIRE_UDP_LEN, payload, len);
	wire_write16(out, from);
	wire_write16(out + 2, to);
	wire_write16(out + 4, (uint16_t)(WIRE_UDP_LEN + len));
	wire_write16(out + 6, 0);
	return WIRE_UDP_LEN + len;
}

void wire_udp_checksum(uint8_t *ipv4)
{
	uint8_t *udp = ipv4 + (ipv4[0] & 15u) * 4u;
	uint16_t len = wire_read16(udp + 4), checksum;

	wire_write16(udp + 6, 0);
	checksum = fold(sum_of(ipv4 + 12, 8) + ipv4[9] + len + sum_of(udp, len));
	wire_write16(udp + 6, checksum ? checksum : 0xffff);
}

void wire_forward(uint8_t *ipv4)
{
	ipv4[8]--;
	wire_ipv4_checksum(ipv4);
}

void wire_noise(uint8_t *bytes, size_t len, uint32_t seed)
{
	uint32_t state = seed * 2654435761u + 1;

	for (size_t i = 0; i < len; i++) {
		state = state * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(state >> 24);
	}
}
