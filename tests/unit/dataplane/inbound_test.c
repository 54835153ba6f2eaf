/* SPDX-License-Identifier: Apache-2.0 */
/* What the inbound path decides about authentic packets, and what it tells the control plane. */
#include "peer.h"

#include <rte_cycles.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { NOT_ECT, ECT_1, ECT_0, CE, DROPPED };

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], inner[WIRE_MAX], esp[WIRE_MAX];
static struct peer peer;

/* The frame of the ESP packet in `esp`, in a buffer. */
static struct rte_mbuf *mbuf_of(size_t esp_len, uint8_t tos)
{
	uint8_t mac[WIRE_MAC_LEN];
	size_t len = peer_outer(&peer, tos, esp, esp_len, packet);

	harness_mac(GATEWAY, mac);
	return harness_mbuf(packet, wire_ethernet(packet, harness_port_mac(0), mac, WIRE_TYPE_IPV4, packet, len));
}

static struct rte_mbuf *mbuf_numbered(uint32_t sequence)
{
	size_t len = peer_inner(&peer, LAN_HOST, 40, inner);

	return mbuf_of(peer_esp(&peer, sequence, IPPROTO_IPIP, inner, len, esp), 0);
}

/* In this moment of the worker's clock, which the test moves. */
static void deliver(uint32_t sequence)
{
	struct rte_mbuf *mbuf = mbuf_numbered(sequence);

	worker_input(&harness.dataplane.workers[0], 0, &mbuf, 1);
}

static void test_replay_window(void **state)
{
	static const struct {
		uint32_t sequence;
		bool accepted;
	} steps[] = {{1, true}, {100, true}, {100, false}, {37, true}, {37, false}, {36, false}, {1, false}, {99, true},
		{0, false}, {4000, true}, {3937, true}, {3936, false}, {100, false}, {0xffffffff, true}, {4001, false},
		{0xffffffff, false}, {0xfffffff0, true}};

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.replay_window = 64});
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		deliver(steps[i].sequence);
		assert_int_equal(harness_count_frames(1), steps[i].accepted);
	}
}

/* A forged packet with a high number moves nothing. */
static void test_forged_number(void **state)
{
	struct rte_mbuf *mbuf;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.replay_window = 64});
	deliver(1);
	mbuf = mbuf_numbered(1000000);
	rte_pktmbuf_mtod(mbuf, uint8_t *)[mbuf->data_len - 1] ^= 1;
	worker_input(&harness.dataplane.workers[0], 0, &mbuf, 1);
	deliver(2);
	assert_int_equal(harness_count_frames(1), 2);
	assert_int_equal(harness_count(REASON_DROP_ICV), 1);
}

/* RFC 6040 section 4.2, figure 4. */
static void test_ecn(void **state)
{
	static const uint8_t after[4][4] = {
		/* outer:     not-ECT  ECT(1)   ECT(0)   CE */
		[NOT_ECT] = {NOT_ECT, NOT_ECT, NOT_ECT, DROPPED},
		[ECT_1] = {ECT_1, ECT_1, ECT_1, CE},
		[ECT_0] = {ECT_0, ECT_1, ECT_0, CE},
		[CE] = {CE, CE, CE, CE},
	};
	size_t len;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	for (uint8_t in = 0; in < 4; in++) {
		for (uint8_t out = 0; out < 4; out++) {
			len = peer_inner(&peer, LAN_HOST, 30, inner);
			inner[1] = 0xb8 | in;
			wire_ipv4_checksum(inner);
			peer_send(&peer, (uint8_t)(0x20 | out), inner, len);
			harness_turn();
			assert_int_equal(harness_receive(1, &frame), after[in][out] != DROPPED);
			if (after[in][out] == DROPPED)
				continue;
			inner[1] = 0xb8 | after[in][out];
			wire_forward(inner);
			assert_memory_equal(frame.bytes + WIRE_ETHERNET_LEN, inner, len);
		}
	}
	assert_int_equal(harness_count(REASON_DROP_ECN), 1);
}

/* RFC 4303 section 2.7: what fills a packet up behind the inner one goes no further. */
static void test_tfc_padding(void **state)
{
	size_t len;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	for (size_t fill = 0; fill < 300; fill += 7) {
		len = peer_inner(&peer, LAN_HOST, 60, inner);
		wire_noise(inner + len, fill, 1);
		peer_send(&peer, 0, inner, len + fill);
		harness_turn();
		assert_true(harness_receive(1, &frame));
		assert_int_equal(frame.len, WIRE_ETHERNET_LEN + len);
	}
}

