/* SPDX-License-Identifier: Apache-2.0 */
/* The mirror and IPv6: the same, and what is different there: link-local addresses, tentative ones, several hops. */
#include "mirror_fixture.h"

#include <stdlib.h>
#include <string.h>

static void expect_gateway(const char *prefix, const char *gateway)
{
	struct address expected;

	assert_int_equal(address_parse(gateway, &expected), 0);
	for (int i = 0; i < PATIENCE_MS; i++) {
		const struct writer_net *net = find(TABLES_ROUTE_ADD, prefix);

		if (net && address_equal(&net->gateway, &expected))
			return;
		turn();
	}
	fail_msg("%s did not get the gateway %s", prefix, gateway);
}

static void begin(void)
{
	need_namespace();
	ip("addr add 2001:db8::1/64 dev hq0 nodad");
	assert_int_equal(await(TABLES_ADDRESS_ADD, "2001:db8::1/128")->port, 0);
	assert_int_equal(await(TABLES_ROUTE_ADD, "2001:db8::/64")->gateway.family, ADDRESS_NONE);
}

static void test_changes_follow(void **state)
{
	(void)state;
	begin();
	ip("route add 2001:db8:9::/48 via 2001:db8::9");
	expect_gateway("2001:db8:9::/48", "2001:db8::9");
	ip("route add default via 2001:db8::8");
	expect_gateway("::/0", "2001:db8::8");
	assert_null(find(TABLES_ROUTE_ADD, "0.0.0.0/0"));
	ip("neigh add 2001:db8::77 lladdr 02:00:00:00:00:77 dev hq0 nud permanent");
	assert_int_equal(await(TABLES_NEIGHBOUR_ADD, "2001:db8::77/128")->mac[5], 0x77);
	ip("neigh del 2001:db8::77 dev hq0");
	await_gone(TABLES_NEIGHBOUR_ADD, "2001:db8::77/128");
	ip("-6 route del default");
	await_gone(TABLES_ROUTE_ADD, "::/0");
	ip("addr del 2001:db8::1/64 dev hq0");
	await_gone(TABLES_ADDRESS_ADD, "2001:db8::1/128");
	await_gone(TABLES_ROUTE_ADD, "2001:db8::/64");
	assert_non_null(find(TABLES_ADDRESS_ADD, "192.0.2.1/32"));
}

static void test_best_route(void **state)
{
	(void)state;
	begin();
	ip("route add 2001:db8:9::/48 via 2001:db8::9 metric 100");
	expect_gateway("2001:db8:9::/48", "2001:db8::9");
	ip("route add 2001:db8:9::/48 via 2001:db8::5 metric 50");
	expect_gateway("2001:db8:9::/48", "2001:db8::5");
	ip("route del 2001:db8:9::/48 metric 50");
	expect_gateway("2001:db8:9::/48", "2001:db8::9");
	ip("-6 route replace 2001:db8:9::/48 via 2001:db8::6 metric 100");
	expect_gateway("2001:db8:9::/48", "2001:db8::6");
	ip("-6 route replace blackhole 2001:db8:9::/48 metric 100");
	await_gone(TABLES_ROUTE_ADD, "2001:db8:9::/48");
	/* Of several hops the first. */
	ip("route add 2001:db8:7::/48 nexthop via 2001:db8::a nexthop via 2001:db8::b");
	expect_gateway("2001:db8:7::/48", "2001:db8::a");
	ip("route del 2001:db8:7::/48 via 2001:db8::a");
	expect_gateway("2001:db8:7::/48", "2001:db8::b");
	ip("route del 2001:db8:7::/48");
	await_gone(TABLES_ROUTE_ADD, "2001:db8:7::/48");
	/* IPv4 by an IPv6 gateway (RFC 8950). */
	ip("route add 10.7.0.0/16 via inet6 2001:db8::c dev hq0");
	expect_gateway("10.7.0.0/16", "2001:db8::c");
}

/* Both are found by neighbour discovery: a gateway that is link-local, and a neighbour that a packet waits for. */
static void test_neighbours_are_resolved(void **state)
{
	struct address wanted;

	(void)state;
	begin();
	ip("netns add sluice-mirror-far");
	ip("link set far0 netns sluice-mirror-far");
	ip("-n sluice-mirror-far link set far0 up");
	ip("-n sluice-mirror-far addr add fe80::99/64 dev far0 nodad");
	ip("-n sluice-mirror-far addr add 2001:db8::8/64 dev far0 nodad");
	ip("route add 2001:db8:9::/48 via fe80::99 dev hq0");
	expect_gateway("2001:db8:9::/48", "fe80::99");
	await(TABLES_NEIGHBOUR_ADD, "fe80::99/128");
	assert_null(find(TABLES_ROUTE_ADD, "fe80::/64"));
	for (int i = 0; i < PATIENCE_MS && !mirror_status(mirror).complete; i++)
		turn();
	assert_int_equal(address_parse("2001:db8::8", &wanted), 0);
	assert_null(find(TABLES_NEIGHBOUR_ADD, "2001:db8::8/128"));
	mirror_neighbour_wanted(mirror, 0, &wanted);
	await(TABLES_NEIGHBOUR_ADD, "2001:db8::8/128");
	ip("netns del sluice-mirror-far");
}

/* Somebody else has it already: it is not ours. */
static void test_duplicate_address(void **state)
{
	(void)state;
	begin();
	ip("netns add sluice-mirror-far");
	ip("link set far0 netns sluice-mirror-far");
	ip("-n sluice-mirror-far link set far0 up");
	ip("-n sluice-mirror-far addr add 2001:db8::2/64 dev far0 nodad");
	ip("addr add 2001:db8::2/64 dev hq0");
	for (int i = 0; i < PATIENCE_MS && system("ip addr show dev hq0 dadfailed | grep -q 2001:db8::2/64") != 0; i++)
		turn();
	ip("addr add 2001:db8::3/64 dev hq0"); /* told later, and in the end it is ours */
	await(TABLES_ADDRESS_ADD, "2001:db8::3/128");
	assert_null(find(TABLES_ADDRESS_ADD, "2001:db8::2/128"));
	ip("netns del sluice-mirror-far");
}

int main(void)
{
#define MIRROR_TEST(name) cmocka_unit_test_setup_teardown(name, mirror_setup, mirror_teardown)
	const struct CMUnitTest tests[] = {
		MIRROR_TEST(test_changes_follow),
		MIRROR_TEST(test_best_route),
		MIRROR_TEST(test_neighbours_are_resolved),
		MIRROR_TEST(test_duplicate_address),
	};

	return cmocka_run_group_tests(tests, mirror_group_setup, NULL);
}
