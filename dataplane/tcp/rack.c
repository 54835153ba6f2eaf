/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/rack.h"
#include "tcp/sequence.h"
#include "tcp/timer.h"

enum {
	DUP_THRESH = 3,
	REO_WND_PERSIST = 16,
	REO_WND_MULT_MAX = UINT8_MAX,
	TLP_MAX_ACK_DELAY = 200000, /* microseconds; section 7.2 */
};

void rack_init(struct tcp *tcp, uint32_t una)
{
	tcp->rack = (struct tcp_rack){.fack = una, .reo_wnd_mult = 1};
}

/* RACK_sent_after: of segments sent at the same time, the one with the higher sequence number went later. */
static bool sent_after(uint64_t time, uint32_t end_seq, uint64_t than_time, uint32_t than_end_seq)
{
	return time > than_time || (time == than_time && sequence_before(than_end_seq, end_seq));
}

/* The window that section 6.2 step 4 makes of the round trip, and DSACKs of it. */
static uint64_t window_of_rtt(const struct tcp *tcp)
{
	uint32_t min = tcp_rtt_min(&tcp->rtt);

	return min == RTT_NONE ? 0 : (uint64_t)tcp->rack.reo_wnd_mult * min / 4;
}

/*
 * A segment's first transmission arrived behind one that was sent later. How late it was tells what the window should
 * have been, at once and whatever min_RTT is: that is small for good where a segment or an ACK overtakes all others,
 * and steps of a quarter of it then lead nowhere.
 */
static void note_reordering(struct tcp *tcp, const struct tcp_slot *slot, uint64_t now)
{
	struct tcp_rack *rack = &tcp->rack;
	uint32_t took = (uint32_t)now - slot->first_time, late = took > rack->rtt ? took - rack->rtt : 0;

	rack->reordering_seen = true;
	if (late > rack->lateness)
		rack->lateness = late;
	if (late > window_of_rtt(tcp))
		rack->reo_wnd_persist = REO_WND_PERSIST;
}

/* Of all that arrived, it was sent last. False: another was. */
static inline bool advance(struct tcp_rack *rack, uint64_t time, uint32_t end_seq, uint32_t rtt)
{
	if (rack->xmit_ts != 0 && !sent_after(time, end_seq, rack->xmit_ts, rack->end_seq))
		return false;
	rack->rtt = rtt;
	rack->xmit_ts = time;
	rack->end_seq = end_seq;
	return true;
}

void rack_delivered(struct tcp *tcp, const struct tcp_slot *slot, const struct tcp_delivery *delivery)
{
	struct tcp_rack *rack = &tcp->rack;
	uint32_t rtt = (uint32_t)(delivery->now - slot->time), end_seq = tcp_slot_end(slot);
	bool first = !(slot->flags & TCP_SLOT_RETRANSMITTED);

	/* Was it the first transmission that arrived, late? Then the time of the second tells nothing. */
	if (!first && delivery->has_echo && sequence_before(delivery->echo, tcp_timestamp(tcp, slot->time)))
		first = true;
	if (sequence_before(rack->fack, end_seq))
		rack->fack = end_seq;
	else if (first && sequence_before(end_seq, rack->fack))
		note_reordering(tcp, slot, delivery->now);
	if (slot->flags & TCP_SLOT_RETRANSMITTED) {
		if (first || (rtt < tcp_rtt_min(&tcp->rtt) && tcp_rtt_min(&tcp->rtt) != RTT_NONE))
			return;
	}
	advance(rack, slot->time, end_seq, rtt);
}

bool rack_delivered_in_order(struct tcp *tcp, uint64_t time, uint32_t end_seq, uint64_t now)
{
	tcp->rack.fack = end_seq;
	return advance(&tcp->rack, time, end_seq, (uint32_t)(now - time));
}

void rack_adapt(struct tcp *tcp, bool duplicate, bool recovered)
{
	struct tcp_rack *rack = &tcp->rack;

	if (rack->in_dsack_round && sequence_at_most(rack->dsack_round, tcp->send.una))
		rack->in_dsack_round = false;
	if (duplicate && !rack->in_dsack_round) {
		rack->in_dsack_round = true;
		rack->dsack_round = tcp->send.nxt;
		rack->reo_wnd_mult += rack->reo_wnd_mult < REO_WND_MULT_MAX;
		rack->reo_wnd_persist = REO_WND_PERSIST;
	} else if (recovered && rack->reo_wnd_persist > 0 && --rack->reo_wnd_persist == 0) {
		rack->reo_wnd_mult = 1;
		rack->lateness = 0;
	}
}

