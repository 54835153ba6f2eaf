/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Longest prefix match, both families: at random beside a list that is searched from end to end; and readers of their
 * own threads, for whom everything that they find has to be around what they looked for.
 */
#include "harness.h"
#include "lpm.h"
#include "small_world.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NETWORKS = 200, STEPS = 40000, PROBES = 4, READERS = 2, THREAD_STEPS = 200000 };

static struct lpm lpm;
static struct ip_network networks[NETWORKS];
static uint32_t values[NETWORKS]; /* LPM_NONE: not there */

static int setup(void **state)
{
	harness_setup(state);
	assert_int_equal(lpm_init(&lpm, "lpm", NETWORKS, harness.dataplane.qsbr), 0);
	srand(5);
	return 0;
}

static int teardown(void **state)
{
	lpm_free(&lpm);
	return harness_teardown(state);
}

/* The `n` networks are different ones; those of IPv6 have odd numbers. */
static void networks_make(int n)
{
	for (int i = 0; i < n; i++) {
		int same = 0;

		networks[i] = random_network(i % 2);
		while (!ip_network_equal(&networks[same], &networks[i]))
			same++;
		if (same < i)
			i--;
		else
			values[i] = LPM_NONE;
	}
}

static bool is_within(const struct ip_network *network, const struct ip_network *of)
{
	return ip_is_ipv4(&network->address) == ip_is_ipv4(&of->address) && ip_network_has(of, &network->address) &&
	       ip_network_bits(network) > ip_network_bits(of);
}

static bool is_longer(int network, int than)
{
	return than < 0 || ip_network_bits(&networks[network]) > ip_network_bits(&networks[than]);
}

static uint32_t listed_find(const union ip_address *address, int n)
{
	int best = -1;

	for (int i = 0; i < n; i++)
		if (values[i] != LPM_NONE && ip_is_ipv4(&networks[i].address) == ip_is_ipv4(address) &&
			ip_network_has(&networks[i], address) && is_longer(i, best))
			best = i;
	return best < 0 ? LPM_NONE : values[best];
}

static int listed_around(int network, int n)
{
	int best = -1;

	for (int i = 0; i < n; i++)
		if (values[i] != LPM_NONE && is_within(&networks[network], &networks[i]) && is_longer(i, best))
			best = i;
	return best;
}

struct visited {
	uint64_t count;
	uint64_t sum; /* of values */
};

static void visit(void *context, uint32_t value)
{
	struct visited *visited = context;

	visited->count++;
	visited->sum += value;
}

/* Those inside of a network, whether it is there or not, with none between. */
static struct visited listed_inside(int network, int n)
{
	struct visited visited = {0};

	for (int i = 0; i < n; i++) {
		int around = listed_around(i, n);

		if (values[i] != LPM_NONE && is_within(&networks[i], &networks[network]) &&
			(around < 0 || !is_within(&networks[around], &networks[network])))
			visit(&visited, values[i]);
	}
	return visited;
}

static void test_at_random(void **state)
{
	enum { N = 60 };

	(void)state;
	networks_make(N);
	for (int step = 0; step < STEPS; step++) {
		int i = rand() % N, around = listed_around(i, N);
		struct visited inside = {0}, expected = listed_inside(i, N);

		assert_int_equal(lpm_get(&lpm, &networks[i]), values[i]);
		assert_int_equal(lpm_around(&lpm, &networks[i]), around < 0 ? LPM_NONE : values[around]);
		lpm_inside(&lpm, &networks[i], visit, &inside);
		assert_memory_equal(&inside, &expected, sizeof(inside));
		if (values[i] == LPM_NONE || rand() % 3 == 0) {
			values[i] = (uint32_t)rand() & LPM_VALUE_MAX;
			assert_int_equal(lpm_set(&lpm, &networks[i], values[i]), 0);
		} else {
			values[i] = LPM_NONE;
			lpm_delete(&lpm, &networks[i]);
		}
		for (int probe = 0; probe < PROBES; probe++) {
			union ip_address address = random_ip(rand() % 2);

			assert_int_equal(lpm_find(&lpm, &address), listed_find(&address, N));
		}
	}
	for (int i = 0; i < N; i++)
		lpm_delete(&lpm, &networks[i]);
	for (int i = 0; i < LPM6_WORDS; i++)
		assert_int_equal(atomic_load(&lpm.ipv6.lens[i]), 0);
}

