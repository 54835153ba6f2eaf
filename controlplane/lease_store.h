/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where leases of virtual addresses outlive the process: one SQLite file. Pools (pool.h) keep them in memory and write
 * each change here; nothing else reads the file while sluiced runs. A change is on its way to the disk when the call
 * returns, and the file is whole after a crash.
 */
#pragma once

#include "tables/address.h"

#include <stdint.h>

struct lease_store;

enum { LEASE_STORE_ERROR_LEN = 256 };

/* One lease, as it is stored. Strings live during the call only. */
struct lease_record {
	const char *pool, *peer, *identity;
	struct address address;
	int64_t used_at; /* Unix time, seconds */
};

/* Opens the file, or makes it. NULL with a sentence in `error`. */
struct lease_store *lease_store_open(const char *path, char error[LEASE_STORE_ERROR_LEN]);
void lease_store_close(struct lease_store *store);

/* Calls `each` for every lease, the longest unused first. 0, or -EIO with a sentence. */
int lease_store_each(struct lease_store *store, void (*each)(void *context, const struct lease_record *record),
	void *context, char error[LEASE_STORE_ERROR_LEN]);

/* Stores a lease in place of what its pool, peer and identity had, and of what its address was. 0, or -EIO. */
int lease_store_put(struct lease_store *store, const struct lease_record *record, char error[LEASE_STORE_ERROR_LEN]);

/* Forgets one; that there is none such is no error. 0, or -EIO. */
int lease_store_remove(struct lease_store *store, const struct lease_record *record, char error[LEASE_STORE_ERROR_LEN]);
