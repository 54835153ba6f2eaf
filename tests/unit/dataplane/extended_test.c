/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 64-bit sequence numbers through the whole path (RFC 4303 section 2.2.1), where their high half changes: bursts of one
 * SA of every suite. And where numbers of 32 bits end.
 */
#include "peer.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
	PEERS = ESP_SUITE_COUNT - 1,
	BEFORE = 10,
	ROUNDS = 12,
	PACKETS = ROUNDS * PEERS,
	ESP_PLACE = WIRE_ETHERNET_LEN + WIRE_IPV4_LEN + WIRE_UDP_LEN,
};

#define EDGE (UINT64_C(1) << 32)

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], inner[WIRE_MAX], esp[WIRE_MAX];
static struct peer peers[PEERS];

static void open_peers(void)
{
	harness_open(&(struct harness_options){.max_sessions = PEERS});
	for (unsigned int i = 0; i < PEERS; i++)
		peer_open(&peers[i], i + 1,
			&(struct peer_options){.suite = i + 1,
				.bare = i % 2,
				.extended = true,
				.soft_packets = UINT64_MAX,
				.hard_packets = UINT64_MAX});
}

static void send_lan(const struct peer *peer, uint16_t queue, uint32_t seed)
{
	struct wire_ipv4 header = {
		.source = LAN_HOST, .destination = peer->host, .protocol = IPPROTO_UDP, .id = (uint16_t)seed};

	wire_noise(packet, 60, seed);
	harness_send_ip(1, queue, LAN_HOST, packet, wire_ipv4(packet, &header, packet, 60));
}

/* Several SAs in each burst; every packet is verified with the high half that it has to have. */
static void test_outbound(void **state)
{
	uint64_t expected[PEERS];

	(void)state;
	open_peers();
	for (unsigned int i = 0; i < PEERS; i++) {
		expected[i] = EDGE - 1 - i % (ROUNDS - 1);
		sa_numbers(&harness.dataplane.sas, peers[i].child)->sequence = expected[i] - 1;
	}
	for (uint32_t i = 0; i < PACKETS; i++)
		send_lan(&peers[i % PEERS], 0, i);
	harness_turn();
	for (uint32_t i = 0; i < PACKETS; i++) {
		struct peer *peer = &peers[i % PEERS];

		peer->from_hq.high = (uint32_t)(expected[i % PEERS] >> 32);
		assert_true(harness_receive(0, &frame));
		assert_int_equal(peer_receive(peer, &frame, inner), 80);
		assert_int_equal(wire_read16(inner + 4), i);
		assert_int_equal(peer->hq_sequence, expected[i % PEERS]++);
	}
	for (unsigned int i = 0; i < PEERS; i++)
		assert_true(expected[i] > EDGE);
}

/* Of a length that tells the number from its neighbours. */
static size_t inner_make(const struct peer *peer, uint64_t sequence)
{
	return peer_inner(peer, LAN_HOST, 40 + sequence % 64, inner);
}

static void deliver(const struct peer *peer, uint64_t sequence)
{
	size_t len = peer_esp(peer, sequence, IPPROTO_IPIP, inner, inner_make(peer, sequence), esp);

	harness_send_ip(0, 0, GATEWAY, packet, peer_outer(peer, 0, esp, len, packet));
}

static void deliver_all(int64_t from, int64_t to, int64_t step)
{
	for (int64_t at = from; at != to; at += step)
		for (unsigned int i = 0; i < PEERS; i++)
			deliver(&peers[i], EDGE + (uint64_t)at);
}

/* What deliver_all sent comes out whole, in that order, and nothing else. */
static void expect_all(int64_t from, int64_t to, int64_t step)
{
	harness_turn();
	for (int64_t at = from; at != to; at += step) {
		for (unsigned int i = 0; i < PEERS; i++) {
			size_t len = inner_make(&peers[i], EDGE + (uint64_t)at);

			wire_forward(inner);
			assert_true(harness_receive(1, &frame));
			assert_int_equal(frame.len, WIRE_ETHERNET_LEN + len);
			assert_memory_equal(frame.bytes + WIRE_ETHERNET_LEN, inner, len);
		}
	}
	assert_false(harness_receive(1, &frame));
}

/* Where a long-lived SA comes to be: what a burst's numbers stand for is told by the window before it. */
static void open_near_edge(void)
{
	open_peers();
	deliver_all(-100, -99, 1);
	expect_all(-100, -99, 1);
}

