/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane's side of the shared tables: claims records, says what the data plane shall take up, and gives a
 * slot out again only when the data plane has said that every worker let go of it. One thread. Changes are kept in
 * order in private memory while the ring is full, so none is lost; each ends in a TABLES_EVENT_DONE (but for
 * mirrors of the kernel), which the caller passes to writer_done.
 */
#pragma once

#include "tables/tables.h"

#include <stdbool.h>

struct writer;

/*
 * Takes the tables over; records found LIVE are those of a control plane that died and are the caller's to adopt
 * (tables->sessions, tables->children). Those that it left halfway are removed; their slots come free through
 * writer_done. NULL with errno. The tables must stay mapped until writer_free.
 */
struct writer *writer_new(struct tables *tables, int changes_fd);

/* Wipes and drops what is not pushed yet. The records stay. */
void writer_free(struct writer *writer);

/* The next 64-bit id, greater than every id found in the tables. */
uint64_t writer_next_id(struct writer *writer);

/* Fills a session record from `values` (all but phase, id). -ENOSPC when all are in use. */
int writer_session_claim(struct writer *writer, const struct tables_session *values, uint32_t *index);

/* Gives back a session none of whose children was ever installed. */
void writer_session_unclaim(struct writer *writer, uint32_t index);

/* Reserves a child SA record and with it its inbound SPI. -ENOSPC when all are in use. */
int writer_child_claim(struct writer *writer, uint32_t *index, uint32_t *spi_in);
void writer_child_unclaim(struct writer *writer, uint32_t index);

/*
 * Fills the claimed record `index` from `values` (all but phase, generation, id, spi_in) and asks for its take-up.
 * The endpoints are used where it is the session's first. -ENOSPC when too many changes wait, -EINVAL for a key
 * material of the wrong length; the record stays claimed then. The key material is copied; the caller wipes its own.
 */
int writer_child_install(struct writer *writer, uint32_t index, const struct tables_child *values,
	const uint8_t *keymat_in, const uint8_t *keymat_out, size_t keymat_len);
void writer_child_activate(struct writer *writer, uint32_t index);
void writer_child_remove(struct writer *writer, uint32_t index);

/* New endpoints for the session and all its children; the record follows. */
void writer_session_move(struct writer *writer, uint32_t index, const struct endpoint *local,
	const struct endpoint *remote, uint32_t encapsulation);

/* The data plane has moved the session by itself: the record says so, too. */
void writer_session_follow(struct writer *writer, uint32_t index, const struct place *place);
void writer_session_remove(struct writer *writer, uint32_t index);

/*
 * Claims a record for the TCP connection of a session and asks the data plane to hold its segments. -ENOSPC when all are
 * in use. Its further life: struct tables_connection.
 */
int writer_connection_hold(struct writer *writer, uint32_t session, const struct endpoint *local,
	const struct endpoint *remote, uint32_t *index);
void writer_connection_release(struct writer *writer, uint32_t index);
/* It carries another session now; the record says so, for the next control plane. */
void writer_connection_follow(struct writer *writer, uint32_t index, uint32_t session);
/* at_once: with RST, without waiting for what is queued. */
void writer_connection_end(struct writer *writer, uint32_t index, bool at_once);

/* Mirrors of the kernel: kind is one of TABLES_ADDRESS_ADD .. TABLES_NET_SWEEP; see struct tables_change. */
struct writer_net {
	struct prefix prefix;
	struct address gateway;
	uint8_t mac[6];
	uint16_t port;
	uint32_t epoch;
};
void writer_net_change(struct writer *writer, enum tables_change_kind kind, const struct writer_net *net);

/* To be called with every TABLES_EVENT_DONE: frees slots whose removal has ended, and those that were refused. */
void writer_done(struct writer *writer, const struct tables_event *event);

/* Pushes what waits, as far as there is room, and wakes the data plane once. Returns how many still wait. */
size_t writer_flush(struct writer *writer);

/* Slots free now. */
uint32_t writer_connections_free(const struct writer *writer);
uint32_t writer_sessions_free(const struct writer *writer);
uint32_t writer_children_free(const struct writer *writer);
