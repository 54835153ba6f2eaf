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

/*
 * Are these the ends of a packet? In words that come out of the packet: what is put together in memory and read again
 * in one piece at once waits for all the stores before it.
 */
static inline bool is_between(const struct connection_ends *ends, const void *header, const struct rte_tcp_hdr *tcp)
{
	const struct rte_ipv4_hdr *ipv4 = header;
	const struct rte_ipv6_hdr *ipv6 = header;

	if (memcmp(&ends->remote_port, &tcp->src_port, sizeof(uint32_t)) != 0)
		return false;
	if (unlikely(header_is_ipv6(header)))
		return ends->ipv6 && memcmp(&ends->remote, ipv6->src_addr, sizeof(ends->remote)) == 0 &&
		       memcmp(&ends->local, ipv6->dst_addr, sizeof(ends->local)) == 0;
	return !ends->ipv6 && ends->remote.ipv4 == ipv4->src_addr && ends->local.ipv4 == ipv4->dst_addr;
}

static struct connection *find_anew(
	const struct connection_lookup *lookup, const void *header, const struct rte_tcp_hdr *tcp)
{
	struct connection_ends ends = {
		.ipv6 = header_is_ipv6(header), .remote_port = tcp->src_port, .local_port = tcp->dst_port};

	header_addresses(header, &ends.remote, &ends.local);
	return connection_lookup_find(lookup, &ends);
}

/* How many had been hidden is read first: one that is found then and hidden later is not found here again. */
static inline struct connection *find_again(
	const struct connection_memory *memory, const uint8_t *header, size_t header_len, uint32_t n_hidden)
{
	uint32_t place = connection_memory_place(header, header_len);
	struct connection *connection = memory->places[place].connection;

	return likely(connection && memory->places[place].n_hidden == n_hidden &&
		       is_between(&connection->ends, header, (const struct rte_tcp_hdr *)(header + header_len)))
		       ? connection
		       : NULL;
}

struct connection *connection_lookup_again(const struct connection_lookup *lookup,
	const struct connection_memory *memory, const uint8_t *header, size_t header_len)
{
	return find_again(memory, header, header_len, atomic_load_explicit(&lookup->n_hidden, memory_order_acquire));
}

struct connection *connection_lookup_segment(const struct connection_lookup *lookup, struct connection_memory *memory,
	const uint8_t *header, size_t header_len)
{
	uint32_t n_hidden = atomic_load_explicit(&lookup->n_hidden, memory_order_acquire);
	uint32_t place = connection_memory_place(header, header_len);
	struct connection *connection = find_again(memory, header, header_len, n_hidden);

	if (connection)
		return connection;
	connection = find_anew(lookup, header, (const struct rte_tcp_hdr *)(header + header_len));
	memory->places[place].connection = connection;
	memory->places[place].n_hidden = n_hidden;
	return connection;
}
