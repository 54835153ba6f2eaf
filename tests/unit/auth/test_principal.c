/* SPDX-License-Identifier: Apache-2.0 */
/* Who a Kerberos principal is to Sluice, and above all who it is not. */
#include "auth/principal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const struct config_kerberos_rule rules[] = {
	{"bob/admin@EXAMPLE.COM", "bob"},
	{"root@EXAMPLE.COM", "nobody"},
	{"branch/*@EXAMPLE.COM", "*.vpn.example"},
	{"host/gw-*.example@EXAMPLE.COM", "*"},
	{"*@EXAMPLE.COM", "*"},
	{"*@PARTNER.EXAMPLE", ""},
	{"*$@AD.EXAMPLE", "machine-*"},
};

enum { RULES = sizeof(rules) / sizeof(rules[0]) };

static void who_is_who(void **state)
{
	static const struct {
		const char *principal, *identity;
	} rows[] = {
		{"alice@EXAMPLE.COM", "alice"},
		{"alice.b-c_d+1@EXAMPLE.COM", "alice.b-c_d+1"},
		{"root@EXAMPLE.COM", "nobody"}, /* the first that fits decides */
		{"bob/admin@EXAMPLE.COM", "bob"},
		{"branch/ulm@EXAMPLE.COM", "ulm.vpn.example"},
		{"host/gw-7.example@EXAMPLE.COM", "7"},
		{"alice@PARTNER.EXAMPLE", "alice@PARTNER.EXAMPLE"},
		{"PC7$@AD.EXAMPLE", "machine-PC7"},
	};
	char identity[CONFIG_KERBEROS_NAME_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_null(principal_map(rules, RULES, rows[i].principal, identity));
		assert_string_equal(identity, rows[i].identity);
	}
}

static void who_is_nobody(void **state)
{
	static const struct {
		const char *principal, *why;
	} rows[] = {
		{"alice@OTHER.EXAMPLE", "for its realm"},
		{"alice@example.com", "for its realm"}, /* realms differ by case (RFC 4120 section 6.1) */
		{"alice@XEXAMPLE.COM", "for its realm"},
		{"alice@EXAMPLE.COM.EVIL", "for its realm"},
		{"alice/admin@EXAMPLE.COM", "for this name"}, /* an instance is somebody else */
		{"alice/admin@PARTNER.EXAMPLE", "for this name"},
		{"branch/ulm/x@EXAMPLE.COM", "for this name"},
		{"branch/@EXAMPLE.COM", "characters"},
		{"host/gw-.example@EXAMPLE.COM", "for this name"}, /* an asterisk is never nothing */
		{"$@AD.EXAMPLE", "for this name"},
		{"krbtgt/EXAMPLE.COM@EXAMPLE.COM", "for this name"},
		{"WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS", "characters"},
		{"alice\\@EXAMPLE.COM@OTHER.EXAMPLE", "characters"},
		{"alice\\/admin@EXAMPLE.COM", "characters"},
		{"alice@OTHER.EXAMPLE@EXAMPLE.COM", "characters"},
		{"alice\"@EXAMPLE.COM", "characters"},
		{"al ice@EXAMPLE.COM", "characters"},
		{"*@EXAMPLE.COM", "characters"},
		{"@EXAMPLE.COM", "characters"},
		{"alice", "characters"},
		{"alice@", "characters"},
		{"", "characters"},
	};
	char identity[CONFIG_KERBEROS_NAME_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = principal_map(rules, RULES, rows[i].principal, identity);

		if (!why || !strstr(why, rows[i].why))
			fail_msg(
				"%s: \"%s\" is not about \"%s\"", rows[i].principal, why ? why : identity, rows[i].why);
		assert_string_equal(identity, "");
	}
	assert_non_null(principal_map(NULL, 0, "alice@EXAMPLE.COM", identity));
}

static void identities_have_an_end(void **state)
{
	const struct config_kerberos_rule long_rule = {"*@X", "0123456789-*"};
	char principal[256], identity[CONFIG_KERBEROS_NAME_LEN];

	(void)state;
	for (size_t len = 100; len < 140; len++) {
		snprintf(principal, sizeof(principal), "%0*d@X", (int)len, 7);
		if (len + 11 < CONFIG_KERBEROS_NAME_LEN)
			assert_null(principal_map(&long_rule, 1, principal, identity));
		else
			assert_non_null(strstr(principal_map(&long_rule, 1, principal, identity), "longer"));
	}
}

static void realms_that_are_known(void **state)
{
	static const struct {
		const char *realm;
		bool known;
	} rows[] = {{"EXAMPLE.COM", true}, {"AD.EXAMPLE", true}, {"EXAMPLE.CO", false}, {"EXAMPLE.COMM", false},
		{"example.com", false}, {"", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			principal_realm_known(rules, RULES, rows[i].realm, strlen(rows[i].realm)), rows[i].known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_who),
		cmocka_unit_test(who_is_nobody),
		cmocka_unit_test(identities_have_an_end),
		cmocka_unit_test(realms_that_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
