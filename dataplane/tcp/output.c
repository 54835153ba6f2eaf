/* SPDX-License-Identifier: Apache-2.0 */
/* Which segment is next: a RST, a tail loss probe, what is lost, new data, an ACK alone. */
#include "tcp/rack.h"
#include "tcp/receive.h"
#include "tcp/recovery.h"
#include "tcp/send.h"
#include "tcp/sequence.h"
#include "tcp/timer.h"

#include <string.h>

enum {
	SACK_HEAD_LEN = 4, /* of the option, with the NOPs before it */
	SACK_BLOCK_LEN = 8,
	SACK_WITH_TIMESTAMPS = 3, /* blocks that fit beside timestamps */
};

/* --- may it go?
 * -------------------------------------------------------------------------------------------------------- */

static inline bool fits_cwnd(const struct tcp *tcp, const struct tcp_slot *slot)
{
	return tcp->send.flight == 0 || tcp->send.flight + tcp_slot_span(slot) <= tcp->cubic.cwnd;
}

/*
 * A segment goes whole, or when the peer's window has room for half of what it ever had (RFC 9293 section 3.8.6.2.1),
 * in part; what is left for less, TCP_TIMER_PERSIST does. Bytes that may go now.
 */
static inline uint32_t window_allows(const struct tcp *tcp, const struct tcp_slot *slot)
{
	uint32_t room = send_window_room(tcp), span = tcp_slot_span(slot);

	if (span <= room)
		return span;
	return room > 0 && room >= tcp->send.max_wnd / 2 ? room : 0;
}

/* The slot, if it may be made to hold no more than `len` bytes, else TCP_NONE. */
static inline uint32_t cut_to(struct tcp *tcp, uint32_t at, uint32_t len)
{
	const struct tcp_slot *slot = tcp_slot(tcp, at);

	if (len == 0)
		return TCP_NONE;
	if (slot->len > len && !send_cut(tcp, at, len))
		return TCP_NONE;
	return at;
}

static uint32_t choose_lost(struct tcp *tcp)
{
	uint32_t at;

	if (tcp->send.lost == 0)
		return TCP_NONE;
	at = send_first_lost(tcp);
	at = cut_to(tcp, at, tcp->send.mss);
	if (at == TCP_NONE || (!fits_cwnd(tcp, tcp_slot(tcp, at)) && !recovery_owes_segment(tcp)))
		return TCP_NONE;
	return at;
}

/* `anyway`: cwnd does not matter. */
static inline uint32_t choose_new(struct tcp *tcp, bool anyway)
{
	uint32_t at = tcp->send.unsent, allowed;

	if (at == TCP_NONE)
		return TCP_NONE;
	allowed = window_allows(tcp, tcp_slot(tcp, at));
	at = cut_to(tcp, at, allowed < tcp->send.mss ? allowed : tcp->send.mss);
	return at != TCP_NONE && (anyway || fits_cwnd(tcp, tcp_slot(tcp, at))) ? at : TCP_NONE;
}

/* RFC 8985 section 7.3: new data if there is, else what was sent with the highest sequence number. */
static uint32_t choose_probe(struct tcp *tcp)
{
	uint32_t at = choose_new(tcp, true);

	if (at != TCP_NONE)
		return at;
	at = send_last_sent(tcp);
	if (at == TCP_NONE || !(tcp_slot(tcp, at)->flags & TCP_SLOT_FLIGHT) || tcp_slot(tcp, at)->len > tcp->send.mss)
		return TCP_NONE;
	return at;
}

/* --- what every segment has
 * -------------------------------------------------------------------------------------------- */

static inline void header_init(struct tcp *tcp, struct tcp_header *header, uint32_t seq, uint64_t now)
{
	header->source_port = tcp->local_port;
	header->destination_port = tcp->remote_port;
	header->seq = seq;
	header->ack = tcp->receive.nxt;
	header->window = receive_offer_window(tcp);
	header->flags = TCP_FLAG_ACK;
	header->has_timestamps = tcp->timestamps.enabled;
	header->ts_value = header->ts_echo = 0;
	header->n_sack = 0;
	if (header->has_timestamps) {
		header->ts_value = tcp_timestamp(tcp, now);
		header->ts_echo = tcp->timestamps.recent_known ? tcp->timestamps.recent : 0;
	}
	if (tcp->ack.ecn_echo)
		header->flags |= TCP_FLAG_ECE;
}

