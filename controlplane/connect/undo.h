/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A note of what would stay behind if this process were killed, for the next start to undo: the route to the gateway
 * that leads past the tunnel, and a list of name servers that was set aside. All else goes with the TUN device.
 *
 *     route 203.0.113.5/32 via 192.0.2.1 dev 3
 *     dns /etc/resolv.conf
 */
#pragma once

#include "config/config.h"
#include "connect/routes.h"

struct undo {
	char path[CONFIG_PATH_LEN + CONFIG_NAME_LEN + 32]; /* of the note */
	struct route gateway;				   /* prefix of no family: none */
	char dns_file[CONFIG_PATH_LEN];			   /* "": none */
	char interface[CONFIG_NAME_LEN];		   /* whose it is */
};

/* An empty note at DIRECTORY/connect-INTERFACE.undo, which is not touched yet. */
void undo_init(struct undo *undo, const char *directory, const char *interface);

/* Reads what a killed process left and undoes it; then the note is gone. Returns how many things that were. */
unsigned undo_leftovers(struct undo *undo, const struct routes_kernel *kernel);

/* Writes the note as it is now, or removes it where there is nothing in it. 0 or negative errno. */
int undo_write(const struct undo *undo);

/* One line of a note into it; false: it is not understood. */
bool undo_parse_line(struct undo *undo, const char *line);
