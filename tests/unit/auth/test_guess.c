/* SPDX-License-Identifier: Apache-2.0 */
/* Limits on wrong passwords: who is stopped by them, and who must not be. */
#include "auth/guess.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct guess_limits limits = {.per_user = 3, .per_address = 10, .window = 60};

static void a_user_after_too_many(void **state)
{
	struct guess *guess = guess_new(&limits, 1);

	(void)state;
	/* From wherever they come. */
	assert_int_equal(guess_try(guess, "alice", "192.0.2.1", 0), GUESS_ALLOWED);
	assert_int_equal(guess_try(guess, "alice", "192.0.2.2", 0), GUESS_ALLOWED);
	assert_int_equal(guess_try(guess, "alice", "192.0.2.3", 1000), GUESS_ALLOWED);
	assert_int_equal(guess_try(guess, "alice", "192.0.2.4", 1000), GUESS_TOO_MANY_OF_USER);
	assert_int_equal(guess_try(guess, "bob", "192.0.2.4", 1000), GUESS_ALLOWED);
	/* The window began with the first. */
	assert_int_equal(guess_try(guess, "alice", "192.0.2.4", 59999), GUESS_TOO_MANY_OF_USER);
	assert_int_equal(guess_try(guess, "alice", "192.0.2.4", 60000), GUESS_ALLOWED);
	guess_free(guess);
}

static void an_address_after_too_many(void **state)
{
	struct guess *guess = guess_new(&limits, 1);
	char name[16];

	(void)state;
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		assert_int_equal(guess_try(guess, name, "192.0.2.1", 0), GUESS_ALLOWED);
	}
	assert_int_equal(guess_try(guess, "carol", "192.0.2.1", 0), GUESS_TOO_MANY_OF_ADDRESS);
	assert_int_equal(guess_try(guess, "carol", "192.0.2.2", 0), GUESS_ALLOWED);
	guess_free(guess);
}

/* A guesser behind the same NAT, and one who guesses at the user from elsewhere: neither shuts a known user out. */
static void who_is_known_is_not_shut_out(void **state)
{
	struct guess *guess = guess_new(&limits, 1);
	char name[16];

	(void)state;
	assert_int_equal(guess_try(guess, "alice", "192.0.2.1", 0), GUESS_ALLOWED);
	guess_right(guess, "alice", "192.0.2.1");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		guess_try(guess, name, "192.0.2.1", 0);
		guess_try(guess, "alice", "198.51.100.9", 0);
	}
	assert_int_equal(guess_try(guess, "dave", "192.0.2.1", 0), GUESS_TOO_MANY_OF_ADDRESS);
	assert_int_equal(guess_try(guess, "alice", "198.51.100.10", 0), GUESS_TOO_MANY_OF_USER);
	/* But who sits there and guesses at this user has the user's limit. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(guess_try(guess, "alice", "192.0.2.1", 0), GUESS_ALLOWED);
	assert_int_equal(guess_try(guess, "alice", "192.0.2.1", 0), GUESS_TOO_MANY_OF_USER);
	guess_free(guess);
}

static void right_ones_do_not_count(void **state)
{
	struct guess *guess = guess_new(&limits, 1);
	char name[16];

	(void)state;
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		assert_int_equal(guess_try(guess, name, "192.0.2.1", 0), GUESS_ALLOWED);
		guess_right(guess, name, "192.0.2.1");
		assert_int_equal(guess_try(guess, name, "192.0.2.1", 0), GUESS_ALLOWED);
		guess_right(guess, name, "192.0.2.1");
	}
	guess_free(guess);
}

/* However many names somebody invents, memory is bounded and the newest are counted. */
static void memory_is_bounded(void **state)
{
	struct guess *guess = guess_new(&(struct guess_limits){1, 1000000, 60}, 1);
	char name[16];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		assert_int_equal(guess_try(guess, name, "192.0.2.1", 0), GUESS_ALLOWED);
	}
	assert_int_equal(guess_try(guess, "name99999", "192.0.2.1", 0), GUESS_TOO_MANY_OF_USER);
	assert_int_equal(guess_try(guess, "name0", "192.0.2.1", 0), GUESS_ALLOWED);
	guess_free(guess);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_after_too_many),
		cmocka_unit_test(an_address_after_too_many),
		cmocka_unit_test(who_is_known_is_not_shut_out),
		cmocka_unit_test(right_ones_do_not_count),
		cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