/* SACK blocks, as many as fit beside `payload_len` bytes. False: others are left that the peer was not told of. */
static inline bool add_sacks(struct tcp *tcp, struct tcp_header *header, uint32_t payload_len)
{
	uint32_t room = tcp->send.mss - payload_len, max = header->has_timestamps ? SACK_WITH_TIMESTAMPS : TCP_SACK_MAX;

	if (!tcp->sack || (!receive_has_gaps(tcp) && !tcp->receive.has_duplicate))
		return true;
	if (room < SACK_HEAD_LEN + SACK_BLOCK_LEN)
		return false;
	room = (room - SACK_HEAD_LEN) / SACK_BLOCK_LEN;
	header->n_sack = receive_report(tcp, header->sack, (uint8_t)(room < max ? room : max));
	return tcp->receive.untold == 0;
}

/* It carries RCV.NXT: nothing else needs to. */
static inline void acknowledged(struct tcp *tcp, const struct tcp_header *header, bool told_all)
{
	tcp->ack.last = header->ack;
	tcp->ack.unacknowledged = 0;
	tcp->ack.quick -= tcp->ack.quick > 0;
	timer_stop(tcp, TCP_TIMER_ACK);
	if (told_all)
		tcp->ack.now = false;
}

/* `slot`: whose bytes it has; NULL: none. */
static inline void depart(struct tcp *tcp, struct tcp_departure *departure, const struct tcp_header *header,
	const struct tcp_slot *slot, bool is_new)
{
	departure->header_len = tcp_header_write(header, departure->header);
	departure->payload = slot ? slot->data : NULL;
	departure->payload_len = slot ? slot->len : 0;
	departure->owner = slot ? slot->owner : NULL;
	departure->ecn_capable = tcp->ecn && is_new; /* never a retransmission: RFC 3168 section 6.1.5 */
	departure->retransmission = slot && !is_new;
	tcp_count(tcp, TCP_COUNT_SEGMENTS_OUT);
}

/* --- the segments
 * -------------------------------------------------------------------------------------------------------- */

static void write_slot(struct tcp *tcp, uint32_t at, struct tcp_departure *departure, uint64_t now)
{
	struct tcp_slot *slot = tcp_slot(tcp, at);
	struct tcp_header header;
	bool is_new = at == tcp->send.unsent, told_all;

	header_init(tcp, &header, slot->seq, now);
	told_all = add_sacks(tcp, &header, slot->len);
	if (slot->flags & TCP_SLOT_LAST)
		header.flags |= TCP_FLAG_PSH;
	if (slot->flags & TCP_SLOT_FIN)
		header.flags |= TCP_FLAG_FIN;
	if (is_new && tcp->debts.cwr) {
		header.flags |= TCP_FLAG_CWR;
		tcp->debts.cwr = false;
	}
	acknowledged(tcp, &header, told_all);
	depart(tcp, departure, &header, slot, is_new);
	if (is_new)
		tcp->counters[TCP_COUNT_BYTES_OUT] += slot->len;
	else
		tcp_count(tcp, TCP_COUNT_RETRANSMITTED);
}

/* After the segment: what is known of it, and the timers. */
static void account_slot(struct tcp *tcp, uint32_t at, bool is_probe, uint64_t now)
{
	bool is_new = at == tcp->send.unsent;

	send_transmitted(tcp, at, now);
	recovery_transmitted(tcp, tcp_slot(tcp, at), now);
	if (tcp->send.flight > tcp->flight_peak)
		tcp->flight_peak = tcp->send.flight;
	if (is_probe) {
		tlp_sent(tcp, !is_new);
		timer_restart_rto(tcp, now); /* RFC 8985 section 7.3 */
	} else if (!timer_runs(tcp, TCP_TIMER_RTO)) {
		timer_restart_rto(tcp, now);
	}
	tcp->debts.probe_timer |= is_new;
}

