/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/cubic.h"

#include <math.h>

/* RFC 9438 sections 4.1, 4.3 and 4.6. */
static const double CUBIC_C = 0.4, CUBIC_BETA = 0.7;
static const double CUBIC_ALPHA = 3 * (1 - 0.7) / (1 + 0.7);

/*
 * RFC 9406 section 4.3; microseconds. L, the segments that one ACK may add in slow start, is not limited: the RFC would
 * have 8 where nothing is paced, but receivers that merge segments (GRO) acknowledge dozens at once, and from them a
 * stream would never get fast.
 */
enum {
	HYSTART_RTT_THRESH_MIN = 4000,
	HYSTART_RTT_THRESH_MAX = 16000,
	HYSTART_RTT_DIVISOR = 8,
	HYSTART_RTT_SAMPLES = 8,
	HYSTART_CSS_DIVISOR = 4,
	HYSTART_CSS_ROUNDS = 5,
};

enum {
	CWND_MAX = 1 << 30,
	SEGMENTS_MIN = 2,
	STEPS_A_ROUND = 16, /* of growth in congestion avoidance, in a round trip: its arithmetic isn't for each ACK */
};

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t max32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void hystart_reset(struct tcp_cubic *cubic)
{
	cubic->last_round_rtt = cubic->round_rtt = cubic->css_baseline_rtt = UINT32_MAX;
	cubic->n_samples = cubic->css_rounds = 0;
	cubic->in_css = false;
}

void tcp_cubic_init(struct tcp_cubic *cubic, uint32_t mss, uint32_t cwnd, uint32_t ssthresh)
{
	*cubic = (struct tcp_cubic){
		.mss = mss,
		.cwnd = cwnd ? max32(cwnd, mss) : CUBIC_INITIAL_SEGMENTS * mss,
		.ssthresh = ssthresh ? max32(ssthresh, SEGMENTS_MIN * mss) : CUBIC_SSTHRESH_NONE,
	};
	hystart_reset(cubic);
}

/* Grows by `bytes`, and keeps what is less than one for the next time. */
static void grow(struct tcp_cubic *cubic, double bytes)
{
	uint32_t whole;

	bytes += cubic->fraction;
	whole = (uint32_t)bytes;
	cubic->fraction = (float)(bytes - whole);
	cubic->cwnd = min32(cubic->cwnd + whole, CWND_MAX);
}

/* RFC 9438 section 4.2: the stage begins with the window as it is, and aims at the one before the last loss. */
static void begin_epoch(struct tcp_cubic *cubic, uint64_t now)
{
	double cwnd = (double)cubic->cwnd / cubic->mss;

	cubic->epoch = now;
	cubic->w_est = cwnd;
	if (cubic->w_max < cwnd) {
		cubic->w_max = cwnd;
		cubic->k = 0;
	} else {
		cubic->k = cbrt((cubic->w_max - cwnd) / CUBIC_C);
	}
}

/* Section 4.2: W_cubic, so many microseconds into the stage. */
static double curve(const struct tcp_cubic *cubic, uint64_t elapsed)
{
	double t = (double)elapsed / 1e6 - cubic->k;

	return cubic->w_max + CUBIC_C * t * t * t;
}

static void avoid_congestion(struct tcp_cubic *cubic, uint32_t bytes, uint32_t srtt, uint64_t now)
{
	double cwnd = (double)cubic->cwnd / cubic->mss, acked = (double)bytes / cubic->mss, target;

	if (cubic->epoch == 0)
		begin_epoch(cubic, now);
	/* Section 4.3: what Reno would have, and where that is more, it is the window. */
	cubic->w_est += (cubic->w_est < cubic->cwnd_prior ? CUBIC_ALPHA : 1) * acked / cwnd;
	if (curve(cubic, now - cubic->epoch) < cubic->w_est) {
		if (cubic->w_est > cwnd)
			grow(cubic, fmin((cubic->w_est - cwnd) * cubic->mss, bytes));
		return;
	}
	/* Sections 4.2, 4.4, 4.5: to where the curve is one round trip from now, no more than half as much again. */
	target = fmin(fmax(curve(cubic, now - cubic->epoch + srtt), cwnd), 1.5 * cwnd);
	grow(cubic, (target - cwnd) / cwnd * acked * cubic->mss);
}

