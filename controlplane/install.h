/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only caller of the tables' writer side: puts sessions and child SAs into the data plane and takes them out again,
 * and keeps the bookkeeping (session.h) in step. Lives as long as one attachment. Changes are sent to the data plane by
 * install_flush, once for all that one wake-up of the process made.
 */
#pragma once

#include "ike/ike.h"
#include "session.h"
#include "tables/writer.h"

struct install {
	const struct config *config;
	struct tables *tables;
	struct writer *writer;
	struct sessions *sessions;
	uint64_t refused; /* changes that the data plane refused */
};

/* The configuration and the tables must stay. 0 or -ENOMEM. */
int install_open(struct install *install, const struct config *config, struct tables *tables, int changes_fd);
/* The records stay as they are: traffic goes on. */
void install_close(struct install *install);

/* An inbound SPI and with it a record; -ENOSPC when all are in use. */
int install_spi_reserve(struct install *install, uint32_t *spi_in);
void install_spi_release(struct install *install, uint32_t spi_in);

/*
 * Installs a child SA under its reserved SPI, and the session of its peer where this is the first. All or nothing: on
 * failure the SPI is free again. -ENOENT when the SPI is not reserved (the data plane that gave it is gone).
 */
int install_child(struct install *install, const struct ike_child *child);
/* Outbound traffic goes through it from now on; what was adopted with the same networks has served its time. */
void install_child_activate(struct install *install, uint32_t spi_in);
/* Ends the session too when this was its last. -ENOENT when the SPI is not ours. */
int install_child_remove(struct install *install, uint32_t spi_in);

/* Where the data of a session goes. Bare ESP has no ports. False when that is where it goes already. */
bool install_session_move(struct install *install, uint32_t session, const struct endpoint *local,
	const struct endpoint *remote, enum tables_encapsulation encapsulation);
/* How a session's data goes when IKE talks to its peer from `local`, whose port becomes that of the data. */
enum tables_encapsulation install_place_of(const struct install *install, uint32_t session, struct endpoint *local);
/* "udp", "tcp", "esp". */
const char *install_encapsulation_name(uint32_t encapsulation);
/* Takes over where the data plane says that they go. False when that is no news. */
bool install_session_follow(struct install *install, uint32_t session);
/* Part of install_done: a move has ended. The peer may have gone on while it was on its way. */
void install_move_done(struct install *install, const struct tables_event *event);
void install_session_remove(struct install *install, uint32_t session, const char *why);

/* The TCP connection of a session, on its way from the kernel to a worker and in it: as tables/writer.h says. */
int install_connection_hold(struct install *install, uint32_t session, const struct endpoint *local,
	const struct endpoint *remote, uint32_t *connection);
void install_connection_release(struct install *install, uint32_t connection);
/* A connection that a worker has carries this session now, whose place it is. */
void install_connection_follow(struct install *install, uint32_t connection, uint32_t session);
void install_connection_end(struct install *install, uint32_t connection, bool at_once);

/* Records that are no session's or child's of ours: what a former process left and this one does not adopt. */
void install_discard_child(struct install *install, uint32_t index);
void install_discard_session(struct install *install, uint32_t index);

/* A change of the kernel's addresses, routes and neighbours. */
void install_net_change(struct install *install, enum tables_change_kind kind, const struct writer_net *net);

/*
 * Takes a TABLES_EVENT_DONE up. Returns the inbound SPI of a child SA whose take-up was refused and that is forgotten
 * now, so that its peer can be told; 0 in every other case.
 */
uint32_t install_done(struct install *install, const struct tables_event *event);

/* Hands over what waits. Returns how many changes still wait because the ring is full. */
size_t install_flush(struct install *install);
