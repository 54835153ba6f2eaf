/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From plain packets to ESP (RFC 4303 section 3.3): rules, policy, TTL, sequence numbers, encrypt as a burst, outer
 * header. A packet without rule and policy goes in the clear when its source allows that (packet.h), else it is dropped.
 */
#pragma once

#include "worker.h"

/* `packets` begin at their IP header; at most BURST. All of them leave. */
void outbound_process(struct worker *worker, struct rte_mbuf **packets, uint16_t count);
