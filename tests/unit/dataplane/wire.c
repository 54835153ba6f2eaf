/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
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

size_t wire_ipv6(uint8_t *out, const struct wire_ipv6 *header, const void *payload, size_t len)
{
	if (len > 0)
		memmove(out + WIRE_IPV6_LEN, payload, len);
	wire_write32(out, 6u << 28 | (uint32_t)header->tos << 20 | header->flow);
	wire_write16(out + 4, (uint16_t)len);
	out[6] = header->next_header;
	out[7] = header->hop_limit ? header->hop_limit : 64;
	memcpy(out + 8, header->source, 16);
	memcpy(out + 24, header->destination, 16);
	return WIRE_IPV6_LEN + len;
}

size_t wire_fragment(
	uint8_t *out, uint8_t next_header, uint16_t offset, bool more, uint32_t id, const void *payload, size_t len)
{
	if (len > 0)
		memmove(out + WIRE_FRAGMENT_LEN, payload, len);
	out[0] = next_header;
	out[1] = 0;
	wire_write16(out + 2, (uint16_t)(offset | (more ? 1 : 0)));
	wire_write32(out + 4, id);
	return WIRE_FRAGMENT_LEN + len;
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

uint16_t wire_ipv6_sum(const uint8_t *ipv6)
{
	uint16_t len = wire_read16(ipv6 + 4);

	return fold(sum_of(ipv6 + 8, 32) + len + ipv6[6] + sum_of(ipv6 + WIRE_IPV6_LEN, len));
}

void wire_ipv6_checksum(uint8_t *ipv6)
{
	uint8_t *field = ipv6 + WIRE_IPV6_LEN + (ipv6[6] == IPPROTO_UDP ? 6 : ipv6[6] == IPPROTO_TCP ? 16 : 2);
	uint16_t sum;

	wire_write16(field, 0);
	sum = wire_ipv6_sum(ipv6);
	wire_write16(field, sum == 0 && ipv6[6] == IPPROTO_UDP ? 0xffff : sum);
}

void wire_address(const char *text, uint8_t address[16])
{
	if (inet_pton(AF_INET6, text, address) != 1)
		abort();
}

bool wire_is_ipv6(const uint8_t *packet)
{
	return packet[0] >> 4 == 6;
}

size_t wire_total_len(const uint8_t *packet)
{
	return wire_is_ipv6(packet) ? WIRE_IPV6_LEN + (size_t)wire_read16(packet + 4) : wire_read16(packet + 2);
}

size_t wire_header_len(const uint8_t *packet)
{
	return wire_is_ipv6(packet) ? (size_t)WIRE_IPV6_LEN : (packet[0] & 15u) * 4u;
}

uint8_t wire_tos(const uint8_t *packet)
{
	return wire_is_ipv6(packet) ? (uint8_t)(packet[0] << 4 | packet[1] >> 4) : packet[1];
}

void wire_forward(uint8_t *packet)
{
	if (wire_is_ipv6(packet)) {
		packet[7]--;
		return;
	}
	packet[8]--;
	wire_ipv4_checksum(packet);
}

void wire_noise(uint8_t *bytes, size_t len, uint32_t seed)
{
	uint32_t state = seed * 2654435761u + 1;

	for (size_t i = 0; i < len; i++) {
		state = state * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(state >> 24);
	}
}
