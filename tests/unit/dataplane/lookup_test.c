/* SPDX-License-Identifier: Apache-2.0 */
/* Routes and neighbours of IPv4, the rules one by one. At random, both families are in lookup6_test.c. */
#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { OTHER = 0x0a010063 };

static void expect_route(uint32_t destination, enum adjacency_state state, uint16_t port, uint32_t station)
{
	union ip_address to = ip_from_ipv4(destination);
	union adjacency found = route_find(&harness.dataplane.routes, &to, NULL);
	uint8_t mac[WIRE_MAC_LEN];

	assert_int_equal(found.state, state);
	if (state == ADJACENCY_NONE)
		return;
	assert_int_equal(found.port, port);
	harness_mac(station, mac);
	if (state == ADJACENCY_REACHED)
		assert_memory_equal(found.mac.addr_bytes, mac, WIRE_MAC_LEN);
}

static void change(enum tables_change_kind kind, uint32_t address, uint8_t len, uint32_t gateway, uint16_t port)
{
	harness_net(kind, address, len, gateway, port, 1);
	harness_settle();
}

static void test_routes(void **state)
{
	(void)state;
	expect_route(HQ_LAN, ADJACENCY_LOCAL, 1, 0);
	expect_route(HQ_WAN, ADJACENCY_LOCAL, 0, 0);
	expect_route(LAN_HOST, ADJACENCY_REACHED, 1, LAN_HOST);
	expect_route(OTHER, ADJACENCY_ON_LINK, 1, 0);
	expect_route(0x08080808, ADJACENCY_REACHED, 0, GATEWAY);
	/* What is ours stays ours, whatever the kernel knows of it. */
	change(TABLES_NEIGHBOUR_ADD, HQ_LAN, 32, 0, 1);
	change(TABLES_ROUTE_ADD, HQ_LAN, 32, GATEWAY, 0);
	expect_route(HQ_LAN, ADJACENCY_LOCAL, 1, 0);
	change(TABLES_ADDRESS_REMOVE, HQ_LAN, 32, 0, 1);
	expect_route(HQ_LAN, ADJACENCY_REACHED, 0, GATEWAY); /* a host route by a gateway */
	change(TABLES_ROUTE_REMOVE, HQ_LAN, 32, GATEWAY, 0);
	expect_route(HQ_LAN, ADJACENCY_REACHED, 1, HQ_LAN);
	change(TABLES_NEIGHBOUR_REMOVE, HQ_LAN, 32, 0, 1);
	expect_route(HQ_LAN, ADJACENCY_ON_LINK, 1, 0);
	/* A host route on link says less than the neighbour. */
	change(TABLES_ROUTE_ADD, LAN_HOST, 32, 0, 1);
	expect_route(LAN_HOST, ADJACENCY_REACHED, 1, LAN_HOST);
	change(TABLES_NEIGHBOUR_REMOVE, LAN_HOST, 32, 0, 1);
	expect_route(LAN_HOST, ADJACENCY_ON_LINK, 1, 0);
	change(TABLES_NEIGHBOUR_ADD, LAN_HOST, 32, 0, 1);
	expect_route(LAN_HOST, ADJACENCY_REACHED, 1, LAN_HOST);
}

static void test_gateways(void **state)
{
	(void)state;
	/* Known only later, lost, and known again. */
	change(TABLES_ROUTE_ADD, 0x0a0a0000, 16, OTHER, 1);
	expect_route(0x0a0a0001, ADJACENCY_WAITING, 1, 0);
	change(TABLES_NEIGHBOUR_ADD, OTHER, 32, 0, 1);
	expect_route(0x0a0a0001, ADJACENCY_REACHED, 1, OTHER);
	change(TABLES_NEIGHBOUR_REMOVE, OTHER, 32, 0, 1);
	expect_route(0x0a0a0001, ADJACENCY_WAITING, 1, 0);
	expect_route(OTHER, ADJACENCY_ON_LINK, 1, 0);
	change(TABLES_NEIGHBOUR_ADD, OTHER, 32, 0, 1);
	expect_route(0x0a0a0001, ADJACENCY_REACHED, 1, OTHER);
	/* Another gateway takes over. */
	change(TABLES_ROUTE_ADD, 0x0a0a0000, 16, LAN_HOST, 1);
	expect_route(0x0a0a0001, ADJACENCY_REACHED, 1, LAN_HOST);
	/* The end of the former one does not concern it. */
	change(TABLES_ROUTE_REMOVE, 0x0a0a0000, 16, OTHER, 1);
	expect_route(0x0a0a0001, ADJACENCY_REACHED, 1, LAN_HOST);
	change(TABLES_ROUTE_REMOVE, 0x0a0a0000, 16, LAN_HOST, 1);
	expect_route(0x0a0a0001, ADJACENCY_REACHED, 0, GATEWAY);
	change(TABLES_ROUTE_REMOVE, 0, 0, GATEWAY, 0);
	expect_route(0x0a0a0001, ADJACENCY_NONE, 0, 0);
}

