/* SPDX-License-Identifier: Apache-2.0 */
/* Reassembly of IPv6 to us (RFC 8200 section 4.5): what fragments_test.c does for IPv4, where the families differ. */
#include "peer.h"

#include "reassemble.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { CE = 3, ECT_0 = 2 };

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], payload[WIRE_MAX], expected[WIRE_MAX];

/* A piece of a UDP packet from a stranger to us, given to the first worker. */
struct piece {
	uint32_t id, offset, len;
	bool more;
	uint8_t tos, next_header; /* 0: UDP */
	const char *source;
};

static size_t header_make(const struct piece *piece, uint8_t next_header, uint8_t *out, const void *rest, size_t len)
{
	struct wire_ipv6 header = {.next_header = next_header, .tos = piece->tos, .flow = 77};

	wire_address(piece->source ? piece->source : "2001:db8:100::63", header.source);
	wire_address(HQ_WAN_6, header.destination);
	return wire_ipv6(out, &header, rest, len);
}

static void packet_give(size_t len)
{
	harness_input_ip(0, GATEWAY, packet, len);
	assert_int_equal(harness_balance(), 0);
}

static size_t piece_make(const struct piece *piece)
{
	uint8_t *front = packet + WIRE_IPV6_LEN;
	size_t len = wire_fragment(front, piece->next_header ? piece->next_header : IPPROTO_UDP,
		(uint16_t)piece->offset, piece->more, piece->id, payload + piece->offset, piece->len);

	return header_make(piece, IPPROTO_FRAGMENT, packet, front, len);
}

static void give(const struct piece *piece)
{
	packet_give(piece_make(piece));
}

static uint32_t held(void)
{
	return reassembly_held(harness.dataplane.workers[0].reassembly);
}

static void payload_make(size_t len)
{
	wire_noise(payload, len, (uint32_t)len);
	wire_udp(payload, 40000, 2012, payload + WIRE_UDP_LEN, len - WIRE_UDP_LEN);
}

/* What went to the kernel is the packet without a fragment header. */
static void expect_whole(size_t len, uint8_t tos)
{
	size_t whole_len = header_make(&(struct piece){.tos = tos}, IPPROTO_UDP, expected, payload, len);

	assert_true(harness_receive_kernel(0, &frame));
	assert_int_equal(wire_read16(frame.bytes + 12), WIRE_TYPE_IPV6);
	assert_int_equal(frame.len, WIRE_ETHERNET_LEN + whole_len);
	assert_memory_equal(frame.bytes + WIRE_ETHERNET_LEN, expected, whole_len);
	assert_false(harness_receive_kernel(0, &frame));
	assert_int_equal(held(), 0);
}

static void give_nth(uint32_t id, uint32_t i, uint32_t n, uint32_t len)
{
	uint32_t begin = (len * i / n) & ~7u, end = i + 1 == n ? len : (len * (i + 1) / n) & ~7u;

	give(&(struct piece){.id = id, .offset = begin, .len = end - begin, .more = i + 1 < n});
}

static void test_orders(void **state)
{
	static const uint8_t orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}, {3, 0, 1, 2}};

	(void)state;
	payload_make(1001);
	for (uint32_t order = 0; order < sizeof(orders) / sizeof(orders[0]); order++) {
		for (uint32_t i = 0; i < 4; i++) {
			assert_int_equal(held(), i);
			give_nth(order, orders[order][i], 4, 1001);
		}
		expect_whole(1001, 0);
	}
}

