/* SPDX-License-Identifier: Apache-2.0 */
/* What fits is what is computed, to the byte; what doesn't fit is cut where the settings say so; the outer fields. */
#include "mtu.h"
#include "peer.h"

#include "esp/esp.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], inner[WIRE_MAX], joined[WIRE_MAX];

static uint32_t inner_mtu(const struct peer *peer)
{
	uint32_t mtu = harness.tables.children[peer->child].inner_mtu;

	assert_int_equal(harness.dataplane.sas.out[peer->child].inner_mtu, mtu);
	return mtu;
}

static size_t lan_packet(const struct peer *peer, size_t len, uint16_t fragment, uint8_t tos)
{
	struct wire_ipv4 header = {.source = LAN_HOST,
		.destination = peer->host,
		.tos = tos,
		.protocol = IPPROTO_UDP,
		.id = 0x1357,
		.fragment = fragment};

	wire_noise(packet + WIRE_IPV4_LEN, len - WIRE_IPV4_LEN, (uint32_t)len);
	return wire_ipv4(packet, &header, packet + WIRE_IPV4_LEN, len - WIRE_IPV4_LEN);
}

static void send_lan(const struct peer *peer, size_t len, uint16_t fragment, uint8_t tos)
{
	harness_send_ip(1, 0, LAN_HOST, packet, lan_packet(peer, len, fragment, tos));
	harness_turn();
	wire_forward(packet);
}

static void test_payload(void **state)
{
	(void)state;
	for (uint32_t id = ESP_SUITE_NONE + 1; id < ESP_SUITE_COUNT; id++) {
		const struct esp_suite *suite = esp_suite_get(id);

		for (uint32_t esp_len = 0; esp_len < 1600; esp_len++) {
			uint32_t longest = 0;

			for (uint32_t len = 1; len < esp_len; len++)
				if (len + esp_overhead(suite, len) <= esp_len)
					longest = len;
			assert_int_equal(esp_payload_max(suite, esp_len), longest);
		}
	}
}

/* Of every suite and encapsulation: the longest goes out in one frame, one byte more is refused. */
static void test_exact(void **state)
{
	static const uint16_t mtus[] = {576, 1280, 1499, 1500};
	unsigned int number;

	(void)state;
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		harness_open(&(struct harness_options){.mtu = 1500});
		harness.dataplane.ports[0].mtu = mtus[i];
		number = 0;
		for (uint32_t suite = ESP_SUITE_NONE + 1; suite < ESP_SUITE_COUNT; suite++) {
			for (int bare = 0; bare < 2; bare++) {
				struct peer peer;
				uint32_t mtu;

				peer_open(&peer, ++number, &(struct peer_options){.suite = suite, .bare = bare});
				mtu = inner_mtu(&peer);
				send_lan(&peer, mtu, WIRE_DF, 0);
				assert_true(harness_receive(0, &frame));
				assert_in_range(
					frame.len, mtus[i] - 15 + WIRE_ETHERNET_LEN, mtus[i] + WIRE_ETHERNET_LEN);
				assert_int_equal(peer_receive(&peer, &frame, inner), mtu);
				assert_memory_equal(inner, packet, mtu);
				harness_expect_no_frame();
				send_lan(&peer, mtu + 1, WIRE_DF, 0);
				assert_int_equal(harness_count(REASON_DROP_MTU), number);
				assert_true(harness_receive(1, &frame));
				assert_int_equal(wire_read16(frame.bytes + WIRE_ETHERNET_LEN + WIRE_IPV4_LEN + 6), mtu);
				harness_expect_no_frame();
				peer_close(&peer);
			}
		}
	}
}

