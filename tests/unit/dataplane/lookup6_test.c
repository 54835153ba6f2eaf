/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes and neighbours of IPv6, what is ours in both families, and what tells workers that a number no longer holds:
 * the rules one by one. Then both families at random, beside a list that is searched from end to end.
 */
#include "harness.h"
#include "small_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct address address_of(const char *text)
{
	struct address address = {.family = ADDRESS_NONE};

	if (text)
		assert_int_equal(address_parse(text, &address), 0);
	return address;
}

static union ip_address ip_of(const char *text)
{
	struct address address = address_of(text);

	return ip_of_address(&address);
}

static void mac_of(const union ip_address *station, uint8_t mac[WIRE_MAC_LEN])
{
	if (ip_is_ipv4(station)) {
		harness_mac(ip_to_ipv4(station), mac);
		return;
	}
	memset(mac, 0, WIRE_MAC_LEN);
	mac[0] = 0x02;
	mac[WIRE_MAC_LEN - 1] = station->bytes[15];
}

static void change_net(enum tables_change_kind kind, const struct prefix *prefix, const struct address *gateway,
	uint16_t port, uint32_t epoch)
{
	struct writer_net net = {.prefix = *prefix, .gateway = *gateway, .port = port, .epoch = epoch};
	union ip_address station = ip_of_address(&prefix->address);

	mac_of(&station, net.mac);
	writer_net_change(harness.writer, kind, &net);
	harness_settle();
}

static void change(enum tables_change_kind kind, const char *text, const char *gateway, uint16_t port)
{
	struct address to = address_of(gateway);
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	change_net(kind, &prefix, &to, port, 1);
}

static void expect_ip(
	const union ip_address *destination, enum adjacency_state state, uint16_t port, const union ip_address *station)
{
	uint32_t number;
	union adjacency found = route_find(&harness.dataplane.routes, destination, &number);
	uint8_t mac[WIRE_MAC_LEN];

	assert_int_equal(found.state, state);
	assert_int_equal(route_adjacency(&harness.dataplane.routes, number).word, found.word);
	if (state == ADJACENCY_NONE)
		return;
	assert_int_equal(found.port, port);
	if (state == ADJACENCY_WAITING)
		assert_true(ip_equal(&harness.dataplane.routes.gateways[number], station));
	if (state != ADJACENCY_REACHED)
		return;
	mac_of(station, mac);
	assert_memory_equal(found.mac.addr_bytes, mac, WIRE_MAC_LEN);
}

static void expect(const char *destination, enum adjacency_state state, uint16_t port, const char *station)
{
	union ip_address to = ip_of(destination), by = ip_of(station);

	expect_ip(&to, state, port, &by);
}

static bool is_ours(const char *text)
{
	union ip_address address = ip_of(text);

	return route_is_local(&harness.dataplane.routes, &address);
}

static void test_routes(void **state)
{
	(void)state;
	expect("2001:db8::1", ADJACENCY_NONE, 0, NULL); /* IPv4's default route is none for IPv6 */
	change(TABLES_ADDRESS_ADD, "2001:db8::1/128", NULL, 1);
	change(TABLES_ROUTE_ADD, "2001:db8::/64", NULL, 1);
	change(TABLES_NEIGHBOUR_ADD, "2001:db8::9/128", NULL, 1);
	change(TABLES_ROUTE_ADD, "::/0", "fe80::5", 0);
	expect("2001:db8::1", ADJACENCY_LOCAL, 1, NULL);
	expect("2001:db8::2", ADJACENCY_ON_LINK, 1, NULL);
	expect("2001:db8::9", ADJACENCY_REACHED, 1, "2001:db8::9");
	expect("2001:db8:9::", ADJACENCY_WAITING, 0, "fe80::5");
	change(TABLES_NEIGHBOUR_ADD, "fe80::5/128", NULL, 0);
	expect("2001:db8:9::", ADJACENCY_REACHED, 0, "fe80::5");
	change(TABLES_NEIGHBOUR_REMOVE, "fe80::5/128", NULL, 0);
	expect("2001:db8:9::", ADJACENCY_WAITING, 0, "fe80::5");
	/* IPv4 by an IPv6 gateway (RFC 8950). */
	change(TABLES_ROUTE_ADD, "10.7.0.0/16", "2001:db8::9", 1);
	expect("10.7.0.1", ADJACENCY_REACHED, 1, "2001:db8::9");
	change(TABLES_ROUTE_REMOVE, "::/0", "fe80::5", 0);
	expect("2001:db8:9::", ADJACENCY_NONE, 0, NULL);
	expect("8.8.8.8", ADJACENCY_REACHED, 0, "192.0.2.254");
}

