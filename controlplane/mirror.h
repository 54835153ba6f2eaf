/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the data plane's addresses, routes and neighbours equal to the kernel's, for the interfaces that stand for its
 * ports. Made when a data plane is attached and freed when it goes. The kernel is dumped whole at first, and again
 * whenever notifications were lost or an interface came, went or changed: each such round has an epoch of its own, and
 * what was not told again in it is swept.
 *
 * The kernel resolves neighbours (RFC 826, RFC 4861); this only asks it to, and keeps an Ethernet address until the kernel says
 * that it failed: a kernel that sees no traffic calls every neighbour stale sooner or later.
 */
#pragma once

#include "mirror_table.h"
#include "tables/writer.h"

#include <event2/event.h>

struct mirror;

struct mirror_sink {
	void *context;
	void (*change)(void *context, enum tables_change_kind kind, const struct writer_net *net);
	/* After each batch of the above. */
	void (*settle)(void *context);
};

/* Begins the first round; `ports` are interface names by port number. NULL with errno. */
struct mirror *mirror_new(struct event_base *base, const char (*ports)[TABLES_NAME_LEN], uint32_t n_ports,
	const struct mirror_sink *sink);
void mirror_free(struct mirror *mirror);

/* A packet waits for this neighbour. */
void mirror_neighbour_wanted(struct mirror *mirror, uint16_t port, const struct address *address);

struct mirror_status {
	uint32_t epoch;
	uint64_t rounds;   /* that ended */
	uint64_t overruns; /* times that notifications were lost */
	bool complete;	   /* no round is under way */
};
struct mirror_status mirror_status(const struct mirror *mirror);
const struct mirror_tables *mirror_tables(const struct mirror *mirror);
/* Name of a port's interface, and whether the kernel has it now. */
const char *mirror_port(const struct mirror *mirror, uint16_t port, bool *present);
