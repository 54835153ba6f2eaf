/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: the rules one by one, then at random beside a list that is searched from end to end. */
#include "harness.h"
#include "small_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STEPS = 20000, PROBES = 8, OTHER = 0x0a010063, OTHER_SOURCE = 0x01010101 };

static uint32_t policy_add(uint32_t session, struct ip_network local, struct ip_network remote)
{
	struct sa_child child = {.session = session, .local = local, .remote = remote};
	int64_t number = policy_open(&harness.dataplane.policies, &child);

	assert_true(number >= 0);
	return (uint32_t)number;
}

static void policy_remove(uint32_t number)
{
	if (policy_close(&harness.dataplane.policies, number))
		policy_release(&harness.dataplane.policies, number);
}

static void expect_policy_ip(const union ip_address *source, const union ip_address *destination, int64_t expected)
{
	const struct policy_table *table = &harness.dataplane.policies;
	const struct policy *found = policy_find(table, source, destination);

	assert_int_equal(found ? found - table->policies : -1, expected);
}

static void expect_policy(uint32_t source, uint32_t destination, int64_t expected)
{
	union ip_address from = ip_from_ipv4(source), to = ip_from_ipv4(destination);

	expect_policy_ip(&from, &to, expected);
}

static void test_policies(void **state)
{
	struct ip_network all = network_of(0, 0), lan = network_of(LAN, 24), host = network_of(LAN_HOST, 32);
	uint32_t any, wide, narrow, for_host;

	(void)state;
	expect_policy(LAN_HOST, 0x0a640001, -1);
	wide = policy_add(1, lan, network_of(0x0a640000, 16));
	narrow = policy_add(2, lan, network_of(0x0a640500, 24));
	any = policy_add(3, all, all);
	expect_policy(LAN_HOST, 0x0a640001, wide);
	expect_policy(LAN_HOST, 0x0a640501, narrow);
	expect_policy(LAN_HOST, 0x08080808, any);
	expect_policy(0x01010101, 0, any);
	/* Where the local network of the longest prefix does not match, shorter ones are tried. */
	expect_policy(0x01010101, 0x0a640501, any);
	/* Of one prefix the narrower local network. */
	for_host = policy_add(4, host, network_of(0x0a640000, 16));
	expect_policy(LAN_HOST, 0x0a640001, for_host);
	expect_policy(LAN_HOST_2, 0x0a640001, wide);
	policy_remove(wide);
	expect_policy(LAN_HOST, 0x0a640001, for_host);
	expect_policy(LAN_HOST_2, 0x0a640001, any);
	policy_remove(for_host);
	expect_policy(LAN_HOST, 0x0a640001, any);
	policy_remove(any);
	expect_policy(LAN_HOST, 0x0a640001, -1);
	/* References: a second child with the same selectors. */
	assert_int_equal(policy_add(2, lan, network_of(0x0a640500, 24)), narrow);
	policy_remove(narrow);
	expect_policy(LAN_HOST, 0x0a640501, narrow);
	policy_remove(narrow);
	expect_policy(LAN_HOST, 0x0a640501, -1);
	assert_int_equal(harness.dataplane.policies.n_free, harness.config.dataplane.max_children);
}

/* Three networks around each other: the steps outwards lead past one that comes, and past one that has gone. */
static void test_shorter_prefixes(void **state)
{
	struct ip_network host = network_of(LAN_HOST, 32), host_2 = network_of(LAN_HOST_2, 32);
	uint32_t outer, middle, inner, beside;

	(void)state;
	inner = policy_add(1, host, network_of(0x0a640500, 24));
	outer = policy_add(2, network_of(LAN, 24), network_of(0x0a000000, 8));
	expect_policy(LAN_HOST, 0x0a640501, inner);
	expect_policy(LAN_HOST_2, 0x0a640501, outer);
	expect_policy(OTHER_SOURCE, 0x0a640501, -1);
	middle = policy_add(3, host_2, network_of(0x0a640000, 16));
	beside = policy_add(3, network_of(LAN, 24), network_of(0x0a650000, 16));
	expect_policy(LAN_HOST, 0x0a640501, inner);
	expect_policy(LAN_HOST_2, 0x0a640501, middle);
	expect_policy(OTHER, 0x0a640501, outer);
	expect_policy(LAN_HOST, 0x0a640601, outer);
	/* An outer network's first policy changes: those inside of it find the new one. */
	policy_remove(outer);
	expect_policy(OTHER, 0x0a640501, -1);
	outer = policy_add(4, network_of(0, 0), network_of(0x0a000000, 8));
	expect_policy(OTHER, 0x0a640501, outer);
	expect_policy(OTHER_SOURCE, 0x0a650001, outer);
	policy_remove(middle);
	expect_policy(LAN_HOST_2, 0x0a640501, outer);
	policy_remove(inner);
	policy_remove(beside);
	policy_remove(outer);
	expect_policy(LAN_HOST, 0x0a640501, -1);
}