/* The same gateway's address on two ports is two stations, and nothing is routed to either. */
static void test_link_local(void **state)
{
	(void)state;
	change(TABLES_ROUTE_ADD, "::/0", "fe80::1", 0);
	change(TABLES_ROUTE_ADD, "2001:db8::/32", "fe80::1", 1);
	change(TABLES_NEIGHBOUR_ADD, "fe80::1/128", NULL, 1);
	expect("2001:db8::5", ADJACENCY_REACHED, 1, "fe80::1");
	expect("2001:db9::5", ADJACENCY_WAITING, 0, "fe80::1");
	change(TABLES_NEIGHBOUR_ADD, "fe80::1/128", NULL, 0);
	change(TABLES_NEIGHBOUR_REMOVE, "fe80::1/128", NULL, 1);
	expect("2001:db8::5", ADJACENCY_WAITING, 1, "fe80::1");
	expect("2001:db9::5", ADJACENCY_REACHED, 0, "fe80::1");
	expect("fe80::1", ADJACENCY_NONE, 0, NULL);
	expect("ff02::1", ADJACENCY_NONE, 0, NULL);
	/* Ours on both ports, until it has left both. */
	change(TABLES_ADDRESS_ADD, "fe80::7/128", NULL, 0);
	change(TABLES_ADDRESS_ADD, "fe80::7/128", NULL, 1);
	assert_true(is_ours("fe80::7"));
	expect("fe80::7", ADJACENCY_NONE, 0, NULL);
	change(TABLES_ADDRESS_REMOVE, "fe80::7/128", NULL, 0);
	assert_true(is_ours("fe80::7"));
	change(TABLES_ADDRESS_REMOVE, "fe80::7/128", NULL, 1);
	assert_false(is_ours("fe80::7"));
}

static void expect_port_address(uint16_t port, bool ipv6, const char *expected)
{
	union ip_address address = port_address(&harness.dataplane.ports[port], ipv6), of = ip_of(expected);

	assert_true(ip_equal(&address, &of));
}

static void test_ours(void **state)
{
	char text[ADDRESS_TEXT_LEN + 4];

	(void)state;
	assert_true(is_ours("192.0.2.1"));
	assert_true(is_ours("10.1.0.1"));
	assert_false(is_ours("10.1.0.2"));
	assert_false(is_ours("::"));
	expect_port_address(0, false, "192.0.2.1");
	expect_port_address(0, true, NULL);
	/* The lowest, but no link-local one: that says nothing beyond the link. */
	change(TABLES_ADDRESS_ADD, "fe80::7/128", NULL, 0);
	expect_port_address(0, true, NULL);
	change(TABLES_ADDRESS_ADD, "2001:db8::8/128", NULL, 0);
	expect_port_address(0, true, "2001:db8::8");
	change(TABLES_ADDRESS_ADD, "2001:db8::7/128", NULL, 0);
	expect_port_address(0, true, "2001:db8::7");
	expect_port_address(1, true, NULL);
	change(TABLES_ADDRESS_REMOVE, "2001:db8::7/128", NULL, 0);
	expect_port_address(0, true, "2001:db8::8");
	/* It moves to another port. */
	change(TABLES_ADDRESS_ADD, "192.0.2.1/32", NULL, 1);
	change(TABLES_ADDRESS_REMOVE, "192.0.2.1/32", NULL, 0);
	assert_true(is_ours("192.0.2.1"));
	expect_port_address(0, false, NULL);
	/* As many as an operator would ever have. */
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "2001:db8:1::%x/128", i);
		change(TABLES_ADDRESS_ADD, text, NULL, 0);
	}
	assert_true(is_ours("2001:db8:1::12b"));
	assert_false(is_ours("2001:db8:1::12c"));
	harness_net(TABLES_NET_SWEEP, 0, 0, 0, 0, 2);
	harness_settle();
	assert_false(is_ours("2001:db8:1::12b"));
	assert_false(is_ours("192.0.2.1"));
	assert_int_equal(rte_hash_count(harness.dataplane.routes.neighbours), 0);
}

