/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/life.h"
#include "tcp/receive.h"
#include "tcp/send.h"
#include "tcp/timer.h"

#include <errno.h>

void life_end(struct tcp *tcp, unsigned int event)
{
	tcp->state = TCP_STATE_CLOSED;
	tcp->events |= (uint8_t)event;
	timer_stop_all(tcp);
	send_free(tcp);
	send_init(tcp, tcp->send.nxt);
	tcp->send.lost = tcp->send.sacked = tcp->send.n_sacked = tcp->send.flight = 0;
	tcp->debts = (struct tcp_debts){0};
	tcp->ack.now = false;
}

static void wait_out(struct tcp *tcp, uint64_t now)
{
	tcp->state = TCP_STATE_TIME_WAIT;
	tcp->events |= TCP_EVENT_CLOSED;
	timer_set(tcp, TCP_TIMER_TIME_WAIT, now + tcp->settings->time_wait);
	timer_stop(tcp, TCP_TIMER_KEEPALIVE);
}

void life_fin_acknowledged(struct tcp *tcp, uint64_t now)
{
	if (!tcp->fin_queued || tcp->send.una != tcp->send.end)
		return;
	if (tcp->state == TCP_STATE_FIN_WAIT_1) {
		tcp->state = TCP_STATE_FIN_WAIT_2;
		/* A peer that never closes its side would keep us here for ever. */
		timer_set(tcp, TCP_TIMER_TIME_WAIT, now + tcp->settings->user_timeout);
	} else if (tcp->state == TCP_STATE_CLOSING) {
		wait_out(tcp, now);
	} else if (tcp->state == TCP_STATE_LAST_ACK) {
		life_end(tcp, TCP_EVENT_CLOSED);
	}
}

void life_peer_finished(struct tcp *tcp, uint64_t now)
{
	if (!tcp->receive.fin_known || tcp->receive.nxt != tcp->receive.fin + 1)
		return;
	switch (tcp->state) {
	case TCP_STATE_ESTABLISHED: tcp->state = TCP_STATE_CLOSE_WAIT; break;
	case TCP_STATE_FIN_WAIT_1: tcp->state = TCP_STATE_CLOSING; break;
	case TCP_STATE_FIN_WAIT_2: wait_out(tcp, now); break;
	default: return; /* it was there before */
	}
	tcp->events |= TCP_EVENT_PEER_CLOSED;
	tcp->ack.now = true;
}

void tcp_close(struct tcp *tcp)
{
	if (tcp->state == TCP_STATE_ESTABLISHED)
		tcp->state = TCP_STATE_FIN_WAIT_1;
	else if (tcp->state == TCP_STATE_CLOSE_WAIT)
		tcp->state = TCP_STATE_LAST_ACK;
	else
		return;
	if (send_append(tcp, NULL, 0, NULL, TCP_SLOT_FIN) == 0)
		tcp->fin_queued = true;
	else /* no slot even for this: the peer still learns that it is over */
		tcp_abort(tcp);
}

void tcp_abort(struct tcp *tcp)
{
	if (tcp->state == TCP_STATE_CLOSED)
		return;
	life_end(tcp, 0);
	tcp->debts.reset = true;
}

unsigned int tcp_take_events(struct tcp *tcp)
{
	unsigned int events = tcp->events;

	tcp->events = 0;
	return events;
}
