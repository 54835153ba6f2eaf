/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors of ours, byte by byte; whom they go to, whom never, and how many. */
#include "icmp.h"
#include "peer.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ICMP_LEN = 8, QUOTE_MAX = 576 - WIRE_IPV4_LEN - ICMP_LEN };

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], expected[WIRE_MAX], inner[WIRE_MAX];

static size_t udp_make(uint32_t source, uint32_t destination, size_t len, uint16_t fragment, uint8_t ttl)
{
	struct wire_ipv4 header = {.source = source,
		.destination = destination,
		.protocol = IPPROTO_UDP,
		.id = 0xabcd,
		.fragment = fragment,
		.ttl = ttl};

	wire_noise(packet + WIRE_IPV4_LEN, len - WIRE_IPV4_LEN, (uint32_t)len);
	return wire_ipv4(packet, &header, packet + WIRE_IPV4_LEN, len - WIRE_IPV4_LEN);
}

/* The error that is to come about `packet`, but for its IP ID. */
static size_t error_make(uint32_t source, uint32_t destination, uint8_t type, uint8_t code, uint16_t mtu, uint16_t id)
{
	size_t quote_len = wire_read16(packet + 2) < QUOTE_MAX ? wire_read16(packet + 2) : (size_t)QUOTE_MAX;
	struct wire_ipv4 header = {
		.source = source, .destination = destination, .tos = 0xc0, .protocol = IPPROTO_ICMP, .id = id};
	uint8_t *icmp = expected + WIRE_IPV4_LEN;

	memset(icmp, 0, ICMP_LEN);
	icmp[0] = type;
	icmp[1] = code;
	wire_write16(icmp + 6, mtu);
	memcpy(icmp + ICMP_LEN, packet, quote_len);
	wire_write16(icmp + 2, wire_checksum(icmp, ICMP_LEN + quote_len));
	return wire_ipv4(expected, &header, icmp, ICMP_LEN + quote_len);
}

static void expect_error_in(const uint8_t *ipv4, size_t ipv4_len, uint32_t source, uint32_t destination, uint8_t type,
	uint8_t code, uint16_t mtu)
{
	size_t len = error_make(source, destination, type, code, mtu, wire_read16(ipv4 + 4));

	assert_int_equal(ipv4_len, len);
	assert_memory_equal(ipv4, expected, len);
}

static void expect_error_on_lan(uint32_t source, uint8_t type, uint8_t code, uint16_t mtu)
{
	uint8_t mac[WIRE_MAC_LEN];

	harness_turn();
	assert_true(harness_receive(1, &frame));
	harness_mac(LAN_HOST, mac);
	assert_memory_equal(frame.bytes, mac, WIRE_MAC_LEN);
	expect_error_in(
		frame.bytes + WIRE_ETHERNET_LEN, frame.len - WIRE_ETHERNET_LEN, source, LAN_HOST, type, code, mtu);
	harness_expect_no_frame();
}

static uint16_t inner_mtu(const struct peer *peer)
{
	return (uint16_t)harness.tables.children[peer->child].inner_mtu;
}

static void test_to_the_lan(void **state)
{
	struct peer peer;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	harness_send_ip(1, 0, LAN_HOST, packet, udp_make(LAN_HOST, peer.host, 1500, WIRE_DF, 9));
	wire_forward(packet);
	expect_error_on_lan(HQ_LAN, 3, 4, inner_mtu(&peer));
	/* All of a short packet is quoted. */
	harness_send_ip(1, 0, LAN_HOST, packet, udp_make(LAN_HOST, peer.host, 61, 0, 1));
	expect_error_on_lan(HQ_LAN, 11, 0, 0);
	assert_int_equal(harness_count(REASON_DROP_MTU), 1);
	assert_int_equal(harness_count(REASON_DROP_TTL), 1);
	/* A port without an address: the session's own. */
	harness_net(TABLES_ADDRESS_REMOVE, HQ_LAN, 32, 0, 1, 1);
	harness_settle();
	harness_send_ip(1, 0, LAN_HOST, packet, udp_make(LAN_HOST, peer.host, 61, 0, 1));
	expect_error_on_lan(HQ_WAN, 11, 0, 0);
}

