/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a session's packets go, and how that follows the peer (RFC 7296 section 2.23 in spirit): an authentic packet
 * that is the newest of its SA and comes from elsewhere moves the session, all its SAs at once, and an event tells.
 * Only in UDP encapsulation, within one address family, and not more often than a NAT has reason to: who flips between
 * two places is followed once a second. Workers notice, the main thread moves; the control plane need not be there.
 */
#pragma once

#include "ip.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct dataplane;
struct endpoint;
struct sa_in;
struct worker;

/* Between whom an ESP packet went, by its outer header. */
struct flow {
	union ip_address remote, local;
	uint16_t remote_port, local_port; /* host order; 0: bare ESP */
};

/*
 * One slot a worker; what comes before the main thread has looked is lost, and the SA's next packet says it again. That
 * is soon enough for the packet to be still the newest.
 */
struct follow_message {
	atomic_bool full; /* worker: sets; main: clears */
	uint32_t spi;	  /* the inbound SA */
	struct flow flow;
};

/* Worker: an authentic packet, the newest so far of its SA, came this way. */
void follow_notice(struct worker *worker, struct sa_in *in, const struct flow *flow);

/* Main thread, in each turn: follows what the workers noticed. `now`: TSC. */
void follow_apply(struct dataplane *dataplane, uint64_t now);

/* Main thread: the session's packets go there from now on, and the tables say so. The families have been checked. */
void follow_move(struct dataplane *dataplane, uint32_t session, const struct endpoint *local,
	const struct endpoint *remote, uint32_t encapsulation);
