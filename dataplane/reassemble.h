/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reassembly of packets to us (RFC 791 section 3.2, RFC 8200 section 4.5, and RFC 5722's rule on overlaps for IPv4,
 * too). One table a worker; all fragments of a packet reach the same worker (reassemble_owner). Bounded in packets, in
 * packets of one source, in pieces a packet, and in time; an overlap refuses the whole packet. The result lies in one
 * flat buffer. Of IPv6, fragments whose fragment header is right behind the IPv6 header: ESP and UDP come like that.
 */
#pragma once

#include "worker.h"

enum { REASSEMBLE_PIECES_MAX = 64 };

struct reassembly_limits {
	uint32_t pending, per_source; /* packets */
	uint32_t timeout_ms;
};

/* NULL with errno. */
struct reassembly *reassembly_new(const struct reassembly_limits *limits);

/* The packets held are freed, under DROP_FRAGMENT_TIMEOUT when `worker` is given. */
void reassembly_free(struct reassembly *reassembly, struct worker *worker);

/* Which worker collects this fragment (data at its IP header; of IPv6, its fragment header is complete). */
uint16_t reassemble_owner(const struct rte_mbuf *fragment, uint16_t n_workers);

/*
 * Takes such a fragment. Returns the whole packet when this was the last piece, else NULL. An IPv6 packet that has a
 * fragment header and is whole (RFC 6946) comes back at once.
 */
struct rte_mbuf *reassemble_take(struct worker *worker, struct rte_mbuf *fragment);

/* To be called now and then: drops what is too old. */
void reassemble_expire(struct worker *worker);

/* Fragments held now. */
uint32_t reassembly_held(const struct reassembly *reassembly);
