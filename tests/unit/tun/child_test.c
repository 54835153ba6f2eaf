/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of SAs: which one carries what is sent, before, during and after a rekey; SPIs; limits. */
#include "tun/child.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct esp_engine *engine;
static struct tun_children children;
static const uint8_t keymat[ESP_KEYMAT_MAX] = {1, 2, 3};

static int setup_group(void **state)
{
	(void)state;
	engine = esp_engine_new();
	return engine ? 0 : -1;
}

static int teardown_group(void **state)
{
	(void)state;
	esp_engine_free(engine);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	tun_children_init(&children, 77);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tun_children_clear(&children);
	return 0;
}

static struct tun_child_terms terms_of(uint64_t id, const char *local, const char *remote)
{
	struct tun_child_terms terms = {.id = id,
		.spi_out = 0x1000 + (uint32_t)id,
		.suite = ESP_AES128_GCM,
		.window = 64,
		.keymat_in = keymat,
		.keymat_out = keymat};

	assert_int_equal(prefix_parse(local, &terms.local_network), 0);
	assert_int_equal(prefix_parse(remote, &terms.remote_network), 0);
	return terms;
}

static uint32_t install(uint64_t id, const char *local, const char *remote)
{
	struct tun_child_terms terms = terms_of(id, local, remote);
	uint32_t spi;

	assert_int_equal(tun_child_reserve(&children, &spi), 0);
	assert_int_equal(tun_child_install(&children, engine, spi, &terms), 0);
	return spi;
}

/* The id of the pair that carries it; 0: none. */
static uint64_t carrier(const char *source, const char *destination)
{
	struct address from, to;
	union ip_address ip_from, ip_to;
	struct tun_child *child;

	assert_int_equal(address_parse(source, &from), 0);
	assert_int_equal(address_parse(destination, &to), 0);
	ip_from = ip_of_address(&from);
	ip_to = ip_of_address(&to);
	child = tun_child_select(&children, from.family == ADDRESS_IPV6, &ip_from, &ip_to);
	return child ? child->id : 0;
}

static void test_rekey(void **state)
{
	uint32_t first = install(1, "10.1.0.0/16", "10.2.0.0/16"), second, third;

	(void)state;
	/* Installed, it takes what comes, and carries nothing yet. */
	assert_non_null(tun_child_find(&children, first));
	assert_int_equal(carrier("10.1.0.1", "10.2.0.1"), 0);
	assert_true(tun_child_activate(&children, 1, first));
	assert_int_equal(carrier("10.1.0.1", "10.2.0.1"), 1);

	second = install(2, "10.1.0.0/16", "10.2.0.0/16");
	assert_int_equal(carrier("10.1.0.1", "10.2.0.1"), 1);
	assert_true(tun_child_activate(&children, 2, second));
	assert_int_equal(carrier("10.1.0.1", "10.2.0.1"), 2);
	assert_int_equal(children.n_current, 1);
	assert_non_null(tun_child_find(&children, first)); /* packets under way still come by it */

	/* A third that came to nothing leaves the second as it was. */
	third = install(3, "10.1.0.0/16", "10.2.0.0/16");
	assert_true(tun_child_remove(&children, 3, third));
	assert_int_equal(carrier("10.1.0.1", "10.2.0.1"), 2);

	/* The newer one goes first: the older one carries again. */
	assert_true(tun_child_remove(&children, 2, second));
	assert_int_equal(carrier("10.1.0.1", "10.2.0.1"), 1);
	assert_null(tun_child_find(&children, second));
	assert_true(tun_child_remove(&children, 1, first));
	assert_int_equal(carrier("10.1.0.1", "10.2.0.1"), 0);
	assert_int_equal(children.n_current, 0);
}

/* One that was never current does not become so because another one goes. */
static void test_unused_stays_unused(void **state)
{
	uint32_t first = install(1, "10.1.0.0/16", "10.2.0.0/16"), second;

	(void)state;
	assert_true(tun_child_activate(&children, 1, first));
	second = install(2, "10.1.0.0/16", "10.2.0.0/16");
	assert_true(tun_child_remove(&children, 1, first));
	assert_int_equal(carrier("10.1.0.1", "10.2.0.1"), 0);
	assert_non_null(tun_child_find(&children, second));
}

static void test_narrowest_network(void **state)
{
	(void)state;
	assert_true(tun_child_activate(&children, 1, install(1, "0.0.0.0/0", "0.0.0.0/0")));
	assert_true(tun_child_activate(&children, 2, install(2, "10.1.0.0/16", "10.2.0.0/16")));
	assert_true(tun_child_activate(&children, 3, install(3, "10.1.3.0/24", "10.2.0.0/16")));
	assert_true(tun_child_activate(&children, 4, install(4, "2001:db8:1::/48", "::/0")));
	assert_int_equal(carrier("10.1.0.1", "10.2.0.1"), 2);
	assert_int_equal(carrier("10.1.3.1", "10.2.0.1"), 3);
	assert_int_equal(carrier("10.1.3.1", "10.3.0.1"), 1);
	assert_int_equal(carrier("192.0.2.1", "10.2.0.1"), 1);
	assert_int_equal(carrier("2001:db8:1::1", "2001:db8:2::1"), 4);
	assert_int_equal(carrier("2001:db8:3::1", "2001:db8:2::1"), 0);
}

