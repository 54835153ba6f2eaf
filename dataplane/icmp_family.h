/* SPDX-License-Identifier: Apache-2.0 */
/* Of icmp.c alone: what differs between the families, each a pure function over the packet that an error is about. */
#pragma once

#include "ip.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_ipv4_hdr;
struct rte_ipv6_hdr;

enum icmp_kind { ICMP_TOO_BIG, ICMP_TIME_EXCEEDED };

struct icmp_error {
	enum icmp_kind kind;
	uint16_t mtu; /* too big: that fits */
};

/* May a packet of `len` bytes be answered with this error (RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e))? */
bool icmp4_may_be_sent(const struct icmp_error *error, const struct rte_ipv4_hdr *about, uint32_t len);
bool icmp6_may_be_sent(const struct icmp_error *error, const struct rte_ipv6_hdr *about, uint32_t len);

/* The length of the whole error packet about one of `len` bytes. */
uint16_t icmp4_len(uint32_t len);
uint16_t icmp6_len(uint32_t len);

/* Writes it: `error_len` bytes at `out`. `id`: its IPv4 ID. */
void icmp4_write(void *out, uint16_t error_len, const struct icmp_error *error, const struct rte_ipv4_hdr *about,
	const union ip_address *source, uint16_t id);
void icmp6_write(void *out, uint16_t error_len, const struct icmp_error *error, const struct rte_ipv6_hdr *about,
	const union ip_address *source);
