/* SPDX-License-Identifier: Apache-2.0 */
/*
 * THE contract between sluice-dataplane and sluiced: the layout of the memory that both map. The data plane makes it
 * and hands the descriptor over (tables/share.h). Fixed layout, a version and every dimension in the header, indices
 * and offsets instead of pointers, no locks. Any change to this file raises TABLES_LAYOUT_VERSION.
 *
 *   header | session, child SA and connection records | change ring | event rings | counters, a block a thread
 *
 * Who writes what: records are the control plane's, but for `phase`, which both move along (see enum tables_phase),
 * and `inner_mtu`, `place` and `figures`, which are the data plane's.
 * Changes go control plane -> data plane, events the other way. Counters are written by their thread alone.
 * The data plane trusts nothing in here: it copies a record before it checks it, and keeps the state that packets need
 * in memory of its own.
 */
#pragma once

#include "tables/address.h"
#include "tables/crypto.h"
#include "tables/place.h"
#include "tables/ring.h"
#include "tables/suite.h"
#include "tables/tunnel.h"

#include <stdatomic.h>
#include <stdint.h>

#define TABLES_MAGIC 0x3130454349554c53ULL /* "SLUICE01", little-endian */

enum {
	TABLES_LAYOUT_VERSION = 9,
	TABLES_WORKERS_MAX = 64,
	TABLES_PORTS_MAX = 16,
	TABLES_REASONS_MAX = 96,
	TABLES_FIGURES_MAX = 48,     /* that a TCP connection has */
	TABLES_CONNECTIONS_SPARE = 64, /* more than sessions, for those that take another's place or are ending */
	TABLES_REASON_NAME_LEN = 32,
	TABLES_NAME_LEN = 64,
	TABLES_IDENTITY_LEN = 128,
	TABLES_CHANGE_SLOTS = 4096,
	TABLES_EVENT_SLOTS = 4096,
	TABLES_NONE = 0xffffffff, /* no index */
};

/*
 * An inbound SPI: top bit set (on a shared UDP port everything below is IKE, keepalive or a notice), then the
 * record's generation, then its index. Inbound lookup is one array access.
 */
enum {
	TABLES_SPI_INDEX_BITS = 20,
	TABLES_SPI_GENERATION_BITS = 11,
	TABLES_CHILDREN_MAX = 1 << TABLES_SPI_INDEX_BITS,
};

static inline uint32_t tables_spi(uint32_t index, uint32_t generation)
{
	return 1u << 31 | (generation & ((1u << TABLES_SPI_GENERATION_BITS) - 1)) << TABLES_SPI_INDEX_BITS | index;
}

static inline uint32_t tables_spi_index(uint32_t spi)
{
	return spi & (TABLES_CHILDREN_MAX - 1);
}

/* The life of a record, and who makes each step. A slot that is FREE belongs to the control plane. */
enum tables_phase {
	/*
	 * Data plane: LEAVING -> FREE when every worker has let go; CLAIMED -> FREE when it refuses; LIVE -> FREE when
	 * the time of a child is over, and its slot stays the control plane's until that has asked for its removal.
	 */
	TABLES_FREE,
	TABLES_CLAIMED, /* control plane: being filled, or its change is on the way */
	TABLES_LIVE,    /* data plane: taken up */
	TABLES_LEAVING, /* control plane: its removal is on the way */
};

enum tables_encapsulation {
	TABLES_ENCAPSULATION_ESP, /* bare, IP protocol 50 */
	TABLES_ENCAPSULATION_UDP, /* RFC 3948 */
	/* RFC 9329: in a TCP connection, which is a worker's where it was taken over, else the control plane's. */
	TABLES_ENCAPSULATION_STREAM,
};

/*
 * RFC 4301 section 4.1. A transport child's networks are two IPv4 hosts (/32), by the addresses that our host knows:
 * its own, and the one that the peer has for itself. Through NATs the outer header has others (RFC 3947 section 5.2),
 * which change.
 */
enum tables_mode {
	TABLES_TUNNEL,
	TABLES_TRANSPORT,
};

/*
 * A peer that has proved who it is. Endpoints are those of the data's outer headers; ports are 0 for bare ESP. `local`,
 * `remote` and `encapsulation` are what the control plane asked for last; `place` is what is in force, which follows
 * the peer's packets also while there is no control plane.
 */
struct tables_session {
	_Atomic uint32_t phase; /* enum tables_phase */
	uint32_t encapsulation; /* enum tables_encapsulation */
	uint64_t id;            /* never used again */
	struct endpoint local, remote;
	int64_t established_at; /* Unix time, seconds */
	char peer[TABLES_NAME_LEN];         /* the configuration's name of it */
	char identity[TABLES_IDENTITY_LEN]; /* what it authenticated as */
	struct tables_place place;          /* data plane: writes, but for its clearing when the slot is claimed */
};

