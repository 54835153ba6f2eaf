/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams that wait for a stream (DESIGN section 5): packets stay unencrypted until tcp_send_room says that they may
 * leave soon, so that what has waited too long can be dropped without a hole in the ESP sequence numbers and without
 * work done for nothing. The oldest go, since a newer packet is worth more to its flow. IKE messages overtake data
 * and are never dropped.
 *
 *   backlog_push, then while backlog_excess: drop it      when a packet comes
 *   while tcp_send_room and backlog_pop: encrypt, send    when the stream may take more
 */
#pragma once

#include "tcp/pool.h"

#include <stddef.h>

struct backlog_settings {
	uint64_t time_max;  /* microseconds that data may wait at the measured rate */
	uint32_t bytes_min; /* so much may always wait: a burst, such as the fragments of one long packet */
	uint32_t bytes_max; /* however fast the stream is */
	uint32_t ike_max;   /* bytes of IKE messages */
};

void backlog_settings_default(struct backlog_settings *settings);

struct backlog_queue {
	uint32_t head, tail; /* slots */
	uint32_t bytes;
};

struct backlog {
	const struct backlog_settings *settings;
	struct tcp_pool *pool;
	struct backlog_queue data, ike;
};

struct backlog_packet {
	void *owner;
	uint32_t len;
	bool is_ike;
	bool ecn_capable; /* push: its ECN field is ECT; pop: it is to be set to CE (RFC 3168, RFC 6040) */
};

/* `settings` and `pool` outlive it. */
void backlog_init(struct backlog *backlog, const struct backlog_settings *settings, struct tcp_pool *pool);

/* 0; -ENOBUFS: no slot; -ENOSPC: an IKE message beyond ike_max. On an error the packet stays the caller's. */
int backlog_push(struct backlog *backlog, const struct backlog_packet *packet, uint64_t now);

/* The oldest data, if more waits than may: its owner goes back to the caller, to be dropped. `rate`: see tcp_rate. */
void *backlog_excess(struct backlog *backlog, uint64_t rate, uint64_t now);

/* The next to be encrypted; false: none. Also empties it at the end. */
bool backlog_pop(struct backlog *backlog, struct backlog_packet *packet, uint64_t now);

static inline bool backlog_is_empty(const struct backlog *backlog)
{
	return backlog->data.head == TCP_NONE && backlog->ike.head == TCP_NONE;
}

/* How long the oldest data has waited, microseconds. */
uint64_t backlog_wait(const struct backlog *backlog, uint64_t now);
