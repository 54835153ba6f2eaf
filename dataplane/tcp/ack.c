/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/ack.h"
#include "tcp/rack.h"
#include "tcp/recovery.h"
#include "tcp/sequence.h"
#include "tcp/timer.h"

enum { DUPLICATE_ACKS = 3 }; /* RFC 5681 section 3.2, of peers without SACK */

/* True: it changed. */
static bool update_window(struct tcp *tcp, const struct tcp_header *header)
{
	struct tcp_send *send = &tcp->send;
	uint32_t window = (uint32_t)header->window << send->scale;
	bool changed = window != send->wnd;

	if (!sequence_before(send->wl1, header->seq) &&
		!(send->wl1 == header->seq && sequence_at_most(send->wl2, header->ack)))
		return false;
	send->wnd = window;
	send->wl1 = header->seq;
	send->wl2 = header->ack;
	if (window > send->max_wnd)
		send->max_wnd = window;
	return changed;
}

/* RFC 2883 section 4: the first block lies below the ACK, or within the second. */
static bool is_duplicate_report(const struct tcp *tcp, const struct tcp_header *header)
{
	const struct tcp_range *sack = header->sack;

	if (header->n_sack == 0 || !sequence_before(sack[0].start, sack[0].end) ||
		sack[0].end - sack[0].start > tcp->send.max_wnd)
		return false;
	if (sequence_at_most(sack[0].end, header->ack))
		return header->ack - sack[0].start <= tcp->send.max_wnd;
	return header->n_sack > 1 && sequence_at_most(sack[1].start, sack[0].start) &&
	       sequence_at_most(sack[0].end, sack[1].end);
}

/* In the order of sequence: blocks of one ACK say nothing of the order in which segments came. */
static void process_sacks(struct tcp *tcp, const struct tcp_header *header, struct tcp_delivery *delivery)
{
	struct tcp_range ranges[TCP_SACK_MAX];
	uint8_t count = 0, at;

	if (!tcp->sack || header->n_sack == 0)
		return;
	delivery->duplicate = is_duplicate_report(tcp, header);
	for (uint8_t i = delivery->duplicate; i < header->n_sack; i++) {
		struct tcp_range range = header->sack[i];

		/* Of nothing that is outstanding: old, or a lie. */
		if (sequence_before(range.start, tcp->send.una) || !sequence_before(range.start, range.end) ||
			sequence_before(tcp->send.nxt, range.end))
			continue;
		for (at = count++; at > 0 && sequence_before(range.start, ranges[at - 1].start); at--)
			ranges[at] = ranges[at - 1];
		ranges[at] = range;
	}
	for (uint8_t i = 0; i < count; i++)
		send_sack(tcp, ranges[i], delivery);
}

static void measure(struct tcp *tcp, const struct tcp_delivery *delivery)
{
	uint32_t sample = delivery->rtt;

	/* All was sent more than once: the echo tells which transmission arrived, in milliseconds (RFC 7323 section 4).
	 */
	if (sample == RTT_NONE && delivery->has_echo && delivery->acked > 0)
		sample = (tcp_timestamp(tcp, delivery->now) - delivery->echo + 1) * 1000;
	if (sample == RTT_NONE || sample > tcp->settings->user_timeout)
		return;
	tcp_rtt_sample(&tcp->rtt, sample, delivery->now);
	tcp_cubic_rtt(&tcp->cubic, sample);
}

/* A round trip ends when what was sent last at its beginning is acknowledged. */
static void count_rounds(struct tcp *tcp)
{
	if (sequence_before(tcp->send.una, tcp->round_end))
		return;
	tcp->round_end = tcp->send.nxt;
	tcp->peak_before = tcp->flight_peak;
	tcp->flight_peak = tcp->send.flight;
	tcp_cubic_round(&tcp->cubic);
}

/* RFC 7661: a window that is not used doesn't grow. In slow start, half of it used is enough. */
static bool window_limits(const struct tcp *tcp)
{
	uint32_t peak = tcp->flight_peak > tcp->peak_before ? tcp->flight_peak : tcp->peak_before;

	if (tcp_cubic_slow_start(&tcp->cubic))
		return peak > tcp->cubic.cwnd / 2;
	return peak + tcp->send.mss > tcp->cubic.cwnd;
}

/* A peer without SACK: three duplicates (RFC 5681), and partial ACKs (RFC 6582). True: the head is lost. */
static bool detect_without_sack(struct tcp *tcp, struct tcp_delivery *delivery, bool is_duplicate)
{
	struct tcp_recovery *recovery = &tcp->recovery;
	uint32_t head = tcp->send.head;
	bool partial;

	if (tcp->sack || !send_is_outstanding(tcp) || tcp->phase == TCP_PHASE_LOSS)
		return false;
	if (is_duplicate) {
		delivery->delivered += tcp->send.mss;
		recovery->n_duplicates += recovery->n_duplicates < UINT8_MAX;
	} else if (delivery->acked > 0 && tcp->phase == TCP_PHASE_OPEN) {
		recovery->n_duplicates = 0;
	}
	partial = tcp->phase == TCP_PHASE_RECOVERY && delivery->acked > 0;
	if (!partial && !(is_duplicate && recovery->n_duplicates == DUPLICATE_ACKS))
		return false;
	if (!(tcp_slot(tcp, head)->flags & TCP_SLOT_LOST))
		send_lose(tcp, head);
	return true;
}

