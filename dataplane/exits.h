/* SPDX-License-Identifier: Apache-2.0 */
/* The exits of the packet path: whoever ends a packet's way says by which name. */
#pragma once

#include "worker.h"

struct connection;
struct rte_mbuf;

/* Frees a packet under a name. */
static inline void exit_drop(struct worker *worker, struct rte_mbuf *packet, enum reason reason)
{
	worker_count(worker, reason, 1);
	rte_pktmbuf_free(packet);
}

/*
 * To the kernel interface of `port`. The packet starts at its IP header; an Ethernet header is put before it, to the
 * port's own address. Cut where it exceeds the interface's MTU. Drops beyond the allowed rate.
 */
void exit_kernel_packet(struct worker *worker, struct rte_mbuf *packet, uint16_t port);

/*
 * The same for a TCP segment of a peer's connection: with a rate of its own, so that data and what else is the kernel's
 * don't starve each other. What is longer than the MTU goes as any other packet.
 */
void exit_kernel_segment(struct worker *worker, struct rte_mbuf *packet, uint16_t port);

/* A whole frame as it was received. */
void exit_kernel_frame(struct worker *worker, struct rte_mbuf *frame, uint16_t port);

/* Gathers a whole frame for transmission on `port`. */
void exit_transmit(struct worker *worker, struct rte_mbuf *frame, uint16_t port);

/* Sends what was gathered. */
void exit_flush(struct worker *worker);

/* An ESP packet of a session whose transport is TCP, to the main thread (relay.h). */
void exit_stream(struct worker *worker, struct rte_mbuf *packet, uint32_t session);

/* An IKE message that came in a TCP connection of this worker, to the main thread (relay.h). */
void exit_ike(struct worker *worker, struct rte_mbuf *packet, const struct connection *connection);

/* To the ring of worker `owner`. */
void exit_handoff(struct worker *worker, struct rte_mbuf *packet, uint16_t owner);
