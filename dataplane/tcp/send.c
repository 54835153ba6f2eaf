/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/send.h"
#include "tcp/rack.h"
#include "tcp/recovery.h"
#include "tcp/sequence.h"

#include <errno.h>

void send_init(struct tcp *tcp, uint32_t una)
{
	struct tcp_send *send = &tcp->send;

	send->head = send->tail = send->unsent = send->oldest = send->newest = send->lost_hint = TCP_NONE;
	send->una = send->nxt = send->end = una;
}

/* --- the list by time of transmission: what is in flight ---------------------------------------------------------- */

/* Behind `older`, which may be TCP_NONE. */
static inline void flight_insert(struct tcp *tcp, uint32_t at, uint32_t older)
{
	struct tcp_send *send = &tcp->send;
	struct tcp_slot *slot = tcp_slot(tcp, at);
	uint32_t *link = older == TCP_NONE ? &send->oldest : &tcp_slot(tcp, older)->newer;

	slot->older = older;
	slot->newer = *link;
	*link = at;
	*(slot->newer == TCP_NONE ? &send->newest : &tcp_slot(tcp, slot->newer)->older) = at;
	slot->flags |= TCP_SLOT_FLIGHT;
	send->flight += tcp_slot_span(slot);
}

/* What `older` says of the oldest is never read, so that its going touches no other slot's cache line. */
static inline void flight_remove(struct tcp *tcp, uint32_t at)
{
	struct tcp_send *send = &tcp->send;
	struct tcp_slot *slot = tcp_slot(tcp, at);
	bool is_oldest = at == send->oldest;

	*(is_oldest ? &send->oldest : &tcp_slot(tcp, slot->older)->newer) = slot->newer;
	if (at == send->newest)
		send->newest = is_oldest ? TCP_NONE : slot->older;
	else if (!is_oldest)
		tcp_slot(tcp, slot->newer)->older = slot->older;
	slot->flags &= (uint8_t)~TCP_SLOT_FLIGHT;
	send->flight -= tcp_slot_span(slot);
}

/* Out of whichever state it is in. */
static inline void slot_leave(struct tcp *tcp, uint32_t at)
{
	struct tcp_slot *slot = tcp_slot(tcp, at);

	if (slot->flags & TCP_SLOT_FLIGHT) {
		flight_remove(tcp, at);
	} else if (slot->flags & TCP_SLOT_LOST) {
		tcp->send.lost -= tcp_slot_span(slot);
	} else if (slot->flags & TCP_SLOT_SACKED) {
		tcp->send.sacked -= tcp_slot_span(slot);
		tcp->send.n_sacked--;
	}
	slot->flags &= (uint8_t) ~(TCP_SLOT_LOST | TCP_SLOT_SACKED);
}

/* --- the list by sequence ----------------------------------------------------------------------------------------- */

static inline void list_insert(struct tcp *tcp, uint32_t at, uint32_t previous)
{
	struct tcp_send *send = &tcp->send;
	struct tcp_slot *slot = tcp_slot(tcp, at);
	uint32_t *link = previous == TCP_NONE ? &send->head : &tcp_slot(tcp, previous)->next;

	slot->previous = previous;
	slot->next = *link;
	*link = at;
	*(slot->next == TCP_NONE ? &send->tail : &tcp_slot(tcp, slot->next)->previous) = at;
}

static inline void give(struct tcp *tcp, uint32_t at)
{
	const struct tcp_slot *slot = tcp_slot(tcp, at);

	if ((slot->flags & TCP_SLOT_LAST) && slot->owner)
		tcp->settings->release(tcp->settings->context, slot->owner);
	tcp_pool_give(tcp->pool, at);
}

static inline void list_remove_head(struct tcp *tcp)
{
	struct tcp_send *send = &tcp->send;
	uint32_t at = send->head;
	struct tcp_slot *slot = tcp_slot(tcp, at);

	slot_leave(tcp, at);
	send->head = slot->next; /* whose `previous` is never read, as above */
	if (send->head == TCP_NONE)
		send->tail = TCP_NONE;
	if (send->unsent == at)
		send->unsent = slot->next;
	if (send->lost_hint == at)
		send->lost_hint = slot->next;
	give(tcp, at);
}

