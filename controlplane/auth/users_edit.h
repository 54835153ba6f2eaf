/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes the users file: the new one is written beside it, flushed to the disk and put in its place in one step, so
 * that a reader sees the old file or the new one, and a full disk changes nothing. Comments and lines that are not
 * understood stay as they are. Two editors wait for each other.
 */
#pragma once

#include "auth/users.h"

enum users_change {
	USERS_ADD,    /* must not be there */
	USERS_SET,    /* must be there: takes the hash */
	USERS_REMOVE, /* must be there */
};

/* 0, or negative errno with a sentence in `error`. The file is made where it is missing, with mode 0640. */
int users_edit(const char *path, enum users_change change, const struct user *user, char error[USERS_ERROR_LEN]);
