/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a TCP segment to the connection that a worker owns: a hash of addresses and ports that workers read without locks.
 * The main thread shows and hides connections; one that is hidden is forgotten, and may be freed, after the grace period.
 */
#pragma once

#include "header.h"

#include <rte_hash.h>
#include <rte_prefetch.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct connection;
struct connection_ends;

struct connection_lookup {
	struct rte_hash *hash;
	/* main: writes; workers: read */
	_Atomic uint32_t count; /* shown */
	_Atomic uint32_t n_hidden; /* ever: what was found before one of them may be it */
};

/*
 * What a worker found lately, so that the next segments of a connection need no look at the hash. A place is good as
 * long as nothing has been hidden since.
 */
enum { CONNECTION_MEMORY_BITS = 8 };
struct connection_memory {
	struct {
		struct connection *connection;
		uint32_t n_hidden; /* when it was found */
	} places[1 << CONNECTION_MEMORY_BITS];
};

/*
 * The place of what came with that IP header of `header_len` bytes, behind which there is TCP. Peers differ in address
 * or port; which place it is needn't be hard to guess, for a wrong one costs a lookup.
 */
static inline uint32_t connection_memory_place(const uint8_t *header, size_t header_len)
{
	rte_be32_t address;
	rte_be16_t port;

	/* The last four bytes of the source address, and the source port. */
	memcpy(&address, header_is_ipv6(header) ? ((const struct rte_ipv6_hdr *)header)->src_addr + 12 : header + 12,
		sizeof(address));
	memcpy(&port, header + header_len, sizeof(port));
	return (uint32_t)(((uint64_t)address << 16 | port) * UINT64_C(0x9e3779b97f4a7c15) >>
			  (64 - CONNECTION_MEMORY_BITS));
}

/* `name` is unique in the process. 0 or -ENOMEM. */
int connection_lookup_init(struct connection_lookup *lookup, const char *name, uint32_t capacity);
void connection_lookup_free(struct connection_lookup *lookup);

/* The position, to be forgotten by; -EEXIST: another connection has these ends; -ENOSPC. */
int32_t connection_lookup_show(struct connection_lookup *lookup, struct connection *connection);
void connection_lookup_hide(struct connection_lookup *lookup, const struct connection *connection);

/* After the grace period: the position of one that was hidden is another's from now on. */
void connection_lookup_forget(struct connection_lookup *lookup, int32_t position);

/* NULL: there is none. */
struct connection *connection_lookup_find(const struct connection_lookup *lookup, const struct connection_ends *ends);

/*
 * The same for what came with that IP header of `header_len` bytes, behind which there is TCP; and from memory alone,
 * NULL also where it was forgotten.
 */
struct connection *connection_lookup_segment(const struct connection_lookup *lookup, struct connection_memory *memory,
	const uint8_t *header, size_t header_len);
struct connection *connection_lookup_again(const struct connection_lookup *lookup,
	const struct connection_memory *memory, const uint8_t *header, size_t header_len);

/* Is there any? Asked before a look at a segment. */
static inline bool connection_lookup_has_any(const struct connection_lookup *lookup)
{
	return atomic_load_explicit(&lookup->count, memory_order_relaxed) > 0;
}