static void test_spis(void **state)
{
	uint32_t spis[TUN_CHILDREN_MAX], again, more;

	(void)state;
	for (size_t i = 0; i < TUN_CHILDREN_MAX; i++) {
		assert_int_equal(tun_child_reserve(&children, &spis[i]), 0);
		assert_true(spis[i] >> 31);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(spis[k], spis[i]);
	}
	assert_int_equal(tun_child_reserve(&children, &more), -ENOSPC);
	tun_child_release(&children, spis[5]);
	assert_int_equal(tun_child_reserve(&children, &again), 0);
	assert_int_not_equal(again, spis[5]); /* the same slot, another SPI: late packets don't meet the new SA */
	assert_null(tun_child_find(&children, spis[5]));
	assert_null(tun_child_find(&children, again)); /* reserved is not installed */
	assert_null(tun_child_find(&children, 0));
}

static void test_refusals(void **state)
{
	struct tun_child_terms terms = terms_of(1, "10.1.0.0/16", "10.2.0.0/16");
	uint32_t spi;

	(void)state;
	assert_int_equal(tun_child_install(&children, engine, 0x80000001, &terms), -ENOENT);
	assert_int_equal(tun_child_reserve(&children, &spi), 0);
	terms.suite = ESP_SUITE_NONE;
	assert_int_equal(tun_child_install(&children, engine, spi, &terms), -EINVAL);
	/* All or nothing: the slot is free again. */
	terms.suite = ESP_AES128_GCM;
	assert_int_equal(tun_child_install(&children, engine, spi, &terms), -ENOENT);
	assert_int_equal(tun_child_reserve(&children, &spi), 0);
	terms.window = 0;
	assert_int_equal(tun_child_install(&children, engine, spi, &terms), -EINVAL);
	assert_false(tun_child_activate(&children, 1, spi));
	assert_false(tun_child_remove(&children, 1, spi));
	spi = install(7, "10.1.0.0/16", "10.2.0.0/16");
	assert_false(tun_child_activate(&children, 8, spi)); /* another one's id */
}

/* RFC 4303 section 3.3.3: the last number is the end. At four fifths the successor is asked for, once. */
static void test_numbers(void **state)
{
	struct tun_child *child = tun_child_find(&children, install(1, "10.1.0.0/16", "10.2.0.0/16"));
	bool soft;

	(void)state;
	assert_int_equal(tun_child_take_number(child, 100, &soft), 1);
	assert_false(soft);
	child->sequence = UINT32_MAX / 100 * 80 + 100;
	assert_int_not_equal(tun_child_take_number(child, 100, &soft), 0);
	assert_true(soft);
	assert_int_not_equal(tun_child_take_number(child, 100, &soft), 0);
	assert_false(soft);
	child->sequence = UINT32_MAX - 2u;
	assert_int_equal(tun_child_take_number(child, 100, &soft), UINT32_MAX - 1u);
	assert_int_equal(tun_child_take_number(child, 100, &soft), 0);
	assert_int_equal(tun_child_take_number(child, 100, &soft), 0);
}

static void test_bytes(void **state)
{
	struct tun_child_terms terms = terms_of(1, "10.1.0.0/16", "10.2.0.0/16");
	struct tun_child *child;
	uint32_t spi;
	bool soft;

	(void)state;
	terms.limit_bytes = 1000;
	assert_int_equal(tun_child_reserve(&children, &spi), 0);
	assert_int_equal(tun_child_install(&children, engine, spi, &terms), 0);
	child = tun_child_find(&children, spi);
	child->traffic.bytes_out = 700;
	assert_int_equal(tun_child_take_number(child, 99, &soft), 1);
	assert_false(soft);
	assert_int_equal(tun_child_take_number(child, 100, &soft), 2);
	assert_true(soft);
	assert_int_equal(tun_child_take_number(child, 300, &soft), 3);
	assert_int_equal(tun_child_take_number(child, 301, &soft), 0);
}

int main(void)
{
#define CHILD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CHILD_TEST(test_rekey),
		CHILD_TEST(test_unused_stays_unused),
		CHILD_TEST(test_narrowest_network),
		CHILD_TEST(test_spis),
		CHILD_TEST(test_refusals),
		CHILD_TEST(test_numbers),
		CHILD_TEST(test_bytes),
	};

	return cmocka_run_group_tests_name("child", tests, setup_group, teardown_group);
}
