/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 9329 framing: every way to cut a stream yields the same frames; what can't be a frame ends it at once. */
#include "stream/framing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct framing framing_plain(void)
{
	return (struct framing){.payload_max = FRAMING_PAYLOAD_MAX};
}

/* The prefix, then ESP of 7 bytes, IKE of 5, a keepalive, two runts, ESP of 300. */
static size_t make_stream(uint8_t *out)
{
	static const uint8_t begin[] = {'I', 'K', 'E', 'T', 'C', 'P', 0, 9, 0x80, 2, 3, 4, 5, 6, 7, 0, 11, 0, 0, 0, 0,
		9, 8, 7, 6, 5, 0, 3, 0xff, 0, 6, 0, 0, 0, 0, 0, 2, 1, 46};

	memcpy(out, begin, sizeof(begin));
	memset(out + sizeof(begin), 0xe5, 300);
	return sizeof(begin) + 300;
}

static const struct {
	enum framing_kind kind;
	uint32_t len;
	uint8_t first;
} expected[] = {
	{FRAMING_ESP, 7, 0x80},
	{FRAMING_IKE, 5, 9},
	{FRAMING_KEEPALIVE, 1, 0xff},
	{FRAMING_RUNT, 4, 0},
	{FRAMING_RUNT, 0, 0},
	{FRAMING_ESP, 300, 0xe5},
};
enum { EXPECTED = sizeof(expected) / sizeof(expected[0]) };

/* Reads all of `data`, which comes in two pieces, and returns how many frames there were. */
static size_t read_in_two(uint8_t *data, size_t len, size_t cut)
{
	struct framing framing = {.awaits_prefix = true, .payload_max = FRAMING_PAYLOAD_MAX};
	struct framing_frame frame;
	size_t at = 0, frames = 0, taken;

	for (size_t end = cut; end <= len; end = end == len ? len + 1 : len) {
		do {
			taken = framing_read(&framing, data + at, end - at, &frame);
			at += taken;
			if (frame.kind == FRAMING_PARTIAL) {
				/* Never more than is missing of what must come. */
				assert_true(frame.payload_len >= 1);
				assert_true(end == len || frame.payload_len <= len - end);
				continue;
			}
			assert_true(frames < EXPECTED);
			assert_int_equal(frame.kind, expected[frames].kind);
			assert_int_equal(frame.payload_len, expected[frames].len);
			if (frame.payload_len > 0)
				assert_int_equal(frame.payload[0], expected[frames].first);
			frames++;
		} while (taken > 0);
	}
	assert_int_equal(at, len);
	return frames;
}

static void test_any_cut(void **state)
{
	uint8_t data[512];
	size_t len = make_stream(data);

	(void)state;
	for (size_t cut = 0; cut <= len; cut++)
		assert_int_equal(read_in_two(data, len, cut), EXPECTED);
}

static void test_prefix_is_told_by_its_first_wrong_byte(void **state)
{
	struct framing framing = {.awaits_prefix = true, .payload_max = FRAMING_PAYLOAD_MAX};
	uint8_t hello[] = {0x16, 3, 1}, almost[] = "IKETCX";
	struct framing_frame frame;

	(void)state;
	assert_int_equal(framing_read(&framing, hello, 1, &frame), 0);
	assert_int_equal(frame.kind, FRAMING_NO_PREFIX);
	assert_non_null(framing_refusal(frame.kind));
	assert_int_equal(framing_read(&framing, almost, 5, &frame), 0);
	assert_int_equal(frame.kind, FRAMING_PARTIAL);
	assert_int_equal(frame.payload_len, 1);
	assert_int_equal(framing_read(&framing, almost, 6, &frame), 0);
	assert_int_equal(frame.kind, FRAMING_NO_PREFIX);
	assert_true(framing.awaits_prefix);
}

static void test_no_prefix_where_we_are_the_originator(void **state)
{
	struct framing framing = framing_plain();
	uint8_t data[] = {0, 8, 0xc0, 0, 0, 1, 0, 2};
	struct framing_frame frame;

	(void)state;
	assert_int_equal(framing_read(&framing, data, sizeof(data), &frame), sizeof(data));
	assert_int_equal(frame.kind, FRAMING_ESP);
	assert_ptr_equal(frame.payload, data + FRAMING_HEAD_LEN);
}

static void test_lengths_that_cannot_be(void **state)
{
	struct framing framing = framing_plain();
	struct framing_frame frame;
	uint8_t data[8] = {0};

	(void)state;
	for (uint8_t length = 0; length < FRAMING_HEAD_LEN; length++) {
		data[1] = length;
		assert_int_equal(framing_read(&framing, data, sizeof(data), &frame), 0);
		assert_int_equal(frame.kind, FRAMING_NO_LENGTH);
		assert_non_null(framing_refusal(frame.kind));
	}
}

static void test_cap_is_obeyed_from_the_head_alone(void **state)
{
	struct framing framing = {.payload_max = 1000};
	uint8_t head[FRAMING_HEAD_LEN];
	struct framing_frame frame;

	(void)state;
	framing_write_head(head, 1001);
	assert_int_equal(framing_read(&framing, head, sizeof(head), &frame), 0);
	assert_int_equal(frame.kind, FRAMING_TOO_LONG);
	framing_write_head(head, 1000);
	assert_int_equal(framing_read(&framing, head, sizeof(head), &frame), 0);
	assert_int_equal(frame.kind, FRAMING_PARTIAL);
	assert_int_equal(frame.payload_len, 1000);
}

static void test_the_longest_frame(void **state)
{
	static uint8_t data[UINT16_MAX];
	struct framing framing = framing_plain();
	struct framing_frame frame;

	(void)state;
	framing_write_head(data, FRAMING_PAYLOAD_MAX);
	assert_int_equal(data[0] << 8 | data[1], UINT16_MAX);
	assert_int_equal(framing_read(&framing, data, sizeof(data), &frame), UINT16_MAX);
	assert_int_equal(frame.kind, FRAMING_IKE);
	assert_int_equal(frame.payload_len, FRAMING_IKE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_cut),
		cmocka_unit_test(test_prefix_is_told_by_its_first_wrong_byte),
		cmocka_unit_test(test_no_prefix_where_we_are_the_originator),
		cmocka_unit_test(test_lengths_that_cannot_be),
		cmocka_unit_test(test_cap_is_obeyed_from_the_head_alone),
		cmocka_unit_test(test_the_longest_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
