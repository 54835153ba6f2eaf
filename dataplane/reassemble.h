/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reassembly of IPv4 packets to us (RFC 791 section 3.2, RFC 5722's rule on overlaps taken for IPv4 too). One table a
 * worker; all fragments of a packet reach the same worker (reassemble_owner). Bounded in packets, in packets of one
 * source, in pieces a packet, and in time; an overlap refuses the whole packet. The result lies in one flat buffer.
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

/* Which worker collects this fragment (data at its IP header). */
uint16_t reassemble_owner(const struct rte_mbuf *fragment, uint16_t n_workers);

/* Takes a fragment, data at its IP header. Returns the whole packet when this was the last piece, else NULL. */
struct rte_mbuf *reassemble_take(struct worker *worker, struct rte_mbuf *fragment);

/* To be called now and then: drops what is too old. */
void reassemble_expire(struct worker *worker);

/* Fragments held now. */
uint32_t reassembly_held(const struct reassembly *reassembly);
