/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is behind IPv6's extension headers, as a table of their chains; the same cut short at every byte; and what rules
 * make of it.
 */
#include "ipv6.h"
#include "rules.h"
#include "wire.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { IPV6_LEN = 40, UNIT = 8, MORE = 1, PORT = 5201, UPPER_LEN = 8, LINKS_MAX = 16 };

/* A header of a chain: how long it says it is, or a fragment's offset and flag. */
struct link {
	uint8_t protocol, units;
	uint16_t fragment;
};

static uint8_t packet[2048];

/* IPv6, the links, and 8 bytes of `upper` with a destination port. Returns the length. */
static size_t chain(const struct link *links, uint8_t upper)
{
	uint8_t *next = &packet[6];
	size_t at = IPV6_LEN;

	memset(packet, 0, sizeof(packet));
	packet[0] = 0x60;
	packet[8] = packet[24] = 0x20;
	packet[23] = 1;
	packet[39] = 2;
	for (; links->units; links++) {
		*next = links->protocol;
		next = &packet[at];
		if (links->protocol == IPPROTO_FRAGMENT)
			wire_write16(&packet[at + 2], links->fragment);
		else
			packet[at + 1] = (uint8_t)(links->units - 1);
		at += links->units * (size_t)UNIT;
	}
	*next = upper;
	wire_write16(&packet[at + 2], PORT);
	wire_write16(&packet[4], (uint16_t)(at + UPPER_LEN - IPV6_LEN));
	return at + UPPER_LEN;
}

/* In memory of that very length: a sanitizer sees a step beyond it. */
static bool read_exact(size_t len, struct ipv6_upper *out)
{
	uint8_t *exact = malloc(len ? len : 1);
	bool good;

	assert_non_null(exact);
	memcpy(exact, packet, len);
	good = ipv6_upper((const struct rte_ipv6_hdr *)exact, (uint32_t)len, out);
	free(exact);
	return good;
}

static const struct link plain[LINKS_MAX] = {{0}},
			 options[LINKS_MAX] = {{IPPROTO_HOPOPTS, 1, 0}, {IPPROTO_DSTOPTS, 2, 0},
				 {IPPROTO_ROUTING, 3, 0}, {IPPROTO_DSTOPTS, 1, 0}},
			 atomic[LINKS_MAX] = {{IPPROTO_FRAGMENT, 1, 0}},
			 first[LINKS_MAX] = {{IPPROTO_HOPOPTS, 1, 0}, {IPPROTO_FRAGMENT, 1, MORE},
				 {IPPROTO_DSTOPTS, 1, 0}},
			 later[LINKS_MAX] = {{IPPROTO_ROUTING, 1, 0}, {IPPROTO_FRAGMENT, 1, 8}},
			 late_hop[LINKS_MAX] = {{IPPROTO_DSTOPTS, 1, 0}, {IPPROTO_HOPOPTS, 1, 0}},
			 twice[LINKS_MAX] = {{IPPROTO_FRAGMENT, 1, MORE}, {IPPROTO_FRAGMENT, 1, MORE}},
			 most[LINKS_MAX] = {{IPPROTO_DSTOPTS, 1, 0}, {IPPROTO_DSTOPTS, 1, 0}, {IPPROTO_DSTOPTS, 1, 0},
				 {IPPROTO_DSTOPTS, 1, 0}, {IPPROTO_DSTOPTS, 1, 0}, {IPPROTO_DSTOPTS, 1, 0},
				 {IPPROTO_DSTOPTS, 1, 0}, {IPPROTO_DSTOPTS, 1, 0}},
			 too_many[LINKS_MAX] = {{IPPROTO_DSTOPTS, 1, 0}, {IPPROTO_DSTOPTS, 1, 0},
				 {IPPROTO_DSTOPTS, 1, 0}, {IPPROTO_DSTOPTS, 1, 0}, {IPPROTO_DSTOPTS, 1, 0},
				 {IPPROTO_DSTOPTS, 1, 0}, {IPPROTO_DSTOPTS, 1, 0}, {IPPROTO_DSTOPTS, 1, 0},
				 {IPPROTO_DSTOPTS, 1, 0}};

static const struct {
	const struct link *links;
	bool good;
	uint16_t offset, fragment_offset;
	bool is_fragment, is_first;
} table[] = {
	{plain, true, IPV6_LEN, 0, false, true},
	{options, true, IPV6_LEN + 7 * UNIT, 0, false, true},
	{atomic, true, IPV6_LEN + UNIT, IPV6_LEN, false, true}, /* RFC 6946 */
	{first, true, IPV6_LEN + 3 * UNIT, IPV6_LEN + UNIT, true, true},
	{later, true, IPV6_LEN + 2 * UNIT, IPV6_LEN + UNIT, true, false},
	{most, true, IPV6_LEN + 8 * UNIT, 0, false, true},
	{late_hop, false, 0, 0, false, false},
	{twice, false, 0, 0, false, false},
	{too_many, false, 0, 0, false, false},
};

static void test_chains(void **state)
{
	(void)state;
	for (size_t i = 0; i < RTE_DIM(table); i++) {
		size_t len = chain(table[i].links, IPPROTO_TCP);
		struct ipv6_upper upper;

		assert_int_equal(read_exact(len, &upper), table[i].good);
		if (!table[i].good)
			continue;
		assert_int_equal(upper.protocol, IPPROTO_TCP);
		assert_int_equal(upper.offset, table[i].offset);
		assert_int_equal(upper.fragment_offset, table[i].fragment_offset);
		assert_int_equal(upper.is_fragment, table[i].is_fragment);
		assert_int_equal(upper.is_first, table[i].is_first);
	}
}