/* Takes all ESP packets of the peer, whose inner packets are fragments in order; the length of what they make. */
static size_t join_inner(struct peer *peer, unsigned int *count)
{
	size_t end = 0;
	bool more = true;

	for (*count = 0; more; ++*count) {
		size_t len;

		assert_true(harness_receive(0, &frame));
		assert_true(frame.len <= WIRE_ETHERNET_LEN + 1500);
		len = peer_receive(peer, &frame, inner);
		assert_int_equal((wire_read16(inner + 6) & WIRE_OFFSET_MASK) * 8, end);
		assert_int_equal(wire_checksum(inner, WIRE_IPV4_LEN), 0);
		assert_memory_equal(inner + 4, packet + 4, 2);
		assert_memory_equal(inner + 8, packet + 8, 2);
		more = wire_read16(inner + 6) & WIRE_MF;
		memcpy(joined + end, inner + WIRE_IPV4_LEN, len - WIRE_IPV4_LEN);
		end += len - WIRE_IPV4_LEN;
	}
	assert_memory_equal(joined, packet + WIRE_IPV4_LEN, end);
	return WIRE_IPV4_LEN + end;
}

static void test_before(void **state)
{
	struct peer peer;
	unsigned int count;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.suite = ESP_AES128_CBC_SHA1_96});
	for (size_t len = inner_mtu(&peer) + 1; len <= 1500; len++) {
		send_lan(&peer, len, 0, 0);
		assert_int_equal(join_inner(&peer, &count), len);
		assert_int_equal(count, 2);
		harness_expect_no_frame();
	}
}

/* More pieces than a burst holds: none is lost, numbers and order are kept. */
static void test_before_in_full_bursts(void **state)
{
	struct peer peer;
	unsigned int count;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	for (int i = 0; i < BURST; i++)
		harness_send_ip(1, 0, LAN_HOST, packet, lan_packet(&peer, 1500, 0, 0));
	harness_turn();
	wire_forward(packet);
	for (uint32_t i = 0; i < BURST; i++) {
		assert_int_equal(join_inner(&peer, &count), 1500);
		assert_int_equal(peer.hq_sequence, 2 * (i + 1));
	}
	harness_expect_no_frame();
}

/* What fragment_cut refuses goes whole, and is cut outside. */
static void test_before_with_options(void **state)
{
	struct peer peer;
	struct wire_ipv4 header = {.source = LAN_HOST, .protocol = IPPROTO_UDP, .options_len = 4};

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	header.destination = peer.host;
	harness_send_ip(1, 0, LAN_HOST, packet, wire_ipv4(packet, &header, inner, 1476));
	harness_turn();
	for (int i = 0; i < 2; i++) {
		assert_true(harness_receive(0, &frame));
		assert_true(wire_read16(frame.bytes + WIRE_ETHERNET_LEN + 6) != 0);
	}
	harness_expect_no_frame();
}

static void expect_refused(struct peer *peer)
{
	uint64_t refused = harness_count(REASON_DROP_MTU);

	send_lan(peer, 1500, WIRE_DF, 0);
	assert_int_equal(harness_count(REASON_DROP_MTU), refused + 1);
	assert_true(harness_receive(1, &frame));
	assert_int_equal(frame.bytes[WIRE_ETHERNET_LEN + WIRE_IPV4_LEN], 3);
	harness_expect_no_frame();
}

static void expect_outer_fragments(struct peer *peer, uint16_t inner_df)
{
	send_lan(peer, 1500, inner_df, 0);
	assert_true(harness_receive(0, &frame));
	assert_int_equal(wire_read16(frame.bytes + WIRE_ETHERNET_LEN + 6), WIRE_MF);
	assert_true(harness_receive(0, &frame));
	assert_int_not_equal(wire_read16(frame.bytes + WIRE_ETHERNET_LEN + 6) & WIRE_OFFSET_MASK, 0);
	harness_expect_no_frame();
}

/* Cutting after encryption needs an outer header that allows it; else it is as if it were "before". */
static void test_after(void **state)
{
	struct peer clear, copy, set;
	unsigned int count;

	(void)state;
	peer_open(&clear, 1, &(struct peer_options){.fragment = TUNNEL_FRAGMENT_AFTER});
	peer_open(&copy, 2, &(struct peer_options){.fragment = TUNNEL_FRAGMENT_AFTER, .df = TUNNEL_DF_COPY});
	peer_open(&set, 3, &(struct peer_options){.fragment = TUNNEL_FRAGMENT_AFTER, .df = TUNNEL_DF_SET});
	expect_outer_fragments(&clear, 0);
	expect_outer_fragments(&clear, WIRE_DF);
	expect_outer_fragments(&copy, 0);
	expect_refused(&copy);
	expect_refused(&set);
	send_lan(&set, 1500, 0, 0);
	assert_int_equal(join_inner(&set, &count), 1500);
	assert_int_equal(set.hq_fragment, WIRE_DF);
	harness_expect_no_frame();
}

