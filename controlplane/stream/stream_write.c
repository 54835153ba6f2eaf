/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/stream_state.h"

#include "clock.h"

#include <errno.h>
#include <sys/socket.h>

enum { PARTS_MAX = 128 };

/* Bytes that the kernel took; 0 also where it takes none now, or where that was the end. */
static size_t write_parts(struct stream *stream, struct iovec *parts, size_t count)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
	ssize_t written;

	do
		written = sendmsg(stream->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (written < 0 && errno == EINTR);
	if (written >= 0)
		return (size_t)written;
	if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
		stream_fail(stream, errno);
	return 0;
}

/* Writes what waits until the kernel takes no more. */
void stream_flush(struct stream *stream)
{
	struct iovec parts[PARTS_MAX];
	size_t count, written, wanted;

	do {
		count = send_queue_gather(&stream->queue, clock_now_ms(), parts, PARTS_MAX);
		if (count == 0)
			return;
		wanted = 0;
		for (size_t i = 0; i < count; i++)
			wanted += parts[i].iov_len;
		written = write_parts(stream, parts, count);
		if (stream->fd < 0)
			return;
		send_queue_written(&stream->queue, written);
	} while (written == wanted);
	event_add(stream->writable, NULL);
}

void stream_on_writable(evutil_socket_t fd, short what, void *context)
{
	struct stream *stream = context;
	struct stream_loop *loop = stream->loop;

	(void)fd;
	(void)what;
	stream_call_begin(stream);
	stream_flush(stream);
	/* Seldom, that was the end. */
	if (!stream_call_end(stream))
		loop->settle(loop->context);
}

int stream_send_ike(struct stream *stream, const void *message, size_t message_len)
{
	int rc = stream->fd < 0 ? -EPIPE : send_queue_add_ike(&stream->queue, message, message_len);

	if (rc < 0)
		return rc;
	stream->counters.ike_out++;
	stream_call_begin(stream);
	if (!stream->moving && !event_pending(stream->writable, EV_WRITE, NULL))
		stream_flush(stream);
	return stream_call_end(stream) ? 0 : -EPIPE;
}

/* Where nothing waits, the packets go to the kernel from where they lie. Returns how many are done with. */
static size_t send_directly(struct stream *stream, const struct stream_packet *packets, size_t count)
{
	uint8_t heads[STREAM_BURST_MAX][FRAMING_HEAD_LEN];
	struct iovec parts[2 * STREAM_BURST_MAX];
	size_t written, done = 0;

	for (size_t i = 0; i < count; i++) {
		framing_write_head(heads[i], packets[i].len);
		parts[2 * i] = (struct iovec){.iov_base = heads[i], .iov_len = FRAMING_HEAD_LEN};
		parts[2 * i + 1] = (struct iovec){.iov_base = packets[i].data, .iov_len = packets[i].len};
	}
	written = write_parts(stream, parts, 2 * count);
	while (done < count && written >= FRAMING_HEAD_LEN + packets[done].len)
		written -= FRAMING_HEAD_LEN + packets[done++].len;
	/* A frame that has begun must end, or nothing behind it is understood. */
	if (written > 0) {
		if (send_queue_add_begun(&stream->queue, packets[done].data, packets[done].len, written) < 0)
			stream_finish(stream, "no memory");
		done++;
	}
	return done;
}

static void send_or_queue(struct stream *stream, const struct stream_packet *packets, size_t count)
{
	bool idle = !stream->moving && send_queue_is_empty(&stream->queue);
	size_t done = idle ? send_directly(stream, packets, count) : 0;
	uint64_t now_ms;

	if (stream->fd < 0 || done == count)
		return;
	now_ms = clock_now_ms();
	for (; done < count; done++)
		send_queue_add_esp(&stream->queue, packets[done].data, packets[done].len, now_ms);
}

void stream_send_esp(struct stream *stream, const struct stream_packet *packets, size_t count)
{
	size_t some;

	stream_call_begin(stream);
	for (; stream->fd >= 0 && count > 0; packets += some, count -= some) {
		some = count < STREAM_BURST_MAX ? count : STREAM_BURST_MAX;
		for (size_t i = 0; i < some; i++)
			stream->counters.esp_out_bytes += packets[i].len;
		stream->counters.esp_out += some;
		send_or_queue(stream, packets, some);
	}
	if (stream->fd >= 0 && !stream->moving && !send_queue_is_empty(&stream->queue))
		event_add(stream->writable, NULL);
	(void)stream_call_end(stream);
}
