/* SPDX-License-Identifier: Apache-2.0 */
/* Routes and neighbours: the rules one by one, then at random beside a list that is searched from end to end. */
#include "harness.h"
#include "small_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STEPS = 20000, PROBES = 8, OTHER = 0x0a010063 };

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

enum listed_kind { LISTED_ADDRESS, LISTED_ROUTE, LISTED_NEIGHBOUR, LISTED_KINDS };

struct listed_net {
	bool used;
	enum listed_kind kind;
	uint32_t address, gateway;
	uint8_t len;
	uint16_t port;
};

static const struct listed_net *net_find(
	const struct listed_net *list, size_t n, enum listed_kind kind, uint32_t address, int port)
{
	const struct listed_net *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (list[i].used && list[i].kind == kind && (port < 0 || list[i].port == port) &&
			network_address(address, list[i].len) == list[i].address &&
			(!best || list[i].len > best->len))
			best = &list[i];
	return best;
}

static bool is_listed(const struct listed_net *list, size_t n, const struct listed_net *net)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].used && list[i].kind == net->kind && list[i].address == net->address &&
			list[i].len == net->len)
			return true;
	return false;
}

static void expect_as_listed(const struct listed_net *list, size_t n, uint32_t destination)
{
	const struct listed_net *ours = net_find(list, n, LISTED_ADDRESS, destination, -1);
	const struct listed_net *route = net_find(list, n, LISTED_ROUTE, destination, -1);
	const struct listed_net *neighbour = net_find(list, n, LISTED_NEIGHBOUR, destination, -1);

	if (ours)
		expect_route(destination, ADJACENCY_LOCAL, ours->port, 0);
	else if (neighbour && !(route && route->len == 32 && route->gateway))
		expect_route(destination, ADJACENCY_REACHED, neighbour->port, destination);
	else if (!route)
		expect_route(destination, ADJACENCY_NONE, 0, 0);
	else if (!route->gateway)
		expect_route(destination, ADJACENCY_ON_LINK, route->port, 0);
	else
		expect_route(destination,
			net_find(list, n, LISTED_NEIGHBOUR, route->gateway, route->port) ? ADJACENCY_REACHED
											 : ADJACENCY_WAITING,
			route->port, route->gateway);
}

static void test_routes_at_random(void **state)
{
	enum { NETS = 60 };
	static const enum tables_change_kind add[LISTED_KINDS] = {
		TABLES_ADDRESS_ADD, TABLES_ROUTE_ADD, TABLES_NEIGHBOUR_ADD};
	static struct listed_net list[NETS];

	(void)state;
	srand(11);
	memset(list, 0, sizeof(list));
	harness_net(TABLES_NET_SWEEP, 0, 0, 0, 0, 2);
	for (int step = 0; step < STEPS; step++) {
		struct listed_net *net = &list[rand() % NETS];

		if (net->used) {
			net->used = false;
			/* Each "remove" stands next to its "add" in the list of kinds. */
			change(add[net->kind] + 1, net->address, net->len, net->gateway, net->port);
		} else {
			struct listed_net made = {.kind = (enum listed_kind)(rand() % LISTED_KINDS), .used = true};

			made.len = made.kind == LISTED_ROUTE ? random_len() : 32;
			made.address = network_address(random_address(), made.len);
			made.gateway = made.kind == LISTED_ROUTE && rand() % 3 ? random_address() : 0;
			/* A neighbour is on one port only. */
			made.port = made.kind == LISTED_ROUTE ? (uint16_t)(rand() % 2) : made.address & 1;
			if (is_listed(list, NETS, &made))
				continue;
			*net = made;
			change(add[net->kind], net->address, net->len, net->gateway, net->port);
		}
		for (int probe = 0; probe < PROBES; probe++)
			expect_as_listed(list, NETS, random_address());
	}
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
		TEST(test_routes_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
