/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ESP of sessions whose transport is TCP, between their connections (streams.h), which are ours, and the data plane,
 * which has their keys (dataplane/relay.h, tables/bundle.h). When TCP moves into the workers this file goes.
 */
#pragma once

#include "gateway.h"

/* Hooks of streams.h: `context` is the gateway. */
void ferry_to_dataplane(void *context, const struct stream_packet *packets, size_t count);
void ferry_lost(void *context, uint32_t session, uint64_t id, const struct endpoint *remote, const char *why);

/* Of attachment.h, likewise. */
void ferry_from_dataplane(void *context, uint8_t *bytes, size_t len);

/* A session's place has been said anew: the connection that is now its own is bound to it, another one let go. */
void ferry_follow(struct gateway *gateway, const struct config_peer *peer, const char *identity);

/*
 * An authentic IKE message came in another connection than `before`, and the session's new place has been said: as
 * ferry_follow, and it is told for how long the session had none.
 */
void ferry_resume(struct gateway *gateway, uint32_t session, const struct endpoint *before);

/* Once a second: connections without a session end. */
void ferry_tick(struct gateway *gateway);
