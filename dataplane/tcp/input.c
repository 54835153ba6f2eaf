/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of RFC 9293 section 3.10.7.4 for one segment, with RFC 7323 and RFC 5961 where they come in. */
#include "tcp/ack.h"
#include "tcp/life.h"
#include "tcp/receive.h"
#include "tcp/send.h"
#include "tcp/sequence.h"
#include "tcp/timer.h"

enum {
	CHALLENGE_INTERVAL = 500000, /* microseconds, RFC 5961 section 7 */
	FULL_SEGMENTS = 2,	     /* RFC 9293 section 3.8.6.3: an ACK for at least every second one */
	QUICK_ACKS = 16,
};
#define TIMESTAMP_VALID UINT64_C(2073600000000) /* microseconds, 24 days: RFC 7323 section 5.5 */

/* Sequence numbers that a segment takes. */
static uint32_t segment_span(const struct tcp_segment *segment)
{
	return segment->payload_len + ((segment->header.flags & TCP_FLAG_FIN) != 0) +
	       ((segment->header.flags & TCP_FLAG_SYN) != 0);
}

/* An ACK that a forger may have provoked, or a peer that disagrees with us: no more than two a second. */
static void acknowledge_limited(struct tcp *tcp, uint64_t now)
{
	if (now < tcp->challenge_after)
		return;
	tcp->challenge_after = now + CHALLENGE_INTERVAL;
	tcp->ack.now = true;
}

/* What is not acceptable is answered, so that the peer learns where we are; bytes always, for our ACK got lost. */
static void acknowledge_refused(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now)
{
	if (segment->header.flags & TCP_FLAG_RST)
		return;
	if (tcp->state == TCP_STATE_TIME_WAIT && (segment->header.flags & TCP_FLAG_FIN))
		timer_set(tcp, TCP_TIMER_TIME_WAIT, now + tcp->settings->time_wait);
	if (segment->payload_len > 0) {
		tcp->ack.now = true;
		tcp->ack.quick = QUICK_ACKS;
	} else {
		acknowledge_limited(tcp, now);
	}
}

/* RFC 7323 section 5.3, R1. RSTs are not held to it. */
static bool timestamps_hold(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now)
{
	const struct tcp_timestamps *timestamps = &tcp->timestamps;

	if (!timestamps->enabled || (segment->header.flags & TCP_FLAG_RST))
		return true;
	if (!segment->header.has_timestamps) { /* section 3.2: dropped silently */
		tcp_count(tcp, TCP_COUNT_OLD_TIMESTAMPS);
		return false;
	}
	if (timestamps->recent_known && sequence_before(segment->header.ts_value, timestamps->recent) &&
		now - timestamps->recent_time < TIMESTAMP_VALID) {
		tcp_count(tcp, TCP_COUNT_OLD_TIMESTAMPS);
		acknowledge_refused(tcp, segment, now);
		return false;
	}
	return true;
}

/*
 * RFC 9293's first check. A segment without bytes may also stand at the right edge, where a peer is that has filled the
 * window of which we have not got all.
 */
static bool is_in_window(const struct tcp *tcp, const struct tcp_segment *segment)
{
	uint32_t seq = segment->header.seq, span = segment_span(segment);

	if (span == 0)
		return sequence_at_most(tcp->receive.nxt, seq) && sequence_at_most(seq, tcp->receive.edge);
	return sequence_before(seq, tcp->receive.edge) && sequence_before(tcp->receive.nxt, seq + span);
}

/* RFC 5961 section 3.2: only the one number that can't be guessed resets. */
static void take_reset(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now)
{
	if (segment->header.seq == tcp->receive.nxt) {
		life_end(tcp, tcp->state == TCP_STATE_TIME_WAIT ? 0 : TCP_EVENT_RESET);
		return;
	}
	tcp_count(tcp, TCP_COUNT_CHALLENGES);
	acknowledge_limited(tcp, now);
}

