/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "control/format.h"
#include "control/suggest.h"

#include <stdlib.h>

static void test_sizes(void **state)
{
	char text[FORMAT_LEN];

	(void)state;
	assert_string_equal(format_size(0, text), "0 B");
	assert_string_equal(format_size(1023, text), "1023 B");
	assert_string_equal(format_size(1024, text), "1.0 KiB");
	assert_string_equal(format_size(1536, text), "1.5 KiB");
	assert_string_equal(format_size((1 << 20) - 1, text), "1.0 MiB");
	assert_string_equal(format_size(5ull << 30, text), "5.0 GiB");
	assert_string_equal(format_size(UINT64_MAX, text), "16384.0 PiB");
}

static void test_counts(void **state)
{
	char text[FORMAT_LEN];

	(void)state;
	assert_string_equal(format_count(0, text), "0");
	assert_string_equal(format_count(999, text), "999");
	assert_string_equal(format_count(1000, text), "1,000");
	assert_string_equal(format_count(1234567, text), "1,234,567");
	assert_string_equal(format_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
}

static void test_ages(void **state)
{
	char text[FORMAT_LEN];

	(void)state;
	assert_string_equal(format_age(-5, text), "0 s");
	assert_string_equal(format_age(59, text), "59 s");
	assert_string_equal(format_age(60, text), "1 min 0 s");
	assert_string_equal(format_age(3599, text), "59 min 59 s");
	assert_string_equal(format_age(3600 + 120, text), "1 h 2 min");
	assert_string_equal(format_age(2 * 86400 + 3600, text), "2 d 1 h");
	assert_string_equal(format_age(INT64_MAX, text), "106751991167300 d 15 h");
}

static void test_shares(void **state)
{
	char text[FORMAT_LEN];

	(void)state;
	assert_string_equal(format_share(1, 0, text), "-");
	assert_string_equal(format_share(1, 3, text), "33.3 %");
	assert_string_equal(format_share(UINT64_MAX, UINT64_MAX, text), "100.0 %");
}

static char *printed(struct format_table *table)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	format_table_end(table, out, "None.");
	fclose(out);
	return text;
}

static void test_tables(void **state)
{
	static const char *const headings[] = {"NAME", ">COUNT", "LAST", NULL};
	struct format_table *table = format_table_new(headings);
	char *text;

	(void)state;
	format_table_put(table, "a");
	format_table_put(table, "1");
	format_table_put(table, "x");
	format_table_put(table, "longer");
	format_table_put(table, "1,000,000");
	format_table_put(table, "a longer end");
	assert_int_equal(format_table_rows(table), 2);
	text = printed(table);
	assert_string_equal(text, "NAME        COUNT  LAST\n"
				  "a               1  x\n"
				  "longer  1,000,000  a longer end\n");
	free(text);
	text = printed(format_table_new(headings));
	assert_string_equal(text, "None.\n");
	free(text);
}

static void test_suggestions(void **state)
{
	static const char *const words[] = {"show", "show counters", "delete", "log", NULL};

	(void)state;
	assert_string_equal(suggest("shwo", words), "show");
	assert_string_equal(suggest("show countres", words), "show counters");
	assert_string_equal(suggest("dlete", words), "delete");
	assert_null(suggest("frobnicate", words));
	assert_null(suggest("xyz", words));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_suggestions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
