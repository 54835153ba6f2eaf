/* SPDX-License-Identifier: Apache-2.0 */
/* The outer path's MTU by ICMP: believed when it quotes a packet of ours, and of nobody else; never for ever. */
#include "learn.h"
#include "mtu.h"
#include "peer.h"

#include <rte_cycles.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ROUTER = 0xcb007107, ICMP_LEN = 8, QUOTE = WIRE_IPV4_LEN + ICMP_LEN, PACKET_LEN = 1400 };

static struct wire_frame frame, kernel;
static uint8_t packet[WIRE_MAX], message[WIRE_MAX], inner[WIRE_MAX];
static struct peer peer;

/* HQ sends a packet, whose outer form is left in `frame`. */
static void send_one(size_t len)
{
	struct wire_ipv4 header = {
		.source = LAN_HOST, .destination = peer.host, .protocol = IPPROTO_UDP, .fragment = WIRE_DF};

	harness_send_ip(
		1, 0, LAN_HOST, packet, wire_ipv4(packet, &header, packet + WIRE_IPV4_LEN, len - WIRE_IPV4_LEN));
	harness_turn();
	assert_true(harness_receive(0, &frame));
	assert_int_equal(peer_receive(&peer, &frame, inner), len);
}

static void checksum_set(size_t len)
{
	wire_write16(message + WIRE_IPV4_LEN + 2, 0);
	wire_write16(message + WIRE_IPV4_LEN + 2, wire_checksum(message + WIRE_IPV4_LEN, len - WIRE_IPV4_LEN));
}

/* A router's word about the packet in `frame`; its length. */
static size_t message_make(uint16_t mtu, size_t quote_len)
{
	struct wire_ipv4 header = {.source = ROUTER, .destination = HQ_WAN, .protocol = IPPROTO_ICMP};

	memset(message + WIRE_IPV4_LEN, 0, ICMP_LEN);
	message[WIRE_IPV4_LEN] = 3;
	message[WIRE_IPV4_LEN + 1] = 4;
	wire_write16(message + WIRE_IPV4_LEN + 6, mtu);
	memcpy(message + QUOTE, frame.bytes + WIRE_ETHERNET_LEN, quote_len);
	wire_ipv4(message, &header, message + WIRE_IPV4_LEN, ICMP_LEN + quote_len);
	checksum_set(QUOTE + quote_len);
	return QUOTE + quote_len;
}

/* It comes, and the kernel gets it whatever it says. */
static void deliver(size_t len)
{
	harness_send_ip(0, 0, GATEWAY, message, len);
	harness_turn();
	assert_true(harness_receive_kernel(0, &kernel));
	assert_memory_equal(kernel.bytes + WIRE_ETHERNET_LEN, message, len);
	learn_apply(&harness.dataplane, rte_rdtsc());
}

static uint32_t inner_mtu(void)
{
	return harness.tables.children[peer.child].inner_mtu;
}

static void expect_outer_mtu(uint32_t mtu)
{
	assert_int_equal(inner_mtu(),
		esp_payload_max(peer.from_hq.suite, mtu - WIRE_IPV4_LEN - (peer.udp ? (uint32_t)WIRE_UDP_LEN : 0)));
}

static void test_learned(void **state)
{
	(void)state;
	for (int bare = 0; bare < 2; bare++) {
		size_t least = WIRE_IPV4_LEN + (bare ? 0u : WIRE_UDP_LEN) + ESP_HDR_LEN;

		harness_open(&(struct harness_options){0});
		peer_open(&peer, 1, &(struct peer_options){.bare = bare, .df = TUNNEL_DF_COPY});
		expect_outer_mtu(1500);
		send_one(PACKET_LEN);
		deliver(message_make(1400, least));
		expect_outer_mtu(1400);
		/* Less, never more; not below what every link takes. */
		deliver(message_make(1300, 500));
		expect_outer_mtu(1300);
		deliver(message_make(1350, 500));
		expect_outer_mtu(1300);
		deliver(message_make(68, 500));
		expect_outer_mtu(576);
		/* Which the sender is told. */
		harness_send_ip(1, 0, LAN_HOST, packet, PACKET_LEN);
		harness_turn();
		assert_false(harness_receive(0, &frame));
		assert_true(harness_receive(1, &frame));
		assert_int_equal(wire_read16(frame.bytes + WIRE_ETHERNET_LEN + WIRE_IPV4_LEN + 6), inner_mtu());
	}
}

static void test_forgotten(void **state)
{
	uint64_t second = rte_get_tsc_hz();
	struct endpoint local = {.address = address_ipv4(HQ_WAN), .port = HARNESS_NAT_PORT};
	struct endpoint remote = {.port = 7777};

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	send_one(PACKET_LEN);
	deliver(message_make(1400, 500));
	learn_apply(&harness.dataplane, rte_rdtsc() + (LEARN_SECONDS - 60) * second);
	expect_outer_mtu(1400);
	learn_apply(&harness.dataplane, rte_rdtsc() + (LEARN_SECONDS + 60) * second);
	expect_outer_mtu(1500);
	deliver(message_make(1400, 500));
	expect_outer_mtu(1400);
	/* Another path. */
	remote.address = address_ipv4(peer.address);
	writer_session_move(harness.writer, peer.session, &local, &remote, TABLES_ENCAPSULATION_UDP);
	harness_settle();
	expect_outer_mtu(1500);
}

/* One byte of a message that would be believed is another one, everything else being right. */
static void test_forged(void **state)
{
	static const size_t places[] = {
		WIRE_IPV4_LEN, WIRE_IPV4_LEN + 1,		/* type, code */
		QUOTE, QUOTE + 9,				/* version, protocol */
		QUOTE + 7,					/* offset */
		QUOTE + 12, QUOTE + 15, QUOTE + 16, QUOTE + 19, /* addresses */
		QUOTE + 20, QUOTE + 21, QUOTE + 22, QUOTE + 23, /* ports */
		QUOTE + 28, QUOTE + 29, QUOTE + 30, QUOTE + 31, /* SPI */
		QUOTE + 32, QUOTE + 33, QUOTE + 34, QUOTE + 35, /* sequence number */
	};

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	send_one(PACKET_LEN);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		size_t len = message_make(1300, 500);

		message[places[i]] ^= 0x11;
		checksum_set(len);
		deliver(len);
		expect_outer_mtu(1500);
	}
	message_make(1300, 500);
	message[QUOTE + 300] ^= 1; /* the checksum */
	deliver(QUOTE + 500);
	for (size_t quote_len = 0; quote_len < WIRE_IPV4_LEN + WIRE_UDP_LEN + ESP_HDR_LEN; quote_len++)
		deliver(message_make(1300, quote_len));
	/* It was not longer than that; no MTU at all. */
	deliver(message_make((uint16_t)(frame.len - WIRE_ETHERNET_LEN), 500));
	deliver(message_make(0, 500));
	expect_outer_mtu(1500);
	deliver(message_make(1300, 500));
	expect_outer_mtu(1300);
}

static void test_recent(void **state)
{
	static struct wire_frame old;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	send_one(PACKET_LEN);
	old = frame;
	for (int i = 1; i < LEARN_RECENT; i++)
		send_one(PACKET_LEN);
	frame = old;
	deliver(message_make(1400, 500));
	expect_outer_mtu(1400);
	send_one(100);
	frame = old;
	deliver(message_make(1300, 500));
	expect_outer_mtu(1400);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_learned),
		TEST(test_forgotten),
		TEST(test_forged),
		TEST(test_recent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
