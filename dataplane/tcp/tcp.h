/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of an established TCP connection that carries IPsec (RFC 9329), as a pure state machine: segments and a clock
 * go in, segments come out. The kernel, or whoever made the connection, has established it; tcp_install takes it over.
 * No packet memory, no sockets, no allocation: buffers and slots are the caller's. The same code serves poll-mode
 * workers, tests and fuzzers.
 *
 *   tcp_segment_parse -> tcp_input -> tcp_read until nothing more -> frames.h -> decrypt in place
 *   of an ACK alone tcp_input_ack does, where it may
 *   backlog.h -> while tcp_send_room: encrypt -> tcp_send -> tcp_output until nothing more -> transmit
 *                                             or tcp_send_at_once -> transmit
 *   tcp_deadline -> tcp_timeout -> tcp_output
 *
 * Why not a general library: lwIP keeps its connections, timers and memory in globals, so that there is one instance a
 * process while we need one a worker, and it copies or references buffers of its own kind. FreeBSD's stack in user
 * space brings the kernel's locks, sockets and allocator along. What a general stack has more, listening, connecting,
 * a byte-wise send buffer, urgent data, we have no use for; and what we need most none of them has: frames that are
 * encrypted no earlier than they can leave (backlog.h), segments that never span two frames, so that the other side
 * decrypts in place, and loss recovery that is as good as the kernel's (RACK-TLP, CUBIC, undo), for the inner TCP
 * feels each retransmission timeout of the outer one twice.
 *
 * The risky parts: what is believed of segments that may be forged (input.c), and when a late segment counts as lost
 * (rack.c).
 *
 *   segment   the wire format                    send      what is sent or to be sent: the SACK scoreboard
 *   input     acceptability, RFC 5961, FIN       receive   reassembly, SACK blocks
 *   ack       what an ACK says                   output    which segment is next
 *   rack      loss detection, tail loss probes   timer     deadlines
 *   recovery  how the window comes down, undo    cubic     how it grows
 *   rtt       RFC 6298                           frames    RFC 9329
 *   backlog   datagrams that wait to be encrypted  lone_ack  ACKs alone, by their bytes
 *
 * Times are microseconds of any clock that never goes back and is not 0. One endpoint belongs to one thread.
 */
#pragma once

#include "tcp/state.h"

struct tcp_settings {
	uint32_t receive_window;     /* bytes offered to the peer, and so the most that is held out of order */
	uint32_t held_max;	     /* segments held out of order */
	uint32_t rto_min, rto_max;   /* microseconds; rto_min: above SRTT */
	uint32_t ack_delay;	     /* microseconds, below 500,000 (RFC 9293 section 3.8.6.3) */
	uint64_t keepalive_idle;     /* microseconds without a segment before the first probe; 0: no probes */
	uint64_t keepalive_interval; /* between probes */
	uint32_t keepalive_probes;   /* without an answer, and the peer is dead */
	uint64_t user_timeout;	     /* microseconds without progress, and the peer is dead (RFC 9293 section 3.8.3) */
	uint64_t time_wait;	     /* 2 MSL, microseconds */
	/* A buffer given with tcp_send, or kept by tcp_input and never read, is not needed any more. */
	void (*release)(void *context, void *owner);
	void *context;
};

/* All defaults but `release`. */
void tcp_settings_default(struct tcp_settings *settings);

/*
 * An established connection. Of Linux, TCP_REPAIR and TCP_INFO give all but the peer's last timestamp, which is learned
 * from its next segment. Windows are in bytes, already scaled.
 */
struct tcp_established {
	uint16_t local_port, remote_port; /* host order */
	uint32_t snd_una, snd_nxt;	  /* what lies between them: `unacknowledged` */
	uint32_t snd_wnd, snd_wl1;
	uint32_t rcv_nxt, rcv_wnd;    /* rcv_wnd: as promised to the peer, from rcv_nxt on */
	uint8_t snd_scale, rcv_scale; /* 0 to 14 (RFC 7323 section 2.2) */
	uint16_t mss; /* the least of the peer's MSS option and what the path carries (RFC 9293 section 3.7.1) */
	bool timestamps, sack, ecn;    /* as negotiated */
	uint32_t ts_value;	       /* our TSval now */
	uint32_t cwnd, ssthresh, srtt; /* bytes, bytes, microseconds; 0: not known */
	uint8_t *unacknowledged;       /* snd_nxt - snd_una bytes */
	void *unacknowledged_owner;    /* goes back by `release` */
};

/* `settings` and `pool` outlive it. 0; -EINVAL for values that contradict each other; -ENOBUFS: too few free slots. */
int tcp_install(struct tcp *tcp, const struct tcp_settings *settings, struct tcp_pool *pool,
	const struct tcp_established *established, uint64_t now);

