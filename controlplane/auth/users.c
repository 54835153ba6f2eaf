/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/users.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct users {
	char *path;
	void (*report)(void *context, const char *sentence);
	void *context;
	struct user *items; /* sorted by name */
	size_t count, capacity;
	struct stat seen; /* the file as it was read last; st_ino 0: not there, or not readable */
	int error;	  /* why, so that it is told once */
};

static void users_report(struct users *users, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void users_report(struct users *users, const char *format, ...)
{
	char sentence[USERS_ERROR_LEN];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	users->report(users->context, sentence);
}

bool users_name_valid(const char *name)
{
	static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@";
	size_t len = strlen(name);

	return len > 0 && len < USERS_NAME_LEN && strspn(name, characters) == len;
}

int users_parse_line(char *line, struct user *out, const char **why)
{
	char *hash, *group;

	if (line[0] == '\0' || line[0] == '#')
		return 0;
	*out = (struct user){0};
	*why = "the line is not NAME:HASH:GROUP";
	hash = strchr(line, ':');
	group = hash ? strchr(hash + 1, ':') : NULL;
	if (!group)
		return -EINVAL;
	*hash++ = '\0';
	*group++ = '\0';
	*why = "the name is not 1 to 63 letters, digits and any of . _ - @";
	if (!users_name_valid(line))
		return -EINVAL;
	*why = "the group is not 1 to 63 letters, digits and any of . _ - @, or nothing";
	if (group[0] && !users_name_valid(group))
		return -EINVAL;
	*why = "the hash is not one of crypt(5), or of a method that is weak; sluicectl user passwd makes a good one";
	if (!password_hash_valid(hash))
		return -EINVAL;
	strcpy(out->name, line);
	strcpy(out->hash, hash);
	strcpy(out->group, group);
	return 1;
}

static int users_compare(const void *left, const void *right)
{
	return strcmp(((const struct user *)left)->name, ((const struct user *)right)->name);
}

static void users_clear(struct users *users)
{
	if (users->items)
		OPENSSL_cleanse(users->items, users->count * sizeof(*users->items));
	free(users->items);
	users->items = NULL;
	users->count = users->capacity = 0;
}

static int users_add(struct users *users, const struct user *user)
{
	size_t capacity = users->capacity ? 2 * users->capacity : 64;
	struct user *grown;

	if (users->count == users->capacity) {
		grown = calloc(capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		if (users->count > 0) {
			memcpy(grown, users->items, users->count * sizeof(*grown));
			OPENSSL_cleanse(users->items, users->count * sizeof(*grown));
		}
		free(users->items);
		users->items = grown;
		users->capacity = capacity;
	}
	users->items[users->count++] = *user;
	return 0;
}

/* Of users with the same name the first one stays; which line was meant nobody can tell. */
static void users_sort(struct users *users)
{
	size_t kept = 0;

	if (users->count == 0)
		return;
	qsort(users->items, users->count, sizeof(*users->items), users_compare);
	for (size_t i = 1; i < users->count; i++) {
		if (users_compare(&users->items[kept], &users->items[i]) == 0)
			users_report(users, "%s: user \"%s\" is there twice; one of both lines is used", users->path,
				users->items[i].name);
		else
			users->items[++kept] = users->items[i];
	}
	users->count = kept + 1;
}

static int users_read(struct users *users, FILE *file)
{
	char line[USERS_LINE_LEN];
	unsigned number = 0;
	struct user user;
	const char *why;
	int rc = 0;

	while (rc >= 0 && fgets(line, sizeof(line), file)) {
		size_t len = strcspn(line, "\n");
		bool whole = line[len] == '\n' || feof(file);

		number++;
		line[len] = '\0';
		rc = -EINVAL;
		why = "the line is too long";
		if (whole)
			rc = users_parse_line(line, &user, &why);
		for (int c = 0; !whole && c != '\n' && c != EOF;)
			c = fgetc(file);
		if (rc == -EINVAL) {
			users_report(users, "%s:%u: %s", users->path, number, why);
			rc = 0;
		} else if (rc == 1) {
			rc = users->count < USERS_MAX ? users_add(users, &user) : -E2BIG;
		}
	}
	OPENSSL_cleanse(line, sizeof(line));
	OPENSSL_cleanse(&user, sizeof(user));
	if (rc < 0)
		users_report(users, "%s:%u: no further users are read: %s", users->path, number, strerror(-rc));
	users_sort(users);
	return 0;
}

/* Why this file can't be used, NULL when it can. */
static const char *users_judge(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "it is not a regular file";
	if (st->st_mode & (S_IROTH | S_IWOTH))
		return "others may read or write it; expected mode 0640 or less (chmod 640)";
	return NULL;
}

static bool users_changed(const struct stat *a, const struct stat *b)
{
	return a->st_ino != b->st_ino || a->st_dev != b->st_dev || a->st_size != b->st_size ||
	       a->st_mode != b->st_mode || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	       a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

/* The file can't be read: there are no users then. Told when it is news. */
static void users_fail(struct users *users, int error, const char *why)
{
	if (users->error != error)
		users_report(users, "%s: there are no users: %s", users->path, why);
	users->error = error;
	users->seen = (struct stat){0};
	users_clear(users);
}

static void users_refresh(struct users *users)
{
	const char *why;
	struct stat st;
	FILE *file;

	if (stat(users->path, &st) < 0) {
		users_fail(users, errno,
			errno == ENOENT ? "it does not exist yet; sluicectl user add makes it" : strerror(errno));
		return;
	}
	if (!users_changed(&st, &users->seen) && !users->error)
		return;
	file = fopen(users->path, "re");
	if (!file || fstat(fileno(file), &st) < 0) {
		users_fail(users, errno, strerror(errno));
	} else if ((why = users_judge(&st))) {
		users_fail(users, EPERM, why);
	} else {
		users_clear(users);
		users->error = 0;
		users->seen = st;
		users_read(users, file);
	}
	if (file)
		fclose(file);
}

struct users *users_new(
	const char *path, void (*report)(void *context, const char *sentence), void *context)
{
	struct users *users = calloc(1, sizeof(*users));

	if (!users)
		return NULL;
	users->path = strdup(path);
	users->report = report;
	users->context = context;
	if (!users->path) {
		free(users);
		return NULL;
	}
	users_refresh(users);
	return users;
}

void users_free(struct users *users)
{
	if (!users)
		return;
	users_clear(users);
	free(users->path);
	free(users);
}

const struct user *users_find(struct users *users, const char *name)
{
	struct user key;

	if (!users_name_valid(name))
		return NULL;
	users_refresh(users);
	strcpy(key.name, name);
	return users->count ? bsearch(&key, users->items, users->count, sizeof(key), users_compare) : NULL;
}

const struct user *users_all(struct users *users, size_t *count)
{
	users_refresh(users);
	*count = users->count;
	return users->items;
}