/* Long IPv4 prefixes in more networks than there are groups: refused, and room again when one has gone. */
static void test_groups_run_out(void **state)
{
	enum { CAPACITY = 1024, GROUPS = 512 };
	uint32_t n = 0;

	(void)state;
	lpm_free(&lpm);
	assert_int_equal(lpm_init(&lpm, "lpm", CAPACITY, harness.dataplane.qsbr), 0);
	while (lpm4_set(&lpm.ipv4, n << 8 | 7, 32, n) == 0)
		n++;
	assert_int_equal(n, GROUPS);
	assert_int_equal(lpm4_find(&lpm.ipv4, n << 8 | 7), LPM_NONE);
	assert_int_equal(lpm4_get(&lpm.ipv4, n << 8 | 7, 32), LPM_NONE);
	assert_int_equal(lpm4_set(&lpm.ipv4, 3 << 8 | 8, 30, 99), 0);
	lpm4_delete(&lpm.ipv4, 5 << 8 | 7, 32);
	assert_int_equal(lpm4_set(&lpm.ipv4, n << 8 | 7, 32, n), 0);
	assert_int_equal(lpm4_find(&lpm.ipv4, n << 8 | 7), n);
	assert_int_equal(lpm4_find(&lpm.ipv4, 5 << 8 | 7), LPM_NONE);
	assert_int_equal(lpm4_find(&lpm.ipv4, 3 << 8 | 9), 99);
	assert_int_equal(lpm4_find(&lpm.ipv4, 3 << 8 | 7), 3);
}

static atomic_bool stop;

/* Value i is network i, always: what is found is around the address, and no shorter than those that always stay. */
static void *reader_run(void *argument)
{
	unsigned int number = *(unsigned int *)argument;
	uint64_t wrong = 0, random = number + 1;

	rte_rcu_qsbr_thread_register(harness.dataplane.qsbr, number);
	rte_rcu_qsbr_thread_online(harness.dataplane.qsbr, number);
	while (!atomic_load(&stop)) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		union ip_address address = networks[random >> 33 & 63].address;
		uint32_t value;

		address.bytes[15] ^= random >> 60 & 3;
		value = lpm_find(&lpm, &address);
		if (value >= NETWORKS || !ip_network_has(&networks[value], &address) ||
			ip_is_ipv4(&networks[value].address) != ip_is_ipv4(&address))
			wrong++;
		rte_rcu_qsbr_quiescent(harness.dataplane.qsbr, number);
	}
	rte_rcu_qsbr_thread_offline(harness.dataplane.qsbr, number);
	rte_rcu_qsbr_thread_unregister(harness.dataplane.qsbr, number);
	return (void *)(uintptr_t)wrong;
}

static void test_readers(void **state)
{
	enum { N = 128 };
	unsigned int numbers[READERS];
	pthread_t threads[READERS];
	int n_refused = 0;
	void *wrong;

	(void)state;
	networks_make(N);
	networks[0] = (struct ip_network){.address = ip_from_ipv4(0)};
	networks[0] = ip_network_make(&networks[0].address, 0);
	networks[1] = (struct ip_network){0};
	assert_int_equal(lpm_set(&lpm, &networks[0], 0), 0);
	assert_int_equal(lpm_set(&lpm, &networks[1], 1), 0);
	atomic_store(&stop, false);
	for (unsigned int i = 0; i < READERS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, reader_run, &numbers[i]), 0);
	}
	for (int step = 0; step < THREAD_STEPS; step++) {
		int i = 2 + rand() % (N - 2);

		if (ip_network_equal(&networks[i], &networks[i % 2]))
			continue;
		if (values[i] == LPM_NONE)
			n_refused += lpm_set(&lpm, &networks[i], (uint32_t)i) != 0;
		else
			lpm_delete(&lpm, &networks[i]);
		values[i] = values[i] == LPM_NONE ? (uint32_t)i : LPM_NONE;
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_int_equal((uintptr_t)wrong, 0);
	}
	assert_int_equal(n_refused, 0);
}

static int setup_readers(void **state)
{
	harness_open(&(struct harness_options){.n_workers = READERS});
	assert_int_equal(lpm_init(&lpm, "lpm", NETWORKS, harness.dataplane.qsbr), 0);
	srand(6);
	(void)state;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_at_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_groups_run_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_readers, setup_readers, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