/* 68 bytes each: the third passes 200, the fifth would pass 300. */
static void test_lifetime_in(void **state)
{
	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.soft_bytes = 200, .hard_bytes = 300});
	for (uint32_t i = 1; i <= 8; i++) {
		deliver(i);
		assert_int_equal(harness_count_frames(1), i <= 4);
		assert_int_equal(harness_count_events(TABLES_EVENT_SOFT_LIFETIME), i >= 3);
		assert_int_equal(harness_count_events(TABLES_EVENT_HARD_LIFETIME), i >= 5);
	}
	assert_int_equal(harness_last_event(TABLES_EVENT_SOFT_LIFETIME)->index, peer.child);
	assert_int_equal(harness_last_event(TABLES_EVENT_HARD_LIFETIME)->id, harness.tables.children[peer.child].id);
}

static void send_out(uint32_t count)
{
	struct wire_ipv4 header = {.source = LAN_HOST, .destination = peer.host, .protocol = IPPROTO_UDP};
	size_t len = wire_ipv4(packet, &header, "48 bytes of whatever, in all 68 with the header.", 48);

	while (count-- > 0)
		harness_send_ip(1, 0, LAN_HOST, packet, len);
}

static void expect_lifetime_out(uint32_t soft, uint32_t hard)
{
	assert_int_equal(harness_count_events(TABLES_EVENT_SOFT_LIFETIME), soft);
	assert_int_equal(harness_count_events(TABLES_EVENT_HARD_LIFETIME), hard);
}

static void test_lifetime_out(void **state)
{
	(void)state;
	/* By numbers, one by one and all at once. */
	peer_open(&peer, 1, &(struct peer_options){.soft_packets = 3, .hard_packets = 6});
	for (uint32_t i = 1; i <= 10; i++) {
		send_out(1);
		assert_int_equal(harness_count_frames(0), i <= 6);
		expect_lifetime_out(i >= 3, i >= 6);
	}
	peer_open(&peer, 2, &(struct peer_options){.soft_packets = 3, .hard_packets = 6});
	send_out(10);
	assert_int_equal(harness_count_frames(0), 6);
	expect_lifetime_out(2, 2);
	/* By bytes: a burst that begins below the limit goes as a whole. */
	peer_open(&peer, 3, &(struct peer_options){.soft_bytes = 100, .hard_bytes = 3 * 68});
	for (uint32_t i = 1; i <= 6; i++) {
		send_out(1);
		assert_int_equal(harness_count_frames(0), i <= 3);
		expect_lifetime_out(2 + (i >= 2), 2 + (i >= 3));
	}
	assert_int_equal(harness_last_event(TABLES_EVENT_HARD_LIFETIME)->index, peer.child);
}

static void test_unknown_spi_told(void **state)
{
	struct worker *worker = &harness.dataplane.workers[0];
	uint32_t spi;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	/* Of a former life of the same slot: another generation. */
	spi = peer.to_hq.spi = tables_spi(peer.child, harness.tables.children[peer.child].generation - 1);
	deliver(1);
	deliver(2);
	worker->now += rte_get_tsc_hz() / 20;
	deliver(3);
	assert_int_equal(harness_count_events(TABLES_EVENT_UNKNOWN_SPI), 1);
	worker->now += rte_get_tsc_hz() / 10;
	deliver(4);
	assert_int_equal(harness_count_events(TABLES_EVENT_UNKNOWN_SPI), 2);
	assert_int_equal(harness_last_event(TABLES_EVENT_UNKNOWN_SPI)->spi, spi);
	assert_int_equal(address_to_ipv4(&harness_last_event(TABLES_EVENT_UNKNOWN_SPI)->source.address), peer.address);
	assert_int_equal(harness_count(REASON_DROP_UNKNOWN_SPI), 4);
}

/* Whatever queue an SA's packets come in by, its owner alone opens them, and none is opened twice. */
static void test_handoff(void **state)
{
	static uint8_t again[WIRE_MAX];
	struct peer peers[4];
	size_t len;

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		peer_open(&peers[i], i + 1, &(struct peer_options){.bare = i % 2});
	for (uint32_t i = 0; i < 4 * BURST; i++) {
		peer = peers[i % 4];
		len = peer_esp(&peer, i / 4 + 1, IPPROTO_IPIP, inner, peer_inner(&peer, LAN_HOST, 40, inner), esp);
		len = peer_outer(&peer, 0, esp, len, again);
		for (uint16_t queue = 0; queue < 2; queue++)
			harness_send_ip(0, queue, GATEWAY, again, len);
	}
	assert_int_equal(harness_count_frames(1), 4 * BURST);
	assert_int_equal(harness_count(REASON_OUT_HANDOFF), 4 * BURST);
	assert_int_equal(harness_count(REASON_IN_HANDOFF), 4 * BURST);
	assert_int_equal(harness_count(REASON_DROP_REPLAYED), 4 * BURST);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_replay_window),
		TEST(test_forged_number),
		TEST(test_ecn),
		TEST(test_tfc_padding),
		TEST(test_lifetime_in),
		TEST(test_lifetime_out),
		TEST(test_unknown_spi_told),
		cmocka_unit_test_setup_teardown(test_handoff, harness_setup_two_workers, harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
