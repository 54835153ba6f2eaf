/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of sessions move from the kernel into the data plane's workers (ike.tcp_takeover), each by itself:
 *
 *   kernel    as streams.h has it
 *   holding   the data plane was asked to keep its segments from the kernel; else all is as before
 *   moving    the kernel holds still, its state is on the way to the worker; what IKE sends waits
 *   taken     the worker has it, the socket is closed without a word. ESP never comes here, IKE in bundles (tables/
 *             bundle.h); its end is told by an event
 *
 * Whatever fails on the way, the connection goes on in the kernel, and why is told. One that is taken outlives this
 * process: the next one adopts it with its session.
 */
#pragma once

#include "attachment.h"
#include "install.h"
#include "streams.h"

/*
 * A data plane is attached, and what it serves of former sessions is adopted: so are their connections that it has.
 * Others of it end. `attachment` may be NULL: nothing moves then. Both stay until streams_detach. 0 or -ENOMEM.
 */
int streams_attach(struct streams *streams, struct install *install, struct attachment *attachment);

/* It is gone, and with it the connections that it had; those on their way stay. No session has a connection any more. */
void streams_detach(struct streams *streams);

/* The session's connection shall move, where it can and does not do so yet. */
void streams_take_over(struct streams *streams, uint32_t session, uint64_t id);

/* What the data plane tells: a TABLES_EVENT_DONE of a connection's change, ... */
void streams_connection_done(struct streams *streams, const struct tables_event *event);
/* ... a TABLES_EVENT_CONNECTION_ENDED, ... */
void streams_connection_ended(struct streams *streams, const struct tables_event *event);
/* ... and an IKE message that came in a connection, without marker. */
void streams_connection_ike(
	struct streams *streams, uint32_t connection, uint64_t id, const uint8_t *message, size_t message_len);
