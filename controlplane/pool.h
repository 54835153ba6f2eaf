/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual addresses for clients. A lease belongs to an identity of a configured peer and stays its own while it is
 * away: whoever comes back gets the same address. Where no address is free, the lease that has been away longest is
 * given up; where everybody is connected the pool is exhausted and says so. Leases outlive the process in
 * lease_store.h; a store that can't write refuses that one lease, and disturbs no other.
 */
#pragma once

#include "config/config.h"
#include "lease_store.h"

struct pools;

enum { POOL_ERROR_LEN = 512 };

struct pools_hooks {
	void *context;
	/* Whether this one is connected now, so that its lease must stay. */
	bool (*connected)(void *context, const char *peer, const char *identity);
};

struct pool_lease {
	const struct config_pool *pool;
	struct address address;
	int64_t used_at; /* Unix time of the last time that it was given out */
	char peer[CONFIG_NAME_LEN], identity[CONFIG_IDENTITY_LEN];
};

/*
 * Takes the store over, which may be NULL (leases end with the process), and takes up what is in it and still fits the
 * configuration, which must stay. NULL with errno.
 */
struct pools *pools_new(const struct config *config, struct lease_store *store, const struct pools_hooks *hooks);
void pools_free(struct pools *pools);

/*
 * The address of this identity, leased now where it has none. 0 with the lease in `out`; -ENOENT (no such pool),
 * -ENOSPC (exhausted), -EIO (the store) or -ENOMEM with a sentence in `error`.
 */
int pools_take(struct pools *pools, const char *pool, const char *peer, const char *identity, int64_t now,
	struct pool_lease *out, char error[POOL_ERROR_LEN]);

/* Gives up the lease that `name` says, an address or an identity. 0; -ENOENT, -EBUSY (connected), -EIO with a sentence.
 */
int pools_release(struct pools *pools, const char *name, char error[POOL_ERROR_LEN]);

/* Calls `each` for every lease of every pool. */
void pools_each(const struct pools *pools, void (*each)(void *context, const struct pool_lease *lease), void *context);

/* Whether this one is connected now, as the hook says. */
bool pools_connected(const struct pools *pools, const struct pool_lease *lease);
