/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/users_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int edit_put_user(FILE *out, const struct user *user)
{
	return fprintf(out, "%s:%s:%s\n", user->name, user->hash, user->group) < 0 ? -EIO : 0;
}

/* Copies the old file's lines but for that of the user. Whether it was there goes to *found, its group stays. */
static int edit_copy(FILE *in, FILE *out, enum users_change change, const struct user *user, bool *found)
{
	struct user known, changed = *user;
	size_t size = 0;
	char *line = NULL, *copy;
	const char *why;
	ssize_t len;
	int rc = 0;

	while (rc == 0 && (len = getline(&line, &size, in)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		copy = strdup(line);
		if (!copy) {
			rc = -ENOMEM;
		} else if (users_parse_line(copy, &known, &why) == 1 && strcmp(known.name, user->name) == 0) {
			*found = true;
			strcpy(changed.group, known.group);
			if (change == USERS_SET)
				rc = edit_put_user(out, &changed);
		} else if (fprintf(out, "%s\n", line) < 0) {
			rc = -EIO;
		}
		if (copy)
			OPENSSL_cleanse(copy, strlen(copy));
		free(copy);
	}
	if (rc == 0 && ferror(in))
		rc = -EIO;
	if (line)
		OPENSSL_cleanse(line, size);
	free(line);
	return rc;
}

static int edit_write(FILE *in, FILE *out, enum users_change change, const struct user *user, bool *found)
{
	int rc = 0;

	if (in)
		rc = edit_copy(in, out, change, user, found);
	else if (fprintf(out, "# Sluice's users, one a line: NAME:HASH:GROUP. sluicectl user changes it.\n") < 0)
		rc = -EIO;
	if (rc == 0 && change == USERS_ADD)
		rc = edit_put_user(out, user);
	if (rc == 0 && (fflush(out) != 0 || fsync(fileno(out)) < 0))
		rc = -errno;
	return rc;
}

/* The new file has the old one's owner and mode. */
static int edit_give(int fd, FILE *in)
{
	struct stat st = {.st_mode = 0640};

	if (in && (fstat(fileno(in), &st) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0))
		return -errno;
	return fchmod(fd, st.st_mode & 0640) < 0 ? -errno : 0;
}

static const char *edit_verdict(enum users_change change, bool found)
{
	if (change == USERS_ADD && found)
		return "there is such a user already; sluicectl user passwd changes the password";
	if (change != USERS_ADD && !found)
		return "there is no such user";
	return NULL;
}

/* Under the lock: writes the new file and puts it in place. */
static int edit_replace(const char *path, const char *fresh, enum users_change change, const struct user *user,
	char error[USERS_ERROR_LEN])
{
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w"), *in = fopen(path, "re");
	const char *verdict;
	bool found = false;
	int rc = out ? 0 : -errno;

	if (rc == 0 && !in && errno != ENOENT)
		rc = -errno;
	if (rc == 0)
		rc = edit_write(in, out, change, user, &found);
	if (rc == 0)
		rc = edit_give(fd, in);
	verdict = rc == 0 ? edit_verdict(change, found) : NULL;
	if (in)
		fclose(in);
	if (out && fclose(out) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && !verdict && rename(fresh, path) < 0)
		rc = -errno;
	if (rc < 0)
		snprintf(error, USERS_ERROR_LEN, "%s could not be changed and is as it was: %s", path, strerror(-rc));
	if (verdict) {
		snprintf(error, USERS_ERROR_LEN, "user \"%s\": %s", user->name, verdict);
		rc = change == USERS_ADD ? -EEXIST : -ENOENT;
	}
	if (rc < 0 && fd >= 0)
		unlink(fresh);
	return rc;
}

int users_edit(const char *path, enum users_change change, const struct user *user, char error[USERS_ERROR_LEN])
{
	char *fresh = NULL, *lock_path = NULL;
	int rc = -ENOMEM, lock = -1;

	if (asprintf(&fresh, "%s.new", path) < 0)
		fresh = NULL;
	if (asprintf(&lock_path, "%s.lock", path) < 0)
		lock_path = NULL;
	if (!fresh || !lock_path) {
		snprintf(error, USERS_ERROR_LEN, "there is no memory");
		goto out;
	}
	lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) < 0) {
		rc = -errno;
		snprintf(error, USERS_ERROR_LEN, "%s can't be locked: %s", path, strerror(-rc));
		goto out;
	}
	rc = edit_replace(path, fresh, change, user, error);
out:
	if (lock >= 0)
		close(lock);
	free(fresh);
	free(lock_path);
	return rc;
}
