/* SPDX-License-Identifier: Apache-2.0 */
/* Routes as they are planned, set, exchanged and undone, with a kernel that may refuse. */
#include "connect/routes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { DEVICE = 7, WAN = 3 };

static char done[1024];
static const char *refused; /* a route that the kernel does not add */

static int note(const char *what, const struct route *route)
{
	static const char *const kinds[] = {"network", "gateway", "address"};
	char text[ROUTES_TEXT_LEN], source[ADDRESS_TEXT_LEN] = "-";

	if (route->source.family != ADDRESS_NONE)
		address_format(&route->source, source);
	route_format(route, text);
	if (refused && what[0] == '+' && strcmp(text, refused) == 0)
		return -EEXIST;
	snprintf(done + strlen(done), sizeof(done) - strlen(done), "%s %s %s dev %d src %s\n", what, kinds[route->kind],
		text, route->ifindex, source);
	return 0;
}

static int add(void *context, const struct route *route)
{
	(void)context;
	return note("+", route);
}

static int take_away(void *context, const struct route *route)
{
	(void)context;
	return note("-", route);
}

static const struct routes_kernel kernel = {.add = add, .remove = take_away};

static struct prefix remote[2], local[1];
static struct address own[2];
static struct routes_basis basis;
static struct routes now;

static int setup(void **state)
{
	(void)state;
	prefix_parse("192.168.2.0/24", &remote[0]);
	prefix_parse("2001:db8:2::/48", &remote[1]);
	prefix_parse("192.168.1.0/24", &local[0]);
	address_parse("203.0.113.99", &own[0]);
	address_parse("192.168.1.1", &own[1]);
	basis = (struct routes_basis){.remote = remote,
		.local = local,
		.own = own,
		.n_remote = 2,
		.n_local = 1,
		.n_own = 2,
		.ifindex = DEVICE,
		.gateway_ifindex = WAN};
	address_parse("203.0.113.5", &basis.gateway);
	address_parse("203.0.113.1", &basis.gateway_via);
	now = (struct routes){.count = 0};
	done[0] = '\0';
	refused = NULL;
	return 0;
}

static int exchange(void)
{
	struct routes wanted;

	done[0] = '\0';
	routes_plan(&basis, &wanted);
	return routes_exchange(&now, &wanted, &kernel);
}

static int undo(void)
{
	const struct routes none = {.count = 0};

	done[0] = '\0';
	return routes_exchange(&now, &none, &kernel);
}

/* The source is an address that the tunnel takes, where this host has one. */
static void test_networks(void **state)
{
	(void)state;
	assert_int_equal(exchange(), 0);
	assert_string_equal(done, "+ network 192.168.2.0/24 dev 7 src 192.168.1.1\n"
				  "+ network 2001:db8:2::/48 dev 7 src -\n");
	assert_int_equal(exchange(), 0);
	assert_string_equal(done, ""); /* nothing has changed */
	assert_int_equal(undo(), 0);
	assert_string_equal(done, "- network 2001:db8:2::/48 dev 7 src -\n"
				  "- network 192.168.2.0/24 dev 7 src 192.168.1.1\n");
	assert_int_equal(now.count, 0);
}

/* All through the tunnel: the way to the gateway stays outside, is there first, and goes last. */
static void test_gateway_within(void **state)
{
	(void)state;
	prefix_parse("0.0.0.0/0", &remote[0]);
	basis.n_remote = 1;
	basis.n_own = 0;
	assert_int_equal(exchange(), 0);
	assert_string_equal(done, "+ gateway 203.0.113.5/32 via 203.0.113.1 dev 3 src -\n"
				  "+ network 0.0.0.0/1 dev 7 src -\n"
				  "+ network 128.0.0.0/1 dev 7 src -\n");
	/* The network has changed: the gateway is reached in another way now. */
	address_parse("198.51.100.1", &basis.gateway_via);
	assert_int_equal(exchange(), 0);
	assert_string_equal(done, "- gateway 203.0.113.5/32 via 203.0.113.1 dev 3 src -\n"
				  "+ gateway 203.0.113.5/32 via 198.51.100.1 dev 3 src -\n");
	assert_int_equal(undo(), 0);
	assert_string_equal(done, "- network 128.0.0.0/1 dev 7 src -\n"
				  "- network 0.0.0.0/1 dev 7 src -\n"
				  "- gateway 203.0.113.5/32 via 198.51.100.1 dev 3 src -\n");
}

static void test_virtual_address(void **state)
{
	(void)state;
	basis.n_remote = 1;
	address_parse("10.9.0.7", &basis.virtual_address);
	assert_int_equal(exchange(), 0);
	assert_string_equal(done, "+ address 10.9.0.7/32 dev 7 src -\n"
				  "+ network 192.168.2.0/24 dev 7 src 10.9.0.7\n");
	address_parse("10.9.0.8", &basis.virtual_address);
	assert_int_equal(exchange(), 0);
	assert_string_equal(done, "- network 192.168.2.0/24 dev 7 src 10.9.0.7\n"
				  "- address 10.9.0.7/32 dev 7 src -\n"
				  "+ address 10.9.0.8/32 dev 7 src -\n"
				  "+ network 192.168.2.0/24 dev 7 src 10.9.0.8\n");
}

/* What the kernel refused is not undone: it may be somebody else's. */
static void test_refused(void **state)
{
	(void)state;
	refused = "192.168.2.0/24";
	assert_int_equal(exchange(), -EEXIST);
	assert_string_equal(done, "+ network 2001:db8:2::/48 dev 7 src -\n");
	refused = NULL;
	assert_int_equal(exchange(), 0);
	assert_string_equal(done, "+ network 192.168.2.0/24 dev 7 src 192.168.1.1\n");
	refused = "192.168.2.0/24";
	assert_int_equal(undo(), 0);
	assert_int_equal(now.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_networks, setup),
		cmocka_unit_test_setup(test_gateway_within, setup),
		cmocka_unit_test_setup(test_virtual_address, setup),
		cmocka_unit_test_setup(test_refused, setup),
	};

	return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
