/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session with two networks on each side, which is four child SAs: each packet goes into its own, and what comes
 * out of one has to be within that very SA's selectors (RFC 4301 section 5.2, step 4), not those of the session.
 */
#include "peer.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SIDES = 2, CHILDREN = SIDES * SIDES };

static const uint32_t local_hosts[SIDES] = {LAN_HOST, LAN_HOST_2}, remote_hosts[SIDES] = {0x0a650005, 0x0ac80005};
static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], inner[WIRE_MAX];
static struct peer children[CHILDREN];

static struct prefix network_around(uint32_t host, uint8_t len)
{
	struct address address = address_ipv4(host);

	return prefix_make(&address, len);
}

/* Child i: local network i / 2, remote network i % 2. */
static void children_open(void)
{
	for (int i = 0; i < CHILDREN; i++) {
		struct peer_options options = {
			.local_network = network_around(local_hosts[i / SIDES], 32),
			.remote_network = network_around(remote_hosts[i % SIDES], 16),
		};

		if (i == 0)
			peer_open(&children[i], 1, &options);
		else
			peer_rekey(&children[0], &children[i], &options);
	}
}

static size_t packet_make(uint32_t source, uint32_t destination)
{
	struct wire_ipv4 header = {.source = source, .destination = destination, .protocol = IPPROTO_UDP};

	wire_noise(inner, 40, source ^ destination);
	return wire_ipv4(packet, &header, inner, 40);
}

static void test_outbound(void **state)
{
	(void)state;
	children_open();
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < CHILDREN; i++) {
			uint32_t source = local_hosts[i / SIDES];
			size_t len = packet_make(source, remote_hosts[i % SIDES]);

			harness_send_ip(1, 0, source, packet, len);
			harness_turn();
			assert_true(harness_receive(0, &frame));
			/* Fails on any other SPI. */
			assert_int_equal(peer_receive(&children[i], &frame, inner), len);
			assert_int_equal(children[i].hq_sequence, round);
			wire_forward(packet);
			assert_memory_equal(inner, packet, len);
			harness_expect_no_frame();
		}
	}
	/* In no SA's selectors. */
	harness_send_ip(1, 0, LAN_HOST, packet, packet_make(LAN_HOST + 7, remote_hosts[0]));
	harness_turn();
	assert_int_equal(harness_count(REASON_DROP_NO_POLICY), 1);
	harness_expect_no_frame();
}

static void test_inbound(void **state)
{
	uint64_t refused = 0;

	(void)state;
	children_open();
	for (int i = 0; i < CHILDREN; i++) {
		for (int other = 0; other < CHILDREN; other++) {
			size_t len = packet_make(remote_hosts[other % SIDES], local_hosts[other / SIDES]);

			peer_send(&children[i], 0, packet, len);
			harness_turn();
			if (other == i) {
				assert_true(harness_receive(1, &frame));
				wire_forward(packet);
				assert_int_equal(frame.len, WIRE_ETHERNET_LEN + len);
				assert_memory_equal(frame.bytes + WIRE_ETHERNET_LEN, packet, len);
			} else {
				refused++;
			}
			assert_int_equal(harness_count(REASON_DROP_SELECTOR), refused);
			harness_expect_no_frame();
		}
	}
}

/* One of the four goes: its packets go nowhere, the others' go on. */
static void test_one_goes(void **state)
{
	(void)state;
	children_open();
	writer_child_remove(harness.writer, children[1].child);
	harness_settle();
	for (int i = 0; i < CHILDREN; i++) {
		uint32_t source = local_hosts[i / SIDES];
		size_t len = packet_make(source, remote_hosts[i % SIDES]);

		harness_send_ip(1, 0, source, packet, len);
		harness_turn();
		assert_int_equal(harness_receive(0, &frame), i != 1);
		if (i != 1)
			assert_int_equal(peer_receive(&children[i], &frame, inner), len);
	}
	assert_int_equal(harness_count(REASON_DROP_NO_POLICY), 1);
	harness_expect_no_frame();
	peer_close(&children[0]);
	peer_expect_all_free();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_outbound),
		TEST(test_inbound),
		TEST(test_one_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
