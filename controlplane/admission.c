/* SPDX-License-Identifier: Apache-2.0 */
#include "admission.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { QUEUES = 2, QUEUE_BEGUN = 0, QUEUE_NEW = 1 }; /* in the order of their turns */

struct waiting {
	STAILQ_ENTRY(waiting) next;
	struct endpoint local, remote;
	bool floated;
	size_t len;
	uint8_t message[];
};

struct queue {
	STAILQ_HEAD(, waiting) list;
	size_t count, bytes;
};

struct admission {
	struct admission_handler handler;
	struct event *turn;
	struct queue queues[QUEUES];
	uint64_t dropped;
};

static struct waiting *queue_take(struct queue *queue)
{
	struct waiting *first = STAILQ_FIRST(&queue->list);

	if (!first)
		return NULL;
	STAILQ_REMOVE_HEAD(&queue->list, next);
	queue->count--;
	queue->bytes -= first->len;
	return first;
}

static bool queue_put(struct queue *queue, const struct waiting *what, const uint8_t *message)
{
	struct waiting *last;

	if (queue->count == ADMISSION_WAITING_MAX || queue->bytes + what->len > ADMISSION_BYTES_MAX)
		return false;
	last = malloc(sizeof(*last) + what->len);
	if (!last)
		return false;
	*last = *what;
	memcpy(last->message, message, what->len);
	STAILQ_INSERT_TAIL(&queue->list, last, next);
	queue->count++;
	queue->bytes += what->len;
	return true;
}

/* A timer of no time: the loop looks at the sockets before it comes round. */
static void admission_ask_for_turn(struct admission *admission)
{
	static const struct timeval at_once;

	if (admission_waiting(admission) > 0)
		event_add(admission->turn, &at_once);
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
	struct admission *admission = context;
	struct waiting *next = NULL;

	(void)fd;
	(void)what;
	for (int queue = 0; !next && queue < QUEUES; queue++)
		next = queue_take(&admission->queues[queue]);
	if (next)
		admission->handler.input(admission->handler.context, &next->local, &next->remote, next->floated,
			next->message, next->len);
	free(next);
	admission_ask_for_turn(admission);
	admission->handler.settle(admission->handler.context);
}

struct admission *admission_new(struct event_base *base, const struct admission_handler *handler)
{
	struct admission *admission = calloc(1, sizeof(*admission));

	if (!admission)
		return NULL;
	admission->handler = *handler;
	for (int queue = 0; queue < QUEUES; queue++)
		STAILQ_INIT(&admission->queues[queue].list);
	admission->turn = evtimer_new(base, on_turn, admission);
	if (!admission->turn) {
		free(admission);
		return NULL;
	}
	return admission;
}

void admission_free(struct admission *admission)
{
	if (!admission)
		return;
	for (int queue = 0; queue < QUEUES; queue++)
		while (admission->queues[queue].count)
			free(queue_take(&admission->queues[queue]));
	event_free(admission->turn);
	free(admission);
}

void admission_input(struct admission *admission, const struct endpoint *local, const struct endpoint *remote,
	bool floated, const uint8_t *message, size_t message_len)
{
	struct waiting waiting = {.local = *local, .remote = *remote, .floated = floated, .len = message_len};
	enum ike_turn turn = admission->handler.turn_of(admission->handler.context, message, message_len);

	if (turn == IKE_TURN_NOW)
		admission->handler.input(
			admission->handler.context, local, remote, floated, message, message_len);
	else if (!queue_put(&admission->queues[turn == IKE_TURN_BEGUN ? QUEUE_BEGUN : QUEUE_NEW], &waiting, message))
		admission->dropped++;
	admission_ask_for_turn(admission);
}

size_t admission_waiting(const struct admission *admission)
{
	return admission->queues[QUEUE_BEGUN].count + admission->queues[QUEUE_NEW].count;
}

uint64_t admission_dropped(const struct admission *admission)
{
	return admission->dropped;
}
