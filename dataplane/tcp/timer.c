/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/timer.h"
#include "tcp/life.h"
#include "tcp/rack.h"
#include "tcp/recovery.h"
#include "tcp/send.h"

void timer_restart_rto(struct tcp *tcp, uint64_t now)
{
	if (send_is_outstanding(tcp))
		timer_set(tcp, TCP_TIMER_RTO, now + timer_rto(tcp));
	else
		timer_stop(tcp, TCP_TIMER_RTO);
}

uint64_t tcp_deadline(struct tcp *tcp)
{
	tcp->earliest = UINT64_MAX;
	for (int timer = 0; timer < TCP_TIMER_COUNT; timer++) {
		if (tcp->timers[timer] < tcp->earliest)
			tcp->earliest = tcp->timers[timer];
	}
	return tcp->earliest;
}

/* The peer is given up, and told so in case that it hears us after all. */
static void die(struct tcp *tcp)
{
	life_end(tcp, TCP_EVENT_DEAD);
	tcp->debts.reset = true;
}

static bool is_dead(struct tcp *tcp, uint64_t now)
{
	if (now - tcp->progress < tcp->settings->user_timeout)
		return false;
	die(tcp);
	return true;
}

static void reorder_expired(struct tcp *tcp, uint64_t now)
{
	if (rack_detect(tcp, now))
		recovery_enter(tcp);
}

static void probe_expired(struct tcp *tcp, uint64_t now)
{
	if (tlp_is_early(tcp, now))
		return;
	tcp->debts.segment = true;
	/* The probe puts it off; it runs on should there be none to send. */
	if (tcp->timers[TCP_TIMER_RTO] <= now)
		timer_restart_rto(tcp, now);
}

/* RFC 6298 sections 5.4 to 5.7. */
static void rto_expired(struct tcp *tcp, uint64_t now)
{
	if (is_dead(tcp, now))
		return;
	tcp_count(tcp, TCP_COUNT_TIMEOUTS);
	/* What is at SND.UNA can't have been SACKed, unless the peer has thrown it away (RFC 2018 section 8). */
	if (tcp_slot(tcp, tcp->send.head)->flags & TCP_SLOT_SACKED)
		send_forget_sacks(tcp);
	rack_timeout(tcp, now);
	recovery_timeout(tcp);
	tcp->probing = false;
	tcp->rtt.backoff += tcp->rtt.backoff < UINT8_MAX;
	timer_stop(tcp, TCP_TIMER_PROBE);
	timer_stop(tcp, TCP_TIMER_REORDER);
	timer_restart_rto(tcp, now);
}

/* RFC 9293 section 3.8.6.1; a window that is merely small gets what fits. */
static void persist_expired(struct tcp *tcp, uint64_t now)
{
	uint32_t room = send_window_room(tcp);

	if (tcp->send.unsent == TCP_NONE || send_is_outstanding(tcp) || is_dead(tcp, now))
		return;
	tcp_count(tcp, TCP_COUNT_WINDOW_PROBES);
	if (room > 0 && tcp_slot(tcp, tcp->send.unsent)->len > room && send_cut(tcp, tcp->send.unsent, room))
		return;
	tcp->debts.window_probe = true;
	tcp->rtt.backoff += tcp->rtt.backoff < UINT8_MAX;
	timer_set(tcp, TCP_TIMER_PERSIST, now + timer_rto(tcp));
}

/* RFC 9293 section 3.8.4. Segments that came meanwhile put it off only here, not each of them. */
static void keepalive_expired(struct tcp *tcp, uint64_t now)
{
	const struct tcp_settings *settings = tcp->settings;

	if (settings->keepalive_idle == 0)
		return;
	if (tcp->n_keepalives == 0 && now - tcp->heard < settings->keepalive_idle) {
		timer_set(tcp, TCP_TIMER_KEEPALIVE, tcp->heard + settings->keepalive_idle);
		return;
	}
	if (tcp->n_keepalives >= settings->keepalive_probes) {
		die(tcp);
		return;
	}
	tcp->n_keepalives++;
	tcp->debts.window_probe = true;
	timer_set(tcp, TCP_TIMER_KEEPALIVE, now + settings->keepalive_interval);
}

/* Nothing more is expected of the peer, or it has had its time to close. */
static void time_wait_expired(struct tcp *tcp)
{
	if (tcp->state == TCP_STATE_TIME_WAIT)
		life_end(tcp, 0);
	else
		die(tcp);
}

static void expired(struct tcp *tcp, enum tcp_timer timer, uint64_t now)
{
	switch (timer) {
	case TCP_TIMER_REORDER: reorder_expired(tcp, now); break;
	case TCP_TIMER_PROBE: probe_expired(tcp, now); break;
	case TCP_TIMER_RTO: rto_expired(tcp, now); break;
	case TCP_TIMER_PERSIST: persist_expired(tcp, now); break;
	case TCP_TIMER_ACK: tcp->ack.now = true; break;
	case TCP_TIMER_KEEPALIVE: keepalive_expired(tcp, now); break;
	default: time_wait_expired(tcp);
	}
}

void tcp_timeout(struct tcp *tcp, uint64_t now)
{
	for (int timer = 0; timer < TCP_TIMER_COUNT; timer++) {
		if (tcp->timers[timer] > now)
			continue;
		timer_stop(tcp, (enum tcp_timer)timer);
		expired(tcp, (enum tcp_timer)timer, now);
	}
}
