/* SPDX-License-Identifier: Apache-2.0 */
/* The outer path's MTU by ICMPv6 (RFC 8201): believed when it quotes a packet of ours, and then cut to by us. */
#include "learn.h"
#include "mtu.h"
#include "peer.h"

#include <rte_cycles.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ICMP_LEN = 8, QUOTE = WIRE_IPV6_LEN + ICMP_LEN, PACKET_LEN = 1400, TOO_BIG = 2 };

static struct wire_frame frame, kernel;
static uint8_t packet[WIRE_MAX], message[WIRE_MAX];
static struct peer peer;

static void open_peer(bool bare, bool inner_ipv6, uint8_t fragment)
{
	peer_open(&peer, 1,
		&(struct peer_options){
			.bare = bare, .outer_ipv6 = true, .inner_ipv6 = inner_ipv6, .fragment = fragment});
}

/* HQ sends a packet, whose outer form is left in `frame`. */
static void send_one(size_t len)
{
	size_t header_len = peer.inner_ipv6 ? WIRE_IPV6_LEN : WIRE_IPV4_LEN;

	len = peer_inner_back(&peer, len - header_len - WIRE_UDP_LEN, packet);
	harness_send_ip(1, 0, LAN_HOST, packet, len);
	harness_turn();
	assert_true(harness_receive(0, &frame));
}

static void checksum_set(void)
{
	wire_ipv6_checksum(message);
}

/* A router's word about the packet in `frame`; its length. */
static size_t message_make(uint32_t mtu, size_t quote_len)
{
	struct wire_ipv6 header = {.next_header = IPPROTO_ICMPV6};
	size_t len;

	wire_address("2001:db8:7::7", header.source);
	wire_address(HQ_WAN_6, header.destination);
	memset(message + WIRE_IPV6_LEN, 0, ICMP_LEN);
	message[WIRE_IPV6_LEN] = TOO_BIG;
	message[WIRE_IPV6_LEN + 1] = 0x5a; /* says nothing (RFC 4443 section 3.2) */
	wire_write32(message + WIRE_IPV6_LEN + 4, mtu);
	memcpy(message + QUOTE, frame.bytes + WIRE_ETHERNET_LEN, quote_len);
	len = wire_ipv6(message, &header, message + WIRE_IPV6_LEN, ICMP_LEN + quote_len);
	checksum_set();
	return len;
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

static void expect_outer_mtu(uint32_t mtu)
{
	uint32_t fits = esp_payload_max(peer.from_hq.suite, mtu - WIRE_IPV6_LEN - (peer.udp ? (uint32_t)WIRE_UDP_LEN : 0));

	if (peer.inner_ipv6 && fits < 1280)
		fits = 1280;
	assert_int_equal(harness.tables.children[peer.child].inner_mtu, fits);
}

static void test_learned(void **state)
{
	(void)state;
	for (int bare = 0; bare < 2; bare++) {
		size_t least = WIRE_IPV6_LEN + (bare ? 0u : WIRE_UDP_LEN) + ESP_HDR_LEN;

		harness_open(&(struct harness_options){0});
		open_peer(bare, true, TUNNEL_FRAGMENT_BEFORE);
		expect_outer_mtu(1500);
		send_one(PACKET_LEN);
		deliver(message_make(1400, least));
		expect_outer_mtu(1400);
		deliver(message_make(1320, 500));
		expect_outer_mtu(1320);
		/* Never more; and less than every link takes is not believed at all. */
		deliver(message_make(1350, 500));
		deliver(message_make(1279, 500));
		deliver(message_make(68, 500));
		expect_outer_mtu(1320);
		deliver(message_make(1280, 500));
		expect_outer_mtu(1280);
		learn_apply(&harness.dataplane, rte_rdtsc() + (LEARN_SECONDS + 60) * rte_get_tsc_hz());
		expect_outer_mtu(1500);
	}
}

/* One byte of a message that would be believed is another one, everything else being right. */
static void test_forged(void **state)
{
	static const size_t places[] = {
		WIRE_IPV6_LEN,					/* type */
		QUOTE, QUOTE + 6,				/* version, next header */
		QUOTE + 8, QUOTE + 23, QUOTE + 24, QUOTE + 39,	/* addresses */
		QUOTE + 40, QUOTE + 41, QUOTE + 42, QUOTE + 43, /* ports */
		QUOTE + 48, QUOTE + 49, QUOTE + 50, QUOTE + 51, /* SPI */
		QUOTE + 52, QUOTE + 53, QUOTE + 54, QUOTE + 55, /* sequence number */
	};

	(void)state;
	open_peer(false, true, TUNNEL_FRAGMENT_BEFORE);
	send_one(PACKET_LEN);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		size_t len = message_make(1300, 500);

		message[places[i]] ^= 0x11;
		checksum_set();
		deliver(len);
		expect_outer_mtu(1500);
	}
	message_make(1300, 500);
	message[QUOTE + 300] ^= 1; /* the checksum */
	deliver(QUOTE + 500);
	for (size_t quote_len = 0; quote_len < WIRE_IPV6_LEN + WIRE_UDP_LEN + ESP_HDR_LEN; quote_len++)
		deliver(message_make(1300, quote_len));
	/* It was not longer than that; no MTU at all; one beyond 16 bits. */
	deliver(message_make(frame.len - WIRE_ETHERNET_LEN, 500));
	deliver(message_make(0, 500));
	deliver(message_make(0x10000 + 1300, 500));
	expect_outer_mtu(1500);
	deliver(message_make(1300, 500));
	expect_outer_mtu(1300);
}

