/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/send_queue.h"

#include "stream/framing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct send_queue_frame {
	STAILQ_ENTRY(send_queue_frame) next;
	uint64_t at_ms;
	uint32_t len, written;
	uint8_t bytes[];
};

void send_queue_init(struct send_queue *queue, const struct send_queue_limits *limits)
{
	*queue = (struct send_queue){.limits = *limits};
	STAILQ_INIT(&queue->ike);
	STAILQ_INIT(&queue->esp);
}

static void free_list(struct send_queue_list *list)
{
	struct send_queue_frame *frame;

	while ((frame = STAILQ_FIRST(list))) {
		STAILQ_REMOVE_HEAD(list, next);
		free(frame);
	}
}

void send_queue_clear(struct send_queue *queue)
{
	free_list(&queue->ike);
	free_list(&queue->esp);
	free(queue->begun);
	queue->begun = NULL;
	queue->ike_bytes = queue->esp_bytes = 0;
}

bool send_queue_is_empty(const struct send_queue *queue)
{
	return !queue->begun && STAILQ_EMPTY(&queue->ike) && STAILQ_EMPTY(&queue->esp);
}

/* Head, `lead` zero bytes, payload. */
static struct send_queue_frame *frame_new(size_t lead, const void *payload, size_t payload_len, uint64_t now_ms)
{
	size_t len = FRAMING_HEAD_LEN + lead + payload_len;
	struct send_queue_frame *frame = malloc(sizeof(*frame) + len);

	if (!frame)
		return NULL;
	*frame = (struct send_queue_frame){.at_ms = now_ms, .len = (uint32_t)len};
	framing_write_head(frame->bytes, (uint32_t)(lead + payload_len));
	memset(frame->bytes + FRAMING_HEAD_LEN, 0, lead);
	memcpy(frame->bytes + FRAMING_HEAD_LEN + lead, payload, payload_len);
	return frame;
}

int send_queue_add_ike(struct send_queue *queue, const void *message, size_t message_len)
{
	struct send_queue_frame *frame;

	if (message_len == 0 || message_len > FRAMING_IKE_MAX)
		return -EMSGSIZE;
	if (queue->ike_bytes + message_len > queue->limits.ike_bytes)
		return -ENOBUFS;
	frame = frame_new(FRAMING_MARKER_LEN, message, message_len, 0);
	if (!frame)
		return -ENOMEM;
	STAILQ_INSERT_TAIL(&queue->ike, frame, next);
	queue->ike_bytes += frame->len;
	return 0;
}

static void drop_oldest(struct send_queue *queue)
{
	struct send_queue_frame *frame = STAILQ_FIRST(&queue->esp);

	STAILQ_REMOVE_HEAD(&queue->esp, next);
	queue->esp_bytes -= frame->len;
	free(frame);
}

static void drop_late(struct send_queue *queue, uint64_t now_ms)
{
	struct send_queue_frame *frame;

	while ((frame = STAILQ_FIRST(&queue->esp)) && now_ms - frame->at_ms > queue->limits.esp_ms) {
		drop_oldest(queue);
		queue->dropped_late++;
	}
}

void send_queue_add_esp(struct send_queue *queue, const void *packet, size_t packet_len, uint64_t now_ms)
{
	struct send_queue_frame *frame = frame_new(0, packet, packet_len, now_ms);

	if (!frame) {
		queue->dropped_full++;
		return;
	}
	drop_late(queue, now_ms);
	STAILQ_INSERT_TAIL(&queue->esp, frame, next);
	queue->esp_bytes += frame->len;
	while (queue->esp_bytes > queue->limits.esp_bytes) {
		drop_oldest(queue);
		queue->dropped_full++;
	}
}

int send_queue_add_begun(struct send_queue *queue, const void *packet, size_t packet_len, size_t written)
{
	queue->begun = frame_new(0, packet, packet_len, 0);
	if (!queue->begun)
		return -ENOMEM;
	queue->begun->written = (uint32_t)written;
	return 0;
}

int send_queue_add_prefix(struct send_queue *queue)
{
	queue->begun = malloc(sizeof(*queue->begun) + FRAMING_PREFIX_LEN);
	if (!queue->begun)
		return -ENOMEM;
	*queue->begun = (struct send_queue_frame){.len = FRAMING_PREFIX_LEN};
	memcpy(queue->begun->bytes, FRAMING_PREFIX, FRAMING_PREFIX_LEN);
	return 0;
}

