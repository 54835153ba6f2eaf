/* SPDX-License-Identifier: Apache-2.0 */
/* The deadlines of an endpoint, and when the retransmission timer runs (RFC 6298 section 5). */
#pragma once

#include "tcp/tcp.h"

static inline void timer_set(struct tcp *tcp, enum tcp_timer timer, uint64_t deadline)
{
	tcp->timers[timer] = deadline;
	if (deadline < tcp->earliest)
		tcp->earliest = deadline;
}

static inline void timer_stop(struct tcp *tcp, enum tcp_timer timer)
{
	tcp->timers[timer] = UINT64_MAX;
}

static inline bool timer_runs(const struct tcp *tcp, enum tcp_timer timer)
{
	return tcp->timers[timer] != UINT64_MAX;
}

static inline void timer_stop_all(struct tcp *tcp)
{
	for (int timer = 0; timer < TCP_TIMER_COUNT; timer++)
		timer_stop(tcp, (enum tcp_timer)timer);
	tcp->earliest = UINT64_MAX;
}

static inline uint64_t timer_rto(const struct tcp *tcp)
{
	return tcp_rtt_timeout(&tcp->rtt, tcp->settings->rto_min, tcp->settings->rto_max);
}

/* The retransmission timer begins anew while anything is outstanding, else it stops (sections 5.2 and 5.3). */
void timer_restart_rto(struct tcp *tcp, uint64_t now);
