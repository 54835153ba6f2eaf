/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: who may speak, frames in, replies out. A client that is slow, silent or wrong costs a bounded
 * buffer and a timeout. What a request means is not known here: `run` turns it into a reply.
 */
#pragma once

#include "request.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
	SERVER_CLIENTS_MAX = 32,
	SERVER_PATIENCE_SECONDS = 10, /* for a request to come whole, and for a reply to be taken */
};

struct server_access {
	const char *program; /* as sentences call the one who serves */
	uid_t user;  /* and root */
	gid_t group; /* its members too */
	bool has_group;
};

struct server_options {
	struct server_access access;
	void *context;
	/* The reply, owned by the caller afterwards; NULL for want of memory. */
	json_t *(*run)(void *context, const struct control_request *request);
	/* After each request. */
	void (*settle)(void *context);
};

struct server;

/*
 * A listening socket at `path`, whose former one is removed; mode 0660, owned by the user and the group, where there is
 * one. To be called before privileges are given up. Descriptor, or negative errno after a line in the log.
 */
int server_listen(const char *path, const struct server_access *access);

/* Takes over `listener`, which may be -1 (server_connect only). NULL with errno. */
struct server *server_new(struct event_base *base, int listener, const struct server_options *options);
void server_free(struct server *server);

/* Takes a connection over and judges its peer. What server_new's listener does for each. */
void server_connect(struct server *server, int fd);

/* A failure as a reply: {"ok": false, "error": sentence}. NULL for want of memory. */
json_t *server_refusal(const char *format, ...) __attribute__((format(printf, 1, 2)));