void tcp_cubic_acked(struct tcp_cubic *cubic, uint32_t bytes, uint32_t srtt, uint64_t now)
{
	if (tcp_cubic_slow_start(cubic)) {
		uint32_t divisor = cubic->in_css ? HYSTART_CSS_DIVISOR : 1;
		uint32_t growth = min32(bytes / divisor, cubic->ssthresh - cubic->cwnd);

		cubic->cwnd = min32(cubic->cwnd + growth, CWND_MAX);
		bytes -= growth * divisor;
		if (tcp_cubic_slow_start(cubic))
			return;
	}
	cubic->grew = now;
	cubic->acked += bytes;
	if (cubic->acked == 0 || cubic->acked < cubic->cwnd / STEPS_A_ROUND)
		return;
	avoid_congestion(cubic, cubic->acked, srtt, now);
	cubic->acked = 0;
}

void tcp_cubic_unused(struct tcp_cubic *cubic, uint64_t now)
{
	if (cubic->epoch != 0)
		cubic->epoch += now - cubic->grew;
	cubic->grew = now;
}

void tcp_cubic_rtt(struct tcp_cubic *cubic, uint32_t rtt)
{
	uint32_t threshold;

	cubic->round_rtt = min32(cubic->round_rtt, rtt);
	if (cubic->n_samples < HYSTART_RTT_SAMPLES)
		cubic->n_samples++;
	/* Section 4.3: in the first slow start alone; later ones know a threshold. */
	if (cubic->ssthresh != CUBIC_SSTHRESH_NONE || cubic->n_samples < HYSTART_RTT_SAMPLES)
		return;
	if (cubic->in_css) {
		/* The delay did not stay: slow start goes on. */
		if (cubic->round_rtt < cubic->css_baseline_rtt) {
			cubic->css_baseline_rtt = UINT32_MAX;
			cubic->in_css = false;
		}
	} else if (cubic->last_round_rtt != UINT32_MAX) {
		threshold = max32(HYSTART_RTT_THRESH_MIN,
			min32(cubic->last_round_rtt / HYSTART_RTT_DIVISOR, HYSTART_RTT_THRESH_MAX));
		if (cubic->round_rtt >= cubic->last_round_rtt + threshold) {
			cubic->css_baseline_rtt = cubic->round_rtt;
			cubic->in_css = true;
			cubic->css_rounds = 0;
		}
	}
}

void tcp_cubic_round(struct tcp_cubic *cubic)
{
	if (cubic->in_css && ++cubic->css_rounds >= HYSTART_CSS_ROUNDS && tcp_cubic_slow_start(cubic)) {
		cubic->ssthresh = cubic->cwnd;
		cubic->in_css = false;
	}
	cubic->last_round_rtt = cubic->round_rtt;
	cubic->round_rtt = UINT32_MAX;
	cubic->n_samples = 0;
}

void tcp_cubic_congestion(struct tcp_cubic *cubic)
{
	double cwnd = (double)cubic->cwnd / cubic->mss;

	/* Fast convergence, section 4.7: a window that could not grow as far as before makes room for others. */
	cubic->w_max = cwnd < cubic->w_max ? cwnd * (1 + CUBIC_BETA) / 2 : cwnd;
	cubic->cwnd_prior = cwnd;
	cubic->ssthresh = max32((uint32_t)(cubic->cwnd * CUBIC_BETA), SEGMENTS_MIN * cubic->mss);
	cubic->epoch = 0;
	cubic->fraction = 0;
	cubic->acked = 0;
	hystart_reset(cubic);
}

void tcp_cubic_timeout(struct tcp_cubic *cubic)
{
	cubic->cwnd = cubic->mss;
	cubic->w_max = 0; /* section 4.8: the next stage begins at its plateau */
	cubic->epoch = 0;
	cubic->fraction = 0;
	cubic->acked = 0;
}

void tcp_cubic_idle(struct tcp_cubic *cubic, uint64_t idle, uint64_t rto)
{
	if (cubic->epoch != 0)
		cubic->epoch += idle;
	cubic->grew += idle;
	if (idle > rto) /* RFC 5681 section 4.1 */
		cubic->cwnd = min32(cubic->cwnd, CUBIC_INITIAL_SEGMENTS * cubic->mss);
}

void tcp_cubic_mss(struct tcp_cubic *cubic, uint32_t mss)
{
	double ratio = (double)cubic->mss / mss;

	cubic->w_max *= ratio;
	cubic->w_est *= ratio;
	cubic->cwnd_prior *= ratio;
	cubic->mss = mss;
	cubic->cwnd = max32(cubic->cwnd, mss);
	cubic->ssthresh = max32(cubic->ssthresh, SEGMENTS_MIN * mss);
}
