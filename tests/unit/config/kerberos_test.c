/* SPDX-License-Identifier: Apache-2.0 */
/* The group `registration.kerberos`: its rules, and that the method has some. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#define TLS "certificate = \"hq.pem\"; key = \"hq.key\"; authorities = [\"ca.pem\"];"
#define TEMPLATE                                                                                                       \
	"peers = (\n{ name = \"members\"; local_networks = [\"10.0.0.0/8\"]; ikev1 = true; auth = "                    \
	"[\"registration\"]; }\n);\n"
/* The group begins in line 7, its rules in line 8. */
#define WHOLE(kerberos)                                                                                                \
	DATAPLANE("")                                                                                                  \
	IKE(TLS) "registration = { ports = [2012]; methods = [\"kerberos\"]; kerberos = {\n" kerberos "}; "            \
												      "};\n" TEMPLATE
#define RULE(text) WHOLE("rules = ( { " text " } );\n")

static void test_read(void **state)
{
	const struct config_kerberos *kerberos;
	struct config *config = fixture_expect_acceptance(
		WHOLE("keytab = \"hq.keytab\"; service = \"vpn/hq.example\"; iakerb = true; kdc_timeout = 5;\n"
		      "rules = ( { principal = \"*@EXAMPLE.COM\"; identity = \"*\"; }, { principal = \"a/b@X\"; },\n"
		      "{ principal = \"host/gw-*.x@X\"; identity = \"gw*.x\"; } );\n"));

	(void)state;
	kerberos = &config->registration.kerberos;
	assert_string_equal(kerberos->service, "vpn/hq.example");
	assert_non_null(strstr(kerberos->keytab, "/hq.keytab")); /* where the configuration is */
	assert_int_equal(kerberos->keytab[0], '/');
	assert_true(kerberos->iakerb);
	assert_int_equal(kerberos->kdc_timeout, 5);
	assert_int_equal(kerberos->token_max, 32768);
	assert_int_equal(kerberos->rounds_max, 12);
	assert_int_equal(kerberos->n_rules, 3);
	assert_string_equal(kerberos->rules[0].identity, "*");
	assert_string_equal(kerberos->rules[1].identity, "");
	config_free(config);
}

static void test_somebody_is_let_in(void **state)
{
	(void)state;
	fixture_expect_refusal(WHOLE(""),
		"t.cfg:7: registration.methods[0]: \"kerberos\" is not possible without anybody to let in; expected "
		"registration.kerberos.rules\n");
}

static void test_patterns(void **state)
{
	static const char *const right[] = {"a@X", "a/b@X", "a/b/c@X.Y", "*@X", "*/b@X", "a-*$@X"};
	static const char *const wrong[] = {"a", "@X", "a@", "*", "a@X@Y", "a@*", "*@*", "a*b*@X", "a//b@X", "/a@X",
		"a/@X", "a b@X", "a@X Y", "a@X/Y"};
	char text[1024], expected[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		snprintf(text, sizeof(text), RULE("principal = \"%s\";"), right[i]);
		config_free(fixture_expect_acceptance(text));
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), RULE("principal = \"%s\";"), wrong[i]);
		assert_null(fixture_load_text(text));
		snprintf(expected, sizeof(expected),
			"t.cfg:8: registration.kerberos.rules[0].principal: \"%s\" is not a principal's pattern",
			wrong[i]);
		assert_non_null(strstr(fixture_said(), expected));
	}
}

static void test_rules(void **state)
{
	(void)state;
	fixture_expect_refusal(RULE("principal = \"a@X\"; identity = \"b*\";"),
		"t.cfg:8: registration.kerberos.rules[0].identity: \"b*\" has a \"*\" for which the principal has "
		"none; expected "
		"as many as there\n");
	fixture_expect_refusal(RULE("principal = \"a@X\"; identity = \"a b\";"),
		"t.cfg:8: registration.kerberos.rules[0].identity: \"a b\" has spaces or quotes; expected an identity "
		"without\n");
	fixture_expect_refusal(
		WHOLE("rules = ( { principal = \"*@X\"; }, { principal = \"a@X\"; },\n{ principal = \"*@X\"; } );\n"),
		"t.cfg:9: registration.kerberos.rules[2].principal: \"*@X\" is not new: rules[0] has it; expected each "
		"once\n");
	fixture_expect_refusal(RULE("identity = \"a\";"), "t.cfg:8: registration.kerberos.rules[0].principal: is "
							  "missing; expected one such as \"*@EXAMPLE.COM\" or "
							  "\"host/gw-*@EXAMPLE.COM\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_somebody_is_let_in),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
