/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SAs at run time, in memory of the data plane alone: what packets need, apart from the records of the shared tables.
 * Array positions are those of the records. The main thread fills an entry, makes it visible, takes it out of sight and,
 * when every worker has been quiescent, empties it; workers look entries up and hold none across a turn of their loop.
 */
#pragma once

#include "esp/esp.h"
#include "esp/replay.h"
#include "ip.h"
#include "route.h"
#include "tables/tables.h"

#include <rte_prefetch.h>
#include <rte_rcu_qsbr.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What goes into the outer header. Never changed while workers see it, but for what they remember of its route: a move
 * makes another one.
 */
struct sa_outer {
	union ip_address local, remote; /* of one family */
	struct route_memory route;	/* workers' */
	rte_be64_t third;  /* IPv4: the third eight bytes of the header, of which the last four are UDP's ports */
	uint32_t checksum; /* of the header's constant fields, not folded; see encap.c, as these two */
	uint8_t header_len;
	bool udp, ipv6;
	bool stream; /* ESP goes into a TCP connection; the addresses are of that */
	uint16_t local_port, remote_port;
	uint32_t connection; /* stream: a worker's (connections.h); TABLES_NONE: sluiced has it (relay.h) */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct sa_outer) == 64, "a worker waits for one line");

/* A session, of which all is the main thread's. */
struct sa_session {
	struct sa_outer *outer;	      /* where its peer is: the one of its two that is in force */
	uint64_t outer_retired;       /* the grace period after which the other may be reused */
	uint64_t id;                  /* 0: the slot is empty */
	uint64_t path_mtu_until;      /* TSC */
	uint64_t followed_at;         /* TSC when it last followed the peer's packets; 0: never */
	uint32_t first_child;         /* its children, linked by `next` */
	uint16_t path_mtu;            /* of the outer path, learned; 0: no such thing */
	bool leaving;                 /* being removed */
};

/*
 * Inbound half of a child SA, in the order in which a packet needs it. The owner alone writes, but for spi and outer,
 * which are the main thread's.
 */
struct sa_in {
	_Atomic uint32_t spi; /* 0: not to be found */
	uint16_t owner;       /* worker */
	bool extended;        /* 64-bit sequence numbers */
	bool transport;       /* mode; else tunnel */
	bool ipv6;            /* inner family */
	uint32_t index;       /* its own */
	const struct esp_key *key;
	struct replay *replay;
	_Atomic(const struct sa_outer *) outer;
	uint64_t bytes, bytes_told; /* carried; from where on there is something to tell about them */
	struct ip_network inner_source __attribute__((aligned(64))), inner_destination;
	uint64_t soft_bytes, hard_bytes; /* UINT64_MAX: none */
	uint32_t session;
	union ip_address told_remote;    /* the last address that an event was raised for, and when */
	uint16_t told_remote_port;
	uint64_t told_at; /* TSC */
} __attribute__((aligned(64)));

/*
 * Outbound half: what every packet reads of it, and no more. Of ten thousand sessions the cache has to hold that, so
 * SAs share lines, and what is seldom asked for stands apart: struct sa_limits.
 */
struct sa_out {
	_Atomic(struct sa_outer *) outer; /* main: writes; workers: read */
	uint64_t packets_told;            /* the sequence number from which on there is something to tell about it */
	uint32_t spi;
	_Atomic uint16_t inner_mtu;       /* mtu.h; main: writes; workers: read, as the next two: */
	_Atomic uint16_t mss_mtu;         /* what MSS is lowered for */
	_Atomic uint16_t outer_mtu;       /* what outer packets are cut to here; UINT16_MAX: to what the port takes */
	struct tunnel_settings tunnel;
	bool transport : 1;               /* mode; else tunnel */
	bool limits_bytes : 1;            /* there is such a limit */
} __attribute__((aligned(32)));
_Static_assert(sizeof(struct sa_out) == 32, "two share a line");

/* What an outbound SA has used up. Shared by all workers: one atomic add per burst and SA. */
struct sa_numbers {
	_Atomic uint64_t sequence; /* the last number given out */
	_Atomic uint64_t bytes;    /* counted where there is a limit */
};

/* And may use. */
struct sa_limits {
	uint64_t soft_packets, hard_packets; /* sequence numbers */
	uint64_t soft_bytes, hard_bytes;     /* UINT64_MAX: none */
};

