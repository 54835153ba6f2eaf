/* SPDX-License-Identifier: Apache-2.0 */
/* What the ACK field, the window and the SACK blocks of an acceptable segment say (RFC 9293 section 3.10.7.4). */
#pragma once

#include "tcp/tcp.h"

/* The ACK is no older than SND.UNA - MAX.SND.WND and no newer than SND.NXT (RFC 5961 section 5.2). */
void ack_process(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now);

/*
 * The same for an ACK alone, at RCV.NXT, of something that is outstanding, where all is calm and the window as it was,
 * not closed. `echo`: TSecr, where timestamps are used.
 */
void ack_process_plain(struct tcp *tcp, uint32_t ack, uint32_t echo, uint64_t now);

/* Neither side knows of a loss, and no ACK is waited for in particular. */
static inline bool ack_is_calm(const struct tcp *tcp)
{
	return tcp->sack && tcp->phase == TCP_PHASE_OPEN && tcp->send.lost + tcp->send.sacked == 0 && !tcp->probing &&
	       !tcp->rack.in_dsack_round;
}
