/* SPDX-License-Identifier: Apache-2.0 */
/* TCP's MSS option over IPv6: lowered wherever TCP begins, and nothing else touched. */
#include "mss.h"
#include "peer.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SYN = 2, ACK = 16, TCP_LEN = 24, MSS_PLACE = 22 };

static uint8_t packet[WIRE_MAX], before[WIRE_MAX], inner[WIRE_MAX];

/* A SYN with an MSS of 1,440 and nothing else, right behind the IPv6 header. */
static size_t syn_make(const uint8_t source[16], const uint8_t destination[16], uint8_t flags, uint8_t *out)
{
	struct wire_ipv6 header = {.next_header = IPPROTO_TCP};
	uint8_t tcp[TCP_LEN + 5] = {[12] = TCP_LEN / 4 << 4, [13] = flags, [20] = 2, 4, 1440 >> 8, 1440 & 255, 'h'};
	size_t len;

	memcpy(header.source, source, 16);
	memcpy(header.destination, destination, 16);
	wire_write32(tcp, 0x9c4001bb);
	len = wire_ipv6(out, &header, tcp, sizeof(tcp));
	wire_ipv6_checksum(out);
	return len;
}

/* The same with `len` bytes of extension headers before TCP; the checksum doesn't count them. */
static size_t extended_make(uint8_t first, const void *extensions, size_t len, uint8_t flags)
{
	static const uint8_t source[16] = {0xfd, 1}, destination[16] = {0xfd, 2};
	size_t total = syn_make(source, destination, flags, packet);

	memmove(packet + WIRE_IPV6_LEN + len, packet + WIRE_IPV6_LEN, total - WIRE_IPV6_LEN);
	if (len > 0)
		memcpy(packet + WIRE_IPV6_LEN, extensions, len);
	packet[6] = first;
	wire_write16(packet + 4, (uint16_t)(total + len - WIRE_IPV6_LEN));
	memcpy(before, packet, total + len);
	return total + len;
}

/* TCP's own sum, which an extension header doesn't change. */
static uint16_t tcp_sum(const uint8_t *ipv6, size_t extensions_len)
{
	static uint8_t plain[WIRE_MAX];
	size_t len = wire_total_len(ipv6) - extensions_len;

	memcpy(plain, ipv6, WIRE_IPV6_LEN);
	memcpy(plain + WIRE_IPV6_LEN, ipv6 + WIRE_IPV6_LEN + extensions_len, len - WIRE_IPV6_LEN);
	plain[6] = IPPROTO_TCP;
	wire_write16(plain + 4, (uint16_t)(len - WIRE_IPV6_LEN));
	return wire_ipv6_sum(plain);
}

static void expect_lowered(uint8_t first, const void *extensions, size_t extensions_len, uint32_t mtu)
{
	size_t len = extended_make(first, extensions, extensions_len, SYN);
	uint8_t *tcp = before + WIRE_IPV6_LEN + extensions_len;

	mss_clamp(packet, (uint32_t)len, mtu);
	assert_int_equal(tcp_sum(packet, extensions_len), 0);
	wire_write16(tcp + MSS_PLACE, (uint16_t)(mtu - 60));
	memcpy(tcp + 16, packet + WIRE_IPV6_LEN + extensions_len + 16, 2);
	assert_memory_equal(packet, before, len);
}

static void expect_untouched(size_t len, uint32_t mtu)
{
	mss_clamp(packet, (uint32_t)len, mtu);
	assert_memory_equal(packet, before, WIRE_IPV6_LEN + TCP_LEN + 40);
}

