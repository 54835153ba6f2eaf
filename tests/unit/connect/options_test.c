/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what is asked for, which settings it gives, what is refused. */
#include "connect/options.h"

#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct options options;

/* Texts that may be written to, as those of a real command line. */
static int parse(const char *first, ...)
{
	static char texts[32][64];
	char *arguments[33] = {(char *)"sluice-connect"};
	int count = 1;
	va_list more;

	va_start(more, first);
	for (const char *text = first; text; text = va_arg(more, const char *), count++) {
		strncpy(texts[count], text, sizeof(texts[count]) - 1);
		arguments[count] = texts[count];
	}
	va_end(more);
	optind = 0;
	return options_parse(count, arguments, &options);
}

static void expect_setting(size_t i, const char *setting, const char *value)
{
	assert_true(i < options.n_settings);
	assert_string_equal(options.settings[i].setting, setting);
	assert_string_equal(options.settings[i].value, value);
}

static void test_nothing(void **state)
{
	(void)state;
	assert_int_equal(parse(NULL), -1);
	assert_null(options.config);
	assert_null(options.command);
	assert_false(options.check || options.once || options.json);
	assert_int_equal(options.n_settings, 0);
}

/* As the manual shows it. */
static void test_simple_case(void **state)
{
	(void)state;
	assert_int_equal(parse("--gateway", "203.0.113.5", "--identity", "x", "--secret-file", "f", "--remote",
				 "192.168.2.0/24", "--local=192.168.1.0/24", "--once", "-j", NULL),
		-1);
	assert_true(options.once && options.json);
	assert_int_equal(options.n_settings, 5);
	expect_setting(0, "gateway", "203.0.113.5");
	expect_setting(1, "identity", "x");
	expect_setting(2, "secret_file", "f");
	expect_setting(3, "remote_networks", "192.168.2.0/24");
	expect_setting(4, "local_networks", "192.168.1.0/24");
}

static void test_every_setting_is_an_option(void **state)
{
	const char *name;
	bool is_switch;

	(void)state;
	for (size_t i = 0; (name = connect_option_name(i, &is_switch)); i++) {
		char option[64] = "--";

		strcat(option, name);
		for (char *at = option; (at = strchr(at, '_'));)
			*at = '-';
		strcat(option, "=1");
		assert_int_equal(parse(option, NULL), -1);
		assert_int_equal(options.n_settings, 1);
		expect_setting(0, name, "1");
	}
}

static void test_switches(void **state)
{
	(void)state;
	assert_int_equal(parse("--legacy", "--esn=false", "-c", "f.cfg", "--check", NULL), -1);
	expect_setting(0, "legacy", "true");
	expect_setting(1, "esn", "false");
	assert_string_equal(options.config, "f.cfg");
	assert_true(options.check);
}

static void test_commands(void **state)
{
	(void)state;
	assert_int_equal(parse("--interface", "vpn0", "status", NULL), -1);
	assert_string_equal(options.command, "status");
	assert_int_equal(parse("rekey", NULL), -1);
	assert_string_equal(options.command, "rekey");
	assert_int_equal(parse("renew", NULL), -1);
	assert_string_equal(options.command, "renew");
	assert_int_equal(parse("start", NULL), EXIT_FAILURE);
	assert_int_equal(parse("status", "more", NULL), EXIT_FAILURE);
}

static void test_refused(void **state)
{
	(void)state;
	assert_int_equal(parse("--secret", "hunter2-hunter2-hunter2", NULL), EXIT_FAILURE);
	assert_int_equal(parse("--gateway", NULL), EXIT_FAILURE);
	assert_int_equal(parse("--no-such-thing", NULL), EXIT_FAILURE);
	assert_int_equal(parse("--help", NULL), EXIT_SUCCESS);
	assert_int_equal(parse("--version", NULL), EXIT_SUCCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_simple_case),
		cmocka_unit_test(test_every_setting_is_an_option),
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
