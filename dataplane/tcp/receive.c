/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/receive.h"
#include "tcp/sequence.h"

#include <string.h>

enum { WINDOW_FIELD_MAX = 65535 };

void receive_init(struct tcp *tcp, uint32_t nxt, uint32_t window, uint8_t scale)
{
	tcp->receive = (struct tcp_receive){
		.nxt = nxt, .read = nxt, .edge = nxt + window, .head = TCP_NONE, .tail = TCP_NONE, .scale = scale};
}

static void give_back(struct tcp *tcp, void *owner)
{
	if (owner)
		tcp->settings->release(tcp->settings->context, owner);
}

static void list_remove(struct tcp *tcp, uint32_t at)
{
	struct tcp_receive *receive = &tcp->receive;
	struct tcp_slot *slot = tcp_slot(tcp, at);

	*(slot->previous == TCP_NONE ? &receive->head : &tcp_slot(tcp, slot->previous)->next) = slot->next;
	*(slot->next == TCP_NONE ? &receive->tail : &tcp_slot(tcp, slot->next)->previous) = slot->previous;
	receive->n_held--;
	tcp_pool_give(tcp->pool, at);
}

void receive_free(struct tcp *tcp)
{
	struct tcp_receive *receive = &tcp->receive;

	if (receive->first.data)
		give_back(tcp, receive->first.owner);
	receive->first.data = NULL;
	while (receive->head != TCP_NONE) {
		give_back(tcp, tcp_slot(tcp, receive->head)->owner);
		list_remove(tcp, receive->head);
	}
}

/* --- the window ------------------------------------------------------------------------------------------------------
 */

/* The right edge that could be promised now. */
static uint32_t edge_now(const struct tcp *tcp)
{
	const struct tcp_receive *receive = &tcp->receive;
	uint32_t unread = receive->nxt - receive->read, size = tcp->settings->receive_window;
	uint32_t edge = receive->nxt + (size > unread ? size - unread : 0);

	return sequence_later(edge, receive->edge);
}

uint16_t receive_move_window(struct tcp *tcp)
{
	struct tcp_receive *receive = &tcp->receive;
	uint32_t edge = edge_now(tcp), window = edge - receive->nxt, field = window >> receive->scale;

	/* What was promised before may not get lost in the scale. */
	if (edge == receive->edge && field << receive->scale < window)
		field++;
	if (field > WINDOW_FIELD_MAX)
		field = WINDOW_FIELD_MAX;
	receive->edge = sequence_later(receive->edge, receive->nxt + (field << receive->scale));
	return (uint16_t)field;
}

bool receive_window_grew(const struct tcp *tcp)
{
	return edge_now(tcp) - tcp->receive.edge >= tcp->settings->receive_window / 2;
}

/* --- SACK blocks -----------------------------------------------------------------------------------------------------
 */

/* RFC 2018 section 4: the block with what came last goes first, and takes in those that it touches. */
static void blocks_touch(struct tcp_receive *receive, struct tcp_range range)
{
	struct tcp_range kept[TCP_BLOCKS_MAX];
	uint8_t n_kept = 0, untold = 1;

	for (uint8_t i = 0; i < receive->n_blocks; i++) {
		struct tcp_range block = receive->blocks[i];

		if (sequence_before(range.end, block.start) || sequence_before(block.end, range.start)) {
			kept[n_kept++] = block;
			untold |= (uint8_t)((receive->untold >> i & 1) << n_kept);
		} else {
			range.start = sequence_earlier(range.start, block.start);
			range.end = sequence_later(range.end, block.end);
		}
	}
	if (n_kept == TCP_BLOCKS_MAX)
		n_kept--; /* the oldest is forgotten, until something comes that touches it */
	receive->blocks[0] = range;
	memcpy(receive->blocks + 1, kept, n_kept * sizeof(kept[0]));
	receive->n_blocks = (uint8_t)(n_kept + 1);
	receive->untold = untold;
}

static void blocks_drop_below(struct tcp_receive *receive, uint32_t seq)
{
	uint8_t n_kept = 0, untold = 0;

	for (uint8_t i = 0; i < receive->n_blocks; i++) {
		if (!sequence_before(seq, receive->blocks[i].start))
			continue;
		untold |= (uint8_t)((receive->untold >> i & 1) << n_kept);
		receive->blocks[n_kept++] = receive->blocks[i];
	}
	receive->n_blocks = n_kept;
	receive->untold = untold;
}

