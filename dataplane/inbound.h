/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From ESP packets to inner packets (RFC 4303 section 3.4): SA by SPI, replay check, decrypt and verify as a burst,
 * replay update, address update, selectors, ECN.
 */
#pragma once

#include "worker.h"

/*
 * `packets` begin at their ESP header, and sa_prefetch_in has been called for them; those whose SA another worker owns
 * are handed over. Returns how many inner packets stand at the array's front, data at the inner IP header.
 */
uint16_t inbound_process(struct worker *worker, struct rte_mbuf **packets, uint16_t count);