static void write_ack(struct tcp *tcp, uint32_t seq, struct tcp_departure *departure, uint64_t now)
{
	struct tcp_header header;
	bool told_all;

	header_init(tcp, &header, seq, now);
	told_all = add_sacks(tcp, &header, 0);
	acknowledged(tcp, &header, told_all);
	depart(tcp, departure, &header, NULL, false);
}

static void write_reset(struct tcp *tcp, struct tcp_departure *departure, uint64_t now)
{
	struct tcp_header header;

	header_init(tcp, &header, tcp->send.nxt, now);
	header.flags = TCP_FLAG_RST | TCP_FLAG_ACK;
	depart(tcp, departure, &header, NULL, false);
	tcp->debts.reset = false;
}

uint32_t tcp_send_at_once(struct tcp *tcp, uint8_t *frame, uint32_t len, void *owner, uint64_t now)
{
	struct tcp_header header;
	uint32_t header_len;

	header_init(tcp, &header, tcp->send.nxt, now);
	header.flags |= TCP_FLAG_PSH;
	acknowledged(tcp, &header, true);
	send_append_transmitted(tcp, frame, len, owner, now);
	if (tcp->send.flight > tcp->flight_peak)
		tcp->flight_peak = tcp->send.flight;
	if (!timer_runs(tcp, TCP_TIMER_RTO))
		timer_restart_rto(tcp, now);
	tcp->debts.probe_timer = true;
	tcp_count(tcp, TCP_COUNT_SEGMENTS_OUT);
	tcp->counters[TCP_COUNT_BYTES_OUT] += len;
	header_len = tcp_header_len_plain(tcp);
	tcp_header_write_fixed(&header, header_len, frame - header_len);
	return header_len;
}

void tcp_put_off_probe(struct tcp *tcp, uint64_t now)
{
	tlp_schedule(tcp, now);
}

/* After a pause, the window is what the path may have forgotten. */
static void notice_idle(struct tcp *tcp, uint64_t now)
{
	if (tcp->send.unsent == TCP_NONE || send_is_outstanding(tcp) || tcp->flight_ended == 0)
		return;
	tcp_cubic_idle(&tcp->cubic, now - tcp->flight_ended, timer_rto(tcp));
	tcp->flight_ended = 0;
	tcp->progress = now;
}

/* The peer's window has no room and nothing is under way that would bring an ACK. */
static void notice_small_window(struct tcp *tcp, uint64_t now)
{
	if (tcp->send.unsent != TCP_NONE && !send_is_outstanding(tcp) && !timer_runs(tcp, TCP_TIMER_PERSIST))
		timer_set(tcp, TCP_TIMER_PERSIST, now + timer_rto(tcp));
}

bool tcp_output(struct tcp *tcp, struct tcp_departure *departure, uint64_t now)
{
	bool is_probe = tcp->debts.segment;
	uint32_t at;

	if (tcp->debts.reset) {
		write_reset(tcp, departure, now);
		return true;
	}
	if (tcp->state == TCP_STATE_CLOSED)
		return false;
	tcp->debts.segment = false;
	notice_idle(tcp, now);
	at = is_probe ? choose_probe(tcp) : TCP_NONE;
	if (at == TCP_NONE) {
		is_probe = false;
		at = choose_lost(tcp);
	}
	if (at == TCP_NONE)
		at = choose_new(tcp, false);
	if (at != TCP_NONE) {
		write_slot(tcp, at, departure, now);
		account_slot(tcp, at, is_probe, now);
		return true;
	}
	tcp_sent_at_once(tcp, now); /* once for all that has left now */
	notice_small_window(tcp, now);
	if (tcp->debts.window_probe) {
		tcp->debts.window_probe = false;
		write_ack(tcp, tcp->send.una - 1, departure, now);
		return true;
	}
	if (tcp->ack.now) {
		write_ack(tcp, tcp->send.nxt, departure, now);
		return true;
	}
	return false;
}
