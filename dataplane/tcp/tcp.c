/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/tcp.h"
#include "tcp/rack.h"
#include "tcp/receive.h"
#include "tcp/send.h"
#include "tcp/timer.h"

#include <errno.h>
#include <string.h>

enum {
	SCALE_MAX = 14,	       /* RFC 7323 section 2.3 */
	MSS_MIN = 88,	       /* leaves bytes beside all options */
	SEGMENT_LEN_MIN = 536, /* what a peer's full segment is taken for at first: RFC 9293 section 3.7.1 */
	MILLISECOND = 1000,
	SECOND = 1000 * MILLISECOND,
};

void tcp_settings_default(struct tcp_settings *settings)
{
	*settings = (struct tcp_settings){
		.receive_window = 4 << 20,
		.held_max = 4096,
		.rto_min = 200 * MILLISECOND,
		.rto_max = 60 * SECOND,
		.ack_delay = 40 * MILLISECOND,
		.keepalive_idle = 60 * (uint64_t)SECOND,
		.keepalive_interval = 10 * (uint64_t)SECOND,
		.keepalive_probes = 5,
		.user_timeout = 100 * (uint64_t)SECOND,
		.time_wait = 60 * (uint64_t)SECOND,
	};
}

static bool is_consistent(const struct tcp_established *established)
{
	uint32_t outstanding = established->snd_nxt - established->snd_una;

	return established->mss >= MSS_MIN && established->snd_scale <= SCALE_MAX &&
	       established->rcv_scale <= SCALE_MAX && outstanding <= INT32_MAX &&
	       (outstanding == 0) == (established->unacknowledged == NULL);
}

int tcp_send_before(struct tcp *tcp, uint8_t *bytes, uint32_t len, void *owner, uint64_t now)
{
	int error = send_append(tcp, bytes, len, owner, TCP_SLOT_LAST);

	if (error)
		return error;
	while (tcp->send.unsent != TCP_NONE)
		send_transmitted(tcp, tcp->send.unsent, now);
	tcp->round_end = tcp->send.nxt;
	timer_restart_rto(tcp, now);
	return 0;
}

/* What the kernel sent and the peer has not acknowledged: as if it had been sent now. */
static int install_unacknowledged(struct tcp *tcp, const struct tcp_established *established, uint64_t now)
{
	uint32_t len = established->snd_nxt - established->snd_una;

	if (len == 0)
		return 0;
	return tcp_send_before(tcp, established->unacknowledged, len, established->unacknowledged_owner, now);
}

static void install_timers(struct tcp *tcp, uint64_t now)
{
	timer_stop_all(tcp);
	if (tcp->settings->keepalive_idle)
		timer_set(tcp, TCP_TIMER_KEEPALIVE, now + tcp->settings->keepalive_idle);
	/* Whether the kernel owed an ACK is not known; and the peer may hear of our window. */
	timer_set(tcp, TCP_TIMER_ACK, now + tcp->settings->ack_delay);
}

int tcp_install(struct tcp *tcp, const struct tcp_settings *settings, struct tcp_pool *pool,
	const struct tcp_established *established, uint64_t now)
{
	uint32_t mss = established->mss;

	if (!is_consistent(established))
		return -EINVAL;
	if (established->timestamps)
		mss -= TCP_TIMESTAMPS_LEN;
	*tcp = (struct tcp){
		.settings = settings,
		.pool = pool,
		.local_port = established->local_port,
		.remote_port = established->remote_port,
		.sack = established->sack,
		.ecn = established->ecn,
		.heard = now,
		.progress = now,
		.flight_ended = now,
		.round_end = established->snd_nxt,
		.recovery.retransmitted_end = established->snd_una,
	};
	send_init(tcp, established->snd_una);
	tcp->send.wnd = tcp->send.max_wnd = established->snd_wnd;
	tcp->send.wl1 = established->snd_wl1;
	tcp->send.wl2 = established->snd_una;
	tcp->send.scale = established->snd_scale;
	tcp->send.mss = mss;
	receive_init(tcp, established->rcv_nxt, established->rcv_wnd, established->rcv_scale);
	tcp->ack.last = established->rcv_nxt;
	tcp->ack.segment_len = SEGMENT_LEN_MIN;
	tcp->timestamps = (struct tcp_timestamps){
		.enabled = established->timestamps, .base = established->ts_value, .base_time = now};
	tcp_rtt_init(&tcp->rtt, now);
	if (established->srtt)
		tcp_rtt_sample(&tcp->rtt, established->srtt, now);
	rack_init(tcp, established->snd_una);
	tcp_cubic_init(&tcp->cubic, mss, established->cwnd, established->ssthresh);
	install_timers(tcp, now);
	return install_unacknowledged(tcp, established, now);
}

void tcp_uninstall(struct tcp *tcp)
{
	send_free(tcp);
	receive_free(tcp);
	tcp->state = TCP_STATE_CLOSED;
	timer_stop_all(tcp);
}

int tcp_send(struct tcp *tcp, uint8_t *frame, uint32_t len, void *owner)
{
	if (tcp->state != TCP_STATE_ESTABLISHED && tcp->state != TCP_STATE_CLOSE_WAIT)
		return -EPIPE;
	return send_append(tcp, frame, len, owner, TCP_SLOT_LAST);
}

uint64_t tcp_rate(const struct tcp *tcp)
{
	uint32_t window = tcp->cubic.cwnd < tcp->send.wnd ? tcp->cubic.cwnd : tcp->send.wnd;

	if (tcp->rtt.srtt == RTT_NONE)
		return 0;
	return (uint64_t)window * SECOND / (tcp->rtt.srtt ? tcp->rtt.srtt : 1);
}

void tcp_set_mss(struct tcp *tcp, uint16_t mss, uint64_t now)
{
	uint32_t payload = mss < MSS_MIN ? MSS_MIN : mss;

	if (tcp->timestamps.enabled)
		payload -= TCP_TIMESTAMPS_LEN;
	tcp->send.mss = payload;
	tcp_cubic_mss(&tcp->cubic, payload);
	/* RFC 1191 section 6.4: what was too long is on its way to nowhere; that is no congestion. */
	for (uint32_t at = tcp->send.oldest, newer; at != TCP_NONE; at = newer) {
		newer = tcp_slot(tcp, at)->newer;
		if (tcp_slot(tcp, at)->len > payload)
			send_lose(tcp, at);
	}
	timer_restart_rto(tcp, now);
}
