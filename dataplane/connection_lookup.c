/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_lookup.h"

#include "connection.h"
#include "header.h"

#include <rte_hash_crc.h>
#include <rte_tcp.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NAME_LEN = 64, PLACES_SPARE = 64 /* of those that are hidden, until workers have been quiescent */ };

int connection_lookup_init(struct connection_lookup *lookup, const char *name, uint32_t capacity)
{
	char full[NAME_LEN];
	struct rte_hash_parameters parameters = {
		.name = full,
		.entries = capacity + PLACES_SPARE,
		.key_len = sizeof(struct connection_ends),
		.hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};

	snprintf(full, sizeof(full), "%s-connections", name);
	atomic_init(&lookup->count, 0);
	atomic_init(&lookup->n_hidden, 0);
	lookup->hash = rte_hash_create(&parameters);
	return lookup->hash ? 0 : -ENOMEM;
}

void connection_lookup_free(struct connection_lookup *lookup)
{
	rte_hash_free(lookup->hash);
	lookup->hash = NULL;
}

int32_t connection_lookup_show(struct connection_lookup *lookup, struct connection *connection)
{
	hash_sig_t signature = rte_hash_hash(lookup->hash, &connection->ends);
	int32_t position;

	if (connection_lookup_find(lookup, &connection->ends))
		return -EEXIST;
	if (rte_hash_add_key_with_hash_data(lookup->hash, &connection->ends, signature, connection) < 0)
		return -ENOSPC;
	position = rte_hash_lookup_with_hash(lookup->hash, &connection->ends, signature);
	atomic_fetch_add_explicit(&lookup->count, 1, memory_order_release);
	return position;
}

void connection_lookup_hide(struct connection_lookup *lookup, const struct connection *connection)
{
	if (rte_hash_del_key(lookup->hash, &connection->ends) < 0)
		return;
	atomic_fetch_sub_explicit(&lookup->count, 1, memory_order_release);
	atomic_fetch_add_explicit(&lookup->n_hidden, 1, memory_order_release);
}

void connection_lookup_forget(struct connection_lookup *lookup, int32_t position)
{
	rte_hash_free_key_with_position(lookup->hash, position);
}

struct connection *connection_lookup_find(const struct connection_lookup *lookup, const struct connection_ends *ends)
{
	void *connection;

	return rte_hash_lookup_data(lookup->hash, ends, &connection) >= 0 ? connection : NULL;
}

static bool ends_are_equal(const struct connection_ends *a, const struct connection_ends *b)
{
	return a->local_port == b->local_port && a->remote_port == b->remote_port && a->ipv6 == b->ipv6 &&
	       ip_equal(&a->local, &b->local) && ip_equal(&a->remote, &b->remote);
}

/* Peers differ in address or port; which place it is needn't be hard to guess, for a wrong one costs a lookup. */
static uint32_t place_of(const struct connection_ends *ends)
{
	uint64_t key = (uint64_t)ends->remote.ipv4 << 16 | ends->remote_port;

	return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - CONNECTION_MEMORY_BITS));
}

/* How many had been hidden is read first: one that is found then and hidden later is not found here again. */
static struct connection *find_again(const struct connection_lookup *lookup, struct connection_memory *memory,
	const struct connection_ends *ends)
{
	uint32_t n_hidden = atomic_load_explicit(&lookup->n_hidden, memory_order_acquire), place = place_of(ends);
	struct connection *connection = memory->places[place].connection;

	if (likely(connection && memory->places[place].n_hidden == n_hidden &&
		    ends_are_equal(&connection->ends, ends)))
		return connection;
	connection = connection_lookup_find(lookup, ends);
	memory->places[place].connection = connection;
	memory->places[place].n_hidden = n_hidden;
	return connection;
}

struct connection *connection_lookup_segment(const struct connection_lookup *lookup, struct connection_memory *memory,
	const struct rte_mbuf *segment, uint16_t header_len)
{
	const void *header = rte_pktmbuf_mtod(segment, const void *);
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(segment, const struct rte_tcp_hdr *, header_len);
	struct connection_ends ends = {.ipv6 = header_is_ipv6(header)};

	if (rte_pktmbuf_data_len(segment) < header_len + sizeof(*tcp))
		return NULL;
	header_addresses(header, &ends.remote, &ends.local);
	ends.remote_port = tcp->src_port;
	ends.local_port = tcp->dst_port;
	return find_again(lookup, memory, &ends);
}
