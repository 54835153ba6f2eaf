/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/rtt.h"

enum { BACKOFF_MAX = 12 };

void tcp_rtt_sample(struct tcp_rtt *rtt, uint32_t sample, uint64_t now)
{
	uint32_t error;

	if (now - rtt->min_since > RTT_MIN_WINDOW) {
		rtt->min_before = rtt->min;
		rtt->min = RTT_NONE;
		rtt->min_since = now;
	}
	if (sample < rtt->min)
		rtt->min = sample;
	if (rtt->srtt == RTT_NONE) { /* section 2.2 */
		rtt->srtt = sample;
		rtt->rttvar = sample / 2;
	} else { /* section 2.3 */
		error = rtt->srtt > sample ? rtt->srtt - sample : sample - rtt->srtt;
		rtt->rttvar = (uint32_t)((3 * (uint64_t)rtt->rttvar + error) / 4);
		rtt->srtt = (uint32_t)((7 * (uint64_t)rtt->srtt + sample) / 8);
	}
	rtt->backoff = 0;
}

uint64_t tcp_rtt_timeout(const struct tcp_rtt *rtt, uint32_t min, uint32_t max)
{
	uint64_t timeout = RTO_INITIAL, margin;

	if (rtt->srtt != RTT_NONE) {
		margin = 4 * (uint64_t)rtt->rttvar;
		timeout = rtt->srtt + (margin > min ? margin : min);
	}
	timeout <<= rtt->backoff < BACKOFF_MAX ? rtt->backoff : BACKOFF_MAX; /* section 5.5 */
	return timeout < max ? timeout : max;
}