/* Longer than the kernel's interface takes: it gets it in pieces again, of our own making. */
static void test_long(void **state)
{
	uint32_t at = 0;

	(void)state;
	payload_make(9001);
	for (uint32_t i = 0; i < 8; i++)
		give_nth(1, i, 8, 9001);
	assert_int_equal(harness_count(REASON_NOTE_REASSEMBLED), 1);
	while (harness_receive_kernel(0, &frame)) {
		const uint8_t *bytes = frame.bytes + WIRE_ETHERNET_LEN;
		uint32_t len = frame.len - WIRE_ETHERNET_LEN - WIRE_IPV6_LEN - WIRE_FRAGMENT_LEN;

		assert_int_equal(bytes[6], IPPROTO_FRAGMENT);
		assert_int_equal(bytes[WIRE_IPV6_LEN], IPPROTO_UDP);
		assert_int_equal(wire_read16(bytes + WIRE_IPV6_LEN + 2), at | (at + len < 9001));
		assert_memory_equal(bytes + WIRE_IPV6_LEN + WIRE_FRAGMENT_LEN, payload + at, len);
		at += len;
	}
	assert_int_equal(at, 9001);
}

/* RFC 8200 section 4.5: the first one's next header counts; those of the others are as they like. */
static void test_next_headers(void **state)
{
	(void)state;
	payload_make(300);
	give(&(struct piece){.offset = 200, .len = 100, .next_header = IPPROTO_ESP});
	give(&(struct piece){.len = 200, .more = true});
	expect_whole(300, 0);
}

/* Whole already: neither held nor mixed with others of the same number (RFC 6946). */
static void test_atomic(void **state)
{
	struct peer peer;
	static uint8_t inner[WIRE_MAX], esp[WIRE_MAX], outer[WIRE_MAX];
	size_t len;

	(void)state;
	payload_make(300);
	give_nth(5, 0, 3, 300);
	give_nth(5, 1, 3, 300);
	give(&(struct piece){.id = 5, .len = 300});
	assert_int_equal(held(), 2);
	give_nth(5, 2, 3, 300);
	assert_int_equal(held(), 0);
	for (int i = 0; i < 2; i++) {
		assert_true(harness_receive_kernel(0, &frame));
		assert_memory_equal(frame.bytes + WIRE_ETHERNET_LEN + WIRE_IPV6_LEN, payload, 300);
		assert_int_equal(frame.bytes[WIRE_ETHERNET_LEN + 6], IPPROTO_UDP);
	}
	/* As ESP it is opened. */
	peer_open(&peer, 1, &(struct peer_options){.bare = true, .outer_ipv6 = true});
	len = peer_inner(&peer, LAN_HOST, 100, inner);
	len = peer_esp(&peer, ++peer.sequence, IPPROTO_IPIP, inner, len, esp);
	len = peer_outer(&peer, 0, esp, len, outer) - WIRE_IPV6_LEN;
	memcpy(payload, outer + WIRE_IPV6_LEN, len);
	len = piece_make(
		&(struct piece){.source = "2001:db8:100::1", .len = (uint32_t)len, .next_header = IPPROTO_ESP});
	harness_send_ip(0, 0, GATEWAY, packet, len);
	harness_turn();
	assert_true(harness_receive(1, &frame));
}

/* Whatever overlaps takes its whole packet with it; a duplicate does not. */
static void test_overlaps(void **state)
{
	static const struct piece bad[] = {
		{.offset = 56, .len = 16, .more = true},
		{.offset = 120, .len = 16, .more = true},
		{.offset = 72, .len = 8, .more = true},
		{.offset = 0, .len = 256, .more = true},
		{.offset = 8, .len = 57, .more = false},
		{.offset = 80, .len = 4, .more = false},
	};

	(void)state;
	payload_make(300);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t before = harness_count(REASON_DROP_FRAGMENT_OVERLAP);

		give(&(struct piece){.offset = 64, .len = 64, .more = true});
		give(&bad[i]);
		assert_int_equal(held(), 0);
		assert_int_equal(harness_count(REASON_DROP_FRAGMENT_OVERLAP), before + 2);
	}
	give_nth(1, 0, 2, 300);
	give_nth(1, 0, 2, 300);
	give_nth(1, 1, 2, 300);
	expect_whole(300, 0);
}

