/* SPDX-License-Identifier: Apache-2.0 */
/* TCP's MSS option: lowered where it is too large, whatever stands around it; all else stays byte for byte. */
#include "mss.h"
#include "peer.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SYN = 2, ACK = 16, TCP_LEN = 20, MSS_PLACE = TCP_LEN + 2 };

static uint8_t packet[WIRE_MAX], before[WIRE_MAX], inner[WIRE_MAX];

static uint32_t sum_words(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return sum;
}

/* RFC 9293 section 3.1: over pseudo-header and segment; 0 when the field is right. */
static uint16_t tcp_sum(const uint8_t *ipv4)
{
	size_t header_len = (ipv4[0] & 15u) * 4u, len = wire_read16(ipv4 + 2) - header_len;
	uint32_t sum = sum_words(ipv4 + 12, 8) + IPPROTO_TCP + (uint32_t)len + sum_words(ipv4 + header_len, len);

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* A segment from the LAN to the peer with these options, filled up to whole words by ends of the list. */
static size_t tcp_make(
	uint32_t source, uint32_t destination, uint8_t flags, const void *options, size_t options_len, uint8_t *out)
{
	struct wire_ipv4 header = {.source = source, .destination = destination, .protocol = IPPROTO_TCP, .id = 7};
	size_t tcp_len = TCP_LEN + (options_len + 3) / 4 * 4;
	uint8_t *tcp = out + WIRE_IPV4_LEN;

	memset(tcp, 0, tcp_len + 5);
	wire_write16(tcp, 40000);
	wire_write16(tcp + 2, 443);
	wire_write32(tcp + 4, 0x12345678);
	tcp[12] = (uint8_t)(tcp_len / 4 << 4);
	tcp[13] = flags;
	memcpy(tcp + TCP_LEN, options, options_len);
	memcpy(tcp + tcp_len, "hello", 5);
	tcp_len = wire_ipv4(out, &header, tcp, tcp_len + 5);
	wire_write16(tcp + 16, tcp_sum(out));
	assert_int_equal(tcp_sum(out), 0);
	return tcp_len;
}

static void clamp(const void *options, size_t options_len, uint8_t flags, uint16_t mss)
{
	size_t len = tcp_make(LAN_HOST, 0x0a640005, flags, options, options_len, packet);

	memcpy(before, packet, len);
	memset(packet + len, 0xee, 16);
	mss_clamp(packet, (uint32_t)len, mss + (uint32_t)MSS_IPV4_LEN);
	assert_int_equal(tcp_sum(packet), 0);
	assert_int_equal(packet[len], 0xee);
}

/* Changed in the option at that place of the TCP header, and in the checksum, and nowhere else. */
static void expect_lowered(const void *options, size_t options_len, size_t place, uint16_t mss)
{
	uint8_t *tcp = before + WIRE_IPV4_LEN;

	clamp(options, options_len, SYN, mss);
	wire_write16(tcp + place, mss);
	wire_write16(tcp + 16, 0);
	wire_write16(tcp + 16, tcp_sum(before));
	assert_memory_equal(packet, before, wire_read16(packet + 2));
}

static void expect_untouched(const void *options, size_t options_len, uint8_t flags, uint16_t mss)
{
	clamp(options, options_len, flags, mss);
	assert_memory_equal(packet, before, wire_read16(packet + 2));
}

static void test_lowered(void **state)
{
	(void)state;
	for (uint32_t mss = 1; mss < 1460; mss += 7) {
		expect_lowered("\2\4\5\xb4", 4, MSS_PLACE, (uint16_t)mss);
		/* At an odd place, and behind other options. */
		expect_lowered("\1\2\4\5\xb4", 5, MSS_PLACE + 1, (uint16_t)mss);
		expect_lowered("\1\1\1\2\4\5\xb4\1", 8, MSS_PLACE + 3, (uint16_t)mss);
		expect_lowered("\4\2\3\3\7\2\4\5\xb4", 9, MSS_PLACE + 5, (uint16_t)mss);
		expect_lowered("\xfe\5xyz\2\4\xff\xff", 9, MSS_PLACE + 5, (uint16_t)mss);
	}
	clamp("\2\4\5\xb4", 4, SYN | ACK, 1000);
	assert_int_equal(wire_read16(packet + WIRE_IPV4_LEN + MSS_PLACE), 1000);
}

static void test_untouched(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} options[] = {{"", 0}, {"\1\1\1\1", 4}, {"\0\2\4\5\xb4\0\0\0", 8}, {"\2\3\5\xb4", 4}, {"\2\5\5\xb4\1", 5},
		{"\2\0\5\xb4", 4}, {"\2\1\5\xb4", 4}, {"\1\1\2\4", 4}, {"\1\1\1\2", 4}, {"\1\2\4\5", 4},
		{"\3\0\0\0", 4}, {"\3\1\2\4", 4}, {"\3\xff\2\4", 4}, {"\2\x28\5\xb4", 4}};

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		expect_untouched(options[i].bytes, options[i].len, SYN, 1);
	/* No SYN, and small enough already. */
	expect_untouched("\2\4\5\xb4", 4, ACK, 1000);
	expect_untouched("\2\4\5\xb4", 4, SYN, 1460);
	expect_untouched("\2\4\2\x18", 4, SYN, 1000);
}