static uint32_t reo_wnd(const struct tcp *tcp)
{
	const struct tcp_rack *rack = &tcp->rack;
	uint64_t window = window_of_rtt(tcp);

	if (!rack->reordering_seen && (tcp->phase >= TCP_PHASE_RECOVERY || tcp->send.n_sacked >= DUP_THRESH))
		return 0;
	if (window < rack->lateness)
		window = rack->lateness;
	return window < tcp->rtt.srtt ? (uint32_t)window : tcp->rtt.srtt;
}

bool rack_detect(struct tcp *tcp, uint64_t now)
{
	const struct tcp_rack *rack = &tcp->rack;
	uint64_t wait = (uint64_t)rack->rtt + reo_wnd(tcp);
	bool lost = false;

	timer_stop(tcp, TCP_TIMER_REORDER);
	if (!tcp->sack || rack->xmit_ts == 0)
		return false;
	for (uint32_t at = tcp->send.oldest, newer; at != TCP_NONE; at = newer) {
		const struct tcp_slot *slot = tcp_slot(tcp, at);

		newer = slot->newer;
		/* The list is by time, so nothing behind it was sent before either. */
		if (!sent_after(rack->xmit_ts, rack->end_seq, slot->time, tcp_slot_end(slot)))
			break;
		if (slot->time + wait > now) {
			timer_set(tcp, TCP_TIMER_REORDER, slot->time + wait);
			break;
		}
		send_lose(tcp, at);
		lost = true;
	}
	return lost;
}

void rack_timeout(struct tcp *tcp, uint64_t now)
{
	uint64_t wait = (uint64_t)tcp->rack.rtt + reo_wnd(tcp);

	for (uint32_t at = tcp->send.oldest, newer; at != TCP_NONE; at = newer) {
		const struct tcp_slot *slot = tcp_slot(tcp, at);

		newer = slot->newer;
		if (!tcp->sack || slot->time + wait <= now || slot->seq == tcp->send.una)
			send_lose(tcp, at);
	}
}

/* Section 7.2: PTO after `since`, but no later than the retransmission timeout. */
static uint64_t probe_deadline(const struct tcp *tcp, uint64_t since)
{
	uint64_t timeout = RTO_INITIAL, rto = tcp->timers[TCP_TIMER_RTO];

	if (tcp->rtt.srtt != RTT_NONE) {
		timeout = 2 * (uint64_t)tcp->rtt.srtt;
		/* One segment alone may wait for the peer's delayed ACK. */
		if (tcp->send.head == send_last_sent(tcp))
			timeout += TLP_MAX_ACK_DELAY;
	}
	return since + timeout < rto ? since + timeout : rto;
}

void tlp_schedule(struct tcp *tcp, uint64_t now)
{
	timer_stop(tcp, TCP_TIMER_PROBE);
	if (tcp->sack && send_is_outstanding(tcp) && tcp->phase == TCP_PHASE_OPEN && !tcp->probing &&
		tcp->send.sacked == 0)
		timer_set(tcp, TCP_TIMER_PROBE, probe_deadline(tcp, now));
}

bool tlp_is_early(struct tcp *tcp, uint64_t now)
{
	uint64_t deadline;

	if (tcp->send.newest == TCP_NONE)
		return false;
	deadline = probe_deadline(tcp, tcp_slot(tcp, tcp->send.newest)->time);
	if (deadline <= now)
		return false;
	timer_set(tcp, TCP_TIMER_PROBE, deadline);
	return true;
}

void tlp_sent(struct tcp *tcp, bool is_retransmission)
{
	tcp->probing = true;
	tcp->rack.probe_is_retransmission = is_retransmission;
	tcp->rack.probe_end = tcp->send.nxt;
	tcp_count(tcp, TCP_COUNT_PROBES);
}

bool tlp_acknowledge(struct tcp *tcp, uint32_t ack, bool duplicate, bool has_sack, bool is_pure_duplicate)
{
	struct tcp_rack *rack = &tcp->rack;
	bool repaired = false;

	if (!tcp->probing || sequence_before(ack, rack->probe_end))
		return false;
	if (!rack->probe_is_retransmission || duplicate) {
		tcp->probing = false; /* both arrived */
	} else if (sequence_before(rack->probe_end, ack)) {
		tcp->probing = false;
		repaired = true; /* only the probe arrived, else there would have been a DSACK */
	} else if (is_pure_duplicate && !has_sack) {
		tcp->probing = false; /* a peer that sends no DSACK saw it twice */
	}
	return repaired;
}
