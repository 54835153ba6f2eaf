/* SPDX-License-Identifier: Apache-2.0 */
/* ICMPv6 errors of ours (RFC 4443), byte by byte; whom they go to, whom never, and how many. */
#include "icmp.h"
#include "peer.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
	ICMP_LEN = 8,
	ERROR_MAX = 1280,
	QUOTE_MAX = ERROR_MAX - WIRE_IPV6_LEN - ICMP_LEN,
	TOO_BIG = 2,
	TIME_EXCEEDED = 3,
};

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], expected[WIRE_MAX], inner[WIRE_MAX];

static size_t udp_make(const char *source, const uint8_t destination[16], size_t len, uint8_t hop_limit)
{
	struct wire_ipv6 header = {.next_header = IPPROTO_UDP, .hop_limit = hop_limit, .flow = 0xabcde, .tos = 0x22};

	wire_address(source, header.source);
	memcpy(header.destination, destination, 16);
	wire_noise(packet + WIRE_IPV6_LEN, len - WIRE_IPV6_LEN, (uint32_t)len);
	return wire_ipv6(packet, &header, packet + WIRE_IPV6_LEN, len - WIRE_IPV6_LEN);
}

/* The error that is to come about `packet`, to its source. */
static size_t error_make(const uint8_t source[16], uint8_t type, uint32_t mtu)
{
	size_t quote_len = RTE_MIN(wire_total_len(packet), (size_t)QUOTE_MAX);
	struct wire_ipv6 header = {.tos = 0xc0, .next_header = IPPROTO_ICMPV6};
	uint8_t *icmp = expected + WIRE_IPV6_LEN;

	memcpy(header.source, source, 16);
	memcpy(header.destination, packet + 8, 16);
	memset(icmp, 0, ICMP_LEN);
	icmp[0] = type;
	wire_write32(icmp + 4, mtu);
	memcpy(icmp + ICMP_LEN, packet, quote_len);
	quote_len = wire_ipv6(expected, &header, icmp, ICMP_LEN + quote_len);
	wire_ipv6_checksum(expected);
	return quote_len;
}

static void expect_error_in(const uint8_t *ipv6, size_t ipv6_len, const char *source, uint8_t type, uint32_t mtu)
{
	uint8_t address[16];

	wire_address(source, address);
	assert_int_equal(ipv6_len, error_make(address, type, mtu));
	assert_memory_equal(ipv6, expected, ipv6_len);
}

static void expect_error_on_lan(const char *source, uint8_t type, uint32_t mtu)
{
	uint8_t mac[WIRE_MAC_LEN];

	harness_turn();
	assert_true(harness_receive(1, &frame));
	harness_mac_6(LAN_HOST_6, mac);
	assert_memory_equal(frame.bytes, mac, WIRE_MAC_LEN);
	assert_int_equal(wire_read16(frame.bytes + 12), WIRE_TYPE_IPV6);
	expect_error_in(frame.bytes + WIRE_ETHERNET_LEN, frame.len - WIRE_ETHERNET_LEN, source, type, mtu);
	harness_expect_no_frame();
}

static uint32_t inner_mtu(const struct peer *peer)
{
	return harness.tables.children[peer->child].inner_mtu;
}

