/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole of one data plane: what the main thread sets up and changes, and what its workers read. Made by
 * dataplane_start from the configuration, undone by dataplane_stop. A test may run one without ports or threads and
 * call the workers' steps itself.
 */
#pragma once

#include "config/config.h"
#include "config/log.h"
#include "connections.h"
#include "lifetime.h"
#include "policy.h"
#include "port.h"
#include "reasons.h"
#include "relay.h"
#include "route.h"
#include "rules.h"
#include "sa.h"
#include "tables/tables.h"
#include "worker.h"

#include <rte_mempool.h>
#include <rte_rcu_qsbr.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct leaving; /* changes.c */

struct dataplane {
	const struct config *config;
	struct tables tables;
	struct rte_rcu_qsbr *qsbr;
	struct sa_store sas;
	struct rule_list rules;
	struct policy_table policies;
	struct route_table routes;
	struct rte_mempool *packets; /* buffers of one packet each */
	struct rte_mempool *jumbos;  /* buffers for reassembled packets of any size */
	struct rte_mempool *headers; /* buffers of TCP segments without a payload: see connection_segment.c */
	struct port ports[TABLES_PORTS_MAX];
	uint16_t n_ports;
	struct worker *workers;
	uint16_t n_workers;
	atomic_bool stop;            /* main: writes; workers: read */
	struct esp_engine *engine;   /* main thread: expands keys */
	uint64_t learned_until;      /* main thread: TSC when the first learned MTU is to be forgotten; 0: there is none */
	struct lifetime lifetime;    /* main thread: which SAs end by time */
	struct leaving *leaving;     /* main thread: records whose grace period runs */
	atomic_bool main_sleeps;     /* main: about to sleep, or asleep; a worker clears it and wakes it (worker.h) */
	int main_wake;               /* eventfd that wakes the main thread; -1: it never sleeps */
	struct connection_store connections; /* TCP connections that workers own */
	struct relay relay;          /* ESP of sessions whose transport is TCP, on its way to and from sluiced */
	struct log_limit net_refused; /* main thread: lines about the kernel's mirror */
};

/*
 * Everything but ports and threads: tables, lookup structures, pools, workers' state. EAL runs already. 0 or negative
 * errno, the reason having been logged. `name` distinguishes several in one process.
 */
int dataplane_init(struct dataplane *dataplane, const struct config *config, const char *name);
void dataplane_fini(struct dataplane *dataplane);

/* The data room of a packet buffer that the configured ports ask for, bytes. */
uint16_t dataplane_packet_room(const struct config *config);