/* A pair of ESP SAs, one each way, with the traffic selectors that both share (RFC 4301 section 4.4.1). */
struct tables_child {
	_Atomic uint32_t phase; /* enum tables_phase */
	uint32_t generation;    /* raised by each reservation; a data plane starts at a random one */
	uint32_t session;       /* index */
	uint32_t spi_in, spi_out;
	uint32_t suite;         /* enum esp_suite_id */
	uint32_t replay_window; /* packets */
	uint32_t mode;          /* enum tables_mode */
	uint32_t extended;      /* 1: 64-bit sequence numbers (RFC 4303 section 2.2.1), never without a replay window */
	struct tunnel_settings tunnel;
	uint64_t id;            /* never used again */
	struct prefix local_network, remote_network;
	uint64_t soft_bytes, hard_bytes;     /* of either direction; 0: no limit */
	uint64_t soft_packets, hard_packets; /* outbound sequence numbers; never 0; above 2^32 - 1 where `extended` */
	/*
	 * Unix time, seconds; expires_at (0: never) is the hard limit, which the data plane enforces by itself. There is
	 * no soft one: IKE negotiates a successor by its own clock, and without IKE nobody could.
	 */
	int64_t installed_at, expires_at;
	_Atomic uint32_t inner_mtu; /* the longest inner packet that fits, bytes; 0: not taken up yet */
};

/*
 * A TCP connection on its way from the kernel to a worker, or in one. HOLD claims it: from its DONE on no segment of it
 * reaches the kernel, they wait. Then its state is sent (tables/transfer.h), and the DONE of TABLES_CONNECTION_INSTALL
 * makes it LIVE; or RELEASE gives it back to the kernel. A session whose encapsulation is STREAM goes by its connection
 * that became LIVE last. The slot comes free with the DONE of RELEASE or END, or of a HOLD that was refused.
 */
struct tables_connection {
	_Atomic uint32_t phase; /* enum tables_phase */
	uint32_t session;       /* index */
	uint64_t id;            /* never used again */
	uint64_t session_id;
	struct endpoint local, remote;
	int64_t taken_at; /* Unix time, seconds */
	/* By the names in the header. Data plane: writes, a few times a second. */
	_Alignas(64) _Atomic uint64_t figures[TABLES_FIGURES_MAX];
};

enum tables_change_kind {
	TABLES_CHANGE_NONE,
	TABLES_INSTALL,        /* child `index`, and its session where it is the first: all or nothing */
	TABLES_ACTIVATE,       /* child `index` carries outbound traffic from now on */
	TABLES_MOVE,           /* session `index`: new endpoints for all its children at once */
	TABLES_REMOVE_CHILD,
	TABLES_REMOVE_SESSION, /* and what children it still has */
	TABLES_ADDRESS_ADD,    /* net: an address of ours on a port */
	TABLES_ADDRESS_REMOVE,
	TABLES_ROUTE_ADD,      /* net: prefix by gateway, or on link where the gateway is none */
	TABLES_ROUTE_REMOVE,
	TABLES_NEIGHBOUR_ADD,  /* net: address at MAC */
	TABLES_NEIGHBOUR_REMOVE,
	TABLES_NET_SWEEP,      /* net: forget what was not added again in this epoch */
	TABLES_CONNECTION_HOLD,    /* connection `index`: its segments wait, in the data plane */
	TABLES_CONNECTION_RELEASE, /* it goes on in the kernel, which gets what waited */
	TABLES_CONNECTION_END,     /* it ends: see struct tables_change */
	TABLES_CONNECTION_INSTALL, /* never in the ring: it came by tables/transfer.h, and its DONE is told by this name */
	TABLES_CHANGE_COUNT,
};

/* One slot of the change ring. The data plane wipes a slot when it has taken it, so that no key stays behind. */
struct tables_change {
	uint32_t kind;  /* enum tables_change_kind */
	uint32_t index; /* of the record */
	uint64_t id;    /* of the record: a change for a record that was replaced meanwhile is refused */
	union {
		struct {
			struct endpoint local, remote; /* used where the session is not live yet */
			uint32_t encapsulation;
			uint32_t keymat_len;           /* of each of the two */
			uint8_t keymat_in[ESP_KEYMAT_MAX];
			uint8_t keymat_out[ESP_KEYMAT_MAX];
		} install;
		struct {
			struct endpoint local, remote;
			uint32_t encapsulation;
		} move;
		struct {
			struct prefix prefix;
			struct address gateway;
			uint8_t mac[6];
			uint16_t port;
			uint32_t epoch;
		} net;
		struct {
			struct endpoint local, remote; /* hold */
			uint32_t session;              /* hold; with its id: */
			uint32_t at_once;              /* end: 1: without waiting for what is queued, with RST; 0: FIN follows it */
			uint64_t session_id;
		} connection;
	};
};

