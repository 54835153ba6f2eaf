/* SPDX-License-Identifier: Apache-2.0 */
/* What fits is what is computed, to the byte, for each pair of families and in transport mode; IPv6's 1,280 bytes. */
#include "mtu.h"
#include "peer.h"

#include "esp/esp.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], inner[WIRE_MAX];

static uint32_t inner_mtu(const struct peer *peer)
{
	uint32_t mtu = harness.tables.children[peer->child].inner_mtu;

	assert_int_equal(harness.dataplane.sas.out[peer->child].inner_mtu, mtu);
	return mtu;
}

static size_t send_lan(const struct peer *peer, size_t len)
{
	size_t header_len = peer->inner_ipv6 ? WIRE_IPV6_LEN : WIRE_IPV4_LEN;

	len = peer_inner_back(peer, len - header_len - WIRE_UDP_LEN, packet);
	if (!peer->inner_ipv6) {
		wire_write16(packet + 6, WIRE_DF);
		wire_ipv4_checksum(packet);
	}
	harness_send_ip(1, 0, LAN_HOST, packet, len);
	harness_turn();
	wire_forward(packet);
	return len;
}

/* The longest goes out in one frame; one byte more, and its sender is told how long the longest is. */
static void expect_exact(struct peer *peer, uint16_t port_mtu)
{
	uint32_t mtu = inner_mtu(peer), told;

	send_lan(peer, mtu);
	assert_true(harness_receive(0, &frame));
	assert_in_range(frame.len, port_mtu - 15 + WIRE_ETHERNET_LEN, port_mtu + WIRE_ETHERNET_LEN);
	assert_int_equal(peer_receive(peer, &frame, inner), mtu);
	assert_memory_equal(inner, packet, mtu);
	harness_expect_no_frame();
	harness.dataplane.workers[0].icmp.tokens = 1; /* many are asked for in no time */
	send_lan(peer, mtu + 1);
	assert_true(harness_receive(1, &frame));
	told = peer->inner_ipv6 ? wire_read32(frame.bytes + WIRE_ETHERNET_LEN + WIRE_IPV6_LEN + 4)
				: wire_read16(frame.bytes + WIRE_ETHERNET_LEN + WIRE_IPV4_LEN + 6);
	assert_int_equal(told, mtu);
	harness_expect_no_frame();
}

static void test_exact(void **state)
{
	static const uint16_t mtus[] = {1400, 1499, 1500};

	(void)state;
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		harness_open(&(struct harness_options){0});
		harness.dataplane.ports[0].mtu = mtus[i];
		for (uint32_t suite = ESP_SUITE_NONE + 1; suite < ESP_SUITE_COUNT; suite++) {
			for (unsigned int kind = 1; kind < 16; kind++) {
				struct peer peer;

				if (!(kind & 6)) /* IPv4 in IPv4 is mtu_test's */
					continue;
				peer_open(&peer, 1,
					&(struct peer_options){.suite = suite,
						.bare = kind & 1,
						.outer_ipv6 = kind & 2,
						.inner_ipv6 = kind & 4,
						.extended = kind & 8});
				expect_exact(&peer, mtus[i]);
				peer_close(&peer);
			}
		}
	}
}

/* In transport mode the packet's own header is the outer one. */
static void test_transport(void **state)
{
	struct address local = address_ipv4(HQ_WAN), remote = address_ipv4(0xc6336401);

	(void)state;
	for (int bare = 0; bare < 2; bare++) {
		uint8_t mac[WIRE_MAC_LEN], next_header;
		struct wire_ipv4 header = {.source = HQ_WAN, .protocol = IPPROTO_UDP, .fragment = WIRE_DF};
		struct peer peer;
		size_t mtu, len;

		harness_open(&(struct harness_options){0});
		peer_open(&peer, 1,
			&(struct peer_options){.bare = bare,
				.transport = true,
				.local_network = prefix_make(&local, 32),
				.remote_network = prefix_make(&remote, 32)});
		mtu = inner_mtu(&peer);
		assert_int_equal(
			mtu, WIRE_IPV4_LEN + esp_payload_max(peer.from_hq.suite,
						     1500 - WIRE_IPV4_LEN - (bare ? 0u : (uint32_t)WIRE_UDP_LEN)));
		header.destination = peer.address;
		harness_mac(GATEWAY, mac);
		for (size_t more = 0; more < 2; more++) {
			wire_noise(inner, WIRE_MAX, 7);
			len = wire_ipv4(packet, &header, inner, mtu + more - WIRE_IPV4_LEN);
			len = wire_ethernet(packet, harness_port_mac(0), mac, WIRE_TYPE_IPV4, packet, len);
			harness_send_kernel(0, packet, len);
			harness_turn();
			assert_int_equal(harness_receive(0, &frame), !more);
			if (more)
				break;
			assert_in_range(frame.len, 1500 - 15 + WIRE_ETHERNET_LEN, 1500 + WIRE_ETHERNET_LEN);
			len = peer_receive_payload(&peer, frame.bytes + WIRE_ETHERNET_LEN,
				frame.len - WIRE_ETHERNET_LEN, inner, &next_header);
			assert_int_equal(len, mtu - WIRE_IPV4_LEN);
		}
		assert_true(harness_receive_kernel(0, &frame));
		assert_int_equal(wire_read16(frame.bytes + WIRE_ETHERNET_LEN + WIRE_IPV4_LEN + 6), mtu);
	}
}

