/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing the shared tables over, on a Unix socket (SOCK_SEQPACKET, one message each way):
 *
 *   sluiced                             sluice-dataplane
 *     hello {magic, layout version} ->    checks credentials, version, that no other control plane is attached
 *       <- answer {status, sentence}, with three descriptors: the tables, and two eventfds
 *     ... the connection stays open: its end tells each side that the other has gone; meanwhile it carries ESP of
 *     sessions whose transport is TCP, if there are any (tables/bundle.h) ...
 *
 * eventfd `changes`: written by sluiced after it pushed changes. eventfd `events`: written by the data plane's main
 * thread when events wait; workers never make a system call for it.
 */
#pragma once

#include "tables/tables.h"

#include <sys/types.h>

struct share_hello {
	uint64_t magic;
	uint32_t layout_version;
	uint32_t reserved;
};

struct share_answer {
	int32_t status; /* 0 or negative errno */
	char sentence[TABLES_ERROR_LEN];
};

struct share_descriptors {
	int tables, changes, events;
};

/* Data plane: a listening socket at `path` (an old one there is removed), mode 0600, owner `uid`. fd or negative errno. */
int share_listen(const char *path, uid_t uid);

/*
 * Data plane: accepts one connection from the listening socket, with a second's patience for its hello. `allowed_uid`
 * and root may attach. When `busy` is not NULL every peer is refused with that sentence. Returns the connection, to be
 * watched for its end; or negative errno, the peer having been told why.
 */
int share_accept(int listener, uid_t allowed_uid, const char *busy, const struct share_descriptors *descriptors);

/* Control plane: attaches. Returns the connection, or negative errno with a sentence in `error`. */
int share_connect(const char *path, struct share_descriptors *descriptors, char error[TABLES_ERROR_LEN]);
