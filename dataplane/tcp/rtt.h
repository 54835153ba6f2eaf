/* SPDX-License-Identifier: Apache-2.0 */
/* Round-trip time and the retransmission timeout (RFC 6298). Microseconds. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	RTT_NONE = UINT32_MAX,
	RTO_INITIAL = 1000000,
	RTT_MIN_WINDOW = 300000000, /* the minimum is that of the last five to ten minutes: paths change */
};

struct tcp_rtt {
	uint32_t srtt, rttvar; /* srtt RTT_NONE: no sample yet */
	uint32_t min, min_before;
	uint64_t min_since;
	uint8_t backoff; /* timeouts since the last sample: the RTO doubles with each */
};

static inline void tcp_rtt_init(struct tcp_rtt *rtt, uint64_t now)
{
	*rtt = (struct tcp_rtt){.srtt = RTT_NONE, .min = RTT_NONE, .min_before = RTT_NONE, .min_since = now};
}

/* A sample, of a segment that was sent once (Karn's algorithm) or by timestamps. */
void tcp_rtt_sample(struct tcp_rtt *rtt, uint32_t sample, uint64_t now);

/* The timeout: no less than `min` above SRTT, no more than `max`. Below RFC 6298's second, as everywhere today. */
uint64_t tcp_rtt_timeout(const struct tcp_rtt *rtt, uint32_t min, uint32_t max);

static inline uint32_t tcp_rtt_min(const struct tcp_rtt *rtt)
{
	return rtt->min < rtt->min_before ? rtt->min : rtt->min_before;
}
