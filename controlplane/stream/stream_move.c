/* SPDX-License-Identifier: Apache-2.0 */
/* The connection leaves the kernel: its state as a sealed memfd (tables/transfer.h), and both ways on from there. */
#include "stream/stream_state.h"

#include "tables/transfer.h"
#include "takeover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One behind the other, in memory that is the caller's; NULL where there is none. */
static uint8_t *join(const void *first, size_t first_len, const void *second, size_t second_len)
{
	uint8_t *joined = malloc(first_len + second_len + 1);

	if (joined && first_len > 0)
		memcpy(joined, first, first_len);
	if (joined && second_len > 0)
		memcpy(joined + first_len, second, second_len);
	return joined;
}

/* What the kernel had and what we had of each direction. */
static int write_transfer(struct stream *stream, struct stream_frozen *frozen)
{
	const struct takeover *takeover = stream->moving;
	const struct tcp_established *established = &takeover->established;
	struct transfer_state state;
	uint8_t *unsent, *unread;
	struct iovec waiting;
	int rc = send_queue_join(&stream->queue, &waiting);

	if (rc < 0)
		return rc;
	transfer_from_established(&state, established);
	state.unsent_len = takeover->unsent_len + (uint32_t)waiting.iov_len;
	state.unread_len = (uint32_t)stream->rest_len + takeover->unread_len;
	*frozen = (struct stream_frozen){
		.unacknowledged_len = transfer_unacknowledged_len(&state),
		.unsent_len = state.unsent_len,
		.unread_len = state.unread_len,
	};
	unsent = join(takeover_unsent(takeover), takeover->unsent_len, waiting.iov_base, waiting.iov_len);
	unread = join(stream->rest, stream->rest_len, takeover->unread, takeover->unread_len);
	rc = unsent && unread ? transfer_make(&state, established->unacknowledged, unsent, unread) : -ENOMEM;
	frozen->transfer = rc;
	free(unsent);
	free(unread);
	return rc < 0 ? rc : 0;
}

/* Nothing of the loop's may touch the socket while the kernel holds still. */
static void watch_off(struct stream *stream)
{
	event_del(stream->readable);
	event_del(stream->writable);
	event_del(stream->unconfirmed);
}

static void watch_on(struct stream *stream)
{
	free(stream->moving);
	stream->moving = NULL;
	(void)stream_watch(stream); /* in the loop before, so there is room */
	if (!send_queue_is_empty(&stream->queue))
		event_add(stream->writable, NULL);
}

int stream_freeze(struct stream *stream, struct stream_frozen *frozen)
{
	int rc = stream->fd < 0 ? -ENOTCONN : stream->framing.awaits_prefix ? -EPROTO : 0;

	if (rc < 0)
		return rc;
	stream->moving = malloc(sizeof(*stream->moving));
	if (!stream->moving)
		return -ENOMEM;
	watch_off(stream);
	rc = takeover_read(stream->moving, stream->fd);
	if (rc < 0) {
		watch_on(stream);
		return rc;
	}
	rc = write_transfer(stream, frozen);
	if (rc < 0)
		stream_thaw(stream);
	return rc;
}

void stream_thaw(struct stream *stream)
{
	/* It can't be refused to whom it was granted; if it were, the socket's next error would tell. */
	(void)takeover_cancel(stream->moving);
	watch_on(stream);
}

size_t stream_leave(
	struct stream *stream, void (*ike)(void *context, const uint8_t *message, size_t message_len), void *context)
{
	size_t dropped = send_queue_leave(&stream->queue, ike, context);

	takeover_close(stream->moving);
	takeover_free(stream->moving);
	stream->fd = -1;
	free(stream->rest);
	stream->rest = NULL;
	stream_free(stream);
	return dropped;
}