/*
 * The same bytes as `unacknowledged`, for a caller that has them in several buffers: right after tcp_install with snd_nxt
 * as snd_una, and once for each. They count as sent now. 0; -ENOBUFS: too few free slots; the buffer stays the caller's.
 */
int tcp_send_before(struct tcp *tcp, uint8_t *bytes, uint32_t len, void *owner, uint64_t now);

/* Gives all slots and buffers back. Nothing is sent. */
void tcp_uninstall(struct tcp *tcp);

/* --- in ---------------------------------------------------------------------------------------------------------- */

/*
 * One segment of this connection, its checksum verified. True: the payload's memory is the endpoint's until it comes
 * back by tcp_read, or by `release` with `owner`. False: it stays the caller's.
 */
bool tcp_input(struct tcp *tcp, const struct tcp_segment *segment, void *owner, uint64_t now);

/*
 * The same for one that is an ACK alone and says what was expected, by its bytes from the TCP header on. False: nothing
 * is done, and tcp_segment_parse and tcp_input take it.
 */
bool tcp_input_ack(struct tcp *tcp, const uint8_t *bytes, uint32_t len, uint64_t now);

/*
 * Of two segments that came one right behind the other, whole from their TCP headers on and of at least TCP_HEADER_LEN
 * bytes: does the second say all that the first does? Then the first has been counted, and need not be looked at: it is
 * as if the network had lost it.
 */
bool tcp_is_overtaken(
	struct tcp *tcp, const uint8_t *first, uint32_t first_len, const uint8_t *second, uint32_t second_len);

/* Bytes of the stream, in memory that is the caller's again. */
struct tcp_piece {
	uint8_t *data;
	uint32_t len;
	void *owner;
};

/* The next bytes in order; false: none yet. To be called until false after each segment or burst: what isn't read
 * counts against the window. */
bool tcp_read(struct tcp *tcp, struct tcp_piece *piece);

/* --- out --------------------------------------------------------------------------------------------------------- */

/*
 * Bytes that may leave now beyond what was given with tcp_send: by cwnd and the peer's window. As long as it is not 0,
 * one more frame may be encrypted and given, though it be longer. With nothing outstanding, that is always so.
 */
static inline uint32_t tcp_send_room(const struct tcp *tcp)
{
	const struct tcp_send *send = &tcp->send;
	uint32_t outstanding = send->nxt - send->una, unsent = send->end - send->nxt, busy = send->flight + send->lost;
	uint32_t room = send->wnd > outstanding ? send->wnd - outstanding : 0;
	uint32_t window = tcp->cubic.cwnd > busy ? tcp->cubic.cwnd - busy : 0;

	if (tcp->state != TCP_STATE_ESTABLISHED && tcp->state != TCP_STATE_CLOSE_WAIT)
		return 0;
	if (send->una == send->end && room == 0)
		return 1; /* only what was given makes us ask again for a window that is closed */
	room = room < window ? room : window;
	return room > unsent ? room - unsent : 0;
}

/* Bytes a second that the path was found to take: cwnd (or the peer's window) a round trip. 0: not known yet. */
uint64_t tcp_rate(const struct tcp *tcp);

/*
 * One frame, its length field in front (frames.h), 1 to 65,535 bytes. It stays as it is until it comes back by
 * `release`. 0; -ENOBUFS: no slots, try again; -EPIPE: closed. On an error the frame stays the caller's.
 */
int tcp_send(struct tcp *tcp, uint8_t *frame, uint32_t len, void *owner);

/* Bytes of a header without SACK blocks. */
static inline uint32_t tcp_header_len_plain(const struct tcp *tcp)
{
	return TCP_HEADER_LEN + (tcp->timestamps.enabled ? (uint32_t)TCP_TIMESTAMPS_LEN : 0);
}

/* A frame of `len` bytes may be a segment that leaves as it is, and nothing else is to be said or sent first. */
static inline bool tcp_may_send_at_once(const struct tcp *tcp, uint32_t len)
{
	const struct tcp_send *send = &tcp->send;
	const struct tcp_debts *debts = &tcp->debts;
	const struct tcp_receive *receive = &tcp->receive;
	uint32_t outstanding = send->nxt - send->una;

	return tcp->state == TCP_STATE_ESTABLISHED && tcp->phase == TCP_PHASE_OPEN && send->unsent == TCP_NONE &&
	       send->lost == 0 && outstanding > 0 && len <= send->mss && outstanding + len <= send->wnd &&
	       send->flight + len <= tcp->cubic.cwnd && tcp->pool->n_free > 0 &&
	       !(debts->reset | debts->segment | debts->window_probe | debts->cwr | receive->has_duplicate) &&
	       receive->n_blocks == 0;
}

/*
 * tcp_send, and tcp_output of that frame, in one, where tcp_may_send_at_once. The header is written right before the
 * frame, where there are TCP_HEADER_MAX bytes for it, its checksum zero. Returns its length. The frame's own bytes may
 * come later, before the segment leaves. After the last of some, tcp_sent_at_once.
 */
