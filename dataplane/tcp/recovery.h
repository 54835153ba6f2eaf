/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What congestion does to the window: from the first loss until all that was sent by then is acknowledged, the window
 * comes down to ssthresh in proportion to what arrives (RFC 6937); and goes back to what it was when it turns out that
 * nothing was lost (RFC 4015 by timestamps, RFC 3708 by DSACK).
 */
#pragma once

#include "tcp/send.h"

/* Something is newly LOST: enters recovery, unless in it. */
void recovery_enter(struct tcp *tcp);

/* An ECN echo, or a loss that a probe has repaired: as recovery, with nothing to retransmit. */
void recovery_reduce(struct tcp *tcp);

/* The retransmission timer expired. */
void recovery_timeout(struct tcp *tcp);

/* After send_transmitted. */
void recovery_transmitted(struct tcp *tcp, const struct tcp_slot *slot, uint64_t now);

/* The timer has expired, and nothing was sent since: one segment goes, whatever is in flight (RFC 6298 section 5.4). */
static inline bool recovery_owes_segment(const struct tcp *tcp)
{
	return tcp->phase == TCP_PHASE_LOSS && tcp->recovery.out == 0;
}

/* Has it been sent again by this recovery, or the last one? What an earlier one repeated says nothing of this. */
static inline bool recovery_repeated(const struct tcp *tcp, const struct tcp_slot *slot)
{
	return (slot->flags & TCP_SLOT_RETRANSMITTED) && tcp->recovery.retransmitted != 0 &&
	       slot->time >= tcp->recovery.retransmitted;
}

/*
 * Was the reduction for nothing? Then it is taken back. To be called for each ACK before loss detection. `duplicate`:
 * the DSACK, if delivery->duplicate.
 */
void recovery_try_undo(struct tcp *tcp, const struct tcp_delivery *delivery, const struct tcp_range *duplicate);

/* The end of a recovery, if this ACK is one. True: it was. */
bool recovery_try_end(struct tcp *tcp);

/* The window for this ACK: PRR while it comes down, else growth if it was what limited us. */
void recovery_window(struct tcp *tcp, const struct tcp_delivery *delivery, bool lost, bool was_limited);