void send_free(struct tcp *tcp)
{
	while (tcp->send.head != TCP_NONE)
		list_remove_head(tcp);
}

int send_append(struct tcp *tcp, uint8_t *data, uint32_t len, void *owner, uint8_t flags)
{
	struct tcp_send *send = &tcp->send;
	uint32_t n_slots = len > send->mss ? (len + send->mss - 1) / send->mss : 1;

	if (n_slots > tcp->pool->n_free)
		return -ENOBUFS;
	while (n_slots-- > 0) {
		uint32_t at = tcp_pool_take(tcp->pool), part = len < send->mss ? len : send->mss;
		struct tcp_slot *slot = tcp_slot(tcp, at);

		slot->data = data;
		slot->owner = owner;
		slot->seq = send->end;
		slot->len = part;
		slot->run = at;
		slot->flags = n_slots == 0 ? flags : 0;
		list_insert(tcp, at, send->tail);
		if (send->unsent == TCP_NONE)
			send->unsent = at;
		send->end = tcp_slot_end(slot);
		if (part > 0) /* a FIN has no bytes, and nowhere to point */
			data += part;
		len -= part;
	}
	return 0;
}

bool send_cut(struct tcp *tcp, uint32_t at, uint32_t len)
{
	uint32_t rest = tcp_pool_take(tcp->pool);
	struct tcp_slot *slot = tcp_slot(tcp, at);

	if (rest == TCP_NONE)
		return false;
	*tcp_slot(tcp, rest) = (struct tcp_slot){
		.data = slot->data + len,
		.owner = slot->owner,
		.seq = slot->seq + len,
		.len = slot->len - len,
		.flags = slot->flags,
		.time = slot->time,
		.first_time = slot->first_time,
		.run = rest,
	};
	slot->len = len;
	slot->flags &= (uint8_t) ~(TCP_SLOT_LAST | TCP_SLOT_FIN);
	list_insert(tcp, rest, at);
	return true;
}

/* --- the scoreboard ----------------------------------------------------------------------------------------------- */

void send_transmitted(struct tcp *tcp, uint32_t at, uint64_t now)
{
	struct tcp_send *send = &tcp->send;
	struct tcp_slot *slot = tcp_slot(tcp, at);

	if (at == send->unsent) {
		send->unsent = slot->next;
		send->nxt = tcp_slot_end(slot);
		slot->first_time = (uint32_t)now;
	} else {
		slot_leave(tcp, at);
		slot->flags |= TCP_SLOT_RETRANSMITTED;
	}
	slot->time = now;
	flight_insert(tcp, at, send->newest);
}

void send_append_transmitted(struct tcp *tcp, uint8_t *data, uint32_t len, void *owner, uint64_t now)
{
	struct tcp_send *send = &tcp->send;
	uint32_t at = tcp_pool_take(tcp->pool);
	struct tcp_slot *slot = tcp_slot(tcp, at);

	*slot = (struct tcp_slot){
		.data = data,
		.owner = owner,
		.time = now,
		.next = TCP_NONE,
		.previous = send->tail,
		.newer = TCP_NONE,
		.older = send->newest,
		.run = at,
		.seq = send->nxt,
		.len = len,
		.first_time = (uint32_t)now,
		.flags = TCP_SLOT_LAST | TCP_SLOT_FLIGHT,
	};
	tcp_slot(tcp, send->tail)->next = at;
	*(send->newest == TCP_NONE ? &send->oldest : &tcp_slot(tcp, send->newest)->newer) = at;
	send->tail = send->newest = at;
	send->nxt = send->end = slot->seq + len;
	send->flight += len;
}

