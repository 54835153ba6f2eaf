/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port: the DPDK device on the wire, and beside it the exception port, an interface of the kernel with the same
 * Ethernet address. Frames that are not the fast path's go to the kernel through it, and the kernel's come back. The
 * workers own the wire's queues; the main thread alone does the system calls of the exception port, and two rings lie
 * between them.
 */
#pragma once

#include "config/config.h"

#include <rte_ether.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <stdatomic.h>
#include <stdint.h>

struct dataplane;

enum {
	PORT_NONE = 0xffff,
	PORT_KERNEL_RING = 4096, /* frames */
};

struct port {
	const struct config_port *config;
	uint16_t number;    /* ours: position in the configuration and in the tables */
	uint16_t device;    /* DPDK's */
	uint16_t exception; /* DPDK's number of the exception port; PORT_NONE: none */
	uint16_t mtu;
	uint16_t kernel_mtu; /* of the exception port, which may take less than the wire */
	struct rte_ether_addr mac;
	_Atomic uint32_t address;     /* one of the kernel's there, host order; 0: none. main: writes; workers: read */
	struct rte_ring *to_kernel;   /* workers -> main */
	struct rte_ring *from_kernel; /* main -> worker `number` modulo their count */
};

/* Configures and starts the device with a queue a worker (steer.h), and its exception port. 0 or negative errno, logged. */
int port_start(struct port *port, const struct config_port *config, uint16_t number, uint16_t n_queues,
	uint16_t nat_port, struct rte_mempool *packets);
void port_stop(struct port *port);

/* Main thread: moves frames both ways between rings and kernel. Returns how many. */
unsigned int port_exchange_kernel(struct dataplane *dataplane, struct port *port);
