/* SPDX-License-Identifier: Apache-2.0 */
/* Reassembly of what comes to us: in every order, with everything that strangers do to it. */
#include "peer.h"

#include "reassemble.h"

#include <rte_cycles.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { STRANGER = 0xc6336463, CE = 3, ECT_0 = 2, PIECES_MAX = REASSEMBLE_PIECES_MAX + 2 };

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], payload[WIRE_MAX];

/* A piece of a UDP packet from a stranger to us, given to the first worker. */
struct piece {
	uint16_t id;
	uint32_t offset, len;
	bool more;
	uint8_t options_len, tos;
	uint32_t source;
};

static void give(const struct piece *piece)
{
	struct wire_ipv4 header = {.source = piece->source ? piece->source : STRANGER,
		.destination = HQ_WAN,
		.protocol = IPPROTO_UDP,
		.tos = piece->tos,
		.id = piece->id,
		.options_len = piece->options_len,
		.fragment = (uint16_t)(piece->offset / 8 | (piece->more ? WIRE_MF : 0))};

	harness_input_ip(0, GATEWAY, packet, wire_ipv4(packet, &header, payload + piece->offset, piece->len));
	assert_int_equal(harness_balance(), 0);
}

static uint32_t held(void)
{
	return reassembly_held(harness.dataplane.workers[0].reassembly);
}

/* Puts a UDP datagram of `len` bytes, with its header, into `payload`. */
static void payload_make(size_t len)
{
	wire_noise(payload, len, (uint32_t)len);
	wire_udp(payload, 40000, 2012, payload + WIRE_UDP_LEN, len - WIRE_UDP_LEN);
}

/* The packet that went to the kernel, whole again where it was cut for its interface, is what was sent. */
static void expect_whole(uint16_t id, size_t len, uint8_t options_len, uint8_t tos)
{
	struct wire_ipv4 header = {.source = STRANGER,
		.destination = HQ_WAN,
		.protocol = IPPROTO_UDP,
		.tos = tos,
		.id = id,
		.options_len = options_len};
	size_t header_len = WIRE_IPV4_LEN + (size_t)options_len, at = 0;

	wire_ipv4(packet, &header, payload, len);
	while (at < len) {
		size_t piece_len;

		assert_true(harness_receive_kernel(0, &frame));
		piece_len = frame.len - WIRE_ETHERNET_LEN - header_len;
		assert_int_equal(wire_checksum(frame.bytes + WIRE_ETHERNET_LEN, header_len), 0);
		assert_int_equal(wire_read16(frame.bytes + WIRE_ETHERNET_LEN + 2), header_len + piece_len);
		assert_int_equal(wire_read16(frame.bytes + WIRE_ETHERNET_LEN + 6),
			at / 8 | (at + piece_len < len ? WIRE_MF : 0));
		assert_memory_equal(frame.bytes + WIRE_ETHERNET_LEN + header_len, payload + at, piece_len);
		at += piece_len;
	}
	assert_int_equal(at, len);
	assert_int_equal(frame.bytes[WIRE_ETHERNET_LEN + 1], tos);
	assert_false(harness_receive_kernel(0, &frame));
}

static uint32_t piece_begin(uint32_t i, uint32_t n, uint32_t len)
{
	return i == n ? len : len * i / n & ~7u;
}

static void give_nth(uint16_t id, uint32_t i, uint32_t n, uint32_t len)
{
	uint32_t begin = piece_begin(i, n, len), end = piece_begin(i + 1, n, len);

	give(&(struct piece){.id = id, .offset = begin, .len = end - begin, .more = i + 1 < n});
}

/* Heap's algorithm: each call makes the next order out of `order`. false when all were there. */
static bool permute(uint8_t *order, uint8_t *counter, uint32_t n, uint32_t *at)
{
	while (*at < n) {
		if (counter[*at] < *at) {
			uint32_t other = *at % 2 ? counter[*at] : 0;
			uint8_t swap = order[other];

			order[other] = order[*at];
			order[*at] = swap;
			counter[*at]++;
			*at = 0;
			return true;
		}
		counter[(*at)++] = 0;
	}
	return false;
}

