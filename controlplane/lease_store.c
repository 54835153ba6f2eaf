/* SPDX-License-Identifier: Apache-2.0 */
#include "lease_store.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

/* Raised with each change of the table; a file of another number is refused. */
enum { STORE_VERSION = 1 };

static const char make_table[] = "CREATE TABLE IF NOT EXISTS leases ("
				 "pool TEXT NOT NULL, peer TEXT NOT NULL, identity TEXT NOT NULL, "
				 "address TEXT NOT NULL, used_at INTEGER NOT NULL, "
				 "PRIMARY KEY (pool, peer, identity), UNIQUE (pool, address)) WITHOUT ROWID";
static const char read_all[] = "SELECT pool, peer, identity, address, used_at FROM leases ORDER BY used_at";
static const char put_one[] = "INSERT OR REPLACE INTO leases VALUES (?1, ?2, ?3, ?4, ?5)";
static const char remove_one[] = "DELETE FROM leases WHERE pool = ?1 AND peer = ?2 AND identity = ?3";

struct lease_store {
	sqlite3 *db;
	sqlite3_stmt *read, *put, *remove;
};

static int store_fail(const struct lease_store *store, char error[LEASE_STORE_ERROR_LEN])
{
	const char *file = sqlite3_db_filename(store->db, NULL);

	snprintf(error, LEASE_STORE_ERROR_LEN, "%s: %s", file && file[0] ? file : "leases", sqlite3_errmsg(store->db));
	return -EIO;
}

static int store_execute(struct lease_store *store, const char *sql)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

static int store_read_version(struct lease_store *store)
{
	sqlite3_stmt *statement;
	int version = -1;

	if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(statement) == SQLITE_ROW)
		version = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return version;
}

static int store_prepare(struct lease_store *store)
{
	char version[64];

	snprintf(version, sizeof(version), "PRAGMA user_version = %d", STORE_VERSION);
	/* A write-ahead log: a change costs no wait for the disk, and a crash loses the last ones at most. */
	if (store_execute(store, "PRAGMA journal_mode = WAL") < 0 ||
		store_execute(store, "PRAGMA synchronous = NORMAL") < 0 || store_execute(store, make_table) < 0 ||
		store_execute(store, version) < 0)
		return -EIO;
	if (sqlite3_prepare_v2(store->db, read_all, -1, &store->read, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(store->db, put_one, -1, &store->put, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(store->db, remove_one, -1, &store->remove, NULL) != SQLITE_OK)
		return -EIO;
	return 0;
}

struct lease_store *lease_store_open(const char *path, char error[LEASE_STORE_ERROR_LEN])
{
	struct lease_store *store = calloc(1, sizeof(*store));
	int version;

	if (!store) {
		snprintf(error, LEASE_STORE_ERROR_LEN, "there is no memory");
		return NULL;
	}
	if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK) {
		snprintf(error, LEASE_STORE_ERROR_LEN, "%s can't be opened: %s", path, sqlite3_errmsg(store->db));
		goto fail;
	}
	version = store_read_version(store);
	if (version > STORE_VERSION) {
		snprintf(error, LEASE_STORE_ERROR_LEN,
			"%s is of version %d, this program knows version %d: move the file away, and leases begin anew",
			path, version, STORE_VERSION);
		goto fail;
	}
	if (version < 0 || store_prepare(store) < 0) {
		store_fail(store, error);
		goto fail;
	}
	return store;
fail:
	lease_store_close(store);
	return NULL;
}

void lease_store_close(struct lease_store *store)
{
	if (!store)
		return;
	sqlite3_finalize(store->read);
	sqlite3_finalize(store->put);
	sqlite3_finalize(store->remove);
	sqlite3_close(store->db);
	free(store);
}

static const char *column_text(sqlite3_stmt *statement, int column)
{
	const unsigned char *text = sqlite3_column_text(statement, column);

	return text ? (const char *)text : "";
}

int lease_store_each(struct lease_store *store, void (*each)(void *context, const struct lease_record *record),
	void *context, char error[LEASE_STORE_ERROR_LEN])
{
	int rc;

	while ((rc = sqlite3_step(store->read)) == SQLITE_ROW) {
		struct lease_record record = {
			.pool = column_text(store->read, 0),
			.peer = column_text(store->read, 1),
			.identity = column_text(store->read, 2),
			.used_at = sqlite3_column_int64(store->read, 4),
		};

		if (address_parse(column_text(store->read, 3), &record.address) == 0)
			each(context, &record);
	}
	if (rc != SQLITE_DONE)
		store_fail(store, error);
	sqlite3_reset(store->read);
	return rc == SQLITE_DONE ? 0 : -EIO;
}

static int store_run(struct lease_store *store, sqlite3_stmt *statement, const struct lease_record *record,
	char error[LEASE_STORE_ERROR_LEN])
{
	int rc;

	sqlite3_bind_text(statement, 1, record->pool, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, record->peer, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, record->identity, -1, SQLITE_STATIC);
	rc = sqlite3_step(statement);
	if (rc != SQLITE_DONE)
		store_fail(store, error);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return rc == SQLITE_DONE ? 0 : -EIO;
}

int lease_store_put(struct lease_store *store, const struct lease_record *record, char error[LEASE_STORE_ERROR_LEN])
{
	char address[ADDRESS_TEXT_LEN];

	sqlite3_bind_text(store->put, 4, address_format(&record->address, address), -1, SQLITE_STATIC);
	sqlite3_bind_int64(store->put, 5, record->used_at);
	return store_run(store, store->put, record, error);
}

int lease_store_remove(struct lease_store *store, const struct lease_record *record, char error[LEASE_STORE_ERROR_LEN])
{
	return store_run(store, store->remove, record, error);
}
