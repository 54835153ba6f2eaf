/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 9329 framing, cut into pieces at every place. */
#include "tcp/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t stream[] = {
	'I', 'K', 'E', 'T', 'C', 'P', 0, 9, 0, 0, 0, 0, 'i', 'k', 'e', /* IKE */
	0, 10, 1, 2, 3, 4, 5, 6, 7, 8,				       /* ESP */
	0, 3, 0xff,						       /* a NAT keepalive */
	0, 2,							       /* nothing */
	0, 6, 0, 0, 0, 0,					       /* an empty IKE message */
	0, 7, 0, 0, 0, 1, 9,					       /* ESP with a low SPI */
};
static const struct {
	enum frame_kind kind;
	uint32_t at, len;
} frames[] = {{FRAME_IKE, 12, 3}, {FRAME_ESP, 17, 8}, {FRAME_IGNORED, 27, 1}, {FRAME_IGNORED, 30, 0},
	{FRAME_IKE, 36, 0}, {FRAME_ESP, 38, 5}};
enum { N_FRAMES = sizeof(frames) / sizeof(frames[0]) };

static void check(const struct frame *frame, size_t number, const uint8_t *memory)
{
	assert_true(number < N_FRAMES);
	assert_int_equal(frame->kind, frames[number].kind);
	assert_int_equal(frame->len, frames[number].len);
	assert_memory_equal(frame->data, stream + frames[number].at, frame->len);
	if (frame->in_place && frame->len > 0)
		assert_ptr_equal(frame->data, memory + frames[number].at);
}

/* Reads [start, end) of the stream as one piece of memory that is exactly as long. */
static size_t read_piece(struct frame_reader *reader, uint8_t *memory, size_t start, size_t end, size_t number)
{
	struct tcp_piece piece = {.data = memory + start, .len = (uint32_t)(end - start)};
	struct frame frame;
	enum frame_result result;

	while ((result = frame_next(reader, &piece, &frame)) != FRAME_PIECE_DONE) {
		assert_int_not_equal(result, FRAME_BROKEN);
		if (result == FRAME_NEEDS_BUFFER) {
			frame_lend(reader, malloc(frame.len));
			continue;
		}
		check(&frame, number++, memory);
		if (!frame.in_place)
			free(frame.kind == FRAME_IKE ? frame.data - FRAME_MARKER_LEN : frame.data);
	}
	assert_int_equal(piece.len, 0);
	return number;
}

static void whole_stays_in_place(void **state)
{
	uint8_t memory[sizeof(stream)];
	struct frame_reader reader;

	(void)state;
	memcpy(memory, stream, sizeof(stream));
	frame_reader_init(&reader, true);
	assert_int_equal(read_piece(&reader, memory, 0, sizeof(stream), 0), N_FRAMES);
	assert_null(frame_reader_end(&reader));
}

static void cut_anywhere(void **state)
{
	uint8_t memory[sizeof(stream)];

	(void)state;
	for (size_t a = 0; a <= sizeof(stream); a++) {
		for (size_t b = a; b <= sizeof(stream); b++) {
			struct frame_reader reader;
			size_t number;

			memcpy(memory, stream, sizeof(stream));
			frame_reader_init(&reader, true);
			number = read_piece(&reader, memory, 0, a, 0);
			number = read_piece(&reader, memory, a, b, number);
			number = read_piece(&reader, memory, b, sizeof(stream), number);
			assert_int_equal(number, N_FRAMES);
			assert_null(frame_reader_end(&reader));
		}
	}
}

/* The same by a reader that keeps what a piece has of a frame, when that is little: no buffer is lent then. */
static size_t read_piece_keeping(struct frame_reader *reader, size_t start, size_t end, size_t number)
{
	uint8_t *memory = malloc(FRAME_KEPT_MAX + end - start);
	struct tcp_piece piece = {.data = memory + FRAME_KEPT_MAX, .len = (uint32_t)(end - start)};
	struct frame frame;
	enum frame_result result;

	assert_non_null(memory);
	memcpy(piece.data, stream + start, end - start);
	while ((result = frame_next(reader, &piece, &frame)) != FRAME_PIECE_DONE) {
		if (result == FRAME_NEEDS_BUFFER) {
			frame_keep(reader, &piece);
			continue;
		}
		assert_int_equal(result, FRAME_READY);
		assert_true(frame.in_place);
		if (frame_is_begun(reader, &piece))
			frame_keep(reader, &piece);
		assert_true(number < N_FRAMES);
		assert_int_equal(frame.kind, frames[number].kind);
		assert_int_equal(frame.len, frames[number].len);
		assert_memory_equal(frame.data, stream + frames[number].at, frame.len);
		number++;
	}
	assert_int_equal(piece.len, 0);
	free(memory);
	return number;
}