static void test_every_order(void **state)
{
	uint16_t id = 0;

	(void)state;
	payload_make(1001);
	for (uint32_t n = 2; n <= 8; n++) {
		uint8_t order[8] = {0, 1, 2, 3, 4, 5, 6, 7}, counter[8] = {0};
		uint32_t at = 0, turns = 0;

		do {
			id++;
			for (uint32_t i = 0; i < n; i++) {
				assert_int_equal(held(), i);
				give_nth(id, order[i], n, 1001);
			}
			expect_whole(id, 1001, 0, 0);
			assert_int_equal(held(), 0);
			turns++;
		} while (permute(order, counter, n, &at) && turns < 5040);
	}
}

static void test_sizes(void **state)
{
	static const uint32_t lens[] = {16, 1480, 1481, 2000, 3000, 9001, 32767, 60000, 65000, 65387};

	(void)state;
	for (uint16_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint32_t n = lens[i] / 1480 + 2;

		payload_make(lens[i]);
		for (uint32_t piece = n; piece > 0; piece--)
			give_nth(i, piece - 1, n, lens[i]);
		expect_whole(i, lens[i], 0, 0);
	}
	assert_int_equal(harness_count(REASON_NOTE_REASSEMBLED), sizeof(lens) / sizeof(lens[0]));
}

static void test_duplicates(void **state)
{
	(void)state;
	payload_make(300);
	for (uint32_t i = 0; i < 3; i++) {
		give_nth(1, i, 4, 300);
		give_nth(1, i, 4, 300);
		give_nth(1, 0, 4, 300);
	}
	assert_int_equal(held(), 3);
	assert_int_equal(harness_count(REASON_DROP_FRAGMENT_OVERLAP), 6);
	give_nth(1, 3, 4, 300);
	expect_whole(1, 300, 0, 0);
}

/* Whatever overlaps takes its whole packet with it, and the next packet with the same ID begins anew. */
static void test_overlaps(void **state)
{
	static const struct piece first[] = {{.offset = 64, .len = 64, .more = true}};
	static const struct piece bad[] = {
		{.offset = 56, .len = 16, .more = true},  /* its front */
		{.offset = 120, .len = 16, .more = true}, /* its end */
		{.offset = 72, .len = 8, .more = true},	  /* within: teardrop */
		{.offset = 0, .len = 256, .more = true},  /* around it */
		{.offset = 64, .len = 56, .more = true},  /* same begin, shorter */
		{.offset = 64, .len = 72, .more = true},  /* longer */
		{.offset = 8, .len = 57, .more = false},  /* an end before it */
		{.offset = 8, .len = 56, .more = false},  /* likewise, touching */
		{.offset = 80, .len = 4, .more = false},  /* within, and the end */
	};

	(void)state;
	payload_make(300);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t before = harness_count(REASON_DROP_FRAGMENT_OVERLAP);

		give(&first[0]);
		give(&bad[i]);
		assert_int_equal(held(), 0);
		assert_int_equal(harness_count(REASON_DROP_FRAGMENT_OVERLAP), before + 2);
	}
	/* Two different ends, and something behind the end. */
	give(&(struct piece){.offset = 64, .len = 60});
	give(&(struct piece){.offset = 128, .len = 8});
	assert_int_equal(held(), 0);
	give(&(struct piece){.offset = 64, .len = 64});
	give(&(struct piece){.offset = 256, .len = 64, .more = true});
	assert_int_equal(held(), 0);
	give_nth(0, 0, 2, 300);
	give_nth(0, 1, 2, 300);
	expect_whole(0, 300, 0, 0);
}

/* Longer than a packet can be, by offset and length or with the options of the first piece. */
static void test_too_long(void **state)
{
	(void)state;
	give(&(struct piece){.offset = 65512, .len = 32});
	give(&(struct piece){.offset = 65528, .len = 8, .more = true});
	assert_int_equal(harness_count(REASON_DROP_FRAGMENT_BAD), 2);
	assert_int_equal(held(), 0);
	for (uint32_t i = 0; i < 60; i++)
		give(&(struct piece){.offset = i * 1088, .len = 1088, .more = true, .options_len = 40});
	give(&(struct piece){.offset = 65280, .len = 235});
	assert_int_equal(held(), 0);
	assert_int_equal(harness_count(REASON_DROP_NO_BUFFER), 61);
}

