/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream's connection leaves the kernel: what it had of each direction is in the transfer, once and in order; and
 * where nobody takes it, it goes on.
 */
#include "stream_pair.h"

#include "tables/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t opening[] = {'I', 'K', 'E', 'T', 'C', 'P', 0, 10, 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a'};
static const uint8_t half_frame[] = {0, 12, 'b', 'b'};
static const uint8_t its_rest[] = {'b', 'b', 'b', 'b', 'b', 'b', 'b', 'b'};

/* Without the capability there is nothing to test. */
static int freeze(struct stream_pair *pair, struct stream_frozen *frozen)
{
	int rc = stream_freeze(pair->us.stream, frozen);

	if (rc == -EPERM)
		skip();
	return rc;
}

/* The transfer's bytes, which nobody can change; its state first. */
static const uint8_t *open_transfer(const struct stream_frozen *frozen, struct transfer_state *state)
{
	size_t len = sizeof(*state) + frozen->unacknowledged_len + frozen->unsent_len + frozen->unread_len;
	const int sealed = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	const uint8_t *bytes;

	assert_int_equal(fcntl(frozen->transfer, F_GET_SEALS), sealed);
	assert_int_equal(lseek(frozen->transfer, 0, SEEK_END), len);
	bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE, frozen->transfer, 0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	memcpy(state, bytes, sizeof(*state));
	assert_int_equal(state->snd_nxt - state->snd_una, frozen->unacknowledged_len);
	assert_int_equal(state->unsent_len, frozen->unsent_len);
	assert_int_equal(state->unread_len, frozen->unread_len);
	assert_true(state->mss > 0);
	close(frozen->transfer);
	return bytes + sizeof(*state);
}

/* Ours has read a whole frame and half of the next one; what follows lies in its socket. */
static void begin(struct stream_pair *pair)
{
	uint8_t both[sizeof(opening) + sizeof(half_frame)];

	memcpy(both, opening, sizeof(opening));
	memcpy(both + sizeof(opening), half_frame, sizeof(half_frame));
	stream_pair_open_plain(pair, &stream_pair_defaults);
	stream_pair_send_plain(pair, both, sizeof(both));
	stream_pair_run_until(pair, &pair->us.log_len, 1);
}

static size_t hear(struct stream_pair *pair, uint8_t *bytes, size_t len)
{
	ssize_t received = recv(pair->plain, bytes, len, MSG_WAITALL);

	return received < 0 ? 0 : (size_t)received;
}

static void test_what_came_and_was_not_used(void **state)
{
	struct stream_pair *pair = *state;
	struct transfer_state transfer;
	struct stream_frozen frozen;
	const uint8_t *bytes;

	begin(pair);
	stream_pair_send_plain(pair, its_rest, sizeof(its_rest));
	stream_pair_send_plain(pair, opening + 6, 3);
	assert_int_equal(freeze(pair, &frozen), 0);
	assert_int_equal(frozen.unread_len, sizeof(half_frame) + sizeof(its_rest) + 3);
	bytes = open_transfer(&frozen, &transfer) + frozen.unacknowledged_len + frozen.unsent_len;
	assert_memory_equal(bytes, half_frame, sizeof(half_frame));
	assert_memory_equal(bytes + sizeof(half_frame), its_rest, sizeof(its_rest));
	assert_memory_equal(bytes + sizeof(half_frame) + sizeof(its_rest), opening + 6, 3);
	/* Nothing of it was taken: the stream reads it all now. */
	stream_thaw(pair->us.stream);
	stream_pair_run_until(pair, &pair->us.log_len, 2);
	assert_string_equal(pair->us.log, "ab");
}

/* What waits is part of the transfer; what is sent afterwards waits for the outcome. */
static void test_what_is_sent(void **state)
{
	struct stream_pair *pair = *state;
	struct transfer_state transfer;
	struct stream_frozen frozen;
	uint8_t heard[2 + 30 + 6 + 40];

	begin(pair);
	assert_int_equal(freeze(pair, &frozen), 0);
	stream_pair_send_esp(&pair->us, "x", 30);
	assert_int_equal(stream_pair_send_ike(&pair->us, 'Y', 40), 0);
	open_transfer(&frozen, &transfer);
	assert_int_equal(frozen.unsent_len, 0);
	event_base_loop(pair->base, EVLOOP_NONBLOCK);
	assert_int_equal(recv(pair->plain, heard, 1, MSG_DONTWAIT), -1);
	stream_thaw(pair->us.stream);
	assert_int_equal(freeze(pair, &frozen), 0);
	/* Now they were before the freezing: IKE first. */
	assert_int_equal(frozen.unsent_len, sizeof(heard));
	memcpy(heard, open_transfer(&frozen, &transfer) + frozen.unacknowledged_len, sizeof(heard));
	assert_int_equal(heard[1], 2 + 4 + 40);
	assert_int_equal(heard[2 + 4], 'Y');
	assert_int_equal(heard[2 + 4 + 40 + 1], 2 + 30);
	assert_int_equal(heard[2 + 4 + 40 + 2], 'x');
	memset(heard, 0, sizeof(heard));
	stream_thaw(pair->us.stream);
	for (size_t i = 0; i < 10; i++)
		event_base_loop(pair->base, EVLOOP_NONBLOCK);
	assert_int_equal(hear(pair, heard, sizeof(heard)), sizeof(heard));
	assert_int_equal(heard[2 + 4], 'Y');
	assert_int_equal(heard[sizeof(heard) - 1], 'x');
}

