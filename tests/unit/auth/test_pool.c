/* SPDX-License-Identifier: Apache-2.0 */
/* Leases of virtual addresses: who gets which, for how long, and what happens when there are none. */
#include "config/log.h"
#include "pool.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

struct world {
	struct config config;
	char file[64];
	struct pools *pools;
	const char *connected[8]; /* identities */
	char error[POOL_ERROR_LEN];
	unsigned leases;
};

static bool is_connected(void *context, const char *peer, const char *identity)
{
	const struct world *world = context;

	assert_string_equal(peer, "clients");
	for (int i = 0; i < 8; i++)
		if (world->connected[i] && strcmp(world->connected[i], identity) == 0)
			return true;
	return false;
}

static void world_open(struct world *world)
{
	struct pools_hooks hooks = {.context = world, .connected = is_connected};
	char error[LEASE_STORE_ERROR_LEN] = "";
	struct lease_store *store = lease_store_open(world->file, error);

	assert_string_equal(error, "");
	assert_non_null(store);
	world->pools = pools_new(&world->config, store, &hooks);
	assert_non_null(world->pools);
}

static int world_setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct config_pool *pool = &world->config.pools[0];
	int fd;

	log_open("test", LOG_LEVEL_ERROR);
	strcpy(world->file, "/tmp/leases-XXXXXX");
	fd = mkstemp(world->file);
	assert_true(fd >= 0);
	close(fd);
	strcpy(pool->name, "two");
	address_parse("10.99.0.1", &pool->first);
	address_parse("10.99.0.2", &pool->last);
	world->config.n_pools = 1;
	world_open(world);
	*state = world;
	return 0;
}

static int world_teardown(void **state)
{
	struct world *world = *state;
	char name[80];

	pools_free(world->pools);
	unlink(world->file);
	snprintf(name, sizeof(name), "%s-wal", world->file);
	unlink(name);
	snprintf(name, sizeof(name), "%s-shm", world->file);
	unlink(name);
	free(world);
	return 0;
}

/* The address's last byte, or a negative errno. */
static int take(struct world *world, const char *identity, int64_t now)
{
	struct pool_lease lease;
	int rc = pools_take(world->pools, "two", "clients", identity, now, &lease, world->error);

	return rc < 0 ? rc : lease.address.bytes[3];
}

static void count_lease(void *context, const struct pool_lease *lease)
{
	struct world *world = context;

	assert_string_equal(lease->pool->name, "two");
	world->leases++;
}

static void the_same_comes_back_to_the_same(void **state)
{
	struct world *world = *state;

	assert_int_equal(take(world, "alice", 1), 1);
	assert_int_equal(take(world, "bob", 2), 2);
	assert_int_equal(take(world, "alice", 3), 1);
	/* Also in another process. */
	pools_free(world->pools);
	world_open(world);
	assert_int_equal(take(world, "bob", 4), 2);
	assert_int_equal(take(world, "alice", 5), 1);
	pools_each(world->pools, count_lease, world);
	assert_int_equal(world->leases, 2);
}

static void three_clients_and_two_addresses(void **state)
{
	struct world *world = *state;

	world->connected[0] = "alice";
	world->connected[1] = "bob";
	assert_int_equal(take(world, "alice", 1), 1);
	assert_int_equal(take(world, "bob", 2), 2);
	assert_int_equal(take(world, "carol", 3), -ENOSPC);
	assert_string_equal(world->error, "one address was asked for, pool \"two\" (10.99.0.1 to 10.99.0.2) has none: "
					  "all 2 are of clients that are connected");
	/* Whoever is connected keeps what it has. */
	assert_int_equal(take(world, "alice", 4), 1);
	/* Who has been away longest gives way, and gets another when there is one. */
	world->connected[1] = NULL;
	assert_int_equal(take(world, "carol", 5), 2);
	world->connected[1] = "carol";
	assert_int_equal(take(world, "bob", 6), -ENOSPC);
	pools_free(world->pools);
	world_open(world);
	assert_int_equal(take(world, "carol", 7), 2);
}

static void longest_unused_goes_first(void **state)
{
	struct world *world = *state;

	assert_int_equal(take(world, "alice", 1), 1);
	assert_int_equal(take(world, "bob", 2), 2);
	assert_int_equal(take(world, "alice", 3), 1);
	pools_free(world->pools);
	world_open(world);
	assert_int_equal(take(world, "carol", 4), 2);
	assert_int_equal(take(world, "alice", 5), 1);
}

static void the_operator_releases(void **state)
{
	struct world *world = *state;

	assert_int_equal(take(world, "alice", 1), 1);
	assert_int_equal(take(world, "bob", 1), 2);
	world->connected[0] = "bob";
	assert_int_equal(pools_release(world->pools, "bob", world->error), -EBUSY);
	assert_non_null(strstr(world->error, "sluicectl delete"));
	assert_int_equal(pools_release(world->pools, "10.99.0.1", world->error), 0);
	assert_int_equal(pools_release(world->pools, "alice", world->error), -ENOENT);
	pools_free(world->pools);
	world_open(world);
	pools_each(world->pools, count_lease, world);
	assert_int_equal(world->leases, 1);
}

static void a_pool_that_is_not_there(void **state)
{
	struct world *world = *state;
	struct pool_lease lease;

	assert_int_equal(pools_take(world->pools, "three", "clients", "alice", 1, &lease, world->error), -ENOENT);
	assert_non_null(strstr(world->error, "\"three\""));
	/* A pool that has moved takes nobody's old address along. */
	assert_int_equal(take(world, "alice", 1), 1);
	pools_free(world->pools);
	address_parse("10.98.0.1", &world->config.pools[0].first);
	address_parse("10.98.0.2", &world->config.pools[0].last);
	world_open(world);
	pools_each(world->pools, count_lease, world);
	assert_int_equal(world->leases, 0);
}

/* The disk is full: that one lease is refused, and no other is touched. */
static void a_full_disk(void **state)
{
	struct rlimit before, small;
	struct world *world = *state;

	assert_int_equal(take(world, "alice", 1), 1);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){.rlim_cur = 1, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(take(world, "bob", 2), -EIO);
	assert_non_null(strstr(world->error, "can't be stored"));
	assert_int_equal(take(world, "alice", 3), 1);
	assert_int_equal(pools_release(world->pools, "alice", world->error), -EIO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(take(world, "bob", 4), 2);
	assert_int_equal(pools_release(world->pools, "alice", world->error), 0);
}

static void a_store_of_another_version(void **state)
{
	char error[LEASE_STORE_ERROR_LEN];
	struct world *world = *state;

	assert_null(lease_store_open("/nowhere/leases", error));
	assert_non_null(strstr(error, "/nowhere/leases"));
	pools_free(world->pools);
	assert_int_equal(truncate(world->file, 0), 0);
	{
		FILE *file = fopen(world->file, "w");

		fputs("this is no database, however long one looks at it, and never was one", file);
		fclose(file);
	}
	assert_null(lease_store_open(world->file, error));
	assert_non_null(strstr(error, world->file));
	assert_int_equal(truncate(world->file, 0), 0);
	world_open(world);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(the_same_comes_back_to_the_same),
		WORLD_TEST(three_clients_and_two_addresses),
		WORLD_TEST(longest_unused_goes_first),
		WORLD_TEST(the_operator_releases),
		WORLD_TEST(a_pool_that_is_not_there),
		WORLD_TEST(a_full_disk),
		WORLD_TEST(a_store_of_another_version),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