static void test_lowered(void **state)
{
	static const uint8_t options[24] = {IPPROTO_DSTOPTS, 0, 1, 4, [8] = IPPROTO_TCP, 1, 1, 12};
	static const uint8_t first_fragment[8] = {IPPROTO_TCP, 0, 0, 1, 1, 2, 3, 4};

	(void)state;
	for (uint32_t mtu = 61; mtu < 1500; mtu += 7)
		expect_lowered(IPPROTO_TCP, NULL, 0, mtu);
	expect_lowered(IPPROTO_HOPOPTS, options, sizeof(options), 1280);
	expect_lowered(IPPROTO_DSTOPTS, options + 8, 16, 1280);
	expect_lowered(IPPROTO_ROUTING, options + 8, 16, 1280);
	expect_lowered(IPPROTO_FRAGMENT, first_fragment, 8, 1280);
}

static void test_untouched(void **state)
{
	uint8_t fragment[8] = {IPPROTO_TCP, 0, 0, 8}, options[16] = {IPPROTO_TCP, 1, 1, 12};

	(void)state;
	expect_untouched(extended_make(IPPROTO_TCP, NULL, 0, ACK), 1280);
	expect_untouched(extended_make(IPPROTO_TCP, NULL, 0, SYN), 1500);
	expect_untouched(extended_make(IPPROTO_TCP, NULL, 0, SYN), 60); /* no MSS at all */
	expect_untouched(extended_make(IPPROTO_UDP, NULL, 0, SYN), 1280);
	expect_untouched(extended_make(IPPROTO_ESP, NULL, 0, SYN), 1280);
	expect_untouched(extended_make(IPPROTO_FRAGMENT, fragment, 8, SYN), 1280); /* a later one */
	for (uint32_t len = WIRE_IPV6_LEN; len < WIRE_IPV6_LEN + TCP_LEN; len++) {
		extended_make(IPPROTO_TCP, NULL, 0, SYN);
		expect_untouched(len, 1280);
	}
	/* Extension headers that go on behind the end, or for ever. */
	options[1] = 200;
	expect_untouched(extended_make(IPPROTO_DSTOPTS, options, 16, SYN), 1280);
	options[0] = IPPROTO_DSTOPTS;
	options[1] = 0;
	expect_untouched(extended_make(IPPROTO_DSTOPTS, options, 8, SYN), 1280);
}

/* Cheap questions only, for what most packets are. */
static void test_few_are_looked_at(void **state)
{
	(void)state;
	assert_true(mss_may_be_syn(packet, (uint32_t)extended_make(IPPROTO_TCP, NULL, 0, SYN | ACK)));
	assert_false(mss_may_be_syn(packet, (uint32_t)extended_make(IPPROTO_TCP, NULL, 0, ACK)));
	assert_false(mss_may_be_syn(packet, (uint32_t)extended_make(IPPROTO_UDP, NULL, 0, SYN)));
	assert_false(mss_may_be_syn(packet, (uint32_t)extended_make(IPPROTO_ICMPV6, NULL, 0, SYN)));
}

static uint16_t mss_through(struct peer *peer, bool out)
{
	uint8_t host[16];

	wire_address(LAN_HOST_6, host);
	if (out)
		peer_pass_out(peer, packet, syn_make(host, peer->host_6, SYN, packet), inner);
	else
		peer_pass_in(peer, packet, syn_make(peer->host_6, host, SYN | ACK, packet), inner);
	assert_int_equal(wire_ipv6_sum(inner), 0);
	return wire_read16(inner + WIRE_IPV6_LEN + MSS_PLACE);
}

static void test_both_ways(void **state)
{
	struct peer peer, other;
	uint32_t mtu;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.inner_ipv6 = true});
	peer_open(&other, 2, &(struct peer_options){.inner_ipv6 = true, .mss_stays = true});
	mtu = harness.tables.children[peer.child].inner_mtu;
	assert_in_range(mtu, 1400, 1499);
	assert_int_equal(mss_through(&peer, true), mtu - 60);
	assert_int_equal(mss_through(&peer, false), mtu - 60);
	assert_int_equal(mss_through(&other, true), 1440);
	assert_int_equal(mss_through(&other, false), 1440);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lowered),
		cmocka_unit_test(test_untouched),
		cmocka_unit_test(test_few_are_looked_at),
		cmocka_unit_test_setup_teardown(test_both_ways, harness_setup, harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