static void test_to_the_lan(void **state)
{
	struct peer peer;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.inner_ipv6 = true, .outer_ipv6 = true});
	assert_in_range(inner_mtu(&peer), 1400, 1499);
	harness_send_ip(1, 0, LAN_HOST, packet, udp_make(LAN_HOST_6, peer.host_6, 1500, 9));
	wire_forward(packet);
	expect_error_on_lan(HQ_LAN_6, TOO_BIG, inner_mtu(&peer));
	/* All of a short packet is quoted; and of one as long as fits. */
	harness_send_ip(1, 0, LAN_HOST, packet, udp_make(LAN_HOST_6, peer.host_6, 61, 1));
	expect_error_on_lan(HQ_LAN_6, TIME_EXCEEDED, 0);
	for (size_t len = QUOTE_MAX - 1; len <= QUOTE_MAX + 1; len++) {
		harness_send_ip(1, 0, LAN_HOST, packet, udp_make(LAN_HOST_6, peer.host_6, len, 1));
		expect_error_on_lan(HQ_LAN_6, TIME_EXCEEDED, 0);
	}
	assert_int_equal(harness_count(REASON_DROP_MTU), 1);
	assert_int_equal(harness_count(REASON_DROP_TTL), 4);
	/* A port without an address: the session's own, or of another port where that one is of another family. */
	harness_net_6(TABLES_ADDRESS_REMOVE, HQ_LAN_6, 128, NULL, 1, 1);
	harness_settle();
	harness_send_ip(1, 0, LAN_HOST, packet, udp_make(LAN_HOST_6, peer.host_6, 61, 1));
	expect_error_on_lan(HQ_WAN_6, TIME_EXCEEDED, 0);
	peer_close(&peer);
	peer_open(&peer, 1, &(struct peer_options){.inner_ipv6 = true});
	harness_send_ip(1, 0, LAN_HOST, packet, udp_make(LAN_HOST_6, peer.host_6, 61, 1));
	expect_error_on_lan(HQ_WAN_6, TIME_EXCEEDED, 0);
	harness_net_6(TABLES_ADDRESS_REMOVE, HQ_WAN_6, 128, NULL, 0, 1);
	harness_settle();
	harness_send_ip(1, 0, LAN_HOST, packet, udp_make(LAN_HOST_6, peer.host_6, 61, 1));
	harness_turn();
	harness_expect_no_frame();
}

/* Through its tunnel, from an address that its networks cover; where there is none, not at all. */
static void test_to_a_peer(void **state)
{
	struct peer peer;
	uint8_t lan_host[16], hq_lan[16];
	size_t len;

	(void)state;
	harness.dataplane.ports[1].mtu = 1300;
	wire_address(LAN_HOST_6, lan_host);
	wire_address(HQ_LAN_6, hq_lan);
	peer_open(&peer, 1, &(struct peer_options){.inner_ipv6 = true});
	for (int i = 0; i < 2; i++) {
		len = i ? udp_make("fd02:1::5", lan_host, 80, 1) : udp_make("fd02:1::5", lan_host, 1301, 7);
		peer_send(&peer, 0, packet, len);
		harness_turn();
		if (!i) {
			wire_forward(packet);
			packet[1] &= 0xcf; /* what RFC 6040 makes of the ECN field */
			packet[1] |= 2 << 4;
		}
		assert_true(harness_receive(0, &frame));
		len = peer_receive(&peer, &frame, inner);
		assert_int_equal(len, error_make(hq_lan, i ? TIME_EXCEEDED : TOO_BIG, i ? 0 : 1300));
		wire_forward(expected); /* it has gone one hop, into the tunnel */
		assert_memory_equal(inner, expected, len);
		harness_expect_no_frame();
	}
	harness_net_6(TABLES_ADDRESS_REMOVE, HQ_LAN_6, 128, NULL, 1, 1);
	harness_settle();
	peer_send(&peer, 0, packet, udp_make("fd02:1::5", lan_host, 80, 1));
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
	peer_open(&peer, 1, &(struct peer_options){.inner_ipv6 = true});
	harness_mac_6(GATEWAY_6, mac);
	len = udp_make(HQ_LAN_6, peer.host_6, 1500, 64);
	harness_send_kernel(0, inner, wire_ethernet(inner, mac, harness_port_mac(0), WIRE_TYPE_IPV6, packet, len));
	harness_turn();
	assert_true(harness_receive_kernel(0, &frame));
	assert_int_equal(wire_read16(frame.bytes + 12), WIRE_TYPE_IPV6);
	expect_error_in(
		frame.bytes + WIRE_ETHERNET_LEN, frame.len - WIRE_ETHERNET_LEN, "fd02:1::5", TOO_BIG, inner_mtu(&peer));
	harness_expect_no_frame();
}

static void send_and_expect(size_t len, bool answered)
{
	uint64_t dropped = harness_count(REASON_DROP_TTL), made = harness_count(REASON_IN_ICMP);

	harness_send_ip(1, 0, LAN_HOST, packet, len);
	harness_turn();
	assert_int_equal(harness_count(REASON_DROP_TTL), dropped + 1);
	assert_int_equal(harness_count(REASON_IN_ICMP), made + (answered ? 1 : 0));
	assert_int_equal(harness_receive(1, &frame), answered);
	harness_expect_no_frame();
}

