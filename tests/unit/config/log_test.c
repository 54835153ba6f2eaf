/* SPDX-License-Identifier: Apache-2.0 */
/* Standard error is a file for as long as something is logged, so that the lines can be looked at. */
#include "config/log.h"

#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TIME "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"

static char logged[16384];
static int kept_stderr = -1;
static FILE *capture;

static void capture_begin(void)
{
	fflush(stderr);
	kept_stderr = dup(STDERR_FILENO);
	capture = tmpfile();
	assert_non_null(capture);
	dup2(fileno(capture), STDERR_FILENO);
}

static void capture_end(void)
{
	size_t n;

	dup2(kept_stderr, STDERR_FILENO);
	close(kept_stderr);
	rewind(capture);
	n = fread(logged, 1, sizeof(logged) - 1, capture);
	logged[n] = '\0';
	fclose(capture);
}

static void check_logged(const char *pattern)
{
	regex_t regex;
	int match;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	match = regexec(&regex, logged, 0, NULL, 0);
	regfree(&regex);
	if (match != 0)
		fail_msg("%s does not look like %s", logged, pattern);
}

static void test_line(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	capture_begin();
	log_open("sluiced", LOG_LEVEL_INFO);
	log_info("session=%d peer=%s", 7, "branch1");
	capture_end();
	check_logged("^" TIME " sluiced info: session=7 peer=branch1\n$");
}

static void test_levels(void **state)
{
	(void)state;
	capture_begin();
	log_open("t", LOG_LEVEL_WARNING);
	assert_false(log_wants(LOG_LEVEL_INFO));
	assert_true(log_wants(LOG_LEVEL_WARNING));
	log_error("a");
	log_warning("b");
	log_info("c");
	log_debug("d");
	log_set_level(LOG_LEVEL_DEBUG);
	log_info("e");
	log_debug("f");
	capture_end();
	check_logged("^" TIME " t error: a\n" TIME " t warning: b\n" TIME " t info: e\n" TIME " t debug: f\n$");
}

static void test_journal(void **state)
{
	struct stat st;
	char stream[64];

	(void)state;
	capture_begin();
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open("sluiced", LOG_LEVEL_DEBUG);
	log_error("a");
	log_warning("b");
	log_info("c");
	log_debug("d");
	setenv("JOURNAL_STREAM", "1:1", 1); /* some other stream: ours was redirected */
	log_open("sluiced", LOG_LEVEL_DEBUG);
	log_info("e");
	unsetenv("JOURNAL_STREAM");
	capture_end();
	check_logged("^<3>sluiced error: a\n<4>sluiced warning: b\n<6>sluiced info: c\n<7>sluiced debug: d\n" TIME
		     " sluiced info: e\n$");
}

/* A stranger's identity cannot begin a line, nor make one without end. */
static void test_strangers_text(void **state)
{
	char *text = malloc(5001);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', 5000);
	text[5000] = '\0';
	capture_begin();
	log_open("t", LOG_LEVEL_INFO);
	log_info("identity=%s", "a\nb\r\x1b[31m\x7f");
	log_info("identity=%s", text);
	capture_end();
	free(text);
	check_logged("^" TIME " t info: identity=a\\?b\\?\\?\\[31m\\?\n" TIME " t info: identity=x+\\.\\.\\.\n$");
	assert_in_range(strlen(logged), 2000, 2200);
}

static void test_errno_stays(void **state)
{
	(void)state;
	capture_begin();
	log_open("t", LOG_LEVEL_INFO);
	errno = ENOENT;
	log_error("open: %m");
	assert_int_equal(errno, ENOENT);
	capture_end();
	check_logged(" t error: open: No such file or directory\n$");
}

static void test_limit(void **state)
{
	struct log_limit limit = {0};
	int passed = 0;

	(void)state;
	for (int i = 0; i < 25; i++)
		passed += log_limit_pass(&limit, 5000 + (uint64_t)i);
	assert_int_equal(passed, 10);
	assert_int_equal(limit.suppressed, 15);
	assert_false(log_limit_pass(&limit, 5999));
	assert_true(log_limit_pass(&limit, 6000));
	assert_int_equal(limit.suppressed, 16); /* the caller's to tell and to reset */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_strangers_text),
		cmocka_unit_test(test_errno_stays),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
