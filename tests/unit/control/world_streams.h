/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the world whose transport is TCP: a peer's end of their connections, over the loopback interface. */
#pragma once

#include "world.h"

enum { WORLD_PATIENCE_MS = 20000, WORLD_PAYLOAD_MAX = 64 };

/* A peer's end of a connection, and both ends as the gateway sees them. */
struct dialed {
	int fd;
	struct endpoint local, remote;
};

/* The peer has said "IKETCP". */
struct dialed world_dial(struct world *world);

/* A child SA of peer 0 that was negotiated in it; not installed. */
struct ike_child world_child_over(struct world *world, const struct dialed *dialed);

/* IKE has established an SA of peer 0 in it. */
void world_establish(struct world *world, const struct dialed *dialed);

/* The next frame's payload, of at most WORLD_PAYLOAD_MAX bytes; its length. 0: the connection has ended. */
size_t world_hear(struct world *world, const struct dialed *dialed, uint8_t *payload);

/* The peer sends a message, and the world has got it. */
void world_say_ike(struct world *world, const struct dialed *dialed);

/* Until so many connections have ended. */
void world_until_ended(struct world *world, uint64_t count);

/* Whether the timeline of the session of peer 0 has an entry with these words. */
bool world_timeline_says(struct world *world, const char *words);