/* Of a later piece nothing is read: what follows need not be a header. */
static void test_later_piece(void **state)
{
	size_t len = chain(later, IPPROTO_DSTOPTS);
	struct ipv6_upper upper;

	(void)state;
	packet[len - UPPER_LEN + 1] = 0xff;
	assert_true(read_exact(len, &upper));
	assert_int_equal(upper.protocol, IPPROTO_DSTOPTS);
	assert_false(upper.is_first);
}

/* Cut off, with and without a payload length that knows it; with a header that says it is longer than the packet. */
static void test_cut_short(void **state)
{
	struct ipv6_upper upper;
	size_t len;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(table); i++) {
		if (!table[i].good)
			continue;
		len = chain(table[i].links, IPPROTO_TCP);
		for (size_t cut = 0; cut < len; cut++)
			assert_false(read_exact(cut, &upper));
		for (size_t cut = IPV6_LEN; cut <= len; cut++) {
			wire_write16(&packet[4], (uint16_t)(cut - IPV6_LEN));
			assert_int_equal(read_exact(cut, &upper), cut >= table[i].offset);
		}
	}
	len = chain(options, IPPROTO_TCP);
	packet[IPV6_LEN + 1] = 0xff;
	assert_false(read_exact(len, &upper));
}

static void test_at_random(void **state)
{
	static const uint8_t protocols[] = {
		IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT, IPPROTO_UDP};
	struct ipv6_upper upper;

	(void)state;
	srand(17);
	for (int i = 0; i < 200000; i++) {
		size_t len = IPV6_LEN + (size_t)rand() % 64;

		chain(plain, IPPROTO_UDP);
		for (size_t at = IPV6_LEN; at < len; at++)
			packet[at] = rand() % 3 ? protocols[(size_t)rand() % sizeof(protocols)] : (uint8_t)(rand() % 3);
		packet[6] = protocols[(size_t)rand() % sizeof(protocols)];
		wire_write16(&packet[4], (uint16_t)(len - IPV6_LEN));
		if (read_exact(len, &upper))
			assert_true(upper.offset <= len && upper.offset >= IPV6_LEN);
	}
}

static struct rule_list rules;

static void rule_add(enum config_action action, const char *destination, uint16_t protocol, uint16_t port)
{
	static struct config config;
	struct config_rule *rule;

	if (rules.count == 0)
		config.n_rules = 0;
	rule = &config.rules[config.n_rules++];
	*rule = (struct config_rule){.action = action, .protocol = protocol, .port = {port, port}};
	assert_int_equal(prefix_parse(destination, &rule->destination), 0);
	assert_int_equal(
		prefix_parse(rule->destination.address.family == ADDRESS_IPV4 ? "0.0.0.0/0" : "::/0", &rule->source),
		0);
	rules_fill(&rules, &config);
}

static int64_t found(size_t len)
{
	uint8_t *exact = malloc(len);
	const struct rule *rule;

	assert_non_null(exact);
	memcpy(exact, packet, len);
	rule = rules_find(&rules, exact, (uint32_t)len);
	free(exact);
	return rule ? rule - rules.rules : -1;
}

static void test_rules(void **state)
{
	struct wire_ipv4 ipv4 = {.source = 1, .destination = 2, .protocol = IPPROTO_TCP};

	(void)state;
	rules.count = 0;
	rule_add(CONFIG_ACTION_BYPASS, "0.0.0.0/0", CONFIG_PROTOCOL_ANY, 0);
	assert_int_equal(found(chain(plain, IPPROTO_TCP)), -1);
	assert_int_equal(found(wire_ipv4(packet, &ipv4, "12345678", 8)), 0);
	rules.count = 0;
	rule_add(CONFIG_ACTION_BYPASS, "2000::2/128", IPPROTO_TCP, PORT);
	rule_add(CONFIG_ACTION_DISCARD, "2000::/16", IPPROTO_UDP, 0);
	assert_int_equal(found(wire_ipv4(packet, &ipv4, "12345678", 8)), -1);
	assert_int_equal(found(chain(plain, IPPROTO_TCP)), 0);
	assert_int_equal(found(chain(options, IPPROTO_TCP)), 0);
	assert_int_equal(found(chain(first, IPPROTO_TCP)), 0);
	assert_int_equal(found(chain(later, IPPROTO_TCP)), -1);
	assert_int_equal(found(chain(later, IPPROTO_UDP)), 1);
	assert_int_equal(found(chain(options, IPPROTO_ICMPV6)), -1);
	chain(plain, IPPROTO_TCP);
	packet[39] = 3;
	assert_int_equal(found(IPV6_LEN + UPPER_LEN), -1);
	/* What leads nowhere: discarded by a rule that it may belong to, bypassed by none that asks for a protocol. */
	assert_int_equal(found(chain(too_many, IPPROTO_TCP)), 1);
	rules.count = 0;
	rule_add(CONFIG_ACTION_BYPASS, "::/0", CONFIG_PROTOCOL_ANY, 0);
	assert_int_equal(found(chain(too_many, IPPROTO_TCP)), 0);
	assert_int_equal(found(wire_ipv4(packet, &ipv4, "12345678", 8)), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_later_piece),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_at_random),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
