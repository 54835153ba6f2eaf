/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The users file: one user a line, NAME:HASH:GROUP, where GROUP may be empty; "#" starts a comment line. sluiced reads
 * it and never writes it; sluicectl writes it (users_edit.h). It is read again when it has changed, which is looked for
 * at each login. A line that is wrong is no user and is told; the others work.
 */
#pragma once

#include "auth/password.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	USERS_NAME_LEN = 64, /* with terminator */
	USERS_LINE_LEN = 2 * USERS_NAME_LEN + PASSWORD_HASH_LEN + 4,
	USERS_MAX = 1000000,
	USERS_ERROR_LEN = 512,
};

struct user {
	char name[USERS_NAME_LEN];
	char group[USERS_NAME_LEN]; /* "": none */
	char hash[PASSWORD_HASH_LEN];
};

struct users;

/* What is told about the file goes to `report`, one sentence each with file and line. NULL with errno. */
struct users *users_new(
	const char *path, void (*report)(void *context, const char *sentence), void *context);
void users_free(struct users *users);

/*
 * The user of that name, NULL when there is none; after the file was read again where it has changed. Valid until the
 * next call.
 */
const struct user *users_find(struct users *users, const char *name);

/* All of them in the order of their names, after the same look at the file. */
const struct user *users_all(struct users *users, size_t *count);

/* Whether a text can be a user's or a group's name: 1 to 63 letters, digits and any of . _ - @ */
bool users_name_valid(const char *name);

/*
 * Takes a line apart, without its end: 1 for a user, 0 for a comment or nothing, -EINVAL with what is wrong in *why.
 * `line` is changed.
 */
int users_parse_line(char *line, struct user *out, const char **why);
