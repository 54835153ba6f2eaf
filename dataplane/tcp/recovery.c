/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/recovery.h"
#include "tcp/rack.h"
#include "tcp/sequence.h"

static void begin(struct tcp *tcp, enum tcp_phase phase)
{
	struct tcp_recovery *recovery = &tcp->recovery;

	recovery->before = tcp->cubic;
	recovery->can_undo = phase != TCP_PHASE_REDUCING;
	if (!sequence_before(tcp->send.una, recovery->retransmitted_end) ||
		sequence_before(tcp->send.nxt, recovery->retransmitted_end))
		recovery->retransmitted_end = tcp->send.una;
	recovery->undo_point = recovery->retransmitted_end;
	recovery->n_undo = 0;
	recovery->retransmitted = 0;
	tcp->phase = (uint8_t)phase;
	recovery->point = tcp->send.nxt;
	recovery->delivered = recovery->out = 0;
	recovery->flight = tcp->send.nxt - tcp->send.una - tcp->send.sacked;
	if (recovery->flight < tcp->cubic.mss) /* it is divided by */
		recovery->flight = tcp->cubic.mss;
}

void recovery_enter(struct tcp *tcp)
{
	if (tcp->phase >= TCP_PHASE_RECOVERY)
		return;
	if (tcp->phase == TCP_PHASE_REDUCING) { /* once a round trip is enough */
		tcp->phase = TCP_PHASE_RECOVERY;
		return;
	}
	begin(tcp, TCP_PHASE_RECOVERY);
	tcp_cubic_congestion(&tcp->cubic);
	tcp_count(tcp, TCP_COUNT_RECOVERIES);
}

void recovery_reduce(struct tcp *tcp)
{
	if (tcp->phase != TCP_PHASE_OPEN)
		return;
	begin(tcp, TCP_PHASE_REDUCING);
	tcp_cubic_congestion(&tcp->cubic);
}

/* RFC 5681 section 3.1: the threshold comes down once, however often the timer expires. */
void recovery_timeout(struct tcp *tcp)
{
	struct tcp_recovery *recovery = &tcp->recovery;

	if (tcp->phase < TCP_PHASE_RECOVERY) {
		begin(tcp, TCP_PHASE_LOSS);
		tcp_cubic_congestion(&tcp->cubic);
	}
	tcp_cubic_timeout(&tcp->cubic);
	tcp->phase = TCP_PHASE_LOSS;
	recovery->point = tcp->send.nxt;
	recovery->out = 0;
}

void recovery_transmitted(struct tcp *tcp, const struct tcp_slot *slot, uint64_t now)
{
	struct tcp_recovery *recovery = &tcp->recovery;
	bool again = slot->flags & TCP_SLOT_RETRANSMITTED;

	if (again && sequence_before(recovery->retransmitted_end, tcp_slot_end(slot)))
		recovery->retransmitted_end = tcp_slot_end(slot);
	if (tcp->phase == TCP_PHASE_OPEN)
		return;
	recovery->out += tcp_slot_span(slot);
	if (!again)
		return;
	recovery->n_undo++;
	if (recovery->retransmitted == 0)
		recovery->retransmitted = now;
}

static void undo(struct tcp *tcp)
{
	struct tcp_recovery *recovery = &tcp->recovery;
	uint32_t cwnd = tcp->cubic.cwnd;

	tcp->cubic = recovery->before;
	if (tcp->cubic.cwnd < cwnd)
		tcp->cubic.cwnd = cwnd;
	tcp_cubic_mss(&tcp->cubic, tcp->send.mss); /* it may have changed since */
	recovery->can_undo = false;
	tcp->phase = TCP_PHASE_OPEN;
	tcp->rack.reordering_seen = true;
	tcp->rtt.backoff = 0;
	send_find_again(tcp);
	tcp_count(tcp, TCP_COUNT_UNDONE);
}

void recovery_try_undo(struct tcp *tcp, const struct tcp_delivery *delivery, const struct tcp_range *duplicate)
{
	struct tcp_recovery *recovery = &tcp->recovery;

	if (!recovery->can_undo || recovery->retransmitted == 0)
		return;
	/* DSACK: each retransmission was needless, of what was under way, and not repeated, when the recovery began. */
	if (delivery->duplicate && recovery->n_undo > 0 && sequence_before(recovery->undo_point, duplicate->end) &&
		sequence_at_most(duplicate->end, recovery->point) && --recovery->n_undo == 0) {
		undo(tcp);
		return;
	}
	/* Eifel: what was retransmitted is acknowledged by an echo from before the retransmission. */
	if (tcp->phase >= TCP_PHASE_RECOVERY && delivery->acked_retransmitted && delivery->has_echo &&
		sequence_before(delivery->echo, tcp_timestamp(tcp, recovery->retransmitted)))
		undo(tcp);
}

bool recovery_try_end(struct tcp *tcp)
{
	struct tcp_recovery *recovery = &tcp->recovery;

	if (tcp->phase == TCP_PHASE_OPEN || sequence_before(tcp->send.una, recovery->point))
		return false;
	if (tcp->phase != TCP_PHASE_LOSS)
		tcp->cubic.cwnd = tcp->cubic.ssthresh;
	tcp->phase = TCP_PHASE_OPEN;
	recovery->n_duplicates = 0;
	return true;
}

/* RFC 6937 section 3: what may be sent for this ACK, in addition to what is in flight. */
static uint32_t proportional_rate(struct tcp *tcp, const struct tcp_delivery *delivery, bool lost)
{
	struct tcp_recovery *recovery = &tcp->recovery;
	uint32_t flight = tcp->send.flight, mss = tcp->cubic.mss, ssthresh = tcp->cubic.ssthresh;
	int64_t count, limit;

	recovery->delivered += delivery->delivered;
	if (flight > ssthresh) {
		count = ((int64_t)recovery->delivered * ssthresh + recovery->flight - 1) / recovery->flight -
			recovery->out;
	} else {
		limit = (int64_t)recovery->delivered - recovery->out;
		if (delivery->acked > 0 && !lost) /* slow start, unless more losses show up */
			limit = (limit > delivery->delivered ? limit : delivery->delivered) + mss;
		count = limit < (int64_t)ssthresh - flight ? limit : (int64_t)ssthresh - flight;
	}
	if (recovery->out == 0 && count < mss)
		count = mss; /* the first retransmission at once */
	return count > 0 ? (uint32_t)count : 0;
}

void recovery_window(struct tcp *tcp, const struct tcp_delivery *delivery, bool lost, bool was_limited)
{
	switch (tcp->phase) {
	case TCP_PHASE_RECOVERY:
	case TCP_PHASE_REDUCING:
		if (delivery->delivered > 0 || tcp->recovery.out == 0) {
			tcp->cubic.cwnd = tcp->send.flight + proportional_rate(tcp, delivery, lost);
			if (tcp->cubic.cwnd < tcp->cubic.mss)
				tcp->cubic.cwnd = tcp->cubic.mss;
		}
		break;
	case TCP_PHASE_LOSS:
		/* RFC 3465 section 2.3: what left the network long ago opens no window when its ACK comes. */
		if (delivery->acked > 0 && delivery->delivered > 0)
			tcp_cubic_acked(&tcp->cubic, delivery->delivered, tcp->rtt.srtt, delivery->now);
		break;
	default:
		if (delivery->acked > 0 && was_limited)
			tcp_cubic_acked(&tcp->cubic, delivery->acked, tcp->rtt.srtt, delivery->now);
		else if (delivery->acked > 0)
			tcp_cubic_unused(&tcp->cubic, delivery->now);
	}
}
