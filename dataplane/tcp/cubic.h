/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The congestion window: CUBIC (RFC 9438) in congestion avoidance, slow start that ends when the delay grows
 * (HyStart++, RFC 9406). Growth counts acknowledged bytes (RFC 3465), so it does not matter how many of them one ACK
 * brings. What to do about a loss, and how fast to come down, is recovery.h's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	CUBIC_INITIAL_SEGMENTS = 10, /* RFC 6928 */
	CUBIC_SSTHRESH_NONE = UINT32_MAX,
};

struct tcp_cubic {
	uint32_t cwnd, ssthresh; /* bytes */
	uint32_t mss;
	/* Congestion avoidance, in segments; RFC 9438's names. */
	uint64_t epoch;				     /* microseconds, when this stage began; 0: not begun */
	float w_max, k, w_est, cwnd_prior, fraction; /* fraction: bytes that cwnd is ahead of its whole number */
	uint64_t grew;				     /* microseconds, when it last counted bytes */
	uint32_t acked;				     /* bytes that it has not grown for yet */
	/* Slow start, round by round; microseconds. */
	uint32_t last_round_rtt, round_rtt, css_baseline_rtt; /* UINT32_MAX: none */
	uint8_t n_samples, css_rounds;
	bool in_css; /* conservative slow start, RFC 9406 */
};

/* cwnd or ssthresh 0: RFC 6928's initial window, no threshold. */
void tcp_cubic_init(struct tcp_cubic *cubic, uint32_t mss, uint32_t cwnd, uint32_t ssthresh);

/* `bytes` were acknowledged while the window was what limited us. srtt in microseconds. */
void tcp_cubic_acked(struct tcp_cubic *cubic, uint32_t bytes, uint32_t srtt, uint64_t now);

/* Bytes were acknowledged, and something else limited us: time that CUBIC does not count (sections 4.2 and 5.8). */
void tcp_cubic_unused(struct tcp_cubic *cubic, uint64_t now);

/* A round trip's RTT sample; and its end, when the sequence number sent last at its beginning is acknowledged. */
void tcp_cubic_rtt(struct tcp_cubic *cubic, uint32_t rtt);
void tcp_cubic_round(struct tcp_cubic *cubic);

/* Loss or an ECN echo: a lower ssthresh; cwnd comes down to it by and by (recovery.h). */
void tcp_cubic_congestion(struct tcp_cubic *cubic);

/* A retransmission timeout, whether it made ssthresh lower or not: one segment, and a new stage (section 4.8). */
void tcp_cubic_timeout(struct tcp_cubic *cubic);

/* Nothing was in flight for that long: time that CUBIC does not count (RFC 9438 section 4.2), restart beyond an RTO. */
void tcp_cubic_idle(struct tcp_cubic *cubic, uint64_t idle, uint64_t rto);

void tcp_cubic_mss(struct tcp_cubic *cubic, uint32_t mss);

static inline bool tcp_cubic_slow_start(const struct tcp_cubic *cubic)
{
	return cubic->cwnd < cubic->ssthresh;
}
