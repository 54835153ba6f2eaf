/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is sent or to be sent, as slots in the order of their sequence numbers: each a part of one frame that fits one
 * segment. What of it the peer has, is in flight, or lost, is the SACK scoreboard (RFC 6675 section 3).
 *
 *   SND.UNA                          SND.NXT            end
 *      | flight | LOST | SACKED | flight |    unsent     |
 *      head                              unsent         tail
 *
 * The walk over the scoreboard skips runs of SACKED slots, so that it costs no more than the holes there are.
 */
#pragma once

#include "tcp/tcp.h"

/* What one ACK tells. The caller sets the first three. */
struct tcp_delivery {
	uint64_t now;
	bool has_echo;
	uint32_t echo;		  /* TSecr */
	uint32_t acked;		  /* bytes acknowledged cumulatively */
	uint32_t delivered;	  /* bytes of which we did not know before that they arrived */
	bool acked_retransmitted; /* some of the acked had been sent again by the recovery under way */
	bool duplicate;		  /* a DSACK: something arrived twice */
	bool in_order;		  /* all of it, and nothing in flight was sent before it */
	uint32_t rtt;		  /* of what was delivered, the segment sent last that was sent once; RTT_NONE */
	uint64_t rtt_sent;	  /* when that was */
};

void send_init(struct tcp *tcp, uint32_t una);
void send_free(struct tcp *tcp);

/* Appends bytes of one frame, cut to the MSS, or a FIN (len 0). 0, or -ENOBUFS with nothing done. */
int send_append(struct tcp *tcp, uint8_t *data, uint32_t len, void *owner, uint8_t flags);

/* A slot becomes two, the first of `len` bytes. Only of slots unsent or LOST. False: no slot free. */
bool send_cut(struct tcp *tcp, uint32_t at, uint32_t len);

/* It was transmitted just now, for the first time or again. */
void send_transmitted(struct tcp *tcp, uint32_t at, uint64_t now);

/*
 * send_append and send_transmitted in one: of a frame that fits one segment, while others are outstanding and none
 * waits. A slot is free.
 */
void send_append_transmitted(struct tcp *tcp, uint8_t *data, uint32_t len, void *owner, uint64_t now);

/* An ACK beyond SND.UNA; a SACK block that lies between it and SND.NXT. */
void send_acknowledge(struct tcp *tcp, uint32_t ack, struct tcp_delivery *delivery);
void send_sack(struct tcp *tcp, struct tcp_range range, struct tcp_delivery *delivery);

/* A slot in flight is LOST; all lost ones are in flight after all; all SACKED ones are lost (the peer reneged). */
void send_lose(struct tcp *tcp, uint32_t at);
void send_find_again(struct tcp *tcp);
void send_forget_sacks(struct tcp *tcp);

/* The LOST slot with the lowest sequence number, or TCP_NONE. */
uint32_t send_first_lost(struct tcp *tcp);

/* The slot sent with the highest sequence number, or TCP_NONE. */
uint32_t send_last_sent(const struct tcp *tcp);

static inline bool send_is_outstanding(const struct tcp *tcp)
{
	return tcp->send.una != tcp->send.nxt;
}

/* Bytes beyond SND.NXT that the peer's window has room for. */
static inline uint32_t send_window_room(const struct tcp *tcp)
{
	uint32_t used = tcp->send.nxt - tcp->send.una;

	return tcp->send.wnd > used ? tcp->send.wnd - used : 0;
}