/* Headers that promise more than there is, a later fragment, another protocol. */
static void test_not_a_header(void **state)
{
	size_t len = tcp_make(LAN_HOST, 0x0a640005, SYN, "\2\4\5\xb4", 4, packet);

	(void)state;
	memcpy(before, packet, len);
	for (uint32_t shorter = WIRE_IPV4_LEN; shorter < WIRE_IPV4_LEN + TCP_LEN + 4; shorter++)
		mss_clamp(packet, shorter, 1000 + MSS_IPV4_LEN);
	for (uint8_t words = 0; words < 16; words++) {
		packet[WIRE_IPV4_LEN + 12] = before[WIRE_IPV4_LEN + 12] = (uint8_t)(words << 4);
		if (words < 5 || words > 7)
			mss_clamp((struct rte_ipv4_hdr *)packet, (uint32_t)len, 1000);
	}
	packet[WIRE_IPV4_LEN + 12] = before[WIRE_IPV4_LEN + 12] = 6 << 4;
	packet[7] = before[7] = 1;
	mss_clamp((struct rte_ipv4_hdr *)packet, (uint32_t)len, 1000);
	packet[7] = before[7] = 0;
	packet[9] = before[9] = IPPROTO_UDP;
	mss_clamp((struct rte_ipv4_hdr *)packet, (uint32_t)len, 1000);
	assert_memory_equal(packet, before, len);
}

static uint16_t mss_through(struct peer *peer, bool out)
{
	if (out)
		peer_pass_out(peer, packet, tcp_make(LAN_HOST, peer->host, SYN, "\2\4\5\xb4", 4, packet), inner);
	else
		peer_pass_in(peer, packet, tcp_make(peer->host, LAN_HOST, SYN | ACK, "\2\4\5\xb4", 4, packet), inner);
	assert_int_equal(tcp_sum(inner), 0);
	assert_int_equal(wire_checksum(inner, WIRE_IPV4_LEN), 0);
	return wire_read16(inner + WIRE_IPV4_LEN + MSS_PLACE);
}

static void test_both_ways(void **state)
{
	struct peer peer, other;
	uint32_t mtu;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	peer_open(&other, 2, &(struct peer_options){.mss_stays = true});
	mtu = harness.tables.children[peer.child].inner_mtu;
	assert_true(mtu > 1400 && mtu < 1500);
	assert_int_equal(mss_through(&peer, true), mtu - 40);
	assert_int_equal(mss_through(&peer, false), mtu - 40);
	assert_int_equal(mss_through(&other, true), 1460);
	assert_int_equal(mss_through(&other, false), 1460);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lowered),
		cmocka_unit_test(test_untouched),
		cmocka_unit_test(test_not_a_header),
		cmocka_unit_test_setup_teardown(test_both_ways, harness_setup, harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
