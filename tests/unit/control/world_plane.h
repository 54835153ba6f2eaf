/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world's data plane with the attachment's connection: it holds TCP connections, receives what is handed over, and
 * answers as the test says. Without the capability that reading a connection needs the test is skipped.
 */
#pragma once

#include "tables/transfer.h"
#include "world_streams.h"

/* For cmocka. */
int world_plane_setup(void **state);
int world_plane_teardown(void **state);

/* A control plane with an attachment of its own takes over from the one before. */
void world_plane_attach(struct world *world);

/* A session of peer 0 in a connection that is about to be held: `hold` is the change that asks for it. */
struct ike_child world_plane_begin(struct world *world, struct dialed *dialed, struct tables_change *hold);
/* The same, and a worker has it. */
struct ike_child world_plane_begin_taken(struct world *world, struct dialed *dialed, struct tables_change *hold);

/* The answer to what the connection of this change was asked for last. */
void world_plane_answer(
	struct world *world, const struct tables_change *hold, enum tables_change_kind kind, int result);
/* TABLES_EVENT_CONNECTION_ENDED of it. */
void world_plane_ended(struct world *world, const struct tables_change *hold, int result);

/* What comes for the worker of this connection, and at most `max` bytes behind the state; false: nothing. */
bool world_plane_receive_transfer(
	struct world *world, const struct tables_change *hold, struct transfer_state *transfer, uint8_t *bytes, size_t max);

/* IKE of 40 bytes that are all this letter to the peer, and the next one that is on its way to the worker; 0: none. */
void world_plane_send_ike(struct world *world, const struct dialed *dialed, char name);
char world_plane_hear_bundle(const struct tables_change *hold);

/* A message from the data plane. */
void world_plane_send(const void *bytes, size_t len);

/* The peer has nothing to read, and the connection has not ended. */
void world_plane_expect_silence(const struct dialed *dialed);

/* A second later. */
void world_plane_tick(struct world *world);