enum tables_event_kind {
	TABLES_EVENT_NONE,
	TABLES_EVENT_DONE,	    /* the change `change` of record `index`, `id` has ended with `result` */
	TABLES_EVENT_MOVED,	    /* session `index` has followed its peer, whose newest packet came from `source` */
	TABLES_EVENT_SOFT_LIFETIME, /* by bytes or sequence numbers: negotiate a successor */
	TABLES_EVENT_HARD_LIFETIME, /* it carries nothing any more; by time, too, and then it has been emptied */
	TABLES_EVENT_UNKNOWN_SPI,   /* `spi` from `source` */
	TABLES_EVENT_NEIGHBOUR_WANTED, /* `source.address` on port `index` has no known MAC */
	/*
	 * Connection `index`, `id` carries nothing any more; its slot waits for END. `result`: 0: the peer closed it;
	 * -ECONNRESET, -ETIMEDOUT (no answer), -EPROTO (no RFC 9329 frames). What IKE said in it was sent before
	 * (bundle.h).
	 */
	TABLES_EVENT_CONNECTION_ENDED,
	TABLES_EVENT_COUNT,
};

struct tables_event {
	uint32_t kind;   /* enum tables_event_kind */
	uint32_t change; /* enum tables_change_kind */
	uint32_t index;  /* child, or what the change or event names */
	int32_t result;  /* 0 or negative errno */
	uint64_t id;     /* of the record */
	uint32_t spi;
	uint32_t reserved;
	struct endpoint local, source;
};

/* What one child SA carried, in inner bytes and packets; of one worker. */
struct tables_traffic {
	_Atomic uint64_t packets_in, bytes_in;
	_Atomic uint64_t packets_out, bytes_out;
};

/* When nothing is under way, the sum of IN is the sum of OUT and DROP. */
enum tables_reason_kind {
	TABLES_REASON_IN,
	TABLES_REASON_OUT,
	TABLES_REASON_DROP,
	TABLES_REASON_NOTE, /* counts beside */
};

/* Values that are no sums. Written by the data plane's main thread. */
enum tables_gauge {
	TABLES_GAUGE_PACKET_BUFFERS,      /* in all pools */
	TABLES_GAUGE_PACKET_BUFFERS_FREE, /* when nothing is under way this is all of them, less those in receive rings */
	TABLES_GAUGE_FRAGMENTS_HELD,
	TABLES_GAUGE_CHILDREN,
	TABLES_GAUGE_SESSIONS,
	TABLES_GAUGE_CONNECTIONS, /* TCP connections in workers */
	TABLES_GAUGE_ROUTES,
	TABLES_GAUGE_NEIGHBOURS,
	TABLES_GAUGE_DEVICE_MISSED, /* packets that ports have lost because no worker took them in time, since the start */
	TABLES_GAUGE_COUNT,
};

/* One thread's counters. A block is followed by one struct tables_traffic for each child SA record. */
struct tables_counters {
	_Alignas(64) _Atomic uint64_t reasons[TABLES_REASONS_MAX]; /* dataplane/reasons.h; names in the header */
	_Atomic uint64_t loops, busy_loops; /* turns of the poll loop; of these, with a packet */
	_Atomic uint64_t cycles, busy_cycles;
	_Atomic uint64_t events_lost; /* the event ring was full */
	_Atomic uint64_t gauges[TABLES_GAUGE_COUNT];
	uint32_t core;
	_Alignas(64) struct tables_traffic traffic[];
};

struct tables_header {
	uint64_t magic;
	uint32_t layout_version;
	uint32_t header_len;
	uint64_t total_len;
	uint32_t n_sessions, n_children, n_connections, n_workers, n_reasons, n_figures, n_ports;
	uint32_t change_slots, event_slots;
	uint32_t session_len, child_len, connection_len, change_len, event_len;
	uint32_t replay_window;
	uint64_t sessions_offset, children_offset, connections_offset;
	uint64_t changes_offset;
	uint64_t events_offset, events_stride;     /* block 0: main thread, then the workers */
	uint64_t counters_offset, counters_stride; /* likewise */
	int64_t started_at;                        /* Unix time, seconds */
	uint64_t tsc_hz;
	uint8_t reason_kinds[TABLES_REASONS_MAX]; /* enum tables_reason_kind */
	char reason_names[TABLES_REASONS_MAX][TABLES_REASON_NAME_LEN];
	char figure_names[TABLES_FIGURES_MAX][TABLES_REASON_NAME_LEN];
	char port_names[TABLES_PORTS_MAX][TABLES_NAME_LEN]; /* the kernel interfaces, by port number */
	struct crypto_choice crypto[ESP_SUITE_COUNT];       /* by suite */
};
