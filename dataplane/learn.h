/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outer path's MTU, learned from routers on the way (RFC 1191, RFC 8201). Anybody can send such a message, so it
 * counts only when it quotes a packet of ours: addresses, ports and SPI of an outbound SA, and a sequence number that
 * it used a moment ago (RFC 4301 section 8.2.1). Workers take messages apart; the main thread compares them with its
 * SAs, and forgets after a while what they said. Of a TCP segment the quoted sequence number has to be one that is in
 * flight (RFC 5927 section 4.1), and the connection's owner sees to it. The kernel gets them, too.
 */
#pragma once

#include "ip.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct dataplane;
struct rte_mbuf;
struct worker;

enum {
	LEARN_RECENT = 1024,	 /* packets */
	LEARN_SECONDS = 10 * 60, /* RFC 1191 section 6.3 */
};

/* What a message says. One slot a worker; what comes before the main thread has looked is lost. */
struct learn_message {
	atomic_bool full; /* worker: sets; main: clears */
	bool udp, tcp;
	uint32_t mtu;
	union ip_address local, remote;
	uint16_t local_port, remote_port; /* 0: bare ESP */
	uint32_t spi, sequence;
};

/* Worker: `packet` is ICMP to an address of ours, data at its IP header, a valid one. It stays the caller's. */
void learn_notice(struct worker *worker, const struct rte_mbuf *packet);

/* Main thread, now and then: takes messages up and forgets old ones. `now`: TSC. */
void learn_apply(struct dataplane *dataplane, uint64_t now);
