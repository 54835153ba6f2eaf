/* SPDX-License-Identifier: Apache-2.0 */
/* The mirror and IPv4: what is configured with ip(8) appears as changes and goes away again. */
#include "mirror_fixture.h"

#include <stdlib.h>

enum { FLOOD_ROUTES = 20000 };

static void test_first_round(void **state)
{
	const struct writer_net *net;

	(void)state;
	need_namespace();
	assert_int_equal(await(TABLES_ADDRESS_ADD, "192.0.2.1/32")->port, 0);
	net = await(TABLES_ROUTE_ADD, "192.0.2.0/24");
	assert_int_equal(net->gateway.family, ADDRESS_NONE);
	net = await(TABLES_ROUTE_ADD, "198.51.100.0/24");
	assert_int_equal(address_to_ipv4(&net->gateway), 0xc0000209);
	net = await(TABLES_NEIGHBOUR_ADD, "192.0.2.77/32");
	assert_int_equal(net->mac[5], 0x77);
	for (int i = 0; i < PATIENCE_MS && n_sweeps == 0; i++)
		turn();
	assert_int_equal(n_sweeps, 1);
	assert_true(mirror_status(mirror).complete);
}

static void test_changes_follow(void **state)
{
	(void)state;
	need_namespace();
	await(TABLES_ROUTE_ADD, "192.0.2.0/24");
	ip("addr add 203.0.113.1/24 dev hq0");
	await(TABLES_ADDRESS_ADD, "203.0.113.1/32");
	await(TABLES_ROUTE_ADD, "203.0.113.0/24");
	ip("route add 10.9.0.0/16 via 203.0.113.7");
	await(TABLES_ROUTE_ADD, "10.9.0.0/16");
	ip("neigh add 192.0.2.78 lladdr 02:00:00:00:00:78 dev hq0 nud stale");
	await(TABLES_NEIGHBOUR_ADD, "192.0.2.78/32");
	ip("neigh del 192.0.2.78 dev hq0");
	await_gone(TABLES_NEIGHBOUR_ADD, "192.0.2.78/32");
	ip("route del 10.9.0.0/16");
	await_gone(TABLES_ROUTE_ADD, "10.9.0.0/16");
	/* Its route goes with an address, without a word of its own. */
	ip("route add 10.8.0.0/16 via 192.0.2.7 src 203.0.113.1");
	await(TABLES_ROUTE_ADD, "10.8.0.0/16");
	ip("addr del 203.0.113.1/24 dev hq0");
	await_gone(TABLES_ADDRESS_ADD, "203.0.113.1/32");
	await_gone(TABLES_ROUTE_ADD, "10.8.0.0/16");
	await_gone(TABLES_ROUTE_ADD, "203.0.113.0/24");
}

static void test_best_route(void **state)
{
	(void)state;
	need_namespace();
	await(TABLES_ROUTE_ADD, "198.51.100.0/24");
	ip("route add 198.51.100.0/24 via 192.0.2.5 metric 50");
	for (int i = 0; i < PATIENCE_MS; i++) {
		const struct writer_net *net = find(TABLES_ROUTE_ADD, "198.51.100.0/24");

		if (net && address_to_ipv4(&net->gateway) == 0xc0000205)
			break;
		turn();
	}
	assert_int_equal(address_to_ipv4(&find(TABLES_ROUTE_ADD, "198.51.100.0/24")->gateway), 0xc0000205);
	ip("route del 198.51.100.0/24 metric 50");
	for (int i = 0; i < PATIENCE_MS; i++) {
		if (address_to_ipv4(&find(TABLES_ROUTE_ADD, "198.51.100.0/24")->gateway) == 0xc0000209)
			break;
		turn();
	}
	assert_int_equal(address_to_ipv4(&find(TABLES_ROUTE_ADD, "198.51.100.0/24")->gateway), 0xc0000209);
	ip("route replace 198.51.100.0/24 via 192.0.2.6 metric 100");
	for (int i = 0; i < PATIENCE_MS; i++) {
		if (address_to_ipv4(&find(TABLES_ROUTE_ADD, "198.51.100.0/24")->gateway) == 0xc0000206)
			break;
		turn();
	}
	assert_int_equal(address_to_ipv4(&find(TABLES_ROUTE_ADD, "198.51.100.0/24")->gateway), 0xc0000206);
	ip("route replace blackhole 198.51.100.0/24 metric 100");
	await_gone(TABLES_ROUTE_ADD, "198.51.100.0/24");
	ip("route del blackhole 198.51.100.0/24 metric 100");
}

