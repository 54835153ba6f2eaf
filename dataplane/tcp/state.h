/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An endpoint's state, for those who place endpoints themselves. All of it belongs to dataplane/tcp: others call the
 * verbs of tcp.h, and read counters. Names in capitals in comments are RFC 9293's.
 */
#pragma once

#include "tcp/cubic.h"
#include "tcp/pool.h"
#include "tcp/rtt.h"
#include "tcp/segment.h"

#include <stddef.h>

/* RFC 9293 section 3.3.2, from ESTABLISHED on. */
enum tcp_state {
	TCP_STATE_ESTABLISHED,
	TCP_STATE_FIN_WAIT_1,
	TCP_STATE_FIN_WAIT_2,
	TCP_STATE_CLOSE_WAIT,
	TCP_STATE_CLOSING,
	TCP_STATE_LAST_ACK,
	TCP_STATE_TIME_WAIT,
	TCP_STATE_CLOSED,
};

/* Each has a deadline of its own; the caller sees the earliest. */
enum tcp_timer {
	TCP_TIMER_REORDER, /* RFC 8985 section 6.2: what is late may be lost now */
	TCP_TIMER_PROBE,   /* RFC 8985 section 7: tail loss */
	TCP_TIMER_RTO,	   /* RFC 6298 */
	TCP_TIMER_PERSIST, /* RFC 9293 section 3.8.6.1: the peer's window is too small */
	TCP_TIMER_ACK,	   /* RFC 9293 section 3.8.6.3: a delayed acknowledgement */
	TCP_TIMER_KEEPALIVE,
	TCP_TIMER_TIME_WAIT,
	TCP_TIMER_COUNT,
};

/* clang-format off */
#define TCP_COUNTERS(X)                                                                                                \
	X(SEGMENTS_IN,     "segments_in",     "segments received")                                                     \
	X(SEGMENTS_OUT,    "segments_out",    "segments sent")                                                         \
	X(BYTES_IN,        "bytes_in",        "bytes received in order")                                               \
	X(BYTES_OUT,       "bytes_out",       "bytes sent for the first time")                                         \
	X(RETRANSMITTED,   "retransmitted",   "segments sent again")                                                   \
	X(TIMEOUTS,        "timeouts",        "retransmission timeouts")                                               \
	X(PROBES,          "probes",          "tail loss probes")                                                      \
	X(WINDOW_PROBES,   "window_probes",   "probes of a peer's window that is closed or too small")                 \
	X(RECOVERIES,      "recoveries",      "times that loss made the congestion window smaller")                    \
	X(UNDONE,          "undone",          "times that it was reordering instead, and the window came back")        \
	X(ECN_ECHOES,      "ecn_echoes",      "times that an ECN echo made the congestion window smaller")             \
	X(OUT_OF_ORDER,    "out_of_order",    "segments held until those before them come")                            \
	X(DUPLICATES,      "duplicates",      "segments that brought nothing new")                                     \
	X(NOT_HELD,        "not_held",        "segments out of order beyond what may be held")                         \
	X(OLD_TIMESTAMPS,  "old_timestamps",  "segments whose timestamps are missing or old (RFC 7323)")               \
	X(NOT_ACCEPTABLE,  "not_acceptable",  "segments beyond the window, or whose ACK is of nothing sent")           \
	X(CHALLENGES,      "challenges",      "RST and SYN answered with an ACK, for they may be forged (RFC 5961)")
/* clang-format on */

enum tcp_counter {
#define X(id, name, help) TCP_COUNT_##id,
	TCP_COUNTERS(X)
#undef X
		TCP_COUNTER_COUNT,
};

/* Why the congestion window is what it is. */
enum tcp_phase {
	TCP_PHASE_OPEN,
	TCP_PHASE_REDUCING, /* an ECN echo: down to ssthresh by and by (RFC 3168 section 6.1.2) */
	TCP_PHASE_RECOVERY, /* segments were lost (RFC 5681 section 3.2) */
	TCP_PHASE_LOSS,	    /* the retransmission timer expired */
};

