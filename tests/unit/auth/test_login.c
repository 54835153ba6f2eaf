/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in through helper threads: who is let in, and what is told of those who are not. */
#include "auth/login.h"
#include "config/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* "hello", at the lowest cost. */
static const char cheap[] = "$y$j75$fA7AXBX/lcCxFqWbXzMp.1$auJPIwqoinLzsoYbutY5j7emRq1mbnPSrj2ifb1cVV/";

struct world {
	struct config_users config;
	struct event_base *base;
	struct jobs *jobs;
	struct login *login;
	unsigned answers;
	bool right;
	char why[256], user[64], key[LOGIN_KEY_LEN];
};

static int world_setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	FILE *file;
	int fd;

	log_open("test", LOG_LEVEL_ERROR);
	world->config = (struct config_users){
		.file = "/tmp/login-XXXXXX", .guesses_per_user = 3, .guesses_per_address = 100, .guess_window = 600};
	fd = mkstemp(world->config.file);
	assert_true(fd >= 0);
	file = fdopen(fd, "w");
	fprintf(file, "alice:%s:staff\nbob:%s:\n", cheap, cheap);
	fclose(file);
	world->base = event_base_new();
	world->jobs = jobs_new(world->base, 2, 16);
	world->login = login_new(&world->config, world->jobs);
	assert_non_null(world->login);
	*state = world;
	return 0;
}

static int world_teardown(void **state)
{
	struct world *world = *state;

	jobs_free(world->jobs);
	login_free(world->login);
	event_base_free(world->base);
	unlink(world->config.file);
	free(world);
	return 0;
}

static void on_answer(void *context, const void *key, const struct login_answer *answer)
{
	struct world *world = context;

	world->answers++;
	world->right = !answer->why;
	snprintf(world->why, sizeof(world->why), "%s", answer->why ? answer->why : "");
	snprintf(world->user, sizeof(world->user), "%s", answer->user);
	memcpy(world->key, key, LOGIN_KEY_LEN);
}

static bool log_in(struct world *world, const char *user, const char *password, const char *group)
{
	struct login_request request = {.user = user, .password = password, .group = group, .address = "192.0.2.1"};
	char key[LOGIN_KEY_LEN] = "key of ";

	strncat(key, user, sizeof(key) - strlen(key) - 1);
	assert_int_equal(login_begin(world->login, &request, key, on_answer, world), 0);
	assert_int_equal(world->answers, 0); /* never from within */
	while (world->answers == 0)
		event_base_loop(world->base, EVLOOP_ONCE);
	assert_int_equal(world->answers, 1);
	world->answers = 0;
	assert_string_equal(world->key, key);
	return world->right;
}

static void who_is_let_in(void **state)
{
	struct world *world = *state;

	assert_true(log_in(world, "alice", "hello", ""));
	assert_string_equal(world->user, "alice");
	assert_true(log_in(world, "alice", "hello", "staff"));
	assert_true(log_in(world, "bob", "hello", ""));
	assert_false(log_in(world, "bob", "hello", "staff"));
	assert_non_null(strstr(world->why, "user_group"));
	assert_false(log_in(world, "alice", "hallo", ""));
	assert_string_equal(world->why, "the password is wrong");
	assert_false(log_in(world, "carol", "hello", ""));
	assert_string_equal(world->why, "there is no user of this name");
	assert_false(log_in(world, "alice", "", ""));
}

static void guessing_has_an_end(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 3; i++)
		assert_false(log_in(world, "alice", "hallo", ""));
	/* Not even the right one is looked at then. */
	assert_false(log_in(world, "alice", "hello", ""));
	assert_non_null(strstr(world->why, "guesses_per_user"));
	assert_true(log_in(world, "bob", "hello", ""));
}

static void a_new_password_counts_at_once(void **state)
{
	struct world *world = *state;
	FILE *file;

	assert_true(log_in(world, "alice", "hello", ""));
	file = fopen(world->config.file, "w");
	fprintf(file, "# nobody\n");
	fclose(file);
	assert_false(log_in(world, "alice", "hello", ""));
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(who_is_let_in),
		WORLD_TEST(guessing_has_an_end),
		WORLD_TEST(a_new_password_counts_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
