/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port: the DPDK device on the wire, and beside it the exception port, an interface of the kernel with the same
 * Ethernet address. Frames that are not the fast path's go to the kernel through it, and the kernel's come back. The
 * workers own the wire's queues; the main thread alone does the system calls of the exception port, and two rings lie
 * between them.
 */
#pragma once

#include "config/config.h"
#include "ip.h"

#include <rte_ether.h>
#include <rte_mempool.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dataplane;

enum {
	PORT_NONE = 0xffff,
	PORT_KERNEL_RING = 4096, /* frames */
};

/* An address that workers read whole while the main thread gives another. */
struct port_address {
	_Atomic(const union ip_address *) now; /* NULL: none yet; main: writes; workers: read */
	union ip_address values[2];            /* main thread */
	uint64_t retired;                      /* main thread: the grace period after which the other may be reused */
};

struct port {
	const struct config_port *config;
	uint16_t number;    /* ours: position in the configuration and in the tables */
	uint16_t device;    /* DPDK's */
	uint16_t exception; /* DPDK's number of the exception port; PORT_NONE: none */
	uint16_t mtu;
	uint16_t kernel_mtu; /* of the exception port, which may take less than the wire */
	bool adds_tcp_checksum; /* to segments that ask for it */
	struct rte_ether_addr mac;
	struct port_address ipv4, ipv6; /* one of each family that the kernel has there */
	struct rte_ring *to_kernel;   /* workers -> main */
	struct rte_ring *from_kernel; /* main -> worker `number` modulo their count */
};

/* Configures and starts the device with a queue a worker (steer.h), and its exception port. 0 or negative errno, logged. */
int port_start(struct port *port, const struct config_port *config, uint16_t number, uint16_t n_queues,
	const struct config_ike *ike, struct rte_mempool *packets);
void port_stop(struct port *port);

/* Main thread: moves frames both ways between rings and kernel. Returns how many. */
unsigned int port_exchange_kernel(struct dataplane *dataplane, struct port *port);

/*
 * Main thread: how many frames workers have ever put into to_kernel, as a mark; and, later, have as many been given to
 * the kernel?
 */
static inline uint32_t port_kernel_mark(const struct port *port)
{
	return port->to_kernel->prod.tail;
}

static inline bool port_kernel_has_passed(const struct port *port, uint32_t mark)
{
	return (int32_t)(port->to_kernel->cons.tail - mark) >= 0;
}

/* Main thread: the address that ICMP errors bear, of that family; none: the port has none. */
void port_set_address(struct port *port, bool ipv6, const union ip_address *address, struct rte_rcu_qsbr *qsbr);

/* Its Ethernet address in six of eight bytes, as it lies in memory; what is in the others is not to be looked at. */
static inline uint64_t port_mac_word(const struct port *port)
{
	uint64_t word;

	_Static_assert(sizeof(struct port) >= offsetof(struct port, mac) + sizeof(word), "so much can be read");
	memcpy(&word, (const uint8_t *)port + offsetof(struct port, mac), sizeof(word));
	return word;
}

/* Worker: that address. */
static inline union ip_address port_address(const struct port *port, bool ipv6)
{
	const struct port_address *of_family = ipv6 ? &port->ipv6 : &port->ipv4;
	const union ip_address *now = atomic_load_explicit(&of_family->now, memory_order_acquire);

	return now ? *now : (union ip_address){.words = {0, 0}};
}