static void note_duplicate(struct tcp *tcp, uint32_t start, uint32_t end)
{
	tcp->receive.duplicate = (struct tcp_range){.start = start, .end = end};
	tcp->receive.has_duplicate = true;
}

uint8_t receive_report(struct tcp *tcp, struct tcp_range *blocks, uint8_t max)
{
	struct tcp_receive *receive = &tcp->receive;
	uint8_t count = 0, untold = receive->untold;

	if (receive->has_duplicate && count < max) {
		blocks[count++] = receive->duplicate;
		receive->has_duplicate = false;
	}
	for (uint8_t i = 0; i < receive->n_blocks && count < max; i++) {
		if (untold >> i & 1) {
			blocks[count++] = receive->blocks[i];
			receive->untold &= (uint8_t) ~(1U << i);
		}
	}
	for (uint8_t i = 0; i < receive->n_blocks && count < max; i++) {
		if (!(untold >> i & 1))
			blocks[count++] = receive->blocks[i];
	}
	return count;
}

/* --- reassembly ------------------------------------------------------------------------------------------------------
 */

/* RCV.NXT goes on over what is held behind it, and over the FIN. */
static void advance(struct tcp *tcp)
{
	struct tcp_receive *receive = &tcp->receive;
	uint32_t before = receive->nxt;

	for (uint32_t at = receive->head; at != TCP_NONE; at = tcp_slot(tcp, at)->next) {
		const struct tcp_slot *slot = tcp_slot(tcp, at);

		if (sequence_before(receive->nxt, slot->seq))
			break;
		receive->nxt = sequence_later(receive->nxt, tcp_slot_end(slot));
	}
	if (receive->fin_known && receive->nxt == receive->fin)
		receive->nxt++;
	if (receive->nxt != before || receive->n_blocks > 0)
		blocks_drop_below(receive, receive->nxt);
	receive->edge = sequence_later(receive->edge, receive->nxt);
}

/* In order, with nothing unread before it: the usual case, which takes no slot. Held bytes that it repeats go. */
static void take_first(struct tcp *tcp, uint8_t *data, uint32_t len, void *owner)
{
	struct tcp_receive *receive = &tcp->receive;
	uint32_t end = receive->nxt + len;

	receive->first = (struct tcp_first){.data = data, .len = len, .owner = owner, .seq = receive->nxt};
	while (receive->head != TCP_NONE && sequence_before(tcp_slot(tcp, receive->head)->seq, end)) {
		struct tcp_slot *slot = tcp_slot(tcp, receive->head);

		if (sequence_before(end, tcp_slot_end(slot))) {
			receive->first.len = slot->seq - receive->nxt;
			break;
		}
		give_back(tcp, slot->owner);
		list_remove(tcp, receive->head);
	}
	receive->nxt += receive->first.len;
	advance(tcp);
}

/* Between the held slots `previous` and the one behind that. */
static void hold(struct tcp *tcp, uint32_t at, uint32_t previous)
{
	struct tcp_receive *receive = &tcp->receive;
	struct tcp_slot *slot = tcp_slot(tcp, at);

	slot->previous = previous;
	slot->next = previous == TCP_NONE ? receive->head : tcp_slot(tcp, previous)->next;
	*(previous == TCP_NONE ? &receive->head : &tcp_slot(tcp, previous)->next) = at;
	*(slot->next == TCP_NONE ? &receive->tail : &tcp_slot(tcp, slot->next)->previous) = at;
	receive->n_held++;
}

/*
 * Where a range belongs: *previous is the held slot before it. What is held already is cut off the range's ends; slots
 * that it covers whole go. False: nothing of it is new.
 */