static size_t gather_list(struct send_queue_list *list, struct iovec *parts, size_t max)
{
	struct send_queue_frame *frame;
	size_t count = 0;

	for (frame = STAILQ_FIRST(list); frame && count < max; frame = STAILQ_NEXT(frame, next))
		parts[count++] = (struct iovec){.iov_base = frame->bytes, .iov_len = frame->len};
	return count;
}

size_t send_queue_gather(struct send_queue *queue, uint64_t now_ms, struct iovec *parts, size_t max)
{
	struct send_queue_frame *begun = queue->begun;
	size_t count = 0;

	drop_late(queue, now_ms);
	if (begun && max > 0)
		parts[count++] = (struct iovec){
			.iov_base = begun->bytes + begun->written, .iov_len = begun->len - begun->written};
	count += gather_list(&queue->ike, parts + count, max - count);
	return count + gather_list(&queue->esp, parts + count, max - count);
}

/* The next frame in the order of send_queue_gather becomes the one that is begun. */
static void begin_next(struct send_queue *queue)
{
	bool is_ike = !STAILQ_EMPTY(&queue->ike);
	struct send_queue_list *list = is_ike ? &queue->ike : &queue->esp;

	queue->begun = STAILQ_FIRST(list);
	STAILQ_REMOVE_HEAD(list, next);
	*(is_ike ? &queue->ike_bytes : &queue->esp_bytes) -= queue->begun->len;
}

void send_queue_written(struct send_queue *queue, size_t bytes)
{
	while (bytes > 0 && !send_queue_is_empty(queue)) {
		struct send_queue_frame *begun;
		size_t left;

		if (!queue->begun)
			begin_next(queue);
		begun = queue->begun;
		left = begun->len - begun->written;
		if (bytes < left) {
			begun->written += (uint32_t)bytes;
			return;
		}
		bytes -= left;
		free(begun);
		queue->begun = NULL;
	}
}

static size_t list_len(const struct send_queue_list *list)
{
	const struct send_queue_frame *frame;
	size_t len = 0;

	STAILQ_FOREACH(frame, list, next)
		len += frame->len;
	return len;
}

static void join_list(struct send_queue_frame *joined, struct send_queue_list *list)
{
	struct send_queue_frame *frame;

	while ((frame = STAILQ_FIRST(list))) {
		memcpy(joined->bytes + joined->len, frame->bytes, frame->len);
		joined->len += frame->len;
		STAILQ_REMOVE_HEAD(list, next);
		free(frame);
	}
}

int send_queue_join(struct send_queue *queue, struct iovec *out)
{
	struct send_queue_frame *begun = queue->begun, *joined;
	size_t begun_len = begun ? begun->len - begun->written : 0;

	*out = (struct iovec){0};
	if (send_queue_is_empty(queue))
		return 0;
	joined = malloc(sizeof(*joined) + begun_len + list_len(&queue->ike) + list_len(&queue->esp));
	if (!joined)
		return -ENOMEM;
	*joined = (struct send_queue_frame){.len = (uint32_t)begun_len};
	if (begun)
		memcpy(joined->bytes, begun->bytes + begun->written, begun_len);
	free(begun);
	join_list(joined, &queue->ike);
	join_list(joined, &queue->esp);
	queue->begun = joined;
	queue->ike_bytes = queue->esp_bytes = 0;
	*out = (struct iovec){.iov_base = joined->bytes, .iov_len = joined->len};
	return 0;
}

size_t send_queue_leave(
	struct send_queue *queue, void (*ike)(void *context, const uint8_t *message, size_t message_len), void *context)
{
	enum { LEAD = FRAMING_HEAD_LEN + FRAMING_MARKER_LEN };
	const struct send_queue_frame *frame;
	size_t dropped = 0;

	STAILQ_FOREACH(frame, &queue->ike, next)
		ike(context, frame->bytes + LEAD, frame->len - LEAD);
	STAILQ_FOREACH(frame, &queue->esp, next)
		dropped++;
	send_queue_clear(queue);
	return dropped;
}
