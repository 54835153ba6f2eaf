/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the control plane remembers about its records in the shared tables: which configured peer a session is, which
 * child SAs it has, and what those that are gone had carried. A session is one authenticated peer; its key is the peer
 * of the configuration and the identity that it authenticated as, since one entry may serve many clients. Pure
 * bookkeeping of one attachment to a data plane: it writes nothing into the tables; install.c does, and keeps both in
 * step. Indices are those of the tables; TABLES_NONE ends a list.
 */
#pragma once

#include "config/config.h"
#include "hashmap.h"
#include "tables/tables.h"

#include <stdbool.h>
#include <stdint.h>

enum { SESSION_WHY_LEN = 128 };

struct session_traffic {
	uint64_t packets_in, bytes_in;
	uint64_t packets_out, bytes_out;
};

struct session_child {
	uint64_t id;	    /* the record's; 0: the slot is not in use */
	uint64_t ike_child; /* the IKE engine's id; 0: adopted from a former process, or only reserved */
	uint32_t spi_in;
	uint32_t session; /* TABLES_NONE: only reserved */
	uint32_t next;	  /* of the same session, older */
	bool live;	  /* the data plane has taken it up */
	bool active;	  /* outbound traffic goes through it */
	bool activated;	  /* does, or did before a newer one */
};

/* Its TCP connection has ended, and its peer is expected in another one (ferry.h). */
struct session_pause {
	uint64_t since_ms; /* monotonic; 0: that is not so */
	struct endpoint remote;
	char why[SESSION_WHY_LEN];
};

struct session {
	struct hashmap_node by_key;
	const struct config_peer *peer; /* NULL: the slot is not in use */
	char identity[CONFIG_IDENTITY_LEN];
	uint64_t id;	      /* the record's */
	uint64_t ike_sa;      /* whose endpoints it follows; 0: none since it was adopted */
	uint32_t first_child; /* newest */
	uint32_t n_children;
	uint32_t n_moves;		/* on their way to the data plane */
	uint32_t probes;		/* that were not answered yet (dpd.h) */
	uint64_t heard_ms;		/* when something of it came, as seen at the last look; monotonic, 0: never looked */
	uint64_t heard_packets;		/* its packets_in then */
	struct session_pause pause;
	struct session_traffic carried; /* by children that are gone */
};

struct sessions {
	const struct tables *tables;
	struct session *sessions;	/* tables->n_sessions */
	struct session_child *children; /* tables->n_children */
	struct hashmap by_key;		/* peer and identity */
	uint32_t n_sessions, n_adopted; /* sessions in use; children that were adopted */
};

/* The tables must stay. NULL with errno. */
struct sessions *sessions_new(const struct tables *tables);
void sessions_free(struct sessions *sessions);

/* Index of the session of a peer and identity, TABLES_NONE when there is none. */
uint32_t sessions_find(const struct sessions *sessions, const struct config_peer *peer, const char *identity);

/* Whether the slot is a session of that peer with that identity; either may be NULL, for any. */
bool sessions_match(
	const struct sessions *sessions, uint32_t index, const struct config_peer *peer, const char *identity);

/* Takes up the claimed or adopted record `index` as this one's, which must have none yet. */
struct session *sessions_add(
	struct sessions *sessions, uint32_t index, const struct config_peer *peer, const char *identity);
void sessions_drop(struct sessions *sessions, uint32_t index);

/* Takes up the record `index`, belonging to no session yet. */
struct session_child *sessions_child_reserve(struct sessions *sessions, uint32_t index);
/* Joins it to its session, as the newest. */
void sessions_child_join(struct sessions *sessions, uint32_t index, uint32_t session, uint64_t ike_child);
/* Forgets it; what it carried is kept in its session's sum. */
void sessions_child_drop(struct sessions *sessions, uint32_t index);

/* Index of the child with this inbound SPI, TABLES_NONE when it is not one of ours. */
uint32_t sessions_child_find(const struct sessions *sessions, uint32_t spi_in);

/* Adopted: no IKE SA of this process knows it. */
bool sessions_child_adopted(const struct session_child *child);

/* No child of it was negotiated by this process. */
bool sessions_adopted(const struct sessions *sessions, uint32_t index);

/* Where its packets go: what is in force, or what was asked for where it was not taken up yet. */
struct place sessions_where(const struct sessions *sessions, uint32_t index);

struct session_traffic sessions_child_traffic(const struct sessions *sessions, uint32_t index);
/* Of all children, those that are gone too. */
struct session_traffic sessions_traffic(const struct sessions *sessions, uint32_t index);