/* The main thread's own part of a child SA. */
struct sa_child {
	uint64_t id; /* 0: the slot is empty */
	uint32_t spi_in;
	uint32_t session;
	uint32_t next;     /* of the same session */
	uint32_t next_out; /* among those whose outbound SPI falls into one place of out_spis */
	uint32_t policy;
	bool active;  /* carries outbound traffic, or did until a newer one came */
	bool leaving; /* out of sight, not yet empty */
	bool asked;   /* for its removal: its end is answered, else told */
	uint64_t expires; /* TSC; lifetime.h */
	struct ip_network local, remote;
};

enum sa_key_direction { SA_KEY_IN, SA_KEY_OUT, SA_KEY_DIRECTIONS };

struct sa_store {
	uint32_t n_children, n_sessions;
	uint16_t n_workers;
	struct sa_in *in;
	struct sa_out *out;
	uint8_t *numbers; /* sa_numbers */
	unsigned int numbers_shift;
	struct sa_limits *limits;
	struct sa_session *sessions;
	struct sa_outer *outers[2]; /* of each session two; workers come to them by their SAs */
	struct sa_child *children;
	uint32_t *out_spis; /* main thread: the first child of each place; TABLES_NONE: none */
	uint32_t out_spi_mask;
	uint8_t *keys[SA_KEY_DIRECTIONS];   /* by direction, one a child: a packet goes one way, and a key between two others is in its way */
	size_t key_len;
	uint8_t *replays;
	size_t replay_len;
	uint32_t replay_window; /* the largest that a record may ask for */
};

/* Of one family, of which there is one. */
bool sa_endpoints_fit(const struct endpoint *local, const struct endpoint *remote);

void sa_outer_fill(struct sa_outer *outer, const struct endpoint *local, const struct endpoint *remote,
	uint32_t encapsulation);

/* New endpoints for all SAs of a session. Waits where its last move is so recent that a worker may not have seen it. */
void sa_session_move(struct sa_store *store, struct rte_rcu_qsbr *qsbr, uint32_t index, const struct endpoint *local,
	const struct endpoint *remote, uint32_t encapsulation, uint32_t connection);

/* 0 or -ENOMEM. */
int sa_store_init(struct sa_store *store, uint32_t n_sessions, uint32_t n_children, uint16_t n_workers,
	uint32_t replay_window);
void sa_store_free(struct sa_store *store);

/*
 * Fills slot `index` from a copy of its record and change, which it checks, and makes the session where this is its first
 * child. Lookups don't find it before sa_show. All or nothing: 0 or negative errno.
 */
int sa_install(struct sa_store *store, struct esp_engine *engine, uint32_t index, const struct tables_child *record,
	const struct tables_session *session, const struct tables_change *change);

void sa_show(struct sa_store *store, uint32_t index);

/* Out of sight for lookups. sa_empty follows after the grace period: wipes keys, makes the slot empty. */
void sa_hide(struct sa_store *store, uint32_t index);
void sa_empty(struct sa_store *store, uint32_t index);

/* The first value that is more than a limit; UINT64_MAX, which nothing reaches, for none. */
static inline uint64_t sa_beyond(uint64_t limit)
{
	return limit == UINT64_MAX ? limit : limit + 1;
}

/* Main thread: the first of the children, linked by next_out, among which are all with this outbound SPI. */
uint32_t sa_first_out(const struct sa_store *store, uint32_t spi);

/* Where the key of a direction is: known without reading the SA. */
static inline struct esp_key *sa_key(const struct sa_store *store, uint32_t index, enum sa_key_direction direction)
{
	return (struct esp_key *)(store->keys[direction] + index * store->key_len);
}

/* Numbers of SAs that different workers write share no line; an only worker's lie close together. */
static inline struct sa_numbers *sa_numbers(const struct sa_store *store, uint32_t index)
{
	return (struct sa_numbers *)(store->numbers + ((size_t)index << store->numbers_shift));
}

/* What sa_find_in and esp_open will read first for an SPI from the wire. */
static inline void sa_prefetch_in(const struct sa_store *store, uint32_t spi)
{
	uint32_t index = RTE_MIN(tables_spi_index(spi), store->n_children - 1);

	rte_prefetch0(&store->in[index]);
	esp_key_prefetch(sa_key(store, index, SA_KEY_IN));
}

/* The inbound half for an SPI from the wire; NULL when there is none. */
static inline struct sa_in *sa_find_in(const struct sa_store *store, uint32_t spi)
{
	uint32_t index = tables_spi_index(spi);
	struct sa_in *in;

	if (index >= store->n_children)
		return NULL;
	in = &store->in[index];
	return atomic_load_explicit(&in->spi, memory_order_acquire) == spi && spi != 0 ? in : NULL;
}