/* A worker at the end of a prefix's policies, while that prefix and the one around it go, and others come. */
static void test_reader_in_a_prefix_that_goes(void **state)
{
	struct policy_table *table = &harness.dataplane.policies;
	struct ip_network lan = network_of(LAN, 24), host = network_of(LAN_HOST, 32);
	uint32_t all = policy_add(1, network_of(0, 0), network_of(0, 0));
	uint32_t outer = policy_add(2, lan, network_of(0x0a000000, 8));
	uint32_t inner = policy_add(3, host, network_of(0x0a640000, 16));
	const struct policy *read = &table->policies[inner];
	uint32_t again, unrelated;

	(void)state;
	assert_int_equal(policy_of_shorter(policy_prefix_of(table, read)), outer);
	assert_true(policy_close(table, inner));
	assert_int_equal(policy_of_shorter(policy_prefix_of(table, read)), outer);
	assert_true(policy_close(table, outer));
	assert_int_equal(policy_of_shorter(policy_prefix_of(table, read)), all);
	/* Their places are not taken before they are released. */
	again = policy_add(2, lan, network_of(0x0a000000, 8));
	unrelated = policy_add(2, lan, network_of(0xc0a80000, 16));
	assert_int_equal(policy_of_shorter(policy_prefix_of(table, read)), all);
	expect_policy(LAN_HOST, 0x0a640001, again);
	policy_release(table, inner);
	policy_release(table, outer);
	policy_remove(unrelated);
	policy_remove(again);
	policy_remove(all);
	expect_policy(LAN_HOST, 0x0a640001, -1);
	assert_int_equal(table->n_free, harness.config.dataplane.max_children);
}

struct listed_policy {
	bool used;
	int made; /* in this step, the first of those with its number */
	uint32_t session, number;
	struct ip_network local, remote;
};

/* The longest remote prefix, of these the narrowest local one, of these the oldest. */
static bool is_better(const struct listed_policy *policy, const struct listed_policy *than)
{
	uint8_t bits = ip_network_bits(&policy->remote), local_bits = ip_network_bits(&policy->local);

	if (bits != ip_network_bits(&than->remote))
		return bits > ip_network_bits(&than->remote);
	if (local_bits != ip_network_bits(&than->local))
		return local_bits > ip_network_bits(&than->local);
	return policy->made < than->made;
}

static const struct listed_policy *list_find(
	const struct listed_policy *list, size_t n, const union ip_address *source, const union ip_address *destination)
{
	const struct listed_policy *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (list[i].used && ip_is_ipv4(&list[i].remote.address) == ip_is_ipv4(destination) &&
			ip_network_has(&list[i].remote, destination) && ip_network_has(&list[i].local, source) &&
			(!best || is_better(&list[i], best)))
			best = &list[i];
	return best;
}

static void list_add(struct listed_policy *list, size_t n, struct listed_policy *entry, int step)
{
	bool ipv6 = rand() % 2;

	entry->session = (uint32_t)rand() % 4;
	entry->local = random_network(ipv6);
	entry->remote = random_network(ipv6);
	entry->number = policy_add(entry->session, entry->local, entry->remote);
	entry->made = step;
	entry->used = true;
	for (size_t i = 0; i < n; i++)
		if (list[i].used && list[i].number == entry->number && list[i].made < entry->made)
			entry->made = list[i].made;
}

