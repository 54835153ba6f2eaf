/* SPDX-License-Identifier: Apache-2.0 */
/* The wire format: what is written is parsed the same, what contradicts itself is refused. */
#include "tcp/segment.h"

#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* SYN-ACK's successor of a real connection: TCP header with timestamps, 5 bytes "hello". */
static const uint8_t captured[] = {0x9c, 0x40, 0x11, 0x94,			/* 40000 to 4500 */
	0xff, 0xff, 0xff, 0xfe, 0x01, 0x02, 0x03, 0x04,				/* seq, ack */
	0x80, 0x18, 0x01, 0xf6, 0x00, 0x00, 0x00, 0x00,				/* 32 bytes, PSH ACK, window 502 */
	0x01, 0x01, 0x08, 0x0a, 0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0x01, /* NOP NOP timestamps */
	'h', 'e', 'l', 'l', 'o'};

static void fields(void **state)
{
	uint8_t wire[sizeof(captured)], header[TCP_HEADER_MAX];
	struct tcp_segment segment;

	(void)state;
	memcpy(wire, captured, sizeof(wire));
	assert_int_equal(tcp_segment_parse(wire, sizeof(wire), &segment), 0);
	assert_int_equal(segment.header.source_port, 40000);
	assert_int_equal(segment.header.destination_port, 4500);
	assert_int_equal(segment.header.seq, 0xfffffffe);
	assert_int_equal(segment.header.ack, 0x01020304);
	assert_int_equal(segment.header.flags, TCP_FLAG_PSH | TCP_FLAG_ACK);
	assert_int_equal(segment.header.window, 502);
	assert_true(segment.header.has_timestamps);
	assert_int_equal(segment.header.ts_value, 0x1000);
	assert_int_equal(segment.header.ts_echo, 0x80000001);
	assert_int_equal(segment.header.n_sack, 0);
	assert_int_equal(segment.payload_len, 5);
	assert_ptr_equal(segment.payload, wire + 32);
	assert_int_equal(tcp_header_write(&segment.header, header), 32);
	assert_memory_equal(header, captured, 32);
}

static void sack_blocks_round_trip(void **state)
{
	(void)state;
	for (uint8_t timestamps = 0; timestamps < 2; timestamps++) {
		for (uint8_t n_sack = 0; n_sack <= TCP_SACK_MAX - timestamps; n_sack++) {
			struct tcp_header header = {.seq = 7, .has_timestamps = timestamps, .n_sack = n_sack};
			uint8_t wire[TCP_HEADER_MAX];
			struct tcp_segment segment;
			uint32_t len;

			for (uint8_t i = 0; i < n_sack; i++)
				header.sack[i] = (struct tcp_range){.start = i * 1000u, .end = i * 1000u + 500};
			len = tcp_header_write(&header, wire);
			assert_int_equal(len, 20 + 12 * timestamps + (n_sack ? 4 + 8 * n_sack : 0));
			assert_int_equal(tcp_segment_parse(wire, len, &segment), 0);
			assert_int_equal(segment.header.n_sack, n_sack);
			assert_memory_equal(segment.header.sack, header.sack, n_sack * sizeof(header.sack[0]));
			assert_int_equal(segment.header.has_timestamps, timestamps);
		}
	}
}

