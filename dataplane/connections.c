/* SPDX-License-Identifier: Apache-2.0 */
#include "connections.h"

#include "connection.h"
#include "dataplane.h"

#include <rte_malloc.h>

#include <errno.h>
#include <stdio.h>

/* A ring that takes one of each connection. */
static struct rte_ring *ring_make(const char *name, const char *what, uint16_t number, uint32_t capacity, unsigned int flags)
{
	char full[RTE_RING_NAMESIZE];

	snprintf(full, sizeof(full), "%s-%s-%u", name, what, number);
	return rte_ring_create(full, rte_align32pow2(capacity + 1), SOCKET_ID_ANY, flags);
}

int connections_init(struct dataplane *dataplane, const char *name)
{
	struct connection_store *store = &dataplane->connections;
	uint32_t capacity = dataplane->tables.n_connections;

	store->capacity = capacity;
	store->by_index = rte_calloc("connections", capacity, sizeof(*store->by_index), RTE_CACHE_LINE_SIZE);
	store->answers = ring_make(name, "answers", 0, capacity, RING_F_SC_DEQ);
	if (!store->by_index || !store->answers)
		return -ENOMEM;
	for (uint16_t i = 0; i < dataplane->n_workers; i++) {
		struct worker *worker = &dataplane->workers[i];

		worker->commands = ring_make(name, "commands", i, capacity, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!worker->commands)
			return -ENOMEM;
	}
	return connection_lookup_init(&store->lookup, name, capacity);
}

void connections_fini(struct dataplane *dataplane)
{
	struct connection_store *store = &dataplane->connections;

	for (uint16_t i = 0; dataplane->workers && i < dataplane->n_workers; i++)
		rte_ring_free(dataplane->workers[i].commands);
	connection_lookup_free(&store->lookup);
	rte_ring_free(store->answers);
	rte_free(store->by_index);
}

void connections_answer(struct worker *worker, struct connection_command *command)
{
	/* It has room for all there are. */
	(void)rte_ring_mp_enqueue(worker->dataplane->connections.answers, command);
	worker->wants_main = true;
}
