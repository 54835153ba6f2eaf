/* SPDX-License-Identifier: Apache-2.0 */
/* TCP sockets that wait for connections, at the addresses of ike.listen and given ports, in the event loop. */
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

/* `setting` of the configuration, which stays, has the ports. */
struct listeners_ports {
	const uint16_t *ports;
	size_t count; /* at most CONFIG_REGISTRATION_PORTS_MAX */
	const char *setting;
};

/* Or at all addresses of this host, where there are none. NULL with errno, after a line in the log. */
struct listeners *listeners_open(struct event_base *base, const struct config_ike *config,
	const struct listeners_ports *ports, const struct listeners_handler *handler);
void listeners_close(struct listeners *listeners);

/* The first one's port, for who has asked for none in particular. */
uint16_t listeners_port(const struct listeners *listeners);