static bool is_raised(enum tables_change_kind kind, const char *text, const char *gateway, uint16_t port)
{
	uint32_t before = route_generation(&harness.dataplane.routes);

	change(kind, text, gateway, port);
	return route_generation(&harness.dataplane.routes) != before;
}

/* Only what makes a lookup find another number raises the generation. */
static void test_generation(void **state)
{
	(void)state;
	assert_true(is_raised(TABLES_ROUTE_ADD, "10.9.0.0/16", "192.0.2.9", 0));
	assert_false(is_raised(TABLES_ROUTE_ADD, "10.9.0.0/16", "192.0.2.9", 0));
	assert_true(is_raised(TABLES_ROUTE_ADD, "10.9.0.0/16", "192.0.2.8", 0));
	/* A neighbour's address is a prefix of its own, once; then it is the neighbour's state alone. */
	assert_true(is_raised(TABLES_NEIGHBOUR_ADD, "192.0.2.8/32", NULL, 0));
	assert_false(is_raised(TABLES_NEIGHBOUR_ADD, "192.0.2.8/32", NULL, 0));
	assert_true(is_raised(TABLES_NEIGHBOUR_REMOVE, "192.0.2.8/32", NULL, 0));
	assert_true(is_raised(TABLES_ROUTE_REMOVE, "10.9.0.0/16", "192.0.2.8", 0));
	assert_true(is_raised(TABLES_ROUTE_ADD, "::/0", "fe80::1", 0));
	assert_false(is_raised(TABLES_NEIGHBOUR_ADD, "fe80::1/128", NULL, 0));
	assert_false(is_raised(TABLES_NEIGHBOUR_REMOVE, "fe80::1/128", NULL, 0));
	assert_true(is_raised(TABLES_ROUTE_REMOVE, "::/0", "fe80::1", 0));
}

/* A number that a worker may still hold is nobody else's until it has been quiescent. */
static void test_numbers_wait(void **state)
{
	struct rte_rcu_qsbr *qsbr = harness.dataplane.qsbr;
	struct route_table *routes = &harness.dataplane.routes;
	union ip_address old = ip_of("10.9.0.1"), other = ip_of("10.8.0.1");
	uint32_t number, again;

	(void)state;
	change(TABLES_ROUTE_ADD, "10.9.0.0/16", "192.0.2.9", 0);
	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	route_find(routes, &old, &number);
	change(TABLES_ROUTE_REMOVE, "10.9.0.0/16", "192.0.2.9", 0);
	assert_int_equal(route_adjacency(routes, number).state, ADJACENCY_NONE);
	change(TABLES_ROUTE_ADD, "10.8.0.0/16", "192.0.2.8", 0);
	route_find(routes, &other, &again);
	assert_int_not_equal(number, again);
	assert_int_equal(route_adjacency(routes, number).state, ADJACENCY_NONE);
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	rte_rcu_qsbr_thread_unregister(qsbr, 0);
}

static void test_refused(void **state)
{
	static const struct prefix too_long = {.address = {.family = ADDRESS_IPV6, .bytes = {0x20}}, .len = 129};
	struct address none = {.family = ADDRESS_NONE};
	uint32_t before = route_generation(&harness.dataplane.routes);

	(void)state;
	change_net(TABLES_ROUTE_ADD, &too_long, &none, 0, 1);
	change(TABLES_ROUTE_ADD, "::ffff:10.9.0.0/112", NULL, 0);
	change(TABLES_ROUTE_ADD, "2001:db8::/32", "::ffff:192.0.2.9", 0);
	change(TABLES_ROUTE_ADD, "2001:db8::/32", "ff02::1", 0);
	change(TABLES_NEIGHBOUR_ADD, "ff02::1/128", NULL, 0);
	change(TABLES_NEIGHBOUR_ADD, "::/128", NULL, 0);
	change(TABLES_ADDRESS_ADD, "ff02::1/128", NULL, 0);
	change(TABLES_ROUTE_ADD, "2001:db8::/32", NULL, HARNESS_PORTS);
	assert_int_equal(route_generation(&harness.dataplane.routes), before);
}

enum { STEPS = 20000, PROBES = 8, NETS = 80 };
enum listed_kind { LISTED_ADDRESS, LISTED_ROUTE, LISTED_NEIGHBOUR, LISTED_KINDS };

struct listed_net {
	bool used;
	enum listed_kind kind;
	struct ip_network network;
	union ip_address gateway; /* none: on link */
	uint16_t port;
};