static void test_interface_comes_and_goes(void **state)
{
	(void)state;
	need_namespace();
	await(TABLES_ROUTE_ADD, "192.0.2.0/24");
	assert_null(find(TABLES_ADDRESS_ADD, "203.0.113.9/32"));
	ip("link add hq1 type veth peer name far1");
	ip("link set far1 up");
	ip("addr add 203.0.113.9/24 dev hq1");
	ip("link set hq1 up");
	assert_int_equal(await(TABLES_ADDRESS_ADD, "203.0.113.9/32")->port, 1);
	assert_int_equal(await(TABLES_ROUTE_ADD, "203.0.113.0/24")->port, 1);
	ip("link set hq1 down");
	await_gone(TABLES_ROUTE_ADD, "203.0.113.0/24");
	ip("link set hq1 up");
	await(TABLES_ROUTE_ADD, "203.0.113.0/24");
	ip("link del hq1");
	await_gone(TABLES_ADDRESS_ADD, "203.0.113.9/32");
	await_gone(TABLES_ROUTE_ADD, "203.0.113.0/24");
	assert_non_null(find(TABLES_ADDRESS_ADD, "192.0.2.1/32"));
}

static void test_other_interfaces_are_none_of_ours(void **state)
{
	(void)state;
	need_namespace();
	await(TABLES_ROUTE_ADD, "192.0.2.0/24");
	ip("link add other type veth peer name farther");
	ip("link set farther up");
	ip("link set other up");
	ip("addr add 203.0.113.33/24 dev other");
	ip("addr add 192.0.2.44/24 dev hq0"); /* after it, so that what was said of the other has been read */
	await(TABLES_ADDRESS_ADD, "192.0.2.44/32");
	assert_null(find(TABLES_ADDRESS_ADD, "203.0.113.33/32"));
	assert_null(find(TABLES_ROUTE_ADD, "203.0.113.0/24"));
	ip("link del other");
}

/* Both are found by ARP: the far end answers for a gateway and for a neighbour that a packet waits for. */
static void test_neighbours_are_resolved(void **state)
{
	struct address wanted, nobody;

	(void)state;
	need_namespace();
	ip("netns add sluice-mirror-far");
	ip("link set far0 netns sluice-mirror-far");
	ip("-n sluice-mirror-far link set far0 up");
	ip("-n sluice-mirror-far addr add 192.0.2.9/24 dev far0");
	ip("-n sluice-mirror-far addr add 192.0.2.8/24 dev far0");
	await(TABLES_ROUTE_ADD, "198.51.100.0/24");
	await(TABLES_NEIGHBOUR_ADD, "192.0.2.9/32");
	assert_null(find(TABLES_NEIGHBOUR_ADD, "192.0.2.8/32"));
	for (int i = 0; i < PATIENCE_MS && !mirror_status(mirror).complete; i++)
		turn();
	assert_int_equal(address_parse("192.0.2.8", &wanted), 0);
	assert_int_equal(address_parse("192.0.2.200", &nobody), 0);
	mirror_neighbour_wanted(mirror, 0, &wanted);
	mirror_neighbour_wanted(mirror, 0, &nobody);
	mirror_neighbour_wanted(mirror, 9, &nobody);
	await(TABLES_NEIGHBOUR_ADD, "192.0.2.8/32");
	/* One that nobody has is forgotten when the kernel has given up. */
	for (int i = 0; i < PATIENCE_MS && mirror_tables(mirror)->n_neighbours > 3; i++)
		turn();
	assert_int_equal(mirror_tables(mirror)->n_neighbours, 3);
	ip("netns del sluice-mirror-far");
}

/* More notifications than the socket holds, while nobody reads: the kernel is read again, and nothing is missing. */
static void test_lost_notifications(void **state)
{
	FILE *batch;

	(void)state;
	need_namespace();
	await(TABLES_ROUTE_ADD, "192.0.2.0/24");
	for (int i = 0; i < PATIENCE_MS && !mirror_status(mirror).complete; i++)
		turn();
	batch = popen("ip -batch -", "w");
	assert_non_null(batch);
	for (int i = 0; i < FLOOD_ROUTES; i++)
		fprintf(batch, "route add 10.%d.%d.0/24 via 192.0.2.9\n", i / 256, i % 256);
	assert_int_equal(pclose(batch), 0);
	for (int i = 0; i < PATIENCE_MS && mirror_status(mirror).overruns == 0; i++)
		turn();
	assert_true(mirror_status(mirror).overruns > 0);
	for (int i = 0; i < PATIENCE_MS && !mirror_status(mirror).complete; i++)
		turn();
	assert_true(mirror_status(mirror).complete);
	assert_int_equal(mirror_tables(mirror)->n_routes, FLOOD_ROUTES + 2);
	ip("route flush via 192.0.2.9");
	for (int i = 0; i < PATIENCE_MS && mirror_tables(mirror)->n_routes > 1; i++)
		turn();
	assert_int_equal(mirror_tables(mirror)->n_routes, 1);
}

int main(void)
{
#define MIRROR_TEST(name) cmocka_unit_test_setup_teardown(name, mirror_setup, mirror_teardown)
	const struct CMUnitTest tests[] = {
		MIRROR_TEST(test_first_round),
		MIRROR_TEST(test_changes_follow),
		MIRROR_TEST(test_best_route),
		MIRROR_TEST(test_interface_comes_and_goes),
		MIRROR_TEST(test_other_interfaces_are_none_of_ours),
		MIRROR_TEST(test_neighbours_are_resolved),
		MIRROR_TEST(test_lost_notifications),
	};

	return cmocka_run_group_tests(tests, mirror_group_setup, NULL);
}