/* In order, and all of them once more. */
static void test_inbound(void **state)
{
	(void)state;
	open_near_edge();
	deliver_all(-BEFORE, BEFORE, 1);
	expect_all(-BEFORE, BEFORE, 1);
	deliver_all(-BEFORE, BEFORE, 1);
	assert_int_equal(harness_count_frames(1), 0);
	assert_int_equal(harness_count(REASON_DROP_REPLAYED), 2 * BEFORE * PEERS);
	/* What came late from before the edge is new, once. */
	deliver_all(-BEFORE - 1, -2 * BEFORE - 1, -1);
	expect_all(-BEFORE - 1, -2 * BEFORE - 1, -1);
	assert_int_equal(harness_count(REASON_DROP_ICV), 0);
}

static void test_backwards(void **state)
{
	(void)state;
	open_near_edge();
	deliver_all(BEFORE, -BEFORE, -1);
	expect_all(BEFORE, -BEFORE, -1);
}

/* The high half is in the ICV alone. Neither such a packet nor one from left of the window moves anything. */
static void test_wrong_high_half(void **state)
{
	(void)state;
	open_near_edge();
	deliver_all(-1, 2, 1);
	expect_all(-1, 2, 1);
	deliver_all(100 - (int64_t)EDGE, 101 - (int64_t)EDGE, 1);
	deliver_all(100 + (int64_t)EDGE, 101 + (int64_t)EDGE, 1);
	deliver_all(-5000, -4999, 1);
	assert_int_equal(harness_count_frames(1), 0);
	assert_int_equal(harness_count(REASON_DROP_ICV), 3 * PEERS);
	deliver_all(100, 101, 1);
	expect_all(100, 101, 1);
}

/* RFC 4303 section 3.3.3: without them, numbers must not cycle. */
static void test_not_extended(void **state)
{
	(void)state;
	peer_open(&peers[0], 1, &(struct peer_options){0});
	sa_numbers(&harness.dataplane.sas, peers[0].child)->sequence = UINT32_MAX - 5;
	for (uint32_t burst = 1; burst <= 3; burst++) {
		for (uint32_t i = 0; i < 10; i++)
			send_lan(&peers[0], 0, i);
		harness_turn();
		for (uint32_t i = 0; burst == 1 && i < 5; i++) {
			assert_true(harness_receive(0, &frame));
			peer_receive(&peers[0], &frame, inner);
			assert_int_equal(peers[0].hq_sequence, UINT32_MAX - 4 + i);
		}
		assert_false(harness_receive(0, &frame));
		assert_int_equal(harness_count(REASON_DROP_HARD_LIFETIME), 10 * burst - 5);
		assert_int_equal(harness_count_events(TABLES_EVENT_HARD_LIFETIME), 1);
	}
	deliver(&peers[0], UINT32_MAX);
	deliver(&peers[0], EDGE + 1);
	assert_int_equal(harness_count_frames(1), 1);
	assert_int_equal(harness_count(REASON_DROP_REPLAYED), 1);
}

/* HQ sent `count` packets to the first peer: with the numbers from `first` on, each once. */
static void expect_numbers(uint64_t first, uint32_t count)
{
	static bool seen[PACKETS];

	memset(seen, 0, sizeof(seen));
	for (uint32_t i = 0; i < count; i++) {
		uint64_t at;

		assert_true(harness_receive(0, &frame));
		/* The high half is not in the packet; of those around the edge, the low one tells it. */
		peers[0].from_hq.high = wire_read32(frame.bytes + ESP_PLACE + 4) >> 31 ? 0 : 1;
		peer_receive(&peers[0], &frame, inner);
		at = peers[0].hq_sequence - first;
		assert_in_range(at, 0, count - 1);
		assert_false(seen[at]);
		seen[at] = true;
	}
	harness_expect_no_frame();
}

/* Of one SA, from the LAN in two queues. */
static void send_by_two(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		send_lan(&peers[0], (uint16_t)(i / 3 % 2), i);
	harness_turn();
}

/* Workers that share an SA go over the edge together, or come to its end together. */
static void test_two_workers(void **state)
{
	const struct peer_options extended = {
		.extended = true, .soft_packets = UINT64_MAX, .hard_packets = UINT64_MAX, .suite = ESP_NULL_SHA256_128};
	enum { LEFT = 50 };

	(void)state;
	for (int end = 0; end < 2; end++) {
		harness_open(&(struct harness_options){.n_workers = 2});
		peer_open(&peers[0], 1, end ? &(struct peer_options){0} : &extended);
		sa_numbers(&harness.dataplane.sas, peers[0].child)->sequence = EDGE - 1 - LEFT;
		send_by_two(PACKETS);
		expect_numbers(EDGE - LEFT, end ? LEFT : PACKETS);
		assert_int_equal(harness_count(REASON_DROP_HARD_LIFETIME), end ? PACKETS - LEFT : 0);
		assert_int_equal(harness_count_events(TABLES_EVENT_HARD_LIFETIME), end);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_outbound),
		TEST(test_inbound),
		TEST(test_backwards),
		TEST(test_wrong_high_half),
		TEST(test_not_extended),
		TEST(test_two_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
