/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP segments between a branch and the gateway, byte by byte (RFC 9293 section 3.1, RFC 7323): written for the branch,
 * and read where the gateway sends. Shares nothing with dataplane/tcp, which is measured.
 */
#pragma once

#include "arguments.h"

#include <rte_ether.h>
#include <rte_mbuf.h>

#include <stdbool.h>
#include <stdint.h>

/* Where all segments of a device go, and what they have in common. */
struct segment_way {
	struct rte_ether_addr mac; /* the gateway's */
	uint16_t port;		   /* the device's number */
	bool timestamps;
	bool offload;
};

/* Of a segment of a branch, in host order. */
struct segment {
	uint32_t session;
	uint32_t sequence, acknowledgement;
	uint32_t ts_value, ts_echo;
	bool push;
};

/* Bytes before the payload, from the Ethernet header on. */
uint16_t segment_payload_at(bool timestamps);

/* Writes all headers before the payload, which has its place in the buffer already, and describes it as a card would.
 */
void segment_write(
	struct rte_mbuf *packet, const struct segment_way *way, const struct segment *segment, uint16_t payload_len);

/* A segment of the gateway. */
struct segment_seen {
	uint32_t session;
	uint32_t sequence, acknowledgement, window; /* window: bytes */
	uint32_t ts_value, ts_echo;
	const uint8_t *payload;
	uint32_t payload_len;
	bool push;
};

enum segment_verdict {
	SEGMENT_GOOD,
	SEGMENT_BAD,
	SEGMENT_FOREIGN, /* no IPv4 packet: the gateway's own, such as ARP */
};

/* Reads what the gateway sent; SEGMENT_BAD for all but an acknowledgement or data of a connection of the plan. */
enum segment_verdict segment_read(const struct rte_mbuf *packet, bool timestamps, struct segment_seen *out);

/* Right, or left to a card that offers to do it, in the way that cards want it. */
bool segment_checksum_is_right(const struct rte_mbuf *packet, bool offload);