/* Lengths and offsets that can't be; a fragment header that is not all there is the kernel's to answer. */
static void test_bad(void **state)
{
	(void)state;
	payload_make(300);
	give(&(struct piece){.len = 60, .more = true});
	give(&(struct piece){.offset = 64, .len = 0});
	give(&(struct piece){.len = 0});
	give(&(struct piece){.offset = 65528, .len = 8, .more = true});
	give(&(struct piece){.offset = 65496, .len = 8});
	assert_int_equal(harness_count(REASON_DROP_FRAGMENT_BAD), 5);
	assert_int_equal(held(), 0);
	for (size_t len = 0; len < WIRE_FRAGMENT_LEN; len++)
		packet_give(header_make(&(struct piece){0}, IPPROTO_FRAGMENT, packet, payload, len));
	assert_int_equal(held(), 0);
	assert_int_equal(harness_count(REASON_OUT_KERNEL), WIRE_FRAGMENT_LEN);
	/* The last one that fits; and a packet so long that no buffer takes it. */
	give(&(struct piece){.offset = 65488, .len = 7});
	assert_int_equal(held(), 1);
	for (uint32_t at = 0; at < 65488; at += 1364 / 8 * 8)
		give(&(struct piece){.offset = at, .len = RTE_MIN(1364u / 8 * 8, 65488 - at), .more = true});
	assert_int_equal(held(), 0);
	assert_true(harness_count(REASON_DROP_NO_BUFFER) > 40);
}

static void test_ecn(void **state)
{
	(void)state;
	payload_make(300);
	give(&(struct piece){.len = 96, .more = true, .tos = 0x50 | ECT_0});
	give(&(struct piece){.offset = 96, .len = 96, .more = true, .tos = 0x50 | CE});
	give(&(struct piece){.offset = 192, .len = 108, .tos = 0x50 | ECT_0});
	expect_whole(300, 0x50 | CE);
}

/* A source is a /64: who has one has all of its addresses. */
static void test_limits(void **state)
{
	(void)state;
	harness_open(&(struct harness_options){.fragments_pending = 64, .fragments_per_source = 4});
	harness_add_ipv6();
	payload_make(300);
	for (uint32_t id = 0; id < 10; id++)
		give(&(struct piece){.id = id,
			.len = 96,
			.more = true,
			.source = id % 2 ? "2001:db8:100::1" : "2001:db8:100::ffff:0:2"});
	assert_int_equal(held(), 4);
	assert_int_equal(harness_count(REASON_DROP_FRAGMENT_LIMIT), 6);
	give(&(struct piece){.len = 96, .more = true, .source = "2001:db8:101::1"});
	assert_int_equal(held(), 5);
	harness_expire_fragments();
	assert_int_equal(held(), 0);
	assert_int_equal(harness_count(REASON_DROP_FRAGMENT_TIMEOUT), 5);
}

/* Both families in one table: nothing of the one is taken for the other. */
static void test_beside_ipv4(void **state)
{
	struct wire_ipv4 header = {.source = 0xc6336463, .destination = HQ_WAN, .protocol = IPPROTO_UDP, .id = 9};
	static uint8_t ipv4[WIRE_MAX];

	(void)state;
	payload_make(300);
	for (int last = 0; last < 2; last++) {
		header.fragment = last ? 96 / 8 : WIRE_MF;
		harness_send_ip(
			0, 0, GATEWAY, ipv4, wire_ipv4(ipv4, &header, payload + (last ? 96 : 0), last ? 204 : 96));
		harness_turn();
		give(&(struct piece){.id = 9, .offset = last ? 96 : 0, .len = last ? 204 : 96, .more = !last});
		assert_int_equal(held(), last ? 0 : 2);
	}
	for (int i = 0; i < 2; i++) {
		assert_true(harness_receive_kernel(0, &frame));
		assert_memory_equal(
			frame.bytes + WIRE_ETHERNET_LEN + (i ? WIRE_IPV6_LEN : WIRE_IPV4_LEN), payload, 300);
	}
}

static int setup(void **state)
{
	harness_setup(state);
	harness_add_ipv6();
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_orders),
		TEST(test_long),
		TEST(test_next_headers),
		TEST(test_atomic),
		TEST(test_overlaps),
		TEST(test_bad),
		TEST(test_ecn),
		TEST(test_limits),
		TEST(test_beside_ipv4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