/* Something was acknowledged in order, and neither side knows of a loss: nearly every ACK is such. */
static bool is_plain(const struct tcp *tcp, const struct tcp_header *header, const struct tcp_delivery *delivery)
{
	return delivery->acked > 0 && header->n_sack == 0 && ack_is_calm(tcp) && !(header->flags & TCP_FLAG_ECE);
}

static inline void congestion_plain(struct tcp *tcp, const struct tcp_delivery *delivery, bool was_limited)
{
	bool lost = false;

	if (delivery->in_order)
		timer_stop(tcp, TCP_TIMER_REORDER);
	else
		lost = rack_detect(tcp, delivery->now);
	if (lost)
		recovery_enter(tcp);
	recovery_window(tcp, delivery, lost, was_limited);
}

static void congestion(struct tcp *tcp, const struct tcp_header *header, struct tcp_delivery *delivery,
	bool is_duplicate, bool was_limited)
{
	bool ended, lost;

	if (is_plain(tcp, header, delivery)) {
		congestion_plain(tcp, delivery, was_limited);
		return;
	}
	recovery_try_undo(tcp, delivery, header->sack);
	if (tlp_acknowledge(tcp, header->ack, delivery->duplicate, header->n_sack > 0, is_duplicate))
		recovery_reduce(tcp);
	ended = recovery_try_end(tcp);
	rack_adapt(tcp, delivery->duplicate, ended);
	lost = rack_detect(tcp, delivery->now);
	lost |= detect_without_sack(tcp, delivery, is_duplicate);
	if (lost)
		recovery_enter(tcp);
	if (tcp->ecn && (header->flags & TCP_FLAG_ECE)) {
		if (tcp->phase == TCP_PHASE_OPEN) {
			tcp_count(tcp, TCP_COUNT_ECN_ECHOES);
			tcp->debts.cwr = true;
		}
		recovery_reduce(tcp);
	}
	recovery_window(tcp, delivery, lost, was_limited && !ended);
}

static void rearm(struct tcp *tcp, const struct tcp_delivery *delivery)
{
	if (delivery->acked > 0) {
		tcp->progress = delivery->now;
		timer_restart_rto(tcp, delivery->now);
		if (!send_is_outstanding(tcp))
			tcp->flight_ended = delivery->now;
	}
	if (tcp->send.wnd == 0) /* it answers, and has no room */
		tcp->progress = delivery->now;
	if (delivery->delivered > 0)
		tlp_schedule(tcp, delivery->now);
}

void ack_process(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now)
{
	const struct tcp_header *header = &segment->header;
	struct tcp_delivery delivery = {
		.now = now,
		.has_echo = tcp->timestamps.enabled && header->has_timestamps,
		.echo = header->ts_echo,
		.rtt = RTT_NONE,
	};
	bool was_outstanding = send_is_outstanding(tcp), was_limited = window_limits(tcp), window_changed, is_duplicate;

	if (sequence_before(header->ack, tcp->send.una))
		return;
	window_changed = update_window(tcp, header);
	is_duplicate = header->ack == tcp->send.una && was_outstanding && segment->payload_len == 0 &&
		       !window_changed && !(header->flags & TCP_FLAG_FIN);
	if (header->ack != tcp->send.una)
		send_acknowledge(tcp, header->ack, &delivery);
	process_sacks(tcp, header, &delivery);
	measure(tcp, &delivery);
	if (was_outstanding || tcp->phase != TCP_PHASE_OPEN)
		congestion(tcp, header, &delivery, is_duplicate, was_limited);
	count_rounds(tcp);
	rearm(tcp, &delivery);
	if (timer_runs(tcp, TCP_TIMER_PERSIST) && window_changed)
		timer_stop(tcp, TCP_TIMER_PERSIST);
}

void ack_process_plain(struct tcp *tcp, uint32_t ack, uint32_t echo, uint64_t now)
{
	bool was_limited = window_limits(tcp);
	struct tcp_delivery delivery = {
		.now = now,
		.has_echo = tcp->timestamps.enabled,
		.echo = echo,
		.rtt = RTT_NONE,
	};

	tcp->send.wl1 = tcp->receive.nxt;
	tcp->send.wl2 = ack;
	send_acknowledge(tcp, ack, &delivery);
	measure(tcp, &delivery);
	congestion_plain(tcp, &delivery, was_limited);
	count_rounds(tcp);
	rearm(tcp, &delivery);
}
