/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RACK-TLP (RFC 8985): a segment is lost when one that was sent later has arrived and a reordering window has passed.
 * A probe makes the peer acknowledge something when the last segments of a flight get lost. Needs SACK.
 */
#pragma once

#include "tcp/send.h"

void rack_init(struct tcp *tcp, uint32_t una);

/* Section 6.2, steps 1 to 3: a segment that was in flight, or believed lost, has arrived. */
void rack_delivered(struct tcp *tcp, const struct tcp_slot *slot, const struct tcp_delivery *delivery);

/*
 * The same for the last of those that were in flight longest, were sent once and arrive in their order, with nothing
 * behind them delivered yet. True: what is in flight now was sent later, so that step 5 has nothing to find.
 */
bool rack_delivered_in_order(struct tcp *tcp, uint64_t time, uint32_t end_seq, uint64_t now);

/* Step 4: how far reordering goes, seen by segments that arrived twice. `recovered`: a recovery ended just now. */
void rack_adapt(struct tcp *tcp, bool duplicate, bool recovered);

/* Step 5: marks what is lost; true: something was. What may be lost soon sets TCP_TIMER_REORDER. */
bool rack_detect(struct tcp *tcp, uint64_t now);

/* Section 6.3: the retransmission timer expired. */
void rack_timeout(struct tcp *tcp, uint64_t now);

/*
 * Section 7.2: TCP_TIMER_PROBE, if a probe may be sent now. To be called after ACKs, and after new data unless the
 * timer runs and expires no later than it should then.
 */
void tlp_schedule(struct tcp *tcp, uint64_t now);

/* The timer expired: was something sent since it was set? Then it is set to when it should. */
bool tlp_is_early(struct tcp *tcp, uint64_t now);

/* Section 7.3: a segment is the probe: new data or a retransmission. To be called after send_transmitted. */
void tlp_sent(struct tcp *tcp, bool is_retransmission);

/* Section 7.4.2. True: a probe has repaired a loss, so congestion control has to know. */
bool tlp_acknowledge(struct tcp *tcp, uint32_t ack, bool duplicate, bool has_sack, bool is_pure_duplicate);
