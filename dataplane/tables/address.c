/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t address_bits(const struct address *address)
{
	return address->family == ADDRESS_IPV6 ? 128 : 32;
}

int address_parse(const char *text, struct address *out)
{
	*out = (struct address){0};
	if (inet_pton(AF_INET, text, out->bytes) == 1) {
		out->family = ADDRESS_IPV4;
		return 0;
	}
	if (inet_pton(AF_INET6, text, out->bytes) == 1) {
		out->family = ADDRESS_IPV6;
		return 0;
	}
	return -EINVAL;
}

int prefix_parse(const char *text, struct prefix *out)
{
	char buffer[PREFIX_TEXT_LEN];
	struct address address;
	char *slash, *end;
	unsigned long len;

	if (strlen(text) >= sizeof(buffer))
		return -EINVAL;
	strcpy(buffer, text);
	slash = strchr(buffer, '/');
	if (slash)
		*slash++ = '\0';
	if (address_parse(buffer, &address) < 0)
		return -EINVAL;
	len = address_bits(&address);
	if (slash) {
		if (*slash < '0' || *slash > '9')
			return -EINVAL;
		len = strtoul(slash, &end, 10);
		if (*end || len > address_bits(&address))
			return -EINVAL;
	}
	*out = prefix_make(&address, (uint8_t)len);
	return 0;
}

char *address_format(const struct address *address, char *text)
{
	if (address->family == ADDRESS_NONE)
		return strcpy(text, "none");
	inet_ntop(address->family == ADDRESS_IPV6 ? AF_INET6 : AF_INET, address->bytes, text, ADDRESS_TEXT_LEN);
	return text;
}

char *prefix_format(const struct prefix *prefix, char *text)
{
	char address[ADDRESS_TEXT_LEN];

	snprintf(text, PREFIX_TEXT_LEN, "%s/%u", address_format(&prefix->address, address), prefix->len);
	return text;
}

char *endpoint_format(const struct endpoint *endpoint, char *text)
{
	const char *form = endpoint->address.family == ADDRESS_IPV6 ? "[%s]:%u%s" : "%s:%u%s";
	char address[ADDRESS_TEXT_LEN];

	address_format(&endpoint->address, address);
	if (endpoint->port)
		snprintf(text, ENDPOINT_TEXT_LEN, form, address, endpoint->port,
			endpoint->transport == ENDPOINT_TCP ? "/tcp" : "");
	else
		strcpy(text, address);
	return text;
}

struct address address_ipv4(uint32_t host_order)
{
	struct address address = {.family = ADDRESS_IPV4};
	uint32_t wire = htonl(host_order);

	memcpy(address.bytes, &wire, sizeof(wire));
	return address;
}

uint32_t address_to_ipv4(const struct address *address)
{
	uint32_t wire;

	if (address->family != ADDRESS_IPV4)
		return 0;
	memcpy(&wire, address->bytes, sizeof(wire));
	return ntohl(wire);
}

struct prefix prefix_make(const struct address *address, uint8_t len)
{
	struct prefix prefix = {.address = *address, .len = len};

	for (size_t i = 0; i < sizeof(prefix.address.bytes); i++) {
		if (len >= (i + 1) * 8)
			continue;
		prefix.address.bytes[i] &= len > i * 8 ? (uint8_t)(0xff << (8 - len % 8)) : 0;
	}
	return prefix;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && a->transport == b->transport && address_equal(&a->address, &b->address);
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && address_equal(&a->address, &b->address);
}

bool prefix_contains_address(const struct prefix *prefix, const struct address *address)
{
	struct prefix other;

	if (prefix->address.family != address->family)
		return false;
	other = prefix_make(address, prefix->len);
	return address_equal(&prefix->address, &other.address);
}

bool prefix_contains(const struct prefix *outer, const struct prefix *inner)
{
	return outer->len <= inner->len && prefix_contains_address(outer, &inner->address);
}

int endpoint_from_sockaddr(const struct sockaddr *from, struct endpoint *out)
{
	*out = (struct endpoint){0};
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;

		out->address.family = ADDRESS_IPV4;
		memcpy(out->address.bytes, &in->sin_addr, 4);
		out->port = ntohs(in->sin_port);
		return 0;
	}
	if (from->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

		out->address.family = ADDRESS_IPV6;
		memcpy(out->address.bytes, &in6->sin6_addr, 16);
		out->port = ntohs(in6->sin6_port);
		return 0;
	}
	return -EAFNOSUPPORT;
}

socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (endpoint->address.family == ADDRESS_IPV6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, endpoint->address.bytes, 16);
		in6->sin6_port = htons(endpoint->port);
		return sizeof(*in6);
	}
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	in->sin_family = AF_INET;
	memcpy(&in->sin_addr, endpoint->address.bytes, 4);
	in->sin_port = htons(endpoint->port);
	return sizeof(*in);
}
