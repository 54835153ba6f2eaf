/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this process may do: started as root it becomes its own user and keeps two capabilities, CAP_NET_ADMIN (kernel
 * neighbours; TCP connections that leave the kernel, see takeover.h) and CAP_NET_BIND_SERVICE (ports 500 and 4500 again,
 * should sockets be opened anew). Keys of peers are in its memory: no core file, no tracer, no file that others can read.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

enum { PRIVILEGES_NAME_LEN = 64 };

struct privileges {
	char user[PRIVILEGES_NAME_LEN]; /* "": stays who it is */
	uid_t uid;
	gid_t gid;
};

/* Before any secret is read. 0 or negative errno. */
int privileges_harden(void);

/* Looks `user` up; "" is the present one. -ENOENT after a line that says how to make it. */
int privileges_find(const char *user, struct privileges *out);

/* The group's number. -ENOENT after a line that says how to make it. */
int privileges_find_group(const char *group, gid_t *out);

/* Becomes that user and gives everything else up, for good. 0, or negative errno after a line in the log. */
int privileges_drop(const struct privileges *privileges);
