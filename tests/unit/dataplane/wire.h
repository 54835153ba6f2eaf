/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames as they stand on the wire, written by hand for the tests: Ethernet, IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC
 * 768). It shares no code with the packet path, so that both can't be wrong in the same way. IPv4 addresses are in host
 * order, IPv6 addresses as they are on the wire.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WIRE_MAX = 65600,
	WIRE_ETHERNET_LEN = 14,
	WIRE_IPV4_LEN = 20,
	WIRE_IPV6_LEN = 40,
	WIRE_FRAGMENT_LEN = 8, /* IPv6's fragment header */
	WIRE_UDP_LEN = 8,
	WIRE_MAC_LEN = 6,
	WIRE_TYPE_IPV4 = 0x0800,
	WIRE_TYPE_IPV6 = 0x86dd,
	WIRE_TYPE_ARP = 0x0806,
	WIRE_DF = 0x4000,
	WIRE_MF = 0x2000,
	WIRE_OFFSET_MASK = 0x1fff,
};

struct wire_frame {
	uint32_t len;
	uint8_t bytes[WIRE_MAX];
};

struct wire_ipv4 {
	uint32_t source, destination;
	uint8_t tos, protocol;
	uint8_t ttl;	     /* 0: 64 */
	uint8_t options_len; /* that many no-operation options, a multiple of 4 */
	uint16_t id;
	uint16_t fragment; /* flags, and offset in units of 8 bytes */
};

struct wire_ipv6 {
	uint8_t source[16], destination[16];
	uint8_t tos, next_header;
	uint8_t hop_limit; /* 0: 64 */
	uint32_t flow;
};

uint16_t wire_read16(const uint8_t *bytes);
uint32_t wire_read32(const uint8_t *bytes);
void wire_write16(uint8_t *bytes, uint16_t value);
void wire_write32(uint8_t *bytes, uint32_t value);

/* The Internet checksum (RFC 1071) in the order of a header's field; 0 over a header with the right one in it. */
uint16_t wire_checksum(const uint8_t *bytes, size_t len);

/* Each writes its header and the payload behind it, which may lie there already, and returns the length of both. */
size_t wire_ethernet(
	uint8_t *out, const uint8_t *to, const uint8_t *from, uint16_t type, const void *payload, size_t len);
size_t wire_ipv4(uint8_t *out, const struct wire_ipv4 *header, const void *payload, size_t len);
size_t wire_ipv6(uint8_t *out, const struct wire_ipv6 *header, const void *payload, size_t len);
size_t wire_fragment(uint8_t *out, uint8_t next_header, uint16_t offset, bool more, uint32_t id, const void *payload,
	size_t len); /* `offset` in bytes */
size_t wire_udp(uint8_t *out, uint16_t from, uint16_t to, const void *payload, size_t len);

/* Gives a UDP packet in IPv4 the checksum that wire_udp left at zero. */
void wire_udp_checksum(uint8_t *ipv4);

/* The checksum of what follows an IPv6 header (RFC 8200 section 8.1); 0 where the right one is in it. */
uint16_t wire_ipv6_sum(const uint8_t *ipv6);

/* Gives UDP, TCP or ICMPv6 behind an IPv6 header its checksum. */
void wire_ipv6_checksum(uint8_t *ipv6);

/* An address from its text. */
void wire_address(const char *text, uint8_t address[16]);

bool wire_is_ipv6(const uint8_t *packet);

/* The length that the header says, and that of the header itself without extension headers. */
size_t wire_total_len(const uint8_t *packet);
size_t wire_header_len(const uint8_t *packet);

uint8_t wire_tos(const uint8_t *packet);

/* What a router does: TTL or hop limit less one, IPv4's checksum made anew. */
void wire_forward(uint8_t *packet);
void wire_ipv4_checksum(uint8_t *ipv4);

/* Deterministic noise. */
void wire_noise(uint8_t *bytes, size_t len, uint32_t seed);