static void test_policies_at_random(void **state)
{
	enum { POLICIES = 60, LEAVING = 4 };
	static struct listed_policy list[POLICIES];
	struct policy_table *table = &harness.dataplane.policies;
	uint32_t leaving[LEAVING], n_leaving = 0;

	(void)state;
	srand(7);
	memset(list, 0, sizeof(list));
	for (int step = 0; step < STEPS; step++) {
		struct listed_policy *entry = &list[rand() % POLICIES];

		if (!entry->used) {
			list_add(list, POLICIES, entry, step);
		} else {
			entry->used = false;
			if (policy_close(table, entry->number))
				leaving[n_leaving++] = entry->number;
		}
		/* Grace periods end late, and in any order. */
		while (n_leaving == LEAVING || (n_leaving > 0 && rand() % 4 == 0)) {
			uint32_t at = (uint32_t)rand() % n_leaving;

			policy_release(table, leaving[at]);
			leaving[at] = leaving[--n_leaving];
		}
		for (int probe = 0; probe < PROBES; probe++) {
			bool ipv6 = rand() % 2;
			union ip_address source = random_ip(ipv6), destination = random_ip(ipv6);
			const struct listed_policy *expected = list_find(list, POLICIES, &source, &destination);

			expect_policy_ip(&source, &destination, expected ? (int64_t)expected->number : -1);
		}
	}
}

/* What a session's selectors are among many: a host of its own behind HQ's network, and one network around them all. */
static struct sa_child child_of_many(uint32_t number, bool ipv6)
{
	uint8_t bytes[16] = {0x20, 0x01, 0x0d, 0xb8};
	union ip_address host = ip_from_ipv4(0x0a000000 + number), any = ip_from_ipv4(0);

	if (ipv6) {
		memcpy(bytes + 12, &number, sizeof(number));
		host = ip_from_bytes(bytes);
		any = (union ip_address){.words = {0, 0}};
	}
	return (struct sa_child){
		.session = number,
		.local = ip_network_make(&any, 0),
		.remote = ip_network_make(number == 0 ? &any : &host, number == 0 ? 0
								      : ipv6      ? 128
										  : 32),
	};
}

static void many_open(struct policy_table *table, uint32_t *numbers, uint32_t i, bool ipv6)
{
	struct sa_child child = child_of_many(i, ipv6);
	int64_t number = policy_open(table, &child);

	assert_true(number >= 0);
	numbers[i] = (uint32_t)number;
}

static void many_close(struct policy_table *table, const uint32_t *numbers, uint32_t i)
{
	assert_true(policy_close(table, numbers[i]));
	policy_release(table, numbers[i]);
}

/*
 * 100,000 networks within one: each comes and goes without a look at the others, and only those inside of one that
 * comes or goes are told of it, each once.
 */
static void test_many(void **state)
{
	enum { MANY = 100000 };
	static uint32_t numbers[MANY + 1];
	struct policy_table table;

	(void)state;
	assert_int_equal(policy_table_init(&table, "many", MANY + 1, harness.dataplane.qsbr), 0);
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct sa_child last = child_of_many(MANY, ipv6);

		table.n_relinked = 0;
		for (uint32_t i = 0; i <= MANY; i++)
			many_open(&table, numbers, i, ipv6);
		assert_int_equal(table.n_relinked, 0);
		assert_int_equal(policy_first(&table, &last.remote.address), numbers[MANY]);
		assert_int_equal(policy_of_shorter(policy_prefix_of(&table, &table.policies[numbers[MANY]])), numbers[0]);
		for (uint32_t i = 1; i <= MANY; i += 2)
			many_close(&table, numbers, i);
		for (uint32_t i = 1; i <= MANY; i += 2)
			many_open(&table, numbers, i, ipv6);
		assert_int_equal(table.n_relinked, 0);
		many_close(&table, numbers, 0);
		assert_int_equal(table.n_relinked, MANY);
		assert_int_equal(policy_of_shorter(policy_prefix_of(&table, &table.policies[numbers[MANY]])), TABLES_NONE);
		many_open(&table, numbers, 0, ipv6);
		assert_int_equal(table.n_relinked, 2 * MANY);
		for (uint32_t i = MANY + 1; i > 0; i--)
			many_close(&table, numbers, i - 1);
		assert_int_equal(table.n_relinked, 2 * MANY);
		assert_int_equal(policy_first(&table, &last.remote.address), TABLES_NONE);
	}
	policy_table_free(&table);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_policies),
		TEST(test_shorter_prefixes),
		TEST(test_reader_in_a_prefix_that_goes),
		TEST(test_policies_at_random),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
