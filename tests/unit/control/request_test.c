/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "control/request.h"

#include <errno.h>

static int parse(const char *text, struct control_request *request)
{
	char error[REQUEST_ERROR_LEN] = "";
	int rc = request_parse(text, strlen(text), request, error);

	/* Every refusal says why. */
	assert_true((rc == 0) == (error[0] == '\0'));
	return rc;
}

static void test_good(void **state)
{
	struct control_request request;

	(void)state;
	assert_int_equal(parse("{\"command\": \"sessions\"}", &request), 0);
	assert_string_equal(request.command, "sessions");
	assert_int_equal(request.n_arguments, 0);
	assert_int_equal(parse("{\"arguments\": [\"b1\", \"x\"], \"command\": \"delete\"}", &request), 0);
	assert_int_equal(request.n_arguments, 2);
	assert_string_equal(request.arguments[0], "b1");
	assert_string_equal(request.arguments[1], "x");
}

static void test_bad(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"null",
		"[]",
		"\"sessions\"",
		"{}",
		"{\"command\": 1}",
		"{\"command\": \"\"}",
		"{\"command\": \"12345678901234567890123456789012\"}",
		"{\"command\": \"a\\u0000b\"}",
		"{\"command\": \"a\", \"command\": \"b\"}",
		"{\"command\": \"a\", \"more\": 1}",
		"{\"command\": \"a\", \"arguments\": \"b\"}",
		"{\"command\": \"a\", \"arguments\": [1]}",
		"{\"command\": \"a\", \"arguments\": [\"\"]}",
		"{\"command\": \"a\", \"arguments\": [\"1\", \"2\", \"3\", \"4\", \"5\"]}",
		"{\"command\": \"a\"} trailing",
		"{\"command\": \"\xff\"}",
	};
	struct control_request request;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(parse(texts[i], &request), -EINVAL);
}

static void test_limits(void **state)
{
	char text[REQUEST_ARGUMENT_LEN + 64], argument[REQUEST_ARGUMENT_LEN + 1];
	struct control_request request;

	(void)state;
	memset(argument, 'a', sizeof(argument));
	argument[REQUEST_ARGUMENT_LEN - 1] = '\0';
	snprintf(text, sizeof(text), "{\"command\": \"c\", \"arguments\": [\"%s\"]}", argument);
	assert_int_equal(parse(text, &request), 0);
	argument[REQUEST_ARGUMENT_LEN - 1] = 'a';
	argument[REQUEST_ARGUMENT_LEN] = '\0';
	snprintf(text, sizeof(text), "{\"command\": \"c\", \"arguments\": [\"%s\"]}", argument);
	assert_int_equal(parse(text, &request), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
