/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What came and is not read yet (RFC 9293 section 3.4), held where it lies until what is before it has come; and what
 * the peer is told of it: the window, SACK blocks (RFC 2018), duplicates (RFC 2883). What was held once is never
 * thrown away for want of room, so a SACK block is never taken back.
 *
 *        read        RCV.NXT                        edge
 *   -------|------------|------[held]-----[held]------|
 *           can be read
 */
#pragma once

#include "tcp/tcp.h"

void receive_init(struct tcp *tcp, uint32_t nxt, uint32_t window, uint8_t scale);
void receive_free(struct tcp *tcp);

/* The window field of the next segment; the right edge is promised with it. See receive_offer_window. */
uint16_t receive_move_window(struct tcp *tcp);

/* Has the window grown by so much since the last segment that the peer should hear of it (section 3.8.6.2.2)? */
bool receive_window_grew(const struct tcp *tcp);

/*
 * A segment's bytes, cut to the window before. True: they are held, or can be read; their memory is ours. Brings
 * RCV.NXT on, and over the peer's FIN when that is next.
 */
bool receive_bytes(struct tcp *tcp, uint32_t seq, uint8_t *data, uint32_t len, void *owner);

/* The same for bytes at RCV.NXT and within the window, where nothing is unread or held, nor a FIN known. */
static inline void receive_next(struct tcp *tcp, uint8_t *data, uint32_t len, void *owner)
{
	struct tcp_receive *receive = &tcp->receive;

	receive->first = (struct tcp_first){.data = data, .len = len, .owner = owner, .seq = receive->nxt};
	receive->nxt += len;
}

/* The peer's FIN, with its sequence number. */
void receive_fin(struct tcp *tcp, uint32_t seq);

/*
 * What the next ACK reports, up to `max` blocks in all: a duplicate, blocks that the peer was not told of, others; the
 * newest first. Returns how many.
 */
uint8_t receive_report(struct tcp *tcp, struct tcp_range *blocks, uint8_t max);

static inline bool receive_has_gaps(const struct tcp *tcp)
{
	return tcp->receive.n_blocks > 0;
}

/* Most often all was read, and as much has been promised as ever is. */
static inline uint16_t receive_offer_window(struct tcp *tcp)
{
	const struct tcp_receive *receive = &tcp->receive;
	uint32_t field = tcp->settings->receive_window >> receive->scale;

	if (receive->read == receive->nxt && receive->edge == receive->nxt + (field << receive->scale) &&
		field <= UINT16_MAX)
		return (uint16_t)field;
	return receive_move_window(tcp);
}
