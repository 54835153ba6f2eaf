/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/backlog.h"

#include <errno.h>

enum { MILLISECONDS = 1000 }; /* of a second; milliseconds, twice: rate times time stays below 2^64 */

void backlog_settings_default(struct backlog_settings *settings)
{
	*settings = (struct backlog_settings){
		.time_max = 50000,
		.bytes_min = 128 << 10, /* two of the longest IP packets */
		.bytes_max = 8 << 20,
		.ike_max = 256 << 10,
	};
}

void backlog_init(struct backlog *backlog, const struct backlog_settings *settings, struct tcp_pool *pool)
{
	*backlog = (struct backlog){
		.settings = settings,
		.pool = pool,
		.data = {.head = TCP_NONE, .tail = TCP_NONE},
		.ike = {.head = TCP_NONE, .tail = TCP_NONE},
	};
}

int backlog_push(struct backlog *backlog, const struct backlog_packet *packet, uint64_t now)
{
	struct backlog_queue *queue = packet->is_ike ? &backlog->ike : &backlog->data;
	uint32_t at;

	if (packet->is_ike && packet->len > backlog->settings->ike_max - queue->bytes)
		return -ENOSPC;
	at = tcp_pool_take(backlog->pool);
	if (at == TCP_NONE)
		return -ENOBUFS;
	backlog->pool->slots[at] = (struct tcp_slot){
		.owner = packet->owner,
		.len = packet->len,
		.time = now,
		.next = TCP_NONE,
		.flags = packet->ecn_capable ? TCP_SLOT_MARK : 0,
	};
	*(queue->tail == TCP_NONE ? &queue->head : &backlog->pool->slots[queue->tail].next) = at;
	queue->tail = at;
	queue->bytes += packet->len;
	return 0;
}

/* The first of a queue, which is not empty. */
static struct tcp_slot take(struct backlog *backlog, struct backlog_queue *queue)
{
	uint32_t at = queue->head;
	struct tcp_slot slot = backlog->pool->slots[at];

	queue->head = slot.next;
	if (queue->head == TCP_NONE)
		queue->tail = TCP_NONE;
	queue->bytes -= slot.len;
	tcp_pool_give(backlog->pool, at);
	return slot;
}

uint64_t backlog_wait(const struct backlog *backlog, uint64_t now)
{
	return backlog->data.head == TCP_NONE ? 0 : now - backlog->pool->slots[backlog->data.head].time;
}

void *backlog_excess(struct backlog *backlog, uint64_t rate, uint64_t now)
{
	const struct backlog_settings *settings = backlog->settings;
	uint64_t bytes = backlog->data.bytes;

	if (bytes <= settings->bytes_min)
		return NULL;
	if (bytes <= settings->bytes_max && bytes <= rate / MILLISECONDS * settings->time_max / MILLISECONDS &&
		backlog_wait(backlog, now) <= settings->time_max)
		return NULL;
	return take(backlog, &backlog->data).owner;
}

bool backlog_pop(struct backlog *backlog, struct backlog_packet *packet, uint64_t now)
{
	bool is_ike = backlog->ike.head != TCP_NONE;
	struct tcp_slot slot;

	if (!is_ike && backlog->data.head == TCP_NONE)
		return false;
	slot = take(backlog, is_ike ? &backlog->ike : &backlog->data);
	*packet = (struct backlog_packet){
		.owner = slot.owner,
		.len = slot.len,
		.is_ike = is_ike,
		/* Half of what it may wait is the sign to slow down before drops have to say it. */
		.ecn_capable = (slot.flags & TCP_SLOT_MARK) && now - slot.time > backlog->settings->time_max / 2,
	};
	return true;
}
