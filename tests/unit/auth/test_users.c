/* SPDX-License-Identifier: Apache-2.0 */
/* Password hashes, the users file, and changes of it. */
#include "auth/users_edit.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct world {
	char directory[64], path[128];
	char told[2048]; /* all sentences */
};

/* What crypt(3) makes of "hello", at the lowest cost. */
static const char cheap[] = "$y$j75$fA7AXBX/lcCxFqWbXzMp.1$auJPIwqoinLzsoYbutY5j7emRq1mbnPSrj2ifb1cVV/";

static int world_setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	strcpy(world->directory, "/tmp/users-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	snprintf(world->path, sizeof(world->path), "%s/users", world->directory);
	*state = world;
	return 0;
}

static int world_teardown(void **state)
{
	struct world *world = *state;
	char name[160];

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", world->path, i == 0 ? "" : i == 1 ? ".lock" : ".new");
		unlink(name);
	}
	assert_int_equal(rmdir(world->directory), 0);
	free(world);
	return 0;
}

static void on_report(void *context, const char *sentence)
{
	struct world *world = context;
	size_t len = strlen(world->told);

	snprintf(world->told + len, sizeof(world->told) - len, "%s\n", sentence);
}

static void write_file(const struct world *world, const char *text)
{
	FILE *file = fopen(world->path, "w");

	assert_non_null(file);
	fputs(text, file);
	fchmod(fileno(file), 0640);
	fclose(file);
}

static void read_file(const struct world *world, char *text, size_t size)
{
	FILE *file = fopen(world->path, "r");
	size_t len;

	assert_non_null(file);
	len = fread(text, 1, size - 1, file);
	text[len] = '\0';
	fclose(file);
}

static void a_password_is_verified(void **state)
{
	char first[PASSWORD_HASH_LEN], second[PASSWORD_HASH_LEN], *longest = calloc(1, 1000);

	(void)state;
	assert_int_equal(password_hash("correct horse", first), 0);
	assert_int_equal(password_hash("correct horse", second), 0);
	assert_string_not_equal(first, second); /* salted */
	assert_int_equal(strncmp(first, "$y$", 3), 0);
	assert_true(password_verify("correct horse", first));
	assert_false(password_verify("correct hors", first));
	assert_false(password_verify("", first));
	assert_true(password_verify("hello", cheap));
	/* Nobody's hash takes part in the computation and is never right. */
	assert_false(password_verify("hello", NULL));
	assert_false(password_verify("hello", "*0"));
	assert_false(password_verify("hello", ""));
	memset(longest, 'x', 999);
	assert_int_equal(password_hash(longest, first), -EINVAL);
	assert_false(password_verify(longest, cheap));
	free(longest);
	assert_true(password_hash_valid(cheap));
	assert_false(password_hash_valid("password"));
	assert_false(password_hash_valid("*"));
	assert_false(password_hash_valid("abJnggxhB/yWI")); /* DES */
}

static void the_file_is_read(void **state)
{
	struct world *world = *state;
	struct users *users;
	char text[1024];
	size_t count;

	snprintf(text, sizeof(text), "# comment\n\nbob:%s:staff\nalice:%s:\n", cheap, cheap);
	write_file(world, text);
	users = users_new(world->path, on_report, world);
	assert_string_equal(world->told, "");
	users_all(users, &count);
	assert_int_equal(count, 2);
	assert_string_equal(users_find(users, "bob")->group, "staff");
	assert_string_equal(users_find(users, "alice")->hash, cheap);
	assert_null(users_find(users, "carol"));
	assert_null(users_find(users, "no such name"));
	assert_null(users_find(users, ""));
	users_free(users);
}