/* A gap is never taken for data, whichever piece is missing. */
static void test_gaps(void **state)
{
	(void)state;
	payload_make(800);
	for (uint32_t missing = 0; missing < 8; missing++) {
		for (uint32_t i = 0; i < 8; i++)
			if (i != missing)
				give_nth((uint16_t)missing, i, 8, 800);
		assert_false(harness_receive_kernel(0, &frame));
	}
	assert_int_equal(held(), 56);
	for (uint32_t missing = 0; missing < 8; missing++) {
		give_nth((uint16_t)missing, missing, 8, 800);
		expect_whole((uint16_t)missing, 800, 0, 0);
	}
	assert_int_equal(held(), 0);
}

static void test_options_and_ecn(void **state)
{
	(void)state;
	payload_make(300);
	give(&(struct piece){.len = 96, .more = true, .options_len = 12, .tos = ECT_0});
	give(&(struct piece){.offset = 96, .len = 96, .more = true, .options_len = 40, .tos = CE});
	give(&(struct piece){.offset = 192, .len = 108, .tos = ECT_0});
	expect_whole(0, 300, 12, CE); /* RFC 3168 section 5.3 */
}

static void test_timeout(void **state)
{
	struct worker *worker = &harness.dataplane.workers[0];
	uint64_t second = rte_get_tsc_hz();

	(void)state;
	payload_make(300);
	give_nth(1, 0, 2, 300);
	worker->now += second;
	give_nth(2, 0, 3, 300);
	give_nth(2, 1, 3, 300);
	reassemble_expire(worker);
	assert_int_equal(held(), 3);
	worker->now += second + second / 2;
	reassemble_expire(worker);
	assert_int_equal(held(), 2);
	assert_int_equal(harness_count(REASON_DROP_FRAGMENT_TIMEOUT), 1);
	give_nth(2, 2, 3, 300); /* the younger one is still there */
	expect_whole(2, 300, 0, 0);
	give_nth(1, 1, 2, 300); /* the older one's rest waits for nothing */
	assert_int_equal(held(), 1);
}

static void test_limits(void **state)
{
	(void)state;
	harness_open(&(struct harness_options){.fragments_pending = 64, .fragments_per_source = 4});
	payload_make(300);
	for (uint16_t id = 0; id < 10; id++)
		give_nth(id, 0, 2, 300);
	assert_int_equal(held(), 4);
	assert_int_equal(harness_count(REASON_DROP_FRAGMENT_LIMIT), 6);
	give(&(struct piece){.source = STRANGER + 1, .len = 64, .more = true});
	assert_int_equal(held(), 5); /* another source has its own */
	give_nth(0, 1, 2, 300);
	expect_whole(0, 300, 0, 0);
	assert_int_equal(held(), 4);
	give_nth(9, 0, 2, 300); /* and the place that came free is there again */
	assert_int_equal(held(), 5);
	/* All places: the oldest goes. */
	harness_open(&(struct harness_options){.fragments_pending = 8, .fragments_per_source = 60});
	for (uint16_t id = 0; id < 10; id++)
		give_nth(id, 0, 2, 300);
	assert_int_equal(held(), 8);
	assert_int_equal(harness_count(REASON_DROP_FRAGMENT_LIMIT), 2);
	give_nth(9, 1, 2, 300);
	expect_whole(9, 300, 0, 0);
	assert_int_equal(held(), 7);
}

static void test_many_pieces(void **state)
{
	(void)state;
	payload_make(8 * PIECES_MAX);
	for (uint32_t i = 0; i <= REASSEMBLE_PIECES_MAX; i++)
		give(&(struct piece){.offset = 16 * i, .len = 8, .more = true});
	assert_int_equal(held(), 0);
	assert_int_equal(harness_count(REASON_DROP_FRAGMENT_LIMIT), REASSEMBLE_PIECES_MAX + 1);
	for (uint32_t i = REASSEMBLE_PIECES_MAX; i > 0; i--)
		give_nth(1, i - 1, REASSEMBLE_PIECES_MAX, 8 * REASSEMBLE_PIECES_MAX);
	expect_whole(1, 8 * REASSEMBLE_PIECES_MAX, 0, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_every_order),
		TEST(test_sizes),
		TEST(test_duplicates),
		TEST(test_overlaps),
		TEST(test_too_long),
		TEST(test_gaps),
		TEST(test_options_and_ecn),
		TEST(test_timeout),
		TEST(test_limits),
		TEST(test_many_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
