/* SPDX-License-Identifier: Apache-2.0 */
#include "user.h"

#include "auth/users_edit.h"
#include "format.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { PASSWORD_MIN = 8 };

static int user_fail(const char *sentence)
{
	fprintf(stderr, "sluicectl: %s\n", sentence);
	return EXIT_FAILURE;
}

/* One line of standard input. False at its end, or when it is too long. */
static bool read_line(char *line, size_t size)
{
	size_t len;

	if (!fgets(line, (int)size, stdin))
		return false;
	len = strcspn(line, "\n");
	if (line[len] != '\n' && !feof(stdin))
		return false;
	line[len] = '\0';
	return true;
}

static bool ask(const char *prompt, char *line, size_t size)
{
	struct termios before, silent;
	bool got;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return read_line(line, size);
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	fputs(prompt, stderr);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	got = read_line(line, size);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fputc('\n', stderr);
	return got;
}

/* Asks for a new password, on a terminal twice, and hashes it. NULL, or what is wrong. */
static const char *hash_new_password(char hash[PASSWORD_HASH_LEN])
{
	char first[PASSWORD_LEN + 1], second[PASSWORD_LEN + 1] = "";
	const char *why = NULL;

	if (!ask("Password: ", first, sizeof(first)))
		why = "no password came, or it is longer than 255 characters";
	else if (strlen(first) < PASSWORD_MIN)
		why = "the password is shorter than 8 characters";
	else if (isatty(STDIN_FILENO) && (!ask("Again: ", second, sizeof(second)) || strcmp(first, second) != 0))
		why = "the two passwords differ";
	else if (password_hash(first, hash) < 0)
		why = "the password could not be hashed";
	explicit_bzero(first, sizeof(first));
	explicit_bzero(second, sizeof(second));
	return why;
}

/* sluiced has to read it; whoever may not give it away has told so by its rights. */
static void give_to_sluiced(const struct config *config)
{
	const struct passwd *entry = config->user[0] ? getpwnam(config->user) : NULL;

	if (entry && chown(config->users.file, (uid_t)-1, entry->pw_gid) < 0 && geteuid() == 0)
		fprintf(stderr, "sluicectl: %s can't be given to the group of user %s: %s\n", config->users.file,
			config->user, strerror(errno));
}

static int change(const struct config *config, enum users_change change, const char *name, const char *group)
{
	char error[USERS_ERROR_LEN];
	struct user user = {0};
	const char *why = NULL;
	int rc;

	if (!users_name_valid(name) || (group[0] && !users_name_valid(group)))
		return user_fail("a user's or group's name has 1 to 63 letters, digits and any of . _ - @");
	strcpy(user.name, name);
	strcpy(user.group, group);
	if (change != USERS_REMOVE)
		why = hash_new_password(user.hash);
	if (why)
		return user_fail(why);
	rc = users_edit(config->users.file, change, &user, error);
	explicit_bzero(&user, sizeof(user));
	if (rc < 0)
		return user_fail(error);
	give_to_sluiced(config);
	return EXIT_SUCCESS;
}

static int run_add(const struct config *config, char **words)
{
	return change(config, USERS_ADD, words[0], words[1] ? words[1] : "");
}

static int run_passwd(const struct config *config, char **words)
{
	return change(config, USERS_SET, words[0], "");
}

static int run_remove(const struct config *config, char **words)
{
	return change(config, USERS_REMOVE, words[0], "");
}

static void on_report(void *context, const char *sentence)
{
	(void)context;
	fprintf(stderr, "sluicectl: %s\n", sentence);
}

static int run_list(const struct config *config, char **words)
{
	static const char *const headings[] = {"NAME", "GROUP", NULL};
	struct users *users = users_new(config->users.file, on_report, NULL);
	struct format_table *table;
	const struct user *all;
	size_t count;

	(void)words;
	if (!users)
		return user_fail(strerror(errno));
	table = format_table_new(headings);
	all = users_all(users, &count);
	for (size_t i = 0; i < count; i++) {
		format_table_put(table, all[i].name);
		format_table_put(table, all[i].group[0] ? all[i].group : "-");
	}
	format_table_end(table, stdout, "No users.");
	users_free(users);
	return EXIT_SUCCESS;
}

static const struct {
	const char *word, *arguments, *help;
	int least, most; /* arguments */
	int (*run)(const struct config *config, char **words);
} commands[] = {
	{"add", "NAME [GROUP]", "a new user in the users file; asks for the password", 1, 2, run_add},
	{"passwd", "NAME", "another password for a user", 1, 1, run_passwd},
	{"remove", "NAME", "a user goes; its sessions stay until sluicectl delete", 1, 1, run_remove},
	{"list", "", "the users and their groups", 0, 0, run_list},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

bool user_is_command(int argc, char **argv)
{
	return argc > 0 && strcmp(argv[0], "user") == 0;
}

int user_run(int argc, char **argv, const struct config *config)
{
	char *words[3] = {NULL};

	for (size_t i = 0; argc > 1 && i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].word) != 0)
			continue;
		if (argc - 2 < commands[i].least || argc - 2 > commands[i].most) {
			fprintf(stderr, "sluicectl: usage: sluicectl user %s %s\n", commands[i].word,
				commands[i].arguments);
			return EXIT_FAILURE;
		}
		for (int k = 2; k < argc; k++)
			words[k - 2] = argv[k];
		return commands[i].run(config, words);
	}
	return user_fail("expected sluicectl user add, passwd, remove or list");
}

void user_help(FILE *out)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		char typed[64];

		snprintf(typed, sizeof(typed), "user %s %s", commands[i].word, commands[i].arguments);
		fprintf(out, "  %-16s %s\n", typed, commands[i].help);
	}
}