/* The ESP packet whose pieces, one or more, come next, without regard to the header of fragments; how many. */
static unsigned int receive_pieces(struct peer *peer, uint16_t mtu, size_t *inner_len)
{
	static uint8_t joined[WIRE_MAX];
	size_t header_len = peer->outer_ipv6 ? WIRE_IPV6_LEN : WIRE_IPV4_LEN, end = header_len;
	unsigned int count = 0;

	while (harness_receive(0, &frame)) {
		const uint8_t *outer = frame.bytes + WIRE_ETHERNET_LEN;
		size_t front_len = header_len;

		assert_true(frame.len <= WIRE_ETHERNET_LEN + (uint32_t)mtu);
		if (count++ == 0)
			memcpy(joined, outer, header_len);
		if (peer->outer_ipv6 && outer[6] == IPPROTO_FRAGMENT) {
			joined[6] = outer[front_len];
			front_len += WIRE_FRAGMENT_LEN;
		}
		memcpy(joined + end, outer + front_len, frame.len - WIRE_ETHERNET_LEN - front_len);
		end += frame.len - WIRE_ETHERNET_LEN - front_len;
	}
	if (peer->outer_ipv6) {
		wire_write16(joined + 4, (uint16_t)(end - WIRE_IPV6_LEN));
	} else {
		wire_write16(joined + 2, (uint16_t)end);
		wire_write16(joined + 6, wire_read16(joined + 6) & WIRE_DF);
		wire_ipv4_checksum(joined);
	}
	*inner_len = peer_receive_outer(peer, joined, end, inner);
	return count;
}

/*
 * No sender of IPv6 is asked for less than 1,280 bytes. Where these don't fit, the outer packet is cut, whatever its DF
 * bit would be else.
 */
static void test_floor(void **state)
{
	static const uint16_t mtus[] = {576, 1280, 1300};

	(void)state;
	for (unsigned int kind = 0; kind < 3 * 3 * 2; kind++) {
		struct peer peer;
		size_t len, got;

		harness_open(&(struct harness_options){0});
		harness.dataplane.ports[0].mtu = mtus[kind % 3];
		peer_open(&peer, 1,
			&(struct peer_options){.inner_ipv6 = true, .df = kind / 3 % 3, .outer_ipv6 = kind / 9});
		assert_int_equal(inner_mtu(&peer), 1280);
		len = send_lan(&peer, 1280);
		assert_true(receive_pieces(&peer, mtus[kind % 3], &got) > 1);
		assert_int_equal(got, len);
		assert_int_equal(peer.hq_fragment, 0);
		assert_memory_equal(inner, packet, len);
		len = send_lan(&peer, 300);
		assert_int_equal(receive_pieces(&peer, mtus[kind % 3], &got), 1);
		assert_int_equal(got, len);
		send_lan(&peer, 1281);
		assert_false(harness_receive(0, &frame));
		assert_true(harness_receive(1, &frame));
		assert_int_equal(wire_read32(frame.bytes + WIRE_ETHERNET_LEN + WIRE_IPV6_LEN + 4), 1280);
		harness_expect_no_frame();
	}
}

/* The port that the route to the peer leaves by, of IPv6 as of IPv4; and after a move to another family. */
static void test_follows(void **state)
{
	struct endpoint local = {.address = address_ipv4(HQ_WAN), .port = HARNESS_NAT_PORT}, remote;
	uint32_t before;
	struct peer peer;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.outer_ipv6 = true});
	before = inner_mtu(&peer);
	harness.dataplane.ports[1].mtu = 1000;
	harness_net_6(TABLES_ROUTE_ADD, "2001:db8:100::1", 128, LAN_HOST_6, 1, 1);
	harness_settle();
	assert_int_equal(inner_mtu(&peer), before - 500);
	harness_net_6(TABLES_ROUTE_REMOVE, "2001:db8:100::1", 128, LAN_HOST_6, 1, 1);
	harness_settle();
	assert_int_equal(inner_mtu(&peer), before);
	remote = (struct endpoint){.address = address_ipv4(peer.address), .port = 4500};
	writer_session_move(harness.writer, peer.session, &local, &remote, TABLES_ENCAPSULATION_UDP);
	harness_settle();
	assert_int_equal(inner_mtu(&peer), before + 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_exact),
		TEST(test_transport),
		TEST(test_floor),
		TEST(test_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