/* What is sent and what waits to be sent, in order; see send.h. */
struct tcp_send {
	uint32_t head, tail;	 /* slots by sequence, from SND.UNA on */
	uint32_t unsent;	 /* the first that was never sent, or TCP_NONE */
	uint32_t oldest, newest; /* slots in flight, by time of transmission */
	uint32_t lost_hint;	 /* no lost slot is before this one; TCP_NONE: search from the head */
	uint32_t end;		 /* the sequence number behind the last slot */
	uint32_t una, nxt;	 /* SND.UNA, SND.NXT */
	uint32_t wnd, max_wnd;	 /* SND.WND, bytes, and the largest ever */
	uint32_t wl1, wl2;	 /* SND.WL1, SND.WL2 */
	uint32_t mss;		 /* payload bytes of a segment without SACK blocks */
	uint32_t flight;	 /* bytes in flight: neither acknowledged, SACKed nor lost (RFC 6675's pipe) */
	uint32_t lost, sacked;	 /* bytes */
	uint32_t n_sacked;	 /* slots */
	uint8_t scale;		 /* Snd.Wind.Shift */
};

/* More than fit one ACK: where a burst of segments brought more before there was an ACK, a second one tells the rest.
 */
enum { TCP_BLOCKS_MAX = 6 };

/* What came in order, with nothing unread before it, needs no slot of the pool. */
struct tcp_first {
	uint8_t *data; /* NULL: nothing */
	void *owner;
	uint32_t seq, len;
};

/* What came and is not read yet; see receive.h. Behind `first` stands what is rare. */
struct tcp_receive {
	uint32_t nxt;  /* RCV.NXT */
	uint32_t edge; /* the right edge of the window as promised: never goes back */
	uint32_t read; /* the next byte to be read */
	uint32_t n_held;
	bool fin_known; /* the peer's FIN came, maybe ahead of bytes before it */
	uint8_t scale;	/* Rcv.Wind.Shift */
	uint8_t n_blocks;
	uint8_t untold; /* a bit for each block that changed since the peer was told */
	bool has_duplicate;
	struct tcp_first first;
	uint32_t head, tail;			 /* slots held, by sequence */
	uint32_t fin;				 /* the FIN's sequence number */
	struct tcp_range blocks[TCP_BLOCKS_MAX]; /* newest first (RFC 2018 section 4) */
	struct tcp_range duplicate;		 /* to be reported once (RFC 2883) */
};

/* When and how to acknowledge; see output.c. */
struct tcp_ack_state {
	uint32_t last;		 /* Last.ACK.sent */
	uint32_t unacknowledged; /* bytes that came since */
	uint32_t segment_len;	 /* the longest payload that came: what "two full segments" means */
	bool now;		 /* with the next output, rather than by the timer */
	uint8_t quick;		 /* so many more ACKs wait for no second segment */
	bool ecn_echo;		 /* congestion was experienced, and no CWR came since */
};

/* RFC 7323. */
struct tcp_timestamps {
	bool enabled, recent_known;
	uint32_t base;	    /* TSval at base_time: it counts milliseconds */
	uint64_t base_time; /* microseconds */
	uint32_t recent;    /* TS.Recent */
	uint64_t recent_time;
};

/* RFC 8985's names. */
struct tcp_rack {
	uint64_t xmit_ts;
	uint32_t end_seq, rtt, fack;
	uint32_t
		lateness; /* microseconds: the most that a segment came behind one sent later, beyond the RTT of that */
	uint32_t dsack_round;
	bool reordering_seen, in_dsack_round;
	uint8_t reo_wnd_mult, reo_wnd_persist;
	bool probe_is_retransmission; /* TLP.is_retrans */
	uint32_t probe_end;	      /* TLP.end_seq */
};

/* RFC 6937, and what is needed to take a reduction back (RFC 4015, RFC 3708). */
struct tcp_recovery {
	uint32_t point;			 /* it ends when this is acknowledged */
	uint32_t delivered, out, flight; /* prr_delivered, prr_out, RecoverFS */
	uint8_t n_duplicates;		 /* duplicate ACKs of a peer without SACK */
	bool can_undo;
	uint64_t retransmitted;	    /* when it retransmitted first, microseconds; 0: not yet */
	uint32_t retransmitted_end; /* behind the highest byte that any recovery retransmitted */
	uint32_t undo_point;	    /* DSACKs below are of what was retransmitted before it began */
	uint32_t n_undo;	    /* retransmissions not yet found to be needless */
	struct tcp_cubic before;
};