/* A reader that has stopped leaves bytes in the kernel and a frame that is written in part. */
static void test_frame_begun(void **state)
{
	struct stream_pair *pair = *state;
	struct transfer_state transfer;
	struct stream_frozen frozen;
	static uint8_t stream[4 << 20];
	size_t heard = 0, at = 0, taken, frames = 0, sent = 0;
	struct framing framing = {.payload_max = FRAMING_PAYLOAD_MAX};
	struct framing_frame frame;
	const uint8_t *bytes;

	begin(pair);
	while (send_queue_is_empty(stream_queue(pair->us.stream))) {
		stream_pair_send_esp(&pair->us, "pqrs", 9000);
		sent += 4;
		assert_true(sent < 1000);
	}
	assert_int_equal(freeze(pair, &frozen), 0);
	bytes = open_transfer(&frozen, &transfer);
	/* All that the peer has, and behind it what it has not acknowledged and what was not sent, is one stream. */
	while (poll(&(struct pollfd){.fd = pair->plain, .events = POLLIN}, 1, 0) == 1) {
		ssize_t received = recv(pair->plain, stream + heard, sizeof(stream) - heard, MSG_DONTWAIT);

		if (received <= 0)
			break;
		heard += (size_t)received;
	}
	/* The kernel of the peer has acknowledged it: what is in flight on the loopback interface has arrived. */
	memcpy(stream + heard, bytes + frozen.unacknowledged_len, frozen.unsent_len);
	heard += frozen.unsent_len;
	while ((taken = framing_read(&framing, stream + at, heard - at, &frame)) > 0) {
		assert_int_equal(frame.payload_len, 9000);
		assert_int_equal(frame.payload[0], "pqrs"[frames % 4]);
		assert_int_equal(frame.payload[8999], "pqrs"[frames % 4]);
		frames++;
		at += taken;
	}
	assert_int_equal(at, heard);
	assert_int_equal(frames, sent);
	stream_thaw(pair->us.stream);
}

static char left[10];

static void on_left(void *context, const uint8_t *message, size_t message_len)
{
	assert_int_equal(message_len, 40);
	strncat(context, (const char *)message, 1);
}

/* The peer hears nothing of it, and the owner nothing of an end. */
static void test_leaves(void **state)
{
	struct stream_pair *pair = *state;
	struct transfer_state transfer;
	struct stream_frozen frozen;
	uint8_t byte;

	begin(pair);
	assert_int_equal(freeze(pair, &frozen), 0);
	open_transfer(&frozen, &transfer);
	assert_int_equal(stream_pair_send_ike(&pair->us, 'Y', 40), 0);
	stream_pair_send_esp(&pair->us, "xxx", 30);
	assert_int_equal(stream_pair_send_ike(&pair->us, 'Z', 40), 0);
	assert_int_equal(stream_leave(pair->us.stream, on_left, left), 3);
	pair->us.stream = NULL;
	assert_string_equal(left, "YZ");
	assert_int_equal(pair->us.ends, 0);
	assert_int_equal(poll(&(struct pollfd){.fd = pair->plain, .events = POLLIN}, 1, 0), 0);
	assert_int_equal(recv(pair->plain, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

/* What is over, or has not begun, stays where it is. */
static void test_refusals(void **state)
{
	struct stream_pair *pair = *state;
	struct stream_frozen frozen;

	stream_pair_open_plain(pair, &stream_pair_defaults);
	assert_int_equal(stream_freeze(pair->us.stream, &frozen), -EPROTO);
	stream_pair_send_plain(pair, opening, sizeof(opening));
	stream_pair_run_until(pair, &pair->us.log_len, 1);
	shutdown(pair->plain, SHUT_WR);
	assert_int_equal(freeze(pair, &frozen), -ENOTCONN);
	/* It learns of it as ever. */
	stream_pair_run_until(pair, &pair->us.ends, 1);
	assert_non_null(strstr(pair->us.why, "closed"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(test_what_came_and_was_not_used),
		STREAM_TEST(test_what_is_sent),
		STREAM_TEST(test_frame_begun),
		STREAM_TEST(test_leaves),
		STREAM_TEST(test_refusals),
	};

	return cmocka_run_group_tests_name("a stream that moves", tests, NULL, NULL);
}
