/* SPDX-License-Identifier: Apache-2.0 */
/* The connection leaves the kernel: its state as a sealed memfd (tables/transfer.h), and both ways on from there. */
#include "stream/stream_state.h"

#include "tables/transfer.h"
#include "takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, PARTS = 6 };

/* All of the parts, in one file that nobody can change any more. Its descriptor or negative errno. */
static int sealed_file(struct iovec parts[PARTS])
{
	int fd = memfd_create("sluice-transfer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc = fd < 0 ? -errno : 0;

	for (int i = 0; rc == 0 && i < PARTS; i++) {
		while (rc == 0 && parts[i].iov_len > 0) {
			ssize_t written = write(fd, parts[i].iov_base, parts[i].iov_len);

			if (written < 0) {
				rc = -errno;
				break;
			}
			parts[i].iov_base = (uint8_t *)parts[i].iov_base + written;
			parts[i].iov_len -= (size_t)written;
		}
	}
	if (rc == 0 && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		rc = -errno;
	if (rc == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return rc;
}

/* What the kernel had and what we had of each direction, one behind the other. */
static int write_transfer(struct stream *stream, struct stream_frozen *frozen)
{
	const struct takeover *takeover = stream->moving;
	const struct tcp_established *established = &takeover->established;
	struct transfer_state state;
	struct iovec waiting;
	int rc = send_queue_join(&stream->queue, &waiting);

	if (rc < 0)
		return rc;
	transfer_from_established(&state, established);
	*frozen = (struct stream_frozen){
		.unacknowledged_len = established->snd_nxt - established->snd_una,
		.unsent_len = takeover->unsent_len + (uint32_t)waiting.iov_len,
		.unread_len = (uint32_t)stream->rest_len + takeover->unread_len,
	};
	state.unsent_len = frozen->unsent_len;
	state.unread_len = frozen->unread_len;
	if (sizeof(state) + frozen->unacknowledged_len + (uint64_t)frozen->unsent_len + frozen->unread_len >
		TRANSFER_LEN_MAX)
		return -EMSGSIZE;
	frozen->transfer = sealed_file((struct iovec[PARTS]){
		{&state, sizeof(state)},
		{established->unacknowledged, frozen->unacknowledged_len},
		{takeover_unsent(takeover), takeover->unsent_len},
		waiting,
		{stream->rest, stream->rest_len},
		{takeover->unread, takeover->unread_len},
	});
	return frozen->transfer < 0 ? frozen->transfer : 0;
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
