/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First step: what a received frame is. ESP to us, bare or in UDP, goes on inbound; a plain IP packet for somebody
 * else goes on outbound; all else is the kernel's, or leaves by a named exit.
 */
#pragma once

#include "worker.h"

struct connection;

/*
 * Bursts to go on: ESP packets (data at the ESP header); plain ones (data at the IP header); TCP segments of connections
 * that this worker owns (data at the IP header, meta.outer_len bytes of it); and what other workers and the main thread
 * want sent in such connections (PACKET_SEND, PACKET_IKE), which comes by classify_handed_over alone.
 */
struct classified {
	struct rte_mbuf *esp[BURST];
	struct rte_mbuf *plain[BURST];
	struct rte_mbuf *segments[BURST];
	struct connection *connections[BURST]; /* segments: of which, in the same order */
	struct rte_mbuf *sends[BURST];
	uint16_t n_esp, n_plain, n_segments, n_sends;
};

/* At most BURST frames. */
void classify_frames(
	struct worker *worker, uint16_t port, struct rte_mbuf **frames, uint16_t count, struct classified *out);

/* What other workers handed over: fragments that this one collects, and ESP whose SA it owns. At most BURST. */
void classify_handed_over(struct worker *worker, struct rte_mbuf **packets, uint16_t count, struct classified *out);

/*
 * Frames that the kernel sends on the exception port of `port`. Those that a session protects go on outbound; the
 * others are sent as they are. At most BURST.
 */
void classify_kernel(
	struct worker *worker, uint16_t port, struct rte_mbuf **frames, uint16_t count, struct classified *out);