static void what_is_kept_goes_before_the_next_piece(void **state)
{
	(void)state;
	for (size_t a = 0; a <= sizeof(stream); a++) {
		for (size_t b = a; b <= sizeof(stream); b++) {
			struct frame_reader reader;
			size_t number;

			frame_reader_init(&reader, true);
			number = read_piece_keeping(&reader, 0, a, 0);
			number = read_piece_keeping(&reader, a, b, number);
			number = read_piece_keeping(&reader, b, sizeof(stream), number);
			assert_int_equal(number, N_FRAMES);
			assert_null(frame_reader_end(&reader));
		}
	}
}

static void only_a_short_beginning_is_kept(void **state)
{
	uint8_t memory[FRAME_KEPT_MAX + 1] = {1, 0};
	struct tcp_piece piece = {.data = memory, .len = sizeof(memory)};
	struct frame_reader reader;

	(void)state;
	frame_reader_init(&reader, false);
	assert_false(frame_is_begun(&reader, &piece)); /* too long */
	piece.len--;
	assert_true(frame_is_begun(&reader, &piece));
	memory[0] = 0;
	memory[1] = FRAME_KEPT_MAX; /* it is all there */
	assert_false(frame_is_begun(&reader, &piece));
	memory[1]++;
	assert_true(frame_is_begun(&reader, &piece));
	piece.len = 0;
	assert_false(frame_is_begun(&reader, &piece));
}

static void a_buffer_lent_comes_back_when_the_stream_ends(void **state)
{
	uint8_t begun[] = {1, 0, 7}, buffer[254];
	struct tcp_piece piece = {.data = begun, .len = sizeof(begun)};
	struct frame_reader reader;
	struct frame frame;

	(void)state;
	frame_reader_init(&reader, false);
	assert_int_equal(frame_next(&reader, &piece, &frame), FRAME_NEEDS_BUFFER);
	assert_int_equal(frame.len, 254);
	frame_lend(&reader, buffer);
	assert_int_equal(frame_next(&reader, &piece, &frame), FRAME_PIECE_DONE);
	assert_ptr_equal(frame_reader_end(&reader), buffer);
	assert_null(frame_reader_end(&reader));
}

static void what_is_no_frame_breaks_the_stream(void **state)
{
	static const uint8_t broken[][8] = {{0, 0, 1, 2, 3, 4, 5, 6}, {0, 1, 1, 2, 3, 4, 5, 6}};
	uint8_t other[] = "IKETCQ\0\6";
	struct tcp_piece piece = {.data = other, .len = 8};
	struct frame_reader reader;
	struct frame frame;

	(void)state;
	frame_reader_init(&reader, true);
	assert_int_equal(frame_next(&reader, &piece, &frame), FRAME_BROKEN);
	for (size_t i = 0; i < 2; i++) {
		uint8_t memory[8];

		memcpy(memory, broken[i], sizeof(memory));
		piece = (struct tcp_piece){.data = memory, .len = sizeof(memory)};
		frame_reader_init(&reader, false);
		assert_int_equal(frame_next(&reader, &piece, &frame), FRAME_BROKEN);
	}
}

static void heads(void **state)
{
	static uint8_t memory[FRAME_MAX + 8];
	uint8_t *data = memory + 8;
	uint32_t len;

	(void)state;
	memset(memory, 0xee, 16);
	assert_ptr_equal(frame_write_head(FRAME_ESP, data, 0x1234, &len), data - 2);
	assert_int_equal(len, 0x1236);
	assert_memory_equal(data - 3, "\xee\x12\x36\xee", 4);
	assert_ptr_equal(frame_write_head(FRAME_IKE, data, 0x1234, &len), data - 6);
	assert_int_equal(len, 0x123a);
	assert_memory_equal(data - 7, "\xee\x12\x3a\0\0\0\0\xee", 8);
	assert_non_null(frame_write_head(FRAME_ESP, data, FRAME_MAX - 2, &len));
	assert_int_equal(len, FRAME_MAX);
	assert_null(frame_write_head(FRAME_ESP, data, FRAME_MAX - 1, &len));
	assert_non_null(frame_write_head(FRAME_IKE, data, FRAME_MAX - 6, &len));
	assert_null(frame_write_head(FRAME_IKE, data, FRAME_MAX - 5, &len));
	assert_null(frame_write_head(FRAME_ESP, data, UINT32_MAX, &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_stays_in_place),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(what_is_kept_goes_before_the_next_piece),
		cmocka_unit_test(only_a_short_beginning_is_kept),
		cmocka_unit_test(a_buffer_lent_comes_back_when_the_stream_ends),
		cmocka_unit_test(what_is_no_frame_breaks_the_stream),
		cmocka_unit_test(heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
