/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include "config/log.h"
#include "hashmap.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct lease {
	struct hashmap_node by_key;
	TAILQ_ENTRY(lease) by_use; /* longest unused first */
	uint32_t place;		   /* from the pool's first address */
	struct pool_lease what;
};

TAILQ_HEAD(lease_list, lease);

struct pool {
	const struct config_pool *config;
	uint32_t first, size; /* addresses in host order */
	uint32_t next;	      /* where the search for a free one begins */
	uint32_t used;
	struct lease **places;
	struct hashmap by_key;
	struct lease_list by_use;
};

struct pools {
	struct lease_store *store;
	struct pools_hooks hooks;
	size_t n_pools;
	struct pool pools[];
};

static uint64_t pool_hash(const struct pool *pool, const char *peer, const char *identity)
{
	return hashmap_hash(&pool->by_key, peer, strlen(peer)) * 31 +
	       hashmap_hash(&pool->by_key, identity, strlen(identity));
}

static struct lease *pool_find(const struct pool *pool, const char *peer, const char *identity)
{
	struct hashmap_node *node = hashmap_first(&pool->by_key, pool_hash(pool, peer, identity));

	for (; node; node = hashmap_next(node)) {
		struct lease *lease = hashmap_owner(node, struct lease, by_key);

		if (strcmp(lease->what.peer, peer) == 0 && strcmp(lease->what.identity, identity) == 0)
			return lease;
	}
	return NULL;
}

static struct lease *pool_add(
	struct pool *pool, uint32_t place, const char *peer, const char *identity, int64_t used_at)
{
	struct lease *lease = calloc(1, sizeof(*lease));

	if (!lease)
		return NULL;
	lease->place = place;
	lease->what.pool = pool->config;
	lease->what.address = address_ipv4(pool->first + place);
	lease->what.used_at = used_at;
	snprintf(lease->what.peer, sizeof(lease->what.peer), "%s", peer);
	snprintf(lease->what.identity, sizeof(lease->what.identity), "%s", identity);
	hashmap_add(&pool->by_key, &lease->by_key, pool_hash(pool, peer, identity));
	TAILQ_INSERT_TAIL(&pool->by_use, lease, by_use);
	pool->places[place] = lease;
	pool->used++;
	return lease;
}

static void pool_drop(struct pool *pool, struct lease *lease)
{
	hashmap_remove(&pool->by_key, &lease->by_key);
	TAILQ_REMOVE(&pool->by_use, lease, by_use);
	pool->places[lease->place] = NULL;
	pool->used--;
	free(lease);
}

static struct pool *pools_find(struct pools *pools, const char *name)
{
	for (size_t i = 0; i < pools->n_pools; i++)
		if (strcmp(pools->pools[i].config->name, name) == 0)
			return &pools->pools[i];
	return NULL;
}

static int pool_open(struct pool *pool, const struct config_pool *config)
{
	uint64_t seed;

	pool->config = config;
	pool->first = address_to_ipv4(&config->first);
	pool->size = address_to_ipv4(&config->last) - pool->first + 1;
	TAILQ_INIT(&pool->by_use);
	pool->places = calloc(pool->size, sizeof(struct lease *));
	if (!pool->places || RAND_bytes((unsigned char *)&seed, sizeof(seed)) != 1)
		return -ENOMEM;
	return hashmap_init(&pool->by_key, seed);
}

/* What was stored and has no place in the configuration any more is left in the file: the setting may come back. */
static void pools_restore(void *context, const struct lease_record *record)
{
	struct pools *pools = context;
	struct pool *pool = pools_find(pools, record->pool);
	uint32_t place;

	if (!pool || record->address.family != ADDRESS_IPV4)
		return;
	place = address_to_ipv4(&record->address) - pool->first;
	if (place < pool->size && !pool->places[place] && !pool_find(pool, record->peer, record->identity))
		pool_add(pool, place, record->peer, record->identity, record->used_at);
}

struct pools *pools_new(const struct config *config, struct lease_store *store, const struct pools_hooks *hooks)
{
	struct pools *pools = calloc(1, sizeof(*pools) + config->n_pools * sizeof(pools->pools[0]));
	char error[LEASE_STORE_ERROR_LEN];

	if (!pools) {
		lease_store_close(store);
		return NULL;
	}
	pools->store = store;
	pools->hooks = *hooks;
	for (; pools->n_pools < config->n_pools; pools->n_pools++)
		if (pool_open(&pools->pools[pools->n_pools], &config->pools[pools->n_pools]) < 0) {
			pools->n_pools++;
			pools_free(pools);
			errno = ENOMEM;
			return NULL;
		}
	if (store && lease_store_each(store, pools_restore, pools, error) < 0)
		log_error("event=leases_not_read reason=\"%s; addresses may change hands\"", error);
	return pools;
}

void pools_free(struct pools *pools)
{
	if (!pools)
		return;
	for (size_t i = 0; i < pools->n_pools; i++) {
		struct pool *pool = &pools->pools[i];

		while (!TAILQ_EMPTY(&pool->by_use))
			pool_drop(pool, TAILQ_FIRST(&pool->by_use));
		hashmap_free(&pool->by_key);
		free(pool->places);
	}
	lease_store_close(pools->store);
	free(pools);
}

bool pools_connected(const struct pools *pools, const struct pool_lease *lease)
{
	return pools->hooks.connected(pools->hooks.context, lease->peer, lease->identity);
}

static struct lease_record pool_record(const struct lease *lease)
{
	return (struct lease_record){
		.pool = lease->what.pool->name,
		.peer = lease->what.peer,
		.identity = lease->what.identity,
		.address = lease->what.address,
		.used_at = lease->what.used_at,
	};
}