/* A packet that carries these bytes; RFC 4443 section 2.4 (e) says whether it is answered. */
static void send_payload(const struct peer *peer, uint8_t next_header, const void *payload, size_t len, bool answered)
{
	udp_make(LAN_HOST_6, peer->host_6, WIRE_IPV6_LEN + len, 1);
	packet[6] = next_header;
	memcpy(packet + WIRE_IPV6_LEN, payload, len);
	send_and_expect(WIRE_IPV6_LEN + len, answered);
}

static void test_errors_about_errors(void **state)
{
	static const uint8_t echo[8] = {128}, redirect[8] = {137}, options[16] = {IPPROTO_ICMPV6, 0, 1, 4};
	uint8_t behind[16], fragment[24] = {0};
	struct peer peer;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.inner_ipv6 = true});
	for (unsigned int type = 0; type < 128; type += 9)
		send_payload(&peer, IPPROTO_ICMPV6, &(uint8_t[8]){(uint8_t)type}, 8, false);
	send_payload(&peer, IPPROTO_ICMPV6, redirect, 8, false);
	send_payload(&peer, IPPROTO_ICMPV6, echo, 8, true);
	send_payload(&peer, IPPROTO_ICMPV6, echo, 0, false); /* who knows */
	/* Behind an extension header; one that is longer than the packet. */
	memcpy(behind, options, sizeof(behind));
	send_payload(&peer, IPPROTO_DSTOPTS, behind, 16, false);
	behind[8] = 129;
	send_payload(&peer, IPPROTO_DSTOPTS, behind, 16, true);
	behind[1] = 2;
	send_payload(&peer, IPPROTO_DSTOPTS, behind, 16, false);
	/* Fragments: of UDP the later ones are answered as well, of ICMP only those that show that they are no error.
	 */
	fragment[8] = 128;
	for (int later = 0; later < 2; later++) {
		wire_write16(fragment + 2, later ? 0x100 : 1);
		fragment[0] = IPPROTO_UDP;
		send_payload(&peer, IPPROTO_FRAGMENT, fragment, 24, true);
		fragment[0] = IPPROTO_ICMPV6;
		send_payload(&peer, IPPROTO_FRAGMENT, fragment, 24, !later);
	}
}

/* To and from what is no station. */
static void test_never(void **state)
{
	static const char *const nobody[] = {"::", "::1", "ff02::1", "ff0e::1", "fe80::1"};
	struct address all = {.family = ADDRESS_IPV6};
	uint8_t destination[16];
	struct peer peer;

	(void)state;
	peer_open(&peer, 1,
		&(struct peer_options){.inner_ipv6 = true,
			.local_network = prefix_make(&all, 0),
			.remote_network = prefix_make(&all, 0)});
	for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
		send_and_expect(udp_make(nobody[i], peer.host_6, 60, 1), false);
		wire_address(nobody[i], destination);
		if (i != 0)
			send_and_expect(udp_make(LAN_HOST_6, destination, 60, 1), false);
	}
	peer_close(&peer);
	/* "Too big" is said about what goes to many (RFC 4443 section 2.4 (e.3)). */
	wire_address("ff0e::1", destination);
	memcpy(all.bytes, destination, sizeof(all.bytes));
	peer_open(&peer, 1, &(struct peer_options){.inner_ipv6 = true, .remote_network = prefix_make(&all, 128)});
	harness_send_ip(1, 0, LAN_HOST, packet, udp_make(LAN_HOST_6, destination, 1500, 9));
	wire_forward(packet);
	expect_error_on_lan(HQ_LAN_6, TOO_BIG, inner_mtu(&peer));
}

/* In no time: what the bucket holds, and no more. */
static void test_rate(void **state)
{
	struct peer peer;
	size_t len;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.inner_ipv6 = true});
	len = udp_make(LAN_HOST_6, peer.host_6, 60, 1);
	for (int i = 0; i < 3 * ICMP_RATE / 10; i++)
		harness_input_ip(1, LAN_HOST, packet, len);
	assert_int_equal(harness_count(REASON_IN_ICMP), ICMP_RATE / 10 + 1);
	assert_int_equal(harness_count(REASON_NOTE_ICMP_RATE), 2 * ICMP_RATE / 10 - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_to_the_lan),
		TEST(test_to_a_peer),
		TEST(test_to_our_kernel),
		TEST(test_errors_about_errors),
		TEST(test_never),
		TEST(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