/* RFC 5961 section 5.2. */
static bool is_ack_credible(const struct tcp *tcp, uint32_t ack)
{
	return sequence_at_most(tcp->send.una - tcp->send.max_wnd, ack) && sequence_at_most(ack, tcp->send.nxt);
}

/* All checks. False: the segment goes no further. */
static bool is_acceptable(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now)
{
	uint8_t flags = segment->header.flags;

	if (!timestamps_hold(tcp, segment, now))
		return false;
	if (!is_in_window(tcp, segment)) {
		if (segment->payload_len > 0 &&
			sequence_at_most(segment->header.seq + segment_span(segment), tcp->receive.nxt))
			receive_bytes(tcp, segment->header.seq, segment->payload, segment->payload_len, NULL);
		else
			tcp_count(tcp, TCP_COUNT_NOT_ACCEPTABLE);
		acknowledge_refused(tcp, segment, now);
		return false;
	}
	if (flags & TCP_FLAG_RST) {
		take_reset(tcp, segment, now);
		return false;
	}
	if (flags & TCP_FLAG_SYN) { /* RFC 5961 section 4.2 */
		tcp_count(tcp, TCP_COUNT_CHALLENGES);
		acknowledge_limited(tcp, now);
		return false;
	}
	if (!(flags & TCP_FLAG_ACK))
		return false;
	if (!is_ack_credible(tcp, segment->header.ack)) {
		tcp_count(tcp, TCP_COUNT_NOT_ACCEPTABLE);
		acknowledge_limited(tcp, now);
		return false;
	}
	return true;
}

/* RFC 7323 section 4.3, rule 2: the echo is of the earliest segment that the ACK will be for. */
static void note_timestamp(struct tcp *tcp, const struct tcp_header *header, uint64_t now)
{
	struct tcp_timestamps *timestamps = &tcp->timestamps;

	if (!timestamps->enabled || sequence_before(tcp->ack.last, header->seq))
		return;
	if (timestamps->recent_known && sequence_before(header->ts_value, timestamps->recent) &&
		now - timestamps->recent_time < TIMESTAMP_VALID)
		return;
	timestamps->recent = header->ts_value;
	timestamps->recent_time = now;
	timestamps->recent_known = true;
}

/* RFC 3168 section 6.1.3: ECE until the peer says CWR. */
static void note_congestion(struct tcp *tcp, const struct tcp_segment *segment)
{
	if (!tcp->ecn || segment->payload_len == 0)
		return;
	if (segment->header.flags & TCP_FLAG_CWR)
		tcp->ack.ecn_echo = false;
	if (segment->congestion_experienced)
		tcp->ack.ecn_echo = true;
}

/*
 * RFC 5681 section 4.2: when bytes that came are acknowledged. After a loss the sender's window is small, and an ACK
 * put off for a segment that it may not send yet, or lost, costs it a round trip: for a while, each segment gets one.
 */
static inline void plan_ack(struct tcp *tcp, uint32_t payload_len, bool in_order, uint64_t now)
{
	struct tcp_ack_state *ack = &tcp->ack;

	if (payload_len > ack->segment_len)
		ack->segment_len = payload_len;
	ack->unacknowledged += payload_len;
	if (!in_order)
		ack->quick = QUICK_ACKS;
	if (ack->quick > 0 || ack->unacknowledged >= FULL_SEGMENTS * ack->segment_len)
		ack->now = true;
	else if (!timer_runs(tcp, TCP_TIMER_ACK))
		timer_set(tcp, TCP_TIMER_ACK, now + tcp->settings->ack_delay);
}

/* The bytes, of which those beyond the window are cut off. */
static bool take_payload(struct tcp *tcp, const struct tcp_segment *segment, void *owner, uint64_t now)
{
	uint32_t seq = segment->header.seq, before = tcp->receive.nxt;
	uint32_t end = sequence_earlier(seq + segment->payload_len, tcp->receive.edge);
	bool had_gaps = receive_has_gaps(tcp), taken;

	taken = receive_bytes(tcp, seq, segment->payload, end - seq, owner);
	plan_ack(tcp, segment->payload_len, taken && !had_gaps && tcp->receive.nxt != before, now);
	return taken;
}