static inline void slot_deliver(struct tcp *tcp, uint32_t at, struct tcp_delivery *delivery)
{
	struct tcp_slot *slot = tcp_slot(tcp, at);

	delivery->delivered += tcp_slot_span(slot);
	if (!(slot->flags & TCP_SLOT_RETRANSMITTED) &&
		(delivery->rtt == RTT_NONE || slot->time >= delivery->rtt_sent)) {
		delivery->rtt = (uint32_t)(delivery->now - slot->time);
		delivery->rtt_sent = slot->time;
	}
	rack_delivered(tcp, slot, delivery);
	slot_leave(tcp, at);
}

/* The peer has its first bytes: they leave it, so that SND.UNA is where the head begins. */
static void slot_trim(struct tcp *tcp, struct tcp_slot *slot, uint32_t ack, struct tcp_delivery *delivery)
{
	uint32_t len = ack - slot->seq;

	if (slot->flags & TCP_SLOT_FLIGHT)
		tcp->send.flight -= len;
	if (slot->flags & TCP_SLOT_LOST)
		tcp->send.lost -= len;
	if (slot->flags & TCP_SLOT_SACKED)
		tcp->send.sacked -= len;
	else
		delivery->delivered += len;
	slot->data += len;
	slot->len -= len;
	slot->seq = ack;
}

/*
 * Whole slots that were sent once, in this order, with nothing lost or SACKED: nearly all there are. What is to be
 * known of them the last one tells. The one behind them, which is far from all caches, is not looked at.
 */
static void acknowledge_in_order(struct tcp *tcp, uint32_t ack, struct tcp_delivery *delivery)
{
	struct tcp_send *send = &tcp->send;
	uint32_t at = send->head, begin = send->una, end = begin;
	uint64_t time = 0;

	if (send->lost + send->sacked > 0 || sequence_before(begin, tcp->rack.fack))
		return;
	while (end != ack && at != TCP_NONE && at == send->oldest) {
		const struct tcp_slot *slot = tcp_slot(tcp, at);
		uint32_t next = slot->next;

		if ((slot->flags & ~TCP_SLOT_LAST) != TCP_SLOT_FLIGHT || sequence_before(ack, slot->seq + slot->len))
			break;
		if (next != TCP_NONE) /* it was last looked at a round trip ago */
			__builtin_prefetch(tcp_slot(tcp, next), 1);
		end = slot->seq + slot->len;
		time = slot->time;
		send->oldest = slot->newer;
		give(tcp, at);
		send->head = at = next;
	}
	if (end == begin)
		return;
	if (send->head == TCP_NONE)
		send->tail = TCP_NONE;
	if (send->oldest == TCP_NONE)
		send->newest = TCP_NONE;
	send->lost_hint = TCP_NONE;
	send->flight -= end - begin;
	delivery->delivered = end - begin;
	delivery->rtt = (uint32_t)(delivery->now - time);
	delivery->rtt_sent = time;
	delivery->in_order = rack_delivered_in_order(tcp, time, end, delivery->now) && end == ack;
}

void send_acknowledge(struct tcp *tcp, uint32_t ack, struct tcp_delivery *delivery)
{
	struct tcp_send *send = &tcp->send;

	delivery->acked = ack - send->una;
	acknowledge_in_order(tcp, ack, delivery);
	while (send->head != TCP_NONE && sequence_before(tcp_slot(tcp, send->head)->seq, ack)) {
		struct tcp_slot *slot = tcp_slot(tcp, send->head);

		if (recovery_repeated(tcp, slot))
			delivery->acked_retransmitted = true;
		if (sequence_before(ack, tcp_slot_end(slot))) {
			slot_trim(tcp, slot, ack, delivery);
			break;
		}
		/* A run of SACKED slots loses its first. */
		if ((slot->flags & TCP_SLOT_SACKED) && slot->run != send->head) {
			tcp_slot(tcp, slot->next)->run = slot->run;
			tcp_slot(tcp, slot->run)->run = slot->next;
		} else if (!(slot->flags & TCP_SLOT_SACKED)) {
			slot_deliver(tcp, send->head, delivery);
		}
		list_remove_head(tcp);
	}
	send->una = ack;
}