uint32_t tcp_send_at_once(struct tcp *tcp, uint8_t *frame, uint32_t len, void *owner, uint64_t now);

/* Part of tcp_sent_at_once: a probe's deadline is set anew. */
void tcp_put_off_probe(struct tcp *tcp, uint64_t now);

/* A tail loss probe that is due soon finds out by itself that something was sent since. */
static inline void tcp_sent_at_once(struct tcp *tcp, uint64_t now)
{
	if (tcp->debts.probe_timer && tcp->timers[TCP_TIMER_PROBE] > now + 2 * (uint64_t)tcp->rtt.srtt)
		tcp_put_off_probe(tcp, now);
	tcp->debts.probe_timer = false;
}

struct tcp_departure {
	union {
		uint8_t header[TCP_HEADER_MAX]; /* checksum zero, see tcp_checksum */
		uint64_t words[(TCP_HEADER_MAX + 7) / 8]; /* the same, as it was written: see connection_segment.c */
	};
	uint32_t header_len;
	const uint8_t *payload; /* in memory given with tcp_send, valid until the next call of any verb */
	uint32_t payload_len;
	void *owner;	  /* of that memory */
	bool ecn_capable; /* ECT(0) into the IP header (RFC 3168 section 6.1) */
	bool retransmission;
};

/* The next segment that may leave now; false: none. To be called until false after input, send or timeout. */
bool tcp_output(struct tcp *tcp, struct tcp_departure *departure, uint64_t now);

/* False also of one that was never installed. */
static inline bool tcp_has_slots(const struct tcp *tcp)
{
	return tcp->pool && tcp->send.head != TCP_NONE;
}

/*
 * What is remembered of the segment that was sent last, behind which the next one is put; and of those that the next
 * ACK is for: of the first, and when that has arrived, of the second.
 */
static inline __attribute__((always_inline)) void tcp_prefetch_last(const struct tcp *tcp)
{
	if (tcp_has_slots(tcp))
		__builtin_prefetch(tcp_slot(tcp, tcp->send.tail), 1);
}
static inline __attribute__((always_inline)) void tcp_prefetch_first(const struct tcp *tcp)
{
	if (tcp_has_slots(tcp))
		__builtin_prefetch(tcp_slot(tcp, tcp->send.head), 1);
}
static inline __attribute__((always_inline)) void tcp_prefetch_second(const struct tcp *tcp)
{
	if (tcp_has_slots(tcp) && tcp->send.head != tcp->send.tail)
		__builtin_prefetch(tcp_slot(tcp, tcp_slot(tcp, tcp->send.head)->next), 1);
}

/*
 * Neither a segment to be sent nor an event to be taken: until something comes, or is sent, or the deadline, tcp_output
 * and tcp_take_events would give nothing. False may also be when they would not.
 */
static inline bool tcp_is_silent(const struct tcp *tcp)
{
	return tcp->state == TCP_STATE_ESTABLISHED && tcp->events == 0 && !tcp->ack.now &&
	       tcp->send.unsent == TCP_NONE && tcp->send.lost == 0 && !tcp->debts.segment && !tcp->debts.window_probe;
}

/* --- time, life --------------------------------------------------------------------------------------------------- */

/* When tcp_timeout wants to be called; UINT64_MAX: never. Earlier calls do nothing. */
uint64_t tcp_deadline(struct tcp *tcp);

/*
 * May the deadline be earlier than `time`? For after each segment: one comparison. It is not when false; when true,
 * tcp_deadline tells, and then true is for what was set since.
 */
static inline bool tcp_may_be_due_before(const struct tcp *tcp, uint64_t time)
{
	return tcp->earliest < time;
}

void tcp_timeout(struct tcp *tcp, uint64_t now);

/* No more frames; FIN follows the last one. */
void tcp_close(struct tcp *tcp);

/* Ends it at once; the next output is a RST. */
void tcp_abort(struct tcp *tcp);

/* The path carries no more than `mss` (as in tcp_established): what was longer goes again in pieces. */
void tcp_set_mss(struct tcp *tcp, uint16_t mss, uint64_t now);

enum tcp_event {
	TCP_EVENT_PEER_CLOSED = 0x01, /* the peer's FIN: nothing follows what can be read now */
	TCP_EVENT_CLOSED = 0x02,      /* both directions ended in order */
	TCP_EVENT_RESET = 0x04,	      /* the peer reset it */
	TCP_EVENT_DEAD = 0x08,	      /* the peer did not answer */
};

/* Which of them happened since the last call. After the last three, the state is closed (or TIME-WAIT). */
unsigned int tcp_take_events(struct tcp *tcp);

const char *tcp_state_name(enum tcp_state state);
const char *tcp_counter_name(enum tcp_counter counter);
