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

/* What a segment is found by; without gaps, for it is hashed as it stands. Ports in network order. */
struct connection_ends {
	union ip_address local, remote;
	uint16_t local_port, remote_port;
	uint32_t ipv6; /* 0 or 1 */
};

/* What the headers of all its segments share, and where they go; see connection_segment.h. */
struct connection_path {
	struct route_memory route;
	uint32_t ip_sum;     /* IPv4: of the header's fields that never change, not folded */
	uint32_t pseudo_sum; /* of the pseudo-header's, but for the length */
};

/* Counters of the connection beside the endpoint's; the owner's. See connection_figures.h. */
struct connection_counters {
	uint64_t frames_in, frames_out, ike_in, ike_out;
	uint64_t dropped_late, dropped_full, marked;
};

struct connection {
	/* Main thread: set before it is shown; nobody changes it then. */
	struct connection_ends ends;
	uint32_t index;      /* of its record */
	uint32_t session;    /* index, and the id of the record: */
	uint64_t id, session_id;
	uint16_t owner;      /* worker */

	_Atomic uint64_t too_big; /* any worker: the MTU that a router named, below the number of the segment; 0: none */

	/* The owner's: what each packet needs is together here, and what few need stands behind `tcp`. */
	uint8_t phase;       /* enum connection_phase */
	_Atomic bool ended;  /* it carries nothing any more, and the main thread is told; */
	bool waits;	     /* in the worker's list of those that have something to send */
	bool scheduled;      /* in the worker's wheel */
	bool changed;	     /* its figures, since they were published */
	int16_t ended_with;  /* for this reason: the result of TABLES_EVENT_CONNECTION_ENDED */
	uint32_t gathered;   /* bytes of its frames that are about to be sealed; connection_seal.h */
	TAILQ_ENTRY(connection) waiting;
	uint64_t due;        /* microseconds: when the wheel looks at it */
	uint64_t publish_at; /* microseconds: no earlier */
	struct backlog backlog;
	struct connection_path path;
	struct connection_counters counters;
	struct tcp tcp;
	struct rte_mbuf *lent; /* to the reader; NULL while one is lent to it: that frame is thrown away */
	struct frame_reader reader;
	LIST_ENTRY(connection) timed;
	struct rte_mbuf *held_first, *held_last; /* linked by mbuf->next; each of one segment otherwise */
	uint16_t n_held;
	struct connection_command *ending; /* the END command, to come back when all is said */
};

static inline void connection_prefetch_part(const struct connection *connection, size_t len)
{
	for (size_t at = 0; at < len; at += RTE_CACHE_LINE_SIZE)
		rte_prefetch0((const uint8_t *)connection + at);
}

/* What tells whether a packet may leave now. */
static inline void connection_prefetch_room(const struct connection *connection)
{
	rte_prefetch0(&connection->phase);
	rte_prefetch0(&connection->backlog.data);
	rte_prefetch0(&connection->tcp.send.una);
	rte_prefetch0(&connection->tcp.send.flight);
	rte_prefetch0(&connection->tcp.cubic.cwnd);
}

/* What serving a connection reads: between two turns with many of them it has gone from the nearest cache. */
static inline void connection_prefetch(const struct connection *connection)
{
	connection_prefetch_part(connection, offsetof(struct connection, tcp) + TCP_SEND_PART);
}

/* What of it a segment needs that brings data. */
static inline void connection_prefetch_receive(const struct connection *connection)
{
	connection_prefetch_part(connection, offsetof(struct connection, tcp) + TCP_RECEIVE_PART);
	rte_prefetch0(&connection->tcp.counters);
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
