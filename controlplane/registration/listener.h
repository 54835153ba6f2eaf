/* SPDX-License-Identifier: Apache-2.0 */
/* TCP sockets that wait for connections, at all addresses and ports of the configuration, in the event loop. */
#pragma once

#include "config/config.h"

#include <event2/event.h>

struct listeners;

struct listeners_handler {
	void *context;
	/* A connection, non-blocking, which is the handler's now. */
	void (*accepted)(void *context, int fd, const struct endpoint *local, const struct endpoint *remote);
	/* Called last in each callback of the loop. */
	void (*settle)(void *context);
};

/* At the addresses of ike.listen, or all of this host. NULL with errno, after a line in the log. */
struct listeners *listeners_open(
	struct event_base *base, const struct config *config, const struct listeners_handler *handler);
void listeners_close(struct listeners *listeners);

/* The first one's port, for who has asked for none in particular. */
uint16_t listeners_port(const struct listeners *listeners);