/* What the next output owes besides data. */
struct tcp_debts {
	bool reset;	   /* a RST */
	bool segment;	   /* one segment, whatever cwnd says: a tail loss probe */
	bool window_probe; /* an ACK with an old sequence number, which the peer answers */
	bool cwr;	   /* CWR on the next new data (RFC 3168 section 6.1.2) */
	bool probe_timer;  /* new data left: the tail loss probe is put off (RFC 8985 section 7.2) */
};

struct tcp_settings;

/*
 * Between two segments of one connection there may be those of many, and its cache lines come from further away each
 * time: so what they need stands together, in whole lines where the struct begins with one. See tcp_prefetch_segment.
 */
struct tcp {
	/* line 0 */
	uint16_t local_port, remote_port;
	uint8_t state; /* enum tcp_state */
	uint8_t phase; /* enum tcp_phase */
	uint8_t events;
	bool sack, ecn;
	uint8_t n_keepalives;
	bool probing; /* a tail loss probe is under way: TLP.end_seq is set (RFC 8985 section 7) */
	struct tcp_debts debts;
	const struct tcp_settings *settings;
	struct tcp_pool *pool;
	struct tcp_timestamps timestamps;
	/* 1 and 2 */
	struct tcp_send send;
	struct tcp_ack_state ack;
	uint32_t round_end;		   /* the round trip under way ends when this is acknowledged */
	uint32_t flight_peak, peak_before; /* most in flight in this round and the one before (RFC 7661) */
	uint64_t heard;			   /* when the last acceptable segment came */
	/* the end of 2, and 3, which only ACKs need */
	struct tcp_cubic cubic;
	/* 4 */
	uint64_t earliest; /* no timer is earlier; one that was set later, or stopped, leaves it as it is */
	uint64_t timers[TCP_TIMER_COUNT]; /* microseconds; UINT64_MAX: off */
	/* 5, and 6, which is rare */
	struct tcp_receive receive;
	bool fin_queued;
	uint8_t unused[7];
	/* 7: ACKs */
	struct tcp_rack rack;
	uint64_t progress;	  /* when the peer last took something, or there was nothing to take */
	uint64_t flight_ended;	  /* when nothing was in flight any more */
	uint64_t challenge_after; /* earlier than that, no challenge (RFC 5961 section 7) */
	/* 8, and from there on what is rare */
	struct tcp_rtt rtt;
	uint64_t counters[TCP_COUNTER_COUNT]; /* the first four are frequent */
	struct tcp_recovery recovery;
};

enum { TCP_LINE = 64 };
_Static_assert(offsetof(struct tcp, send) == TCP_LINE && offsetof(struct tcp, cubic.epoch) == 3 * TCP_LINE &&
		       offsetof(struct tcp, earliest) == 4 * TCP_LINE &&
		       offsetof(struct tcp, receive) == 5 * TCP_LINE && offsetof(struct tcp, rack) == 7 * TCP_LINE &&
		       offsetof(struct tcp, rtt) == 8 * TCP_LINE,
	"lines are as they are said to be");

/*
 * What a segment with data in order needs: lines 0, 1, 2, 4, 5 and 8. Always inline, these, for a compiler takes out
 * calls of functions that do nothing else.
 */
static inline __attribute__((always_inline)) void tcp_prefetch_segment(const struct tcp *tcp)
{
	__builtin_prefetch(tcp);
	__builtin_prefetch(&tcp->send);
	__builtin_prefetch(&tcp->ack);
	__builtin_prefetch(&tcp->earliest);
	__builtin_prefetch(&tcp->receive);
	__builtin_prefetch(&tcp->rtt);
}

/* And what an ACK needs besides: 3 and 7. */
static inline __attribute__((always_inline)) void tcp_prefetch_ack(const struct tcp *tcp)
{
	__builtin_prefetch(&tcp->cubic.epoch);
	__builtin_prefetch(&tcp->rack);
}

static inline struct tcp_slot *tcp_slot(const struct tcp *tcp, uint32_t slot)
{
	return &tcp->pool->slots[slot];
}

static inline void tcp_count(struct tcp *tcp, enum tcp_counter counter)
{
	tcp->counters[counter]++;
}

/* TSval of a point in time. */
static inline uint32_t tcp_timestamp(const struct tcp *tcp, uint64_t time)
{
	return tcp->timestamps.base + (uint32_t)((int64_t)(time - tcp->timestamps.base_time) / 1000);
}