/* The quoted packet is a fragment that we made: the first one shows whose it is, others don't. */
static void test_fragments(void **state)
{
	static struct wire_frame second;

	(void)state;
	open_peer(false, false, TUNNEL_FRAGMENT_AFTER);
	send_one(1500);
	assert_true(harness_receive(0, &second));
	assert_int_equal(frame.bytes[WIRE_ETHERNET_LEN + 6], IPPROTO_FRAGMENT);
	for (size_t quote_len = 0; quote_len < WIRE_IPV6_LEN + 8 + WIRE_UDP_LEN + ESP_HDR_LEN; quote_len++)
		deliver(message_make(1300, quote_len));
	expect_outer_mtu(1500);
	deliver(message_make(1300, WIRE_IPV6_LEN + 8 + WIRE_UDP_LEN + ESP_HDR_LEN));
	expect_outer_mtu(1300);
	frame = second;
	deliver(message_make(1280, RTE_MIN(second.len - WIRE_ETHERNET_LEN, 500u)));
	expect_outer_mtu(1300);
}

/* Of 64-bit numbers, the lower half counts, across its edge, too; what is too old doesn't. */
static void test_recent(void **state)
{
	_Atomic uint64_t *sequence;

	(void)state;
	for (int extended = 0; extended < 2; extended++) {
		harness_open(&(struct harness_options){0});
		peer_open(&peer, 1, &(struct peer_options){.outer_ipv6 = true, .extended = extended});
		send_one(PACKET_LEN);
		sequence = &sa_numbers(&harness.dataplane.sas, peer.child)->sequence;
		*sequence = (extended ? UINT64_C(5) << 32 : 0) + LEARN_RECENT + 1;
		deliver(message_make(1400, 500));
		expect_outer_mtu(1500);
		--*sequence;
		deliver(message_make(1400, 500));
		expect_outer_mtu(1400);
		/* The number before the beginning, which is that before the edge. */
		*sequence = (extended ? UINT64_C(5) << 32 : 0) + 3;
		message_make(1300, 500);
		wire_write32(message + QUOTE + 52, 0xffffffff);
		checksum_set();
		deliver(QUOTE + 500);
		expect_outer_mtu(extended ? 1300 : 1400);
	}
}

/* Sessions whose peers chose the same SPI are told apart by their addresses; also when some of them have gone. */
static void test_same_spi(void **state)
{
	static struct wire_frame frames[4];
	struct peer peers[4];

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		peer_open(&peers[i], i + 1, &(struct peer_options){.outer_ipv6 = true, .spi_out = 7777});
		peer = peers[i];
		send_one(PACKET_LEN);
		frames[i] = frame;
	}
	peer_close(&peers[2]);
	for (unsigned int i = 0; i < 4; i++) {
		peer = peers[i];
		frame = frames[i];
		deliver(message_make(1400 - i, 500));
		if (i != 2)
			expect_outer_mtu(1400 - i);
	}
	for (unsigned int i = 0; i < 4; i++)
		if (i != 2)
			peer_close(&peers[i]);
	for (uint32_t i = 0; i <= harness.dataplane.sas.out_spi_mask; i++)
		assert_int_equal(harness.dataplane.sas.out_spis[i], TABLES_NONE);
}

/* What the inner packets may be long no more is cut by us, since no router cuts it. */
static void test_cut_to_the_path(void **state)
{
	(void)state;
	open_peer(false, true, TUNNEL_FRAGMENT_BEFORE);
	send_one(PACKET_LEN);
	deliver(message_make(1280, 500));
	assert_int_equal(harness.tables.children[peer.child].inner_mtu, 1280);
	for (size_t len = 1200; len <= 1280; len += 8) {
		unsigned int frames = 0;

		send_one(len);
		do {
			assert_true(frame.len <= WIRE_ETHERNET_LEN + 1280);
			frames++;
		} while (harness_receive(0, &frame));
		assert_int_equal(frames, len > esp_payload_max(peer.from_hq.suite, 1280 - 48) ? 2 : 1);
	}
	/* More than that is returned. */
	harness_send_ip(1, 0, LAN_HOST, packet, peer_inner_back(&peer, 1281 - 48, packet));
	harness_turn();
	assert_false(harness_receive(0, &frame));
	assert_true(harness_receive(1, &frame));
	assert_int_equal(wire_read32(frame.bytes + WIRE_ETHERNET_LEN + WIRE_IPV6_LEN + 4), 1280);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_learned),
		TEST(test_forged),
		TEST(test_fragments),
		TEST(test_recent),
		TEST(test_same_spi),
		TEST(test_cut_to_the_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