static void bad_lines_are_told_and_the_others_work(void **state)
{
	struct world *world = *state;
	char text[4096], filler[1200];
	struct users *users;
	size_t count;

	memset(filler, 'x', sizeof(filler) - 1);
	filler[sizeof(filler) - 1] = '\0';
	snprintf(text, sizeof(text), "alice\nbo b:%s:\n%s\ncarol:secret:\ndave:%s:g g\nerin:%s:\nerin:%s:\nfrank:%s:", cheap,
		filler, cheap, cheap, cheap, cheap);
	write_file(world, text);
	users = users_new(world->path, on_report, world);
	assert_non_null(strstr(world->told, "users:1: the line is not NAME:HASH:GROUP"));
	assert_non_null(strstr(world->told, "users:2: the name"));
	assert_non_null(strstr(world->told, "users:3: the line is too long"));
	assert_non_null(strstr(world->told, "users:4: the hash"));
	assert_non_null(strstr(world->told, "users:5: the group"));
	assert_non_null(strstr(world->told, "\"erin\" is there twice"));
	assert_null(strstr(world->told, cheap));
	assert_null(strstr(world->told, "secret"));
	users_all(users, &count);
	assert_int_equal(count, 2);
	assert_non_null(users_find(users, "erin"));
	assert_non_null(users_find(users, "frank")); /* the last line needs no end */
	users_free(users);
}

static void changes_are_seen(void **state)
{
	struct world *world = *state;
	struct users *users = users_new(world->path, on_report, world);
	struct user user = {.name = "alice"};
	char error[USERS_ERROR_LEN];

	assert_non_null(strstr(world->told, "does not exist yet"));
	assert_null(users_find(users, "alice"));
	strcpy(user.hash, cheap);
	assert_int_equal(users_edit(world->path, USERS_ADD, &user, error), 0);
	assert_non_null(users_find(users, "alice"));
	assert_int_equal(users_edit(world->path, USERS_REMOVE, &user, error), 0);
	assert_null(users_find(users, "alice"));
	/* What others may read says no more who is who. */
	assert_int_equal(users_edit(world->path, USERS_ADD, &user, error), 0);
	assert_non_null(users_find(users, "alice"));
	chmod(world->path, 0644);
	assert_null(users_find(users, "alice"));
	assert_non_null(strstr(world->told, "chmod 640"));
	chmod(world->path, 0600);
	assert_non_null(users_find(users, "alice"));
	users_free(users);
}

static void edits_keep_the_rest(void **state)
{
	struct world *world = *state;
	struct user user = {.name = "bob"};
	char text[2048], error[USERS_ERROR_LEN], expected[1024];
	struct stat st;

	snprintf(text, sizeof(text), "# ours\nalice:%s:staff\nnonsense\nbob:%s:staff\n", cheap, cheap);
	write_file(world, text);
	strcpy(user.hash, cheap);
	assert_int_equal(users_edit(world->path, USERS_ADD, &user, error), -EEXIST);
	assert_non_null(strstr(error, "\"bob\""));
	strcpy(user.hash, "$y$j75$fA7AXBX/lcCxFqWbXzMp.1$another");
	assert_int_equal(users_edit(world->path, USERS_SET, &user, error), 0);
	read_file(world, text, sizeof(text));
	snprintf(expected, sizeof(expected), "# ours\nalice:%s:staff\nnonsense\nbob:%s:staff\n", cheap, user.hash);
	assert_string_equal(text, expected);
	assert_int_equal(users_edit(world->path, USERS_REMOVE, &user, error), 0);
	assert_int_equal(users_edit(world->path, USERS_REMOVE, &user, error), -ENOENT);
	read_file(world, text, sizeof(text));
	assert_null(strstr(text, "bob"));
	assert_non_null(strstr(text, "nonsense"));
	assert_int_equal(stat(world->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

/* No room for the new file: the old one stays, and nothing is left beside it. */
static void a_full_disk_changes_nothing(void **state)
{
	struct rlimit before, small = {0};
	struct world *world = *state;
	struct user user = {.name = "bob"};
	char text[1024], after[1024], fresh[160], error[USERS_ERROR_LEN];

	snprintf(text, sizeof(text), "alice:%s:staff\n", cheap);
	write_file(world, text);
	strcpy(user.hash, cheap);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	small.rlim_cur = 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_true(users_edit(world->path, USERS_ADD, &user, error) < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(error, "is as it was"));
	read_file(world, after, sizeof(after));
	assert_string_equal(after, text);
	snprintf(fresh, sizeof(fresh), "%s.new", world->path);
	assert_int_equal(access(fresh, F_OK), -1);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_is_verified),
		WORLD_TEST(the_file_is_read),
		WORLD_TEST(bad_lines_are_told_and_the_others_work),
		WORLD_TEST(changes_are_seen),
		WORLD_TEST(edits_keep_the_rest),
		WORLD_TEST(a_full_disk_changes_nothing),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
