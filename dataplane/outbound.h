/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From plain packets to ESP (RFC 4303 section 3.3): rules, policy, TTL, MSS, cut to what fits, sequence numbers,
 * encrypt as a burst, outer header. A packet without rule and policy goes in the clear when its source allows that
 * (packet.h), else it is dropped.
 */
#pragma once

#include "sa.h"
#include "worker.h"

/* `packets` begin at their IP header; at most BURST. All of them leave. */
void outbound_process(struct worker *worker, struct rte_mbuf **packets, uint16_t count);

/* Lowers the MSS of a TCP SYN, going either way through the pair of SAs that `out` belongs to, where that is
 * configured. */
void outbound_clamp_mss(const struct sa_out *out, struct rte_mbuf *packet);
