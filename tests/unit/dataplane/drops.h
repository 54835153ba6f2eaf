/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How to make each counter of dataplane/reasons.h rise: `provoke` runs in a data plane of its own, just opened, and
 * `count` is what the counter then says. No other drop may have happened, but for one that an ICMP error is about.
 */
#pragma once

#include "peer.h"

struct provocation {
	void (*provoke)(void);
	uint64_t count;
};

/* Indexed by reason; empty where another one has it. */
extern const struct provocation drops_plain[REASON_COUNT], drops_esp[REASON_COUNT], drops_stream[REASON_COUNT];

/* A UDP packet from `source` to `destination`, in a buffer that lasts until the next call; its length in `len`. */
uint8_t *drops_udp(
	uint32_t source, uint32_t destination, uint16_t port, const void *payload, size_t payload_len, size_t *len);
