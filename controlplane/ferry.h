/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions whose transport is TCP, between their connections (streams.h) and the data plane, which has their keys
 * (dataplane/relay.h, tables/bundle.h): ESP as long as a connection is ours, IKE when it is a worker's.
 */
#pragma once

#include "gateway.h"

/* Hooks of streams.h: `context` is the gateway. */
void ferry_to_dataplane(void *context, const struct stream_packet *packets, size_t count);
void ferry_lost(void *context, uint32_t session, uint64_t id, const struct endpoint *remote, const char *why);

void ferry_moved(void *context, uint32_t session, uint64_t id, bool taken, const char *sentence);

/* Of attachment.h, likewise: ESP for connections, and IKE out of those that workers have. */
void ferry_from_dataplane(void *context, uint8_t *bytes, size_t len);

/* A session's place has been said anew: the connection that is now its own is bound to it, another one let go. */
void ferry_follow(struct gateway *gateway, const struct config_peer *peer, const char *identity);

/*
 * An authentic IKE message came in another connection than `before`, and the session's new place has been said: as
 * ferry_follow, and it is told for how long the session had none.
 */
void ferry_resume(struct gateway *gateway, uint32_t session, const struct endpoint *before);

/* The session carries outbound traffic: its connection may move into a worker (streams_takeover.h). */
void ferry_take_over(struct gateway *gateway, uint32_t session);

/* Sessions were adopted, and with them the connections that workers have: those without one are told. */
void ferry_adopted(struct gateway *gateway);

/* Once a second: connections without a session end. */
void ferry_tick(struct gateway *gateway);
