/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From inner packets to TCP segments. A packet for which the endpoint has room is numbered and encrypted, in bursts
 * across connections, and framed. Where nothing has to be said or sent before, it has its place in the stream and all
 * its headers before it is encrypted, and leaves then; else the endpoint gets the frame. Another waits in its
 * connection's backlog, unencrypted, until the end of a turn when there is room; what endpoints let go then is sent. A
 * frame that is one segment leaves in the packet's own buffer, and so does the first segment of a longer one: TCP, IP
 * and Ethernet headers are written before it, and the endpoint keeps a reference until it is acknowledged. All other
 * segments are copied.
 */
#pragma once

#include "connection.h"
#include "worker.h"

/* An inner packet that the child SA `child` is to carry, by a TCP connection; NULL: it has gone. The packet leaves. */
void connection_send(struct worker *worker, struct rte_mbuf *packet, uint32_t child, struct connection *connection);

/* What other workers and the main thread have handed over: PACKET_SEND and PACKET_IKE. They leave. */
void connection_take_sends(struct worker *worker, struct rte_mbuf **packets, uint16_t count);

/* Serves those that wait, at the end of a turn. Returns how many. */
unsigned int connection_output(struct worker *worker);

/* After what came for it: most have nothing to say, others are served at the end of the turn. */
void connection_rest(struct worker *worker, struct connection *connection);

/* After what left at once. */
void connection_sent(struct worker *worker, struct connection *connection);

/* What waits to be encrypted goes. */
void connection_drop_backlog(struct worker *worker, struct connection *connection);
