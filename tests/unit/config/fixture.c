/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SAID_LEN = 65536 };

static char directory[] = "/tmp/sluice-config-XXXXXX";
static char said[SAID_LEN];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

int fixture_setup(void **state)
{
	(void)state;
	umask(022);
	return mkdtemp(directory) ? 0 : -1;
}

int fixture_teardown(void **state)
{
	(void)state;
	return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fixture_path(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

void fixture_write(const char *name, const char *text)
{
	FILE *file = fopen(fixture_path(name), "w");

	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

/* Appends the sentence without each mention of the directory. */
static void hear(void *context, const char *sentence)
{
	size_t len = strlen(said);

	assert_ptr_equal(context, said);
	while (*sentence && len < SAID_LEN - 2) {
		if (strncmp(sentence, directory, strlen(directory)) == 0 && sentence[strlen(directory)] == '/')
			sentence += strlen(directory) + 1;
		else
			said[len++] = *sentence++;
	}
	said[len++] = '\n';
	said[len] = '\0';
}

struct config *fixture_load(const char *name)
{
	said[0] = '\0';
	return config_load(fixture_path(name), hear, said);
}

const char *fixture_said(void)
{
	return said;
}

struct config *fixture_load_text(const char *text)
{
	fixture_write("t.cfg", text);
	return fixture_load("t.cfg");
}

struct config *fixture_expect_acceptance(const char *text)
{
	struct config *config = fixture_load_text(text);

	assert_string_equal(fixture_said(), "");
	assert_non_null(config);
	return config;
}

void fixture_expect_refusal(const char *text, const char *lines)
{
	struct config *config = fixture_load_text(text);

	assert_string_equal(fixture_said(), lines);
	assert_null(config);
}
