/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sequence numbers for a burst of packets of any SAs: one atomic add of numbers for each SA in it, and one of bytes
 * where these are limited (RFC 4303 section 3.3.3); an only worker's are plain ones, a packet at a time. Any worker may
 * take numbers of any SA. Limits are told once, by the worker whose add crosses them.
 */
#pragma once

#include "worker.h"

/*
 * Fills sequence and spi of each packet; its SA is `children[i]`, its len that of the inner packet. A sequence of 0 says
 * that the SA carries nothing any more. At most BURST. Returns how many have a number.
 */
uint16_t numbers_take(struct worker *worker, const uint32_t *children, struct esp_packet *packets, uint16_t count);

/* The same for a single packet. False: it got none. */
bool numbers_take_one(struct worker *worker, uint32_t child, struct esp_packet *packet);
