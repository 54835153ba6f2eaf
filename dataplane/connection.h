/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP connection that carries a session (RFC 9329), in the worker that owns it. The kernel has established it, the
 * control plane hands it over, the endpoint is dataplane/tcp.
 *
 *   in:   classify -> the owner (handed over where another worker received it) -> tcp_input -> frames.h
 *         -> ESP: inbound.h, as any; IKE: the control plane (relay.h)                      connection_input.h
 *   out:  outbound.h -> the owner -> backlog (not encrypted yet) -> while there is room: ESP -> frame -> segments
 *         -> neighbour, port                                                               connection_output.h
 *   time, commands, life                                                                   connection_worker.h
 *
 * The main thread makes a connection, shows it to the workers' lookup, hides it, and frees it after the grace period. In
 * between all of it is the owner's, whom the main thread asks by commands; each comes back as an answer.
 *
 *   held: its segments wait here, and the kernel's end of it is frozen     -> live, or back to the kernel
 *   live: the endpoint runs
 *   ending: nothing more is taken; what is queued leaves, then FIN         -> the END command comes back
 */
#pragma once

#include "ip.h"
#include "route.h"
#include "tables/transfer.h"
#include "tcp/backlog.h"
#include "tcp/frames.h"
#include "tcp/tcp.h"

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct worker;

enum { CONNECTION_HELD_MAX = 256 /* segments that wait while it is held; TCP sends again what is beyond */ };

enum connection_phase {
	CONNECTION_HELD,
	CONNECTION_LIVE,
	CONNECTION_ENDING,
	CONNECTION_GONE, /* the owner has let go of it: the main thread frees it after the grace period */
};

/*
 * What a segment is found by; without gaps, for it is hashed as it stands. Ports in network order, and in that of a
 * segment that came.
 */
struct connection_ends {
	union ip_address local, remote;
	uint16_t remote_port, local_port;
	uint32_t ipv6; /* 0 or 1 */
};
_Static_assert(offsetof(struct connection_ends, local_port) == offsetof(struct connection_ends, remote_port) + 2,
	"one word, as in a TCP header");

/* Counters of the connection beside the endpoint's; the owner's. See connection_figures.h. */
struct connection_counters {
	uint64_t ike_in, ike_out;
	uint64_t dropped_late, dropped_full, marked;
};

/* In lines of a cache: what each packet needs is on the first two, in `tcp`, and if it came, right behind that. */
struct connection {
	/* All workers read this line, which tells whose a segment is. */
	struct connection_ends ends; /* main thread: set before it is shown; nobody changes it then, nor the owner */
	struct route_memory route;   /* where its segments go */
	uint32_t sum;		     /* of its addresses, as in a checksum, not folded; connection_segment.h */
	uint16_t owner;		     /* worker */
	_Atomic uint64_t too_big; /* any worker: the MTU that a router named, below the number of the segment; 0: none */

	/* The owner's. */
	uint8_t phase;       /* enum connection_phase */
	bool waits;	     /* in the worker's list of those that have something to send */
	bool scheduled;      /* in the worker's wheel */
	bool changed;	     /* its figures, since they were published */
	uint32_t gathered;   /* bytes of its frames that are about to be sealed; connection_seal.h */
	uint64_t due;        /* microseconds: when the wheel looks at it */
	uint64_t frames_out; /* a counter */
	struct backlog backlog;
	struct tcp tcp;

	TAILQ_ENTRY(connection) waiting;
	struct rte_mbuf *lent; /* to the reader; NULL while one is lent to it: that frame is thrown away */
	uint64_t frames_in;    /* a counter */
	struct frame_reader reader;
	struct connection_counters counters;
	uint64_t publish_at; /* microseconds: no earlier */
	LIST_ENTRY(connection) timed;
	struct rte_mbuf *held_first, *held_last; /* linked by mbuf->next; each of one segment otherwise */
	uint16_t n_held;
	_Atomic bool ended;		   /* it carries nothing any more, and the main thread is told; */
	int16_t ended_with;		   /* for this reason: the result of TABLES_EVENT_CONNECTION_ENDED */
	struct connection_command *ending; /* the END command, to come back when all is said */

	/* Main thread, as `ends`. */
	uint32_t index;	  /* of its record */
	uint32_t session; /* index, and the id of the record: */
	uint64_t id, session_id;
};
_Static_assert(offsetof(struct connection, phase) == RTE_CACHE_LINE_SIZE &&
		       offsetof(struct connection, tcp) == 2 * RTE_CACHE_LINE_SIZE,
	"lines are as they are said to be");

/* What sending a packet reads, and serving a connection: between two turns it has gone from the nearest cache. */
static __rte_always_inline void connection_prefetch(const struct connection *connection)
{
	rte_prefetch0(connection);
	rte_prefetch0(&connection->phase);
	tcp_prefetch_segment(&connection->tcp);
}

/* What of it a segment needs that is an ACK, or brings data. */
static __rte_always_inline void connection_prefetch_ack(const struct connection *connection)
{
	connection_prefetch(connection);
	tcp_prefetch_ack(&connection->tcp);
}
static __rte_always_inline void connection_prefetch_data(const struct connection *connection)
{
	connection_prefetch(connection);
	rte_prefetch0(&connection->waiting);
	rte_prefetch0(&connection->reader);
}

enum connection_command_kind {
	CONNECTION_INSTALL, /* held -> live; refused: `result` says why, and it is held as before */
	CONNECTION_RELEASE, /* what was held goes to the kernel. It is hidden already, and freed when this comes back */
	CONNECTION_END,     /* live -> ending, or at once; comes back when the connection has ended. It is hidden then */
};

/* What the main thread wants of the owner. Its memory is the main thread's again when it comes back. */
struct connection_command {
	enum connection_command_kind kind;
	struct connection *connection;
	int result;			 /* the owner: 0 or negative errno */
	struct transfer *transfer; /* install: the owner copies what it needs into buffers */
	bool at_once;			 /* end */
};