/*
 * A place that is nobody's, or the one of the lease that has been away longest, which goes to *victim; false when all
 * are connected.
 */
static bool pool_choose(struct pools *pools, struct pool *pool, uint32_t *place, struct lease **victim)
{
	struct lease *lease;

	*victim = NULL;
	if (pool->used < pool->size) {
		while (pool->places[pool->next])
			pool->next = (pool->next + 1) % pool->size;
		*place = pool->next;
		return true;
	}
	TAILQ_FOREACH(lease, &pool->by_use, by_use)
		if (!pools_connected(pools, &lease->what)) {
			*place = lease->place;
			*victim = lease;
			return true;
		}
	return false;
}

static int pool_refuse(const struct pool *pool, char error[POOL_ERROR_LEN])
{
	char first[ADDRESS_TEXT_LEN], last[ADDRESS_TEXT_LEN];

	snprintf(error, POOL_ERROR_LEN,
		"one address was asked for, pool \"%s\" (%s to %s) has none: all %u are of clients that are connected",
		pool->config->name, address_format(&pool->config->first, first),
		address_format(&pool->config->last, last), pool->size);
	return -ENOSPC;
}

/* A first lease for this identity: on the disk before it is anybody's. */
static int pool_grant(struct pools *pools, struct pool *pool, const struct lease_record *wanted, struct lease **out,
	char error[POOL_ERROR_LEN])
{
	struct lease_record record = *wanted;
	char store_error[LEASE_STORE_ERROR_LEN];
	struct lease *victim;
	uint32_t place;

	if (!pool_choose(pools, pool, &place, &victim))
		return pool_refuse(pool, error);
	record.address = address_ipv4(pool->first + place);
	if (pools->store && lease_store_put(pools->store, &record, store_error) < 0) {
		snprintf(error, POOL_ERROR_LEN, "the lease can't be stored, so it is not given: %s", store_error);
		return -EIO;
	}
	if (victim) {
		log_info("event=lease_ended pool=%s peer=%s identity=\"%s\" reason=\"the pool has no free address, and "
			 "this lease was unused longest\"",
			pool->config->name, victim->what.peer, victim->what.identity);
		pool_drop(pool, victim);
	}
	*out = pool_add(pool, place, record.peer, record.identity, record.used_at);
	if (*out)
		return 0;
	snprintf(error, POOL_ERROR_LEN, "there is no memory for a lease");
	return -ENOMEM;
}

int pools_take(struct pools *pools, const char *pool_name, const char *peer, const char *identity, int64_t now,
	struct pool_lease *out, char error[POOL_ERROR_LEN])
{
	struct lease_record wanted = {.pool = pool_name, .peer = peer, .identity = identity, .used_at = now};
	struct pool *pool = pools_find(pools, pool_name);
	char ignored[LEASE_STORE_ERROR_LEN];
	struct lease *lease;
	int rc = 0;

	if (!pool) {
		snprintf(error, POOL_ERROR_LEN, "there is no pool \"%s\"", pool_name);
		return -ENOENT;
	}
	lease = pool_find(pool, peer, identity);
	if (!lease) {
		rc = pool_grant(pools, pool, &wanted, &lease, error);
	} else {
		TAILQ_REMOVE(&pool->by_use, lease, by_use);
		TAILQ_INSERT_TAIL(&pool->by_use, lease, by_use);
		lease->what.used_at = now;
		wanted.address = lease->what.address;
		/* Of one that is on the disk already no more than the time can be lost. */
		if (pools->store)
			(void)lease_store_put(pools->store, &wanted, ignored);
	}
	if (rc == 0)
		*out = lease->what;
	return rc;
}

static int pool_give_up(struct pools *pools, struct pool *pool, struct lease *lease, char error[POOL_ERROR_LEN])
{
	char address[ADDRESS_TEXT_LEN], store_error[LEASE_STORE_ERROR_LEN];
	struct lease_record record = pool_record(lease);

	if (pools_connected(pools, &lease->what)) {
		snprintf(error, POOL_ERROR_LEN, "%s is of \"%s\", who is connected: sluicectl delete ends that first",
			address_format(&lease->what.address, address), lease->what.identity);
		return -EBUSY;
	}
	if (pools->store && lease_store_remove(pools->store, &record, store_error) < 0) {
		snprintf(error, POOL_ERROR_LEN, "the lease can't be released: %s", store_error);
		return -EIO;
	}
	pool_drop(pool, lease);
	return 0;
}

int pools_release(struct pools *pools, const char *name, char error[POOL_ERROR_LEN])
{
	char address[ADDRESS_TEXT_LEN];

	for (size_t i = 0; i < pools->n_pools; i++) {
		struct lease *lease;

		TAILQ_FOREACH(lease, &pools->pools[i].by_use, by_use)
			if (strcmp(lease->what.identity, name) == 0 ||
				strcmp(address_format(&lease->what.address, address), name) == 0)
				return pool_give_up(pools, &pools->pools[i], lease, error);
	}
	snprintf(error, POOL_ERROR_LEN, "there is no lease of \"%s\": expected an identity or an address", name);
	return -ENOENT;
}

void pools_each(const struct pools *pools, void (*each)(void *context, const struct pool_lease *lease), void *context)
{
	for (size_t i = 0; i < pools->n_pools; i++)
		for (uint32_t place = 0; place < pools->pools[i].size; place++)
			if (pools->pools[i].places[place])
				each(context, &pools->pools[i].places[place]->what);
}
