/* SPDX-License-Identifier: Apache-2.0 */
/* What the main thread knows of a TCP connection beside what its owner has: for connections.c and connection_store.c alone. */
#pragma once

#include "connection.h"
#include "tables/tables.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct dataplane;

/* How far a connection is. */
enum connection_step {
	STEP_SHOWN,    /* until every worker has seen it */
	STEP_DRAINING, /* until the kernel has got what workers had for it before */
	STEP_HELD,
	STEP_INSTALLING, /* until the owner answers */
	STEP_LIVE,
	STEP_LEAVING, /* until the owner answers */
	STEP_HIDDEN,  /* until no worker can look at it any more */
};

struct connection_entry {
	struct connection connection;
	struct endpoint local, remote;
	TAILQ_ENTRY(connection_entry) watched;
	union {
		uint64_t token;				 /* SHOWN, HIDDEN: of the grace period */
		uint32_t kernel_marks[TABLES_PORTS_MAX]; /* DRAINING */
		struct connection_command command;	 /* INSTALLING, LEAVING: the owner's */
	};
	int32_t position;		       /* in the lookup */
	uint16_t mss;			       /* LIVE; see connections_mss */
	uint8_t step;			       /* enum connection_step */
	uint32_t asked;			       /* TABLES_CONNECTION_RELEASE or _END, to be answered; TABLES_CHANGE_NONE */
	bool at_once;
	bool end_told; /* TABLES_EVENT_CONNECTION_ENDED was raised */
};

/* The one in that record; NULL: none, or another one. */
struct connection_entry *connection_entry_of(const struct dataplane *dataplane, uint32_t index, uint64_t id);

/* INSTALLING: what was to be installed is needed no more. */
void connection_entry_close_transfer(struct connection_entry *entry);

/* The session of this record; NULL: it has gone, or is about to. */
struct sa_session *connection_session(const struct dataplane *dataplane, uint32_t index, uint64_t id);

struct connection_ends connection_ends_of(const struct endpoint *local, const struct endpoint *remote);