static struct listed_net list[NETS];

static const struct listed_net *net_find(enum listed_kind kind, const union ip_address *address, int port)
{
	const struct listed_net *best = NULL;

	for (size_t i = 0; i < NETS; i++)
		if (list[i].used && list[i].kind == kind && (port < 0 || list[i].port == port) &&
			ip_is_ipv4(&list[i].network.address) == ip_is_ipv4(address) &&
			ip_network_has(&list[i].network, address) &&
			(!best || ip_network_bits(&list[i].network) > ip_network_bits(&best->network)))
			best = &list[i];
	return best;
}

static bool is_listed(const struct listed_net *net)
{
	for (size_t i = 0; i < NETS; i++)
		if (list[i].used && list[i].kind == net->kind && ip_network_equal(&list[i].network, &net->network))
			return true;
	return false;
}

static void expect_as_listed(const union ip_address *to)
{
	const struct listed_net *ours = net_find(LISTED_ADDRESS, to, -1);
	const struct listed_net *route = net_find(LISTED_ROUTE, to, -1);
	const struct listed_net *neighbour = net_find(LISTED_NEIGHBOUR, to, -1);

	assert_int_equal(route_is_local(&harness.dataplane.routes, to), ours != NULL);
	if (ours)
		expect_ip(to, ADJACENCY_LOCAL, ours->port, NULL);
	else if (neighbour && !(route && ip_network_bits(&route->network) == 128 && !ip_is_none(&route->gateway)))
		expect_ip(to, ADJACENCY_REACHED, neighbour->port, to);
	else if (!route)
		expect_ip(to, ADJACENCY_NONE, 0, NULL);
	else if (ip_is_none(&route->gateway))
		expect_ip(to, ADJACENCY_ON_LINK, route->port, NULL);
	else
		expect_ip(to,
			net_find(LISTED_NEIGHBOUR, &route->gateway, route->port) ? ADJACENCY_REACHED
										 : ADJACENCY_WAITING,
			route->port, &route->gateway);
}

static void change_listed(const struct listed_net *net, bool remove)
{
	static const enum tables_change_kind add[LISTED_KINDS] = {
		TABLES_ADDRESS_ADD, TABLES_ROUTE_ADD, TABLES_NEIGHBOUR_ADD};
	struct address address = ip_to_address(&net->network.address), gateway = ip_to_address(&net->gateway);
	uint8_t bits = ip_network_bits(&net->network);
	struct prefix prefix;

	if (ip_is_none(&net->network.address)) /* ::/0 */
		address.family = ADDRESS_IPV6;
	prefix = prefix_make(&address, (uint8_t)(address.family == ADDRESS_IPV4 ? bits - IP_PREFIX_IPV4 : bits));
	/* Each "remove" stands next to its "add" in the list of kinds. */
	change_net(add[net->kind] + remove, &prefix, &gateway, net->port, 2);
}

static struct listed_net listed_make(void)
{
	struct listed_net made = {.kind = (enum listed_kind)(rand() % LISTED_KINDS), .used = true};
	bool ipv6 = rand() % 2;
	union ip_address address = random_ip(ipv6);

	made.network = made.kind == LISTED_ROUTE ? random_network(ipv6) : ip_network_make(&address, ipv6 ? 128 : 32);
	if (made.kind == LISTED_ROUTE && rand() % 3)
		made.gateway = random_ip(ipv6);
	/* A neighbour is on one port only. */
	made.port = made.kind == LISTED_ROUTE ? (uint16_t)(rand() % 2) : address.bytes[15] & 1;
	return made;
}

static void test_at_random(void **state)
{
	(void)state;
	srand(11);
	memset(list, 0, sizeof(list));
	harness_net(TABLES_NET_SWEEP, 0, 0, 0, 0, 2);
	for (int step = 0; step < STEPS; step++) {
		struct listed_net *net = &list[rand() % NETS], made = listed_make();

		if (net->used) {
			net->used = false;
			change_listed(net, true);
		} else if (!is_listed(&made)) {
			*net = made;
			change_listed(net, false);
		}
		for (int probe = 0; probe < PROBES; probe++) {
			union ip_address to = random_ip(rand() % 2);

			expect_as_listed(&to);
		}
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_routes),
		TEST(test_link_local),
		TEST(test_ours),
		TEST(test_generation),
		TEST(test_numbers_wait),
		TEST(test_refused),
		TEST(test_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