static void expect_df(struct peer *peer, uint16_t inner_df, uint16_t outer_df)
{
	send_lan(peer, 100, inner_df, 0);
	assert_true(harness_receive(0, &frame));
	assert_int_equal(peer_receive(peer, &frame, inner), 100);
	assert_int_equal(peer->hq_fragment, outer_df);
	assert_memory_equal(inner, packet, 100);
}

static void test_df(void **state)
{
	struct peer clear, set, copy;

	(void)state;
	peer_open(&clear, 1, &(struct peer_options){.df = TUNNEL_DF_CLEAR});
	peer_open(&set, 2, &(struct peer_options){.df = TUNNEL_DF_SET, .bare = true});
	peer_open(&copy, 3, &(struct peer_options){.df = TUNNEL_DF_COPY});
	expect_df(&clear, 0, 0);
	expect_df(&clear, WIRE_DF, 0);
	expect_df(&set, 0, WIRE_DF);
	expect_df(&set, WIRE_DF, WIRE_DF);
	expect_df(&copy, 0, 0);
	expect_df(&copy, WIRE_DF, WIRE_DF);
}

/* RFC 2983: the DSCP as configured; RFC 6040 section 4.1: ECN is copied all the same. */
static void test_dscp(void **state)
{
	struct peer copy, zero, fixed;

	(void)state;
	peer_open(&copy, 1, &(struct peer_options){0});
	peer_open(&zero, 2, &(struct peer_options){.dscp_is_set = true});
	peer_open(&fixed, 3, &(struct peer_options){.dscp_is_set = true, .dscp = 46});
	for (unsigned int tos = 0; tos < 256; tos++) {
		struct peer *peers[] = {&copy, &zero, &fixed};
		const unsigned int outer[] = {tos, tos & 3, 46 << 2 | (tos & 3)};

		for (int i = 0; i < 3; i++) {
			send_lan(peers[i], 60, 0, (uint8_t)tos);
			assert_true(harness_receive(0, &frame));
			peer_receive(peers[i], &frame, inner);
			assert_int_equal(peers[i]->hq_tos, outer[i]);
			assert_int_equal(inner[1], tos);
		}
	}
}

/* Another encapsulation, and a route by a port with another MTU. */
static void test_follows(void **state)
{
	struct endpoint local = {.address = address_ipv4(HQ_WAN)}, remote;
	uint32_t udp, bare;
	struct peer peer;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	udp = inner_mtu(&peer);
	remote = (struct endpoint){.address = address_ipv4(peer.address)};
	writer_session_move(harness.writer, peer.session, &local, &remote, TABLES_ENCAPSULATION_ESP);
	harness_settle();
	bare = inner_mtu(&peer);
	assert_int_equal(bare, udp + 8);
	harness.dataplane.ports[1].mtu = 1000;
	harness_net(TABLES_ROUTE_ADD, peer.address, 32, LAN_HOST, 1, 1);
	harness_settle();
	assert_int_equal(inner_mtu(&peer), bare - 500);
	harness_net(TABLES_ROUTE_REMOVE, peer.address, 32, LAN_HOST, 1, 1);
	harness_settle();
	assert_int_equal(inner_mtu(&peer), bare);
	/* Without any route it may come to be either. */
	harness_net(TABLES_ROUTE_REMOVE, 0, 0, GATEWAY, 0, 1);
	harness_settle();
	assert_int_equal(inner_mtu(&peer), bare - 500);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payload),
		TEST(test_exact),
		TEST(test_before),
		TEST(test_before_in_full_bursts),
		TEST(test_before_with_options),
		TEST(test_after),
		TEST(test_df),
		TEST(test_dscp),
		TEST(test_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
