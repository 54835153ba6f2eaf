/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/transfer.h"

#include "tcp/tcp.h"

void transfer_from_established(struct transfer_state *state, const struct tcp_established *established)
{
	*state = (struct transfer_state){
		.snd_una = established->snd_una,
		.snd_nxt = established->snd_nxt,
		.snd_wnd = established->snd_wnd,
		.snd_wl1 = established->snd_wl1,
		.rcv_nxt = established->rcv_nxt,
		.rcv_wnd = established->rcv_wnd,
		.ts_value = established->ts_value,
		.cwnd = established->cwnd,
		.ssthresh = established->ssthresh,
		.srtt = established->srtt,
		.mss = established->mss,
		.snd_scale = established->snd_scale,
		.rcv_scale = established->rcv_scale,
		.timestamps = established->timestamps,
		.sack = established->sack,
		.ecn = established->ecn,
	};
}

void transfer_to_established(const struct transfer_state *state, struct tcp_established *established)
{
	*established = (struct tcp_established){
		.snd_una = state->snd_una,
		.snd_nxt = state->snd_nxt,
		.snd_wnd = state->snd_wnd,
		.snd_wl1 = state->snd_wl1,
		.rcv_nxt = state->rcv_nxt,
		.rcv_wnd = state->rcv_wnd,
		.ts_value = state->ts_value,
		.cwnd = state->cwnd,
		.ssthresh = state->ssthresh,
		.srtt = state->srtt,
		.mss = state->mss,
		.snd_scale = state->snd_scale,
		.rcv_scale = state->rcv_scale,
		.timestamps = state->timestamps != 0,
		.sack = state->sack != 0,
		.ecn = state->ecn != 0,
	};
}
