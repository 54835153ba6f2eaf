/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between workers and sluiced (tables/bundle.h says how it travels): ESP of sessions whose TCP connections sluiced has,
 * and IKE messages in connections that workers own. Outbound a worker encrypts as for any session and leaves the packet
 * in a ring; inbound the main thread gives it to the worker that owns its SA, as another worker would hand it over, with
 * an outer header of addresses alone before it. Where sluiced takes nothing, or is away, packets are dropped and counted.
 * Connections come to the workers the same way (tables/transfer.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bundle_head;
struct dataplane;
struct rte_mbuf;
struct rte_ring;

struct relay {
	struct rte_ring *ring; /* workers: put; main thread: takes */
	uint8_t *message;      /* main thread: what was received last */
	int fd;		       /* main thread: to sluiced; -1: it is away */
};

/* 0 or -ENOMEM. */
int relay_init(struct dataplane *dataplane, const char *name);
void relay_fini(struct dataplane *dataplane);

/* Worker: before a packet goes into the ring; the id of a session is the main thread's to fill in. False: there is no
 * room before it. */
bool relay_head_write(struct rte_mbuf *packet, const struct bundle_head *head);

/* Main thread: sluiced has attached, by this connection; the caller closes it. -1: it is away. */
void relay_attach(struct dataplane *dataplane, int fd);

/* Main thread, in each turn: sends what the workers have left. Returns how many packets there were. */
unsigned int relay_send(struct dataplane *dataplane);

/* Main thread, when the connection is readable: takes what came. False: sluiced has closed it. */
bool relay_receive(struct dataplane *dataplane);

/* The same for one message; for tests, which have no connection. */
void relay_take(struct dataplane *dataplane, uint8_t *message, size_t len);