/* Its timestamp is there, and none that PAWS refuses or that would be the first. */
static inline bool timestamp_is_newer(const struct tcp_timestamps *timestamps, const struct tcp_header *header)
{
	return !timestamps->enabled || (header->has_timestamps && timestamps->recent_known &&
					       sequence_at_most(timestamps->recent, header->ts_value));
}

/*
 * Nearly all segments: the next in order, and nothing new but what they were sent for. Each check of is_acceptable
 * holds for such a one.
 */
static inline bool is_expected(const struct tcp *tcp, const struct tcp_segment *segment)
{
	const struct tcp_header *header = &segment->header;
	const struct tcp_receive *receive = &tcp->receive;
	const struct tcp_send *send = &tcp->send;

	return header->seq == receive->nxt && (header->flags & ~TCP_FLAG_PSH) == TCP_FLAG_ACK && header->n_sack == 0 &&
	       (uint32_t)header->window << send->scale == send->wnd && send->wnd > 0 && !receive->fin_known &&
	       tcp->state == TCP_STATE_ESTABLISHED && tcp->phase == TCP_PHASE_OPEN &&
	       !segment->congestion_experienced && timestamp_is_newer(&tcp->timestamps, header);
}

/* Of a peer that sends: the next bytes, all before them read, and nothing new of what we sent. */
static inline bool is_data_alone(const struct tcp *tcp, const struct tcp_segment *segment)
{
	const struct tcp_receive *receive = &tcp->receive;
	const struct tcp_send *send = &tcp->send;

	return segment->payload_len > 0 && segment->header.ack == send->una && send->una == send->nxt &&
	       segment->payload_len <= receive->edge - receive->nxt && receive->read == receive->nxt &&
	       receive->n_held == 0 && receive->n_blocks == 0;
}

/* What ack_process would do is to note its numbers. */
static inline void take_data_alone(struct tcp *tcp, const struct tcp_segment *segment, void *owner, uint64_t now)
{
	const struct tcp_header *header = &segment->header;

	tcp->heard = now;
	tcp->n_keepalives = 0;
	if (tcp->timestamps.enabled && sequence_at_most(header->seq, tcp->ack.last)) {
		tcp->timestamps.recent = header->ts_value;
		tcp->timestamps.recent_time = now;
	}
	tcp->send.wl1 = header->seq;
	tcp->send.wl2 = header->ack;
	receive_next(tcp, segment->payload, segment->payload_len, owner);
	plan_ack(tcp, segment->payload_len, true, now);
}

bool tcp_input(struct tcp *tcp, const struct tcp_segment *segment, void *owner, uint64_t now)
{
	const struct tcp_header *header = &segment->header;
	bool taken = false;

	tcp_count(tcp, TCP_COUNT_SEGMENTS_IN);
	if (is_expected(tcp, segment) && is_data_alone(tcp, segment)) {
		take_data_alone(tcp, segment, owner, now);
		return true;
	}
	if (tcp->state == TCP_STATE_CLOSED || !is_acceptable(tcp, segment, now))
		return false;
	tcp->heard = now;
	tcp->n_keepalives = 0;
	note_timestamp(tcp, header, now);
	note_congestion(tcp, segment);
	ack_process(tcp, segment, now);
	life_fin_acknowledged(tcp, now);
	if (segment->payload_len > 0 && tcp->state != TCP_STATE_CLOSED)
		taken = take_payload(tcp, segment, owner, now);
	if (header->flags & TCP_FLAG_FIN) {
		if (sequence_before(header->seq + segment->payload_len, tcp->receive.edge))
			receive_fin(tcp, header->seq + segment->payload_len);
		tcp->ack.now = true;
	}
	life_peer_finished(tcp, now);
	return taken;
}
