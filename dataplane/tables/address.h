/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as both processes, the configuration and the shared tables write them. Plain values without pointers, so
 * that they may lie in shared memory. Bytes are in network order, ports in host order. IPv4 uses the first four bytes;
 * the others are zero, so that two equal addresses are equal byte by byte.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum address_family {
	ADDRESS_NONE = 0,
	ADDRESS_IPV4 = 4,
	ADDRESS_IPV6 = 6,
};

struct address {
	uint8_t family; /* enum address_family */
	uint8_t reserved[3];
	uint8_t bytes[16];
};

enum endpoint_transport {
	ENDPOINT_UDP, /* or no port at all */
	ENDPOINT_TCP, /* RFC 9329 */
};

/* One side of a flow. Port 0: no port (bare ESP). */
struct endpoint {
	struct address address;
	uint16_t port;
	uint16_t transport; /* enum endpoint_transport */
};

/* A network. Bits behind the length are zero: prefix_parse and prefix_make see to it. */
struct prefix {
	struct address address;
	uint8_t len; /* bits */
	uint8_t reserved[3];
};

enum {
	ADDRESS_TEXT_LEN = 46,      /* an IPv6 address and its terminator */
	PREFIX_TEXT_LEN = 46 + 4,   /* with "/128" */
	ENDPOINT_TEXT_LEN = 46 + 12, /* with brackets, ":65535" and "/tcp" */
};

/* All parsers return 0, or -EINVAL when the whole text is not exactly one such value. */
int address_parse(const char *text, struct address *out);
int prefix_parse(const char *text, struct prefix *out);

/* Write into a buffer of the length above and return it. */
char *address_format(const struct address *address, char *text);
char *prefix_format(const struct prefix *prefix, char *text);
char *endpoint_format(const struct endpoint *endpoint, char *text);

struct address address_ipv4(uint32_t host_order);
uint32_t address_to_ipv4(const struct address *address); /* host order; 0 when it is not IPv4 */
struct prefix prefix_make(const struct address *address, uint8_t len);

bool address_equal(const struct address *a, const struct address *b);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
bool prefix_contains(const struct prefix *outer, const struct prefix *inner);
bool prefix_contains_address(const struct prefix *prefix, const struct address *address);

/* Between these values and the sockets' form. from: 0, or -EAFNOSUPPORT. to: the length of what was written. */
int endpoint_from_sockaddr(const struct sockaddr *from, struct endpoint *out);
socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *out);
