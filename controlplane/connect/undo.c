/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/undo.h"

#include "connect/dns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_LEN = 512 };

void undo_init(struct undo *undo, const char *directory, const char *interface)
{
	*undo = (struct undo){.gateway.kind = ROUTE_GATEWAY};
	snprintf(undo->path, sizeof(undo->path), "%s/connect-%s.undo", directory, interface);
	snprintf(undo->interface, sizeof(undo->interface), "%s", interface);
}

bool undo_parse_line(struct undo *undo, const char *line)
{
	char prefix[PREFIX_TEXT_LEN], via[ADDRESS_TEXT_LEN], file[CONFIG_PATH_LEN];
	struct route route = {.kind = ROUTE_GATEWAY};
	int end = 0;

	_Static_assert(PREFIX_TEXT_LEN == 50 && ADDRESS_TEXT_LEN == 46 && CONFIG_PATH_LEN == 108, "as in the formats");
	if (sscanf(line, "route %49s via %45s dev %d%n", prefix, via, &route.ifindex, &end) == 3 && line[end] == '\0') {
		if (prefix_parse(prefix, &route.prefix) < 0 ||
			(strcmp(via, "-") != 0 && address_parse(via, &route.via) < 0))
			return false;
		undo->gateway = route;
		return true;
	}
	if (sscanf(line, "dns %107[^\n]%n", file, &end) == 1 && line[end] == '\0' && file[0] == '/') {
		snprintf(undo->dns_file, sizeof(undo->dns_file), "%s", file);
		return true;
	}
	return false;
}

static void undo_read(struct undo *undo)
{
	FILE *file = fopen(undo->path, "re");
	char line[LINE_LEN];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		(void)undo_parse_line(undo, line);
	}
	fclose(file);
}

unsigned undo_leftovers(struct undo *undo, const struct routes_kernel *kernel)
{
	unsigned count = 0;

	undo_read(undo);
	if (undo->gateway.prefix.address.family != ADDRESS_NONE) {
		(void)kernel->remove(kernel->context, &undo->gateway);
		undo->gateway = (struct route){.kind = ROUTE_GATEWAY};
		count++;
	}
	if (undo->dns_file[0]) {
		(void)dns_restore(undo->dns_file, undo->interface);
		undo->dns_file[0] = '\0';
		count++;
	}
	(void)unlink(undo->path);
	return count;
}

int undo_write(const struct undo *undo)
{
	char prefix[PREFIX_TEXT_LEN], via[ADDRESS_TEXT_LEN] = "-";
	bool has_route = undo->gateway.prefix.address.family != ADDRESS_NONE;
	FILE *file;
	int rc = 0;

	if (!has_route && !undo->dns_file[0])
		return unlink(undo->path) < 0 && errno != ENOENT ? -errno : 0;
	file = fopen(undo->path, "we");
	if (!file)
		return -errno;
	if (undo->gateway.via.family != ADDRESS_NONE)
		address_format(&undo->gateway.via, via);
	if (has_route)
		fprintf(file, "route %s via %s dev %d\n", prefix_format(&undo->gateway.prefix, prefix), via,
			undo->gateway.ifindex);
	if (undo->dns_file[0])
		fprintf(file, "dns %s\n", undo->dns_file);
	if (fflush(file) != 0)
		rc = -errno;
	fclose(file);
	return rc;
}
