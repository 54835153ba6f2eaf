/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/dns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first line of ours, by which it is known again. */
static const char headline[] = "# Written by sluice-connect while its tunnel stands";

struct names {
	char before[PATH_MAX], fresh[PATH_MAX];
};

static int names_make(struct names *names, const char *file, const char *interface)
{
	size_t size = PATH_MAX;

	return (size_t)snprintf(names->before, size, "%s.before-%s", file, interface) >= size ||
			       (size_t)snprintf(names->fresh, size, "%s.new-%s", file, interface) >= size
		       ? -ENAMETOOLONG
		       : 0;
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static bool is_ours(const char *path)
{
	char line[sizeof(headline)] = "";
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	return strcmp(line, headline) == 0;
}

static int write_servers(const char *path, const struct address *servers, size_t count)
{
	char text[ADDRESS_TEXT_LEN];
	FILE *file = fopen(path, "we");
	int rc = 0;

	if (!file)
		return -errno;
	/* Everybody who looks names up reads it. */
	if (fchmod(fileno(file), 0644) < 0)
		rc = -errno;
	fprintf(file, "%s; the former one comes back.\n", headline);
	for (size_t i = 0; i < count; i++)
		fprintf(file, "nameserver %s\n", address_format(&servers[i], text));
	if (fflush(file) != 0)
		rc = -errno;
	fclose(file);
	if (rc < 0)
		(void)unlink(path);
	return rc;
}

int dns_replace(const char *file, const char *interface, const struct address *servers, size_t count)
{
	struct names names;
	int rc = names_make(&names, file, interface);

	if (rc == 0)
		rc = write_servers(names.fresh, servers, count);
	if (rc < 0)
		return rc;
	/* What an earlier one of ours set aside is the former file, not ours. */
	if (!exists(names.before) && exists(file) && !is_ours(file) && rename(file, names.before) < 0) {
		rc = -errno;
		(void)unlink(names.fresh);
		return rc;
	}
	if (rename(names.fresh, file) == 0)
		return 0;
	rc = -errno;
	(void)unlink(names.fresh);
	if (exists(names.before))
		(void)rename(names.before, file);
	return rc;
}

int dns_restore(const char *file, const char *interface)
{
	struct names names;
	int rc = names_make(&names, file, interface);

	if (rc < 0)
		return rc;
	if (exists(names.before))
		return rename(names.before, file) < 0 ? -errno : 0;
	if (is_ours(file))
		return unlink(file) < 0 ? -errno : 0;
	return 0;
}