void send_sack(struct tcp *tcp, struct tcp_range range, struct tcp_delivery *delivery)
{
	struct tcp_send *send = &tcp->send;
	struct tcp_slot *slot;

	for (uint32_t at = send->head; at != send->unsent; at = slot->next) {
		uint32_t first = at, last = at;

		slot = tcp_slot(tcp, at);
		if (slot->flags & TCP_SLOT_SACKED) {
			slot = tcp_slot(tcp, slot->run);
			continue;
		}
		if (!sequence_before(slot->seq, range.end))
			break;
		/* A segment of which the peer has a part only counts as not there. */
		if (sequence_before(slot->seq, range.start) || sequence_before(range.end, tcp_slot_end(slot)))
			continue;
		slot_deliver(tcp, at, delivery);
		slot->flags |= TCP_SLOT_SACKED;
		send->sacked += tcp_slot_span(slot);
		send->n_sacked++;
		/* With the runs on both sides it is one. */
		if (at != send->head && (tcp_slot(tcp, slot->previous)->flags & TCP_SLOT_SACKED))
			first = tcp_slot(tcp, slot->previous)->run;
		if (slot->next != TCP_NONE && (tcp_slot(tcp, slot->next)->flags & TCP_SLOT_SACKED))
			last = tcp_slot(tcp, slot->next)->run;
		tcp_slot(tcp, first)->run = last;
		tcp_slot(tcp, last)->run = first;
		slot = tcp_slot(tcp, last);
	}
}

void send_lose(struct tcp *tcp, uint32_t at)
{
	struct tcp_send *send = &tcp->send;
	struct tcp_slot *slot = tcp_slot(tcp, at);

	slot_leave(tcp, at);
	slot->flags |= TCP_SLOT_LOST;
	send->lost += tcp_slot_span(slot);
	if (send->lost_hint == TCP_NONE || sequence_before(slot->seq, tcp_slot(tcp, send->lost_hint)->seq))
		send->lost_hint = at;
}

void send_find_again(struct tcp *tcp)
{
	struct tcp_send *send = &tcp->send;

	for (uint32_t at = send->head; send->lost > 0 && at != send->unsent; at = tcp_slot(tcp, at)->next) {
		struct tcp_slot *slot = tcp_slot(tcp, at);
		uint32_t older = TCP_NONE, newer = send->oldest;

		if (!(slot->flags & TCP_SLOT_LOST))
			continue;
		slot_leave(tcp, at);
		while (newer != TCP_NONE && tcp_slot(tcp, newer)->time <= slot->time) {
			older = newer;
			newer = tcp_slot(tcp, newer)->newer;
		}
		flight_insert(tcp, at, older);
	}
	send->lost_hint = TCP_NONE;
}

void send_forget_sacks(struct tcp *tcp)
{
	for (uint32_t at = tcp->send.head; at != tcp->send.unsent; at = tcp_slot(tcp, at)->next) {
		if (tcp_slot(tcp, at)->flags & TCP_SLOT_SACKED)
			send_lose(tcp, at);
		tcp_slot(tcp, at)->run = at;
	}
}

uint32_t send_first_lost(struct tcp *tcp)
{
	struct tcp_send *send = &tcp->send;
	uint32_t at = send->lost_hint == TCP_NONE ? send->head : send->lost_hint;

	while (!(tcp_slot(tcp, at)->flags & TCP_SLOT_LOST))
		at = tcp_slot(tcp, at)->next;
	send->lost_hint = at;
	return at;
}

uint32_t send_last_sent(const struct tcp *tcp)
{
	const struct tcp_send *send = &tcp->send;

	if (send->unsent == TCP_NONE)
		return send->tail;
	return send->unsent == send->head ? TCP_NONE : tcp_slot(tcp, send->unsent)->previous;
}