/* Through its tunnel, from an address that its networks cover; where there is none, not at all. */
static void test_to_a_peer(void **state)
{
	struct peer peer;
	size_t len;

	(void)state;
	harness.dataplane.ports[1].mtu = 1000;
	peer_open(&peer, 1, &(struct peer_options){0});
	for (int i = 0; i < 2; i++) {
		len = i ? udp_make(peer.host, LAN_HOST, 80, 0, 1) : udp_make(peer.host, LAN_HOST, 1001, WIRE_DF, 7);
		peer_send(&peer, 0, packet, len);
		harness_turn();
		if (!i)
			wire_forward(packet);
		assert_true(harness_receive(0, &frame));
		len = peer_receive(&peer, &frame, inner);
		error_make(HQ_LAN, peer.host, i ? 11 : 3, i ? 0 : 4, i ? 0 : 1000, wire_read16(inner + 4));
		wire_forward(expected); /* it has gone one hop, into the tunnel */
		assert_memory_equal(inner, expected, len);
		harness_expect_no_frame();
	}
	harness_net(TABLES_ADDRESS_REMOVE, HQ_LAN, 32, 0, 1, 1);
	harness_settle();
	peer_send(&peer, 0, packet, udp_make(peer.host, LAN_HOST, 80, 0, 1));
	harness_turn();
	harness_expect_no_frame();
	assert_int_equal(harness_count(REASON_IN_ICMP), 2);
}

static void test_to_our_kernel(void **state)
{
	uint8_t mac[WIRE_MAC_LEN];
	struct peer peer;
	size_t len;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	harness_mac(GATEWAY, mac);
	len = udp_make(HQ_LAN, peer.host, 1500, WIRE_DF, 64);
	harness_send_kernel(0, inner, wire_ethernet(inner, mac, harness_port_mac(0), WIRE_TYPE_IPV4, packet, len));
	harness_turn();
	assert_true(harness_receive_kernel(0, &frame));
	expect_error_in(frame.bytes + WIRE_ETHERNET_LEN, frame.len - WIRE_ETHERNET_LEN, peer.host, HQ_LAN, 3, 4,
		inner_mtu(&peer));
	harness_expect_no_frame();
}

static void expect_silence(size_t len)
{
	uint64_t dropped = harness_count(REASON_DROP_TTL);

	harness_send_ip(1, 0, LAN_HOST, packet, len);
	harness_turn();
	assert_int_equal(harness_count(REASON_DROP_TTL), dropped + 1);
	harness_expect_no_frame();
}

/* RFC 1122 section 3.2.2. */
static void test_never(void **state)
{
	static const uint8_t errors[] = {3, 4, 5, 11, 12};
	static const uint32_t nobody[] = {0, 0x7f000001, 0xe0000001, 0xffffffff};
	struct address all = address_ipv4(0);
	struct peer peer;
	size_t len;

	(void)state;
	peer_open(&peer, 1,
		&(struct peer_options){.local_network = prefix_make(&all, 0), .remote_network = prefix_make(&all, 0)});
	for (size_t i = 0; i < sizeof(errors); i++) {
		len = udp_make(LAN_HOST, peer.host, 60, 0, 1);
		packet[9] = IPPROTO_ICMP;
		packet[WIRE_IPV4_LEN] = errors[i];
		wire_ipv4_checksum(packet);
		expect_silence(len);
	}
	len = udp_make(LAN_HOST, peer.host, WIRE_IPV4_LEN, 0, 1);
	packet[9] = IPPROTO_ICMP;
	wire_ipv4_checksum(packet);
	expect_silence(len);
	expect_silence(udp_make(LAN_HOST, peer.host, 60, 100, 1));
	for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++)
		expect_silence(udp_make(nobody[i], peer.host, 60, 0, 1));
	for (size_t i = 2; i < sizeof(nobody) / sizeof(nobody[0]); i++)
		expect_silence(udp_make(LAN_HOST, nobody[i], 60, 0, 1));
	assert_int_equal(harness_count(REASON_IN_ICMP), 0);
}

/* In no time: what the bucket holds, and no more. An echo request is answered, though it is ICMP. */
static void test_rate(void **state)
{
	struct peer peer;
	size_t len;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	len = udp_make(LAN_HOST, peer.host, 60, 0, 1);
	packet[9] = IPPROTO_ICMP;
	packet[WIRE_IPV4_LEN] = 8;
	wire_ipv4_checksum(packet);
	for (int i = 0; i < 3 * ICMP_RATE / 10; i++)
		harness_input_ip(1, LAN_HOST, packet, len);
	assert_int_equal(harness_count(REASON_IN_ICMP), ICMP_RATE / 10 + 1);
	assert_int_equal(harness_count(REASON_NOTE_ICMP_RATE), 2 * ICMP_RATE / 10 - 1);
	assert_int_equal(harness_count(REASON_DROP_TTL), 3 * ICMP_RATE / 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_to_the_lan),
		TEST(test_to_a_peer),
		TEST(test_to_our_kernel),
		TEST(test_never),
		TEST(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