/* Header length field, options, how many bytes there are, and what comes of it. */
static void lengths(void **state)
{
	static const struct {
		uint8_t words, options[40];
		size_t len;
		int result;
	} rows[] = {
		{5, {0}, 20, 0},
		{5, {0}, 19, -EBADMSG}, /* not even a header */
		{4, {0}, 20, -EBADMSG}, /* a header shorter than one */
		{6, {0}, 20, -EBADMSG}, /* longer than the segment */
		{6, {1, 1, 1, 1}, 24, 0},
		{6, {0, 8, 99, 99}, 24, 0},	   /* behind the end of options, anything */
		{6, {1, 1, 1, 8}, 24, -EBADMSG},   /* no length byte */
		{6, {254, 0, 0, 0}, 24, -EBADMSG}, /* option of length 0 */
		{6, {254, 1, 0, 0}, 24, -EBADMSG}, /* ... and 1 */
		{6, {254, 4, 0, 0}, 24, 0},	   /* not known, skipped */
		{6, {254, 5, 0, 0}, 24, -EBADMSG}, /* beyond the header */
		{8, {8, 9}, 32, -EBADMSG},	   /* timestamps of another length */
		{8, {8, 10}, 32, 0},
		{8, {5, 2}, 32, -EBADMSG}, /* SACK without a block */
		{8, {5, 9}, 32, -EBADMSG}, /* and with a part of one */
		{8, {5, 10}, 32, 0},
		{15, {5, 34}, 60, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t wire[60] = {0};
		struct tcp_segment segment;

		wire[12] = (uint8_t)(rows[i].words << 4);
		memcpy(wire + 20, rows[i].options, sizeof(rows[i].options));
		assert_int_equal(tcp_segment_parse(wire, rows[i].len, &segment), rows[i].result);
	}
}

/* The sum of the captured segment between 192.0.2.1 and 192.0.2.2, added up by hand; odd lengths, split anywhere. */
/* RFC 1071, word by word. */
static uint16_t slow_sum(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Every length and alignment, and bytes that carry in each way there is. */
static void checksum_of_any_length(void **state)
{
	static const uint8_t address[4];
	static uint8_t bytes[65535 + 32];
	uint32_t noise = 1;

	(void)state;
	for (int fill = 0; fill < 3; fill++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			noise = noise * 1664525 + 1013904223;
			bytes[i] = fill == 0 ? 0xff : fill == 1 ? 0x80 : (uint8_t)(noise >> 24);
		}
		for (size_t len = 0; len < 600; len++)
			for (size_t at = 0; at < 32; at += 3) {
				uint16_t sum = tcp_checksum(address, address, 4, bytes + at, 0, bytes + at, len);

				assert_int_equal(be16toh(sum), slow_sum(6 + (uint32_t)len, bytes + at, len));
			}
		assert_int_equal(be16toh(tcp_checksum(address, address, 4, bytes, 32, bytes + 32, 65503)),
			slow_sum(6 + 65535, bytes, 65535));
	}
}

static void checksum(void **state)
{
	static const uint8_t source[4] = {192, 0, 2, 1}, destination[4] = {192, 0, 2, 2};
	uint8_t wire[sizeof(captured)];
	uint32_t sum = 0xc000 + 0x0201 + 0xc000 + 0x0202 + 6 + sizeof(captured);
	uint16_t made;

	(void)state;
	for (size_t i = 0; i < sizeof(captured); i++)
		sum += (uint32_t)captured[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	memcpy(wire, captured, sizeof(wire));
	made = tcp_checksum(source, destination, 4, wire, 32, wire + 32, 5);
	memcpy(wire + TCP_CHECKSUM_OFFSET, &made, sizeof(made));
	assert_int_equal(wire[TCP_CHECKSUM_OFFSET] << 8 | wire[TCP_CHECKSUM_OFFSET + 1], ~sum & 0xffff);
	for (size_t split = 0; split <= sizeof(wire); split += 2)
		assert_int_equal(
			tcp_checksum(source, destination, 4, wire, split, wire + split, sizeof(wire) - split), 0);
	for (size_t i = 0; i < sizeof(wire); i++) {
		wire[i] ^= 0x10;
		assert_int_not_equal(tcp_checksum(source, destination, 4, wire, sizeof(wire), NULL, 0), 0);
		wire[i] ^= 0x10;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(sack_blocks_round_trip),
		cmocka_unit_test(lengths),
		cmocka_unit_test(checksum),
		cmocka_unit_test(checksum_of_any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