static bool make_room(struct tcp *tcp, struct tcp_range *range, uint32_t *previous)
{
	const struct tcp_receive *receive = &tcp->receive;
	uint32_t next;

	*previous = receive->tail;
	while (*previous != TCP_NONE && sequence_before(range->start, tcp_slot(tcp, *previous)->seq))
		*previous = tcp_slot(tcp, *previous)->previous;
	if (*previous != TCP_NONE)
		range->start = sequence_later(range->start, tcp_slot_end(tcp_slot(tcp, *previous)));
	next = *previous == TCP_NONE ? receive->head : tcp_slot(tcp, *previous)->next;
	while (next != TCP_NONE && sequence_before(range->start, tcp_slot(tcp, next)->seq) &&
		sequence_at_most(tcp_slot_end(tcp_slot(tcp, next)), range->end)) {
		uint32_t covered = next;

		next = tcp_slot(tcp, next)->next;
		give_back(tcp, tcp_slot(tcp, covered)->owner);
		list_remove(tcp, covered);
	}
	if (next != TCP_NONE)
		range->end = sequence_earlier(range->end, tcp_slot(tcp, next)->seq);
	return sequence_before(range->start, range->end);
}

bool receive_bytes(struct tcp *tcp, uint32_t seq, uint8_t *data, uint32_t len, void *owner)
{
	struct tcp_receive *receive = &tcp->receive;
	struct tcp_range range = {.start = seq, .end = seq + len};
	uint32_t at, previous;

	if (receive->fin_known) /* nothing is behind it */
		range.end = sequence_earlier(range.end, receive->fin);
	if (sequence_at_most(range.end, range.start))
		return false;
	if (sequence_at_most(range.end, receive->nxt)) {
		tcp_count(tcp, TCP_COUNT_DUPLICATES);
		note_duplicate(tcp, range.start, range.end);
		return false;
	}
	if (sequence_before(range.start, receive->nxt)) {
		note_duplicate(tcp, range.start, receive->nxt);
		range.start = receive->nxt;
	}
	if (range.start == receive->nxt && receive->read == receive->nxt) {
		take_first(tcp, data + (range.start - seq), range.end - range.start, owner);
		return true;
	}
	if (range.start != receive->nxt)
		tcp_count(tcp, TCP_COUNT_OUT_OF_ORDER);
	if (receive->n_held >= tcp->settings->held_max || tcp->pool->n_free == 0) {
		tcp_count(tcp, TCP_COUNT_NOT_HELD);
		return false;
	}
	if (!make_room(tcp, &range, &previous)) {
		tcp_count(tcp, TCP_COUNT_DUPLICATES);
		note_duplicate(tcp, seq, seq + len);
		blocks_touch(receive, (struct tcp_range){.start = seq, .end = seq + len});
		return false;
	}
	at = tcp_pool_take(tcp->pool);
	*tcp_slot(tcp, at) = (struct tcp_slot){
		.data = data + (range.start - seq), .len = range.end - range.start, .seq = range.start, .owner = owner};
	hold(tcp, at, previous);
	blocks_touch(receive, range);
	advance(tcp);
	return true;
}

void receive_fin(struct tcp *tcp, uint32_t seq)
{
	struct tcp_receive *receive = &tcp->receive;

	if (receive->fin_known)
		return;
	/* A peer that sent something behind it has sent no FIN that makes sense. */
	if (receive->tail != TCP_NONE && sequence_before(seq, tcp_slot_end(tcp_slot(tcp, receive->tail))))
		return;
	receive->fin_known = true;
	receive->fin = seq;
	advance(tcp);
}

/* The first that can be read leaves; false: there is none. */
static bool leave(struct tcp *tcp, struct tcp_piece *piece)
{
	struct tcp_receive *receive = &tcp->receive;
	uint32_t head = receive->head;
	struct tcp_slot *slot;

	if (receive->first.data) {
		*piece = (struct tcp_piece){receive->first.data, receive->first.len, receive->first.owner};
		receive->first.data = NULL;
		return true;
	}
	if (head == TCP_NONE)
		return false;
	slot = tcp_slot(tcp, head);
	if (!sequence_before(slot->seq, receive->nxt))
		return false;
	*piece = (struct tcp_piece){slot->data, slot->len, slot->owner};
	list_remove(tcp, head);
	return true;
}

bool tcp_read(struct tcp *tcp, struct tcp_piece *piece)
{
	struct tcp_receive *receive = &tcp->receive;

	if (!leave(tcp, piece))
		return false;
	receive->read += piece->len;
	tcp->counters[TCP_COUNT_BYTES_IN] += piece->len;
	if (receive->fin_known && receive->read == receive->fin)
		receive->read++;
	if (receive_window_grew(tcp))
		tcp->ack.now = true;
	return true;
}
