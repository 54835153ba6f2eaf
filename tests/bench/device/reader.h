/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames (RFC 9329 section 3) in what the gateway sends to its TCP peers, however they are cut: counted where
 * they end, and samples of them put together and checked.
 */
#pragma once

#include "meter.h"
#include "peers.h"

#include <stdbool.h>
#include <stdint.h>

struct reader {
	struct meter_counts *counts;
	uint64_t frames;      /* that have begun */
	struct peer *sampled; /* its frame is being put together; NULL: nobody's */
	uint32_t len;	      /* bytes of it that are there */
	uint8_t frame[2048];
};

/* The next bytes of a peer's stream; `push`: the segment that ends with them says so (RFC 9293 section 3.9.1.2). */
void reader_take(
	struct reader *reader, struct peer *peer, uint32_t session, const uint8_t *bytes, uint32_t len, bool push);