/* A station that moved to another port: the old port's entry ages out later and takes nothing with it. */
static void test_neighbour_changes_port(void **state)
{
	(void)state;
	change(TABLES_ROUTE_ADD, 0x0a0a0000, 16, OTHER, 0);
	change(TABLES_NEIGHBOUR_ADD, OTHER, 32, 0, 0);
	expect_route(OTHER, ADJACENCY_REACHED, 0, OTHER);
	change(TABLES_NEIGHBOUR_ADD, OTHER, 32, 0, 1);
	expect_route(OTHER, ADJACENCY_REACHED, 1, OTHER);
	change(TABLES_NEIGHBOUR_REMOVE, OTHER, 32, 0, 0);
	expect_route(OTHER, ADJACENCY_REACHED, 1, OTHER);
	expect_route(0x0a0a0001, ADJACENCY_WAITING, 0, 0);
	change(TABLES_NEIGHBOUR_REMOVE, OTHER, 32, 0, 1);
	expect_route(OTHER, ADJACENCY_ON_LINK, 1, 0);
}

/* Addresses that stand for no station must not become one. */
static void test_no_stations(void **state)
{
	(void)state;
	change(TABLES_NEIGHBOUR_ADD, 0, 32, 0, 1);
	change(TABLES_NEIGHBOUR_REMOVE, 0, 32, 0, 1);
	expect_route(OTHER, ADJACENCY_ON_LINK, 1, 0);
	change(TABLES_NEIGHBOUR_ADD, UINT32_MAX, 32, 0, 1);
	change(TABLES_NEIGHBOUR_REMOVE, UINT32_MAX, 32, 0, 1);
	expect_route(HQ_LAN, ADJACENCY_LOCAL, 1, 0);
	change(TABLES_ROUTE_ADD, 0x0a0a0000, 16, UINT32_MAX, 1);
	expect_route(0x0a0a0001, ADJACENCY_REACHED, 0, GATEWAY);
	change(TABLES_ADDRESS_ADD, OTHER, 32, 0, HARNESS_PORTS);
	expect_route(OTHER, ADJACENCY_ON_LINK, 1, 0);
}

static void test_sweep(void **state)
{
	(void)state;
	change(TABLES_ROUTE_ADD, 0x0a0a0000, 16, OTHER, 1);
	harness_net(TABLES_ADDRESS_ADD, HQ_WAN, 32, 0, 0, 2);
	harness_net(TABLES_ROUTE_ADD, 0, 0, GATEWAY, 0, 2);
	harness_net(TABLES_NET_SWEEP, 0, 0, 0, 0, 2);
	harness_settle();
	expect_route(HQ_WAN, ADJACENCY_LOCAL, 0, 0);
	expect_route(HQ_LAN, ADJACENCY_WAITING, 0, 0);
	expect_route(0x0a0a0001, ADJACENCY_WAITING, 0, 0);
	assert_int_equal(harness.dataplane.routes.n_routes, 2);
	assert_int_equal(harness.dataplane.routes.n_neighbours, 0);
	harness_net(TABLES_NET_SWEEP, 0, 0, 0, 0, 3);
	harness_settle();
	expect_route(HQ_WAN, ADJACENCY_NONE, 0, 0);
	assert_int_equal(harness.dataplane.routes.n_routes, 0);
	assert_int_equal(rte_hash_count(harness.dataplane.routes.neighbours), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_routes),
		TEST(test_gateways),
		TEST(test_neighbour_changes_port),
		TEST(test_no_stations),
		TEST(test_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
