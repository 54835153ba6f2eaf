/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transport mode: our own host's packets to the peer go out as ESP behind their IP header, the peer's come back to the
 * kernel with one; bare, and in UDP with a NAT between the two. What may not be carried so leaves by its name.
 */
#include "peer.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
	BEHIND_NAT = 0x0a090909, /* what a peer behind a NAT has for itself */
	TCP_LEN = 20,
	TCP_CHECKSUM = 16,
	UDP_CHECKSUM = 6,
	SHORT = 200,
	LONG = 1480, /* with its headers, too long for ESP in 1,500 bytes */
	OPTIONS = 4,
	QUOTED = WIRE_IPV4_LEN + 8, /* before what an ICMP error quotes */
};

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], esp[WIRE_MAX], payload[WIRE_MAX], opened[WIRE_MAX];
static struct peer peer;

static void transport_open(bool bare, uint32_t remote, uint8_t df)
{
	struct address ours = address_ipv4(HQ_WAN), theirs = address_ipv4(remote);

	peer_open(&peer, 1,
		&(struct peer_options){.bare = bare,
			.transport = true,
			.df = df,
			.local_network = prefix_make(&ours, 32),
			.remote_network = prefix_make(&theirs, 32)});
}

/* A datagram of our kernel to `remote`, handed to port 0's exception interface; `packet` holds it. Its length. */
static size_t kernel_sends(uint32_t remote, size_t payload_len, uint16_t fragment, uint8_t options_len)
{
	static uint8_t frame_out[WIRE_MAX];
	struct wire_ipv4 header = {.source = HQ_WAN,
		.destination = remote,
		.tos = 0xb8,
		.protocol = IPPROTO_UDP,
		.id = 77,
		.fragment = fragment,
		.options_len = options_len};
	uint8_t mac[WIRE_MAC_LEN];
	size_t len;

	wire_noise(payload, payload_len, (uint32_t)payload_len);
	len = wire_udp(opened, 7000, 9000, payload, payload_len);
	len = wire_ipv4(packet, &header, opened, len);
	harness_mac(GATEWAY, mac);
	harness_send_kernel(
		0, frame_out, wire_ethernet(frame_out, mac, harness_port_mac(0), WIRE_TYPE_IPV4, packet, len));
	harness_turn();
	return len;
}

/* What followed the IP header is the payload of ESP; TOS is the packet's own. */
static void expect_sent(size_t len)
{
	uint8_t next_header;

	assert_true(harness_receive(0, &frame));
	assert_int_equal(peer_receive_payload(&peer, frame.bytes + WIRE_ETHERNET_LEN, frame.len - WIRE_ETHERNET_LEN,
				 opened, &next_header),
		len - WIRE_IPV4_LEN);
	assert_int_equal(next_header, IPPROTO_UDP);
	assert_memory_equal(opened, packet + WIRE_IPV4_LEN, len - WIRE_IPV4_LEN);
	assert_int_equal(peer.hq_tos, 0xb8);
	harness_expect_no_frame();
}

static void test_out(void **state)
{
	(void)state;
	transport_open(true, 0xc6336401, TUNNEL_DF_CLEAR);
	for (size_t payload_len = 0; payload_len < SHORT; payload_len++)
		expect_sent(kernel_sends(peer.address, payload_len, 0, 0));
}

static void test_out_in_udp(void **state)
{
	(void)state;
	transport_open(false, BEHIND_NAT, TUNNEL_DF_CLEAR);
	expect_sent(kernel_sends(BEHIND_NAT, SHORT, 0, 0));
}

/* The peer sends `payload` under that protocol. */
static void peer_sends(uint8_t protocol, size_t len)
{
	size_t esp_len = peer_esp(&peer, ++peer.sequence, protocol, payload, len, esp);

	harness_send_ip(0, 0, GATEWAY, packet, peer_outer(&peer, 0, esp, esp_len, packet));
	harness_turn();
}

/* The kernel gets it whole, with a good header from `source` to us. Returns where the payload begins. */
static const uint8_t *expect_received(uint32_t source, uint8_t protocol, size_t len)
{
	const uint8_t *ip = frame.bytes + WIRE_ETHERNET_LEN;

	assert_true(harness_receive_kernel(0, &frame));
	assert_int_equal(frame.len, WIRE_ETHERNET_LEN + WIRE_IPV4_LEN + len);
	assert_int_equal(ip[0], 0x45);
	assert_int_equal(wire_checksum(ip, WIRE_IPV4_LEN), 0);
	assert_int_equal(wire_read16(ip + 2), WIRE_IPV4_LEN + len);
	assert_int_equal(ip[9], protocol);
	assert_int_equal(wire_read32(ip + 12), source);
	assert_int_equal(wire_read32(ip + 16), HQ_WAN);
	return ip + WIRE_IPV4_LEN;
}

static void test_in(void **state)
{
	(void)state;
	transport_open(true, 0xc6336401, TUNNEL_DF_CLEAR);
	for (size_t len = 1; len < SHORT; len++) {
		wire_noise(payload, len, (uint32_t)len);
		peer_sends(IPPROTO_UDP, len);
		assert_memory_equal(expect_received(peer.address, IPPROTO_UDP, len), payload, len);
		harness_expect_no_frame();
	}
}

/* TCP's checksum over the addresses that the header has now (RFC 9293 section 3.1): 0 when it is right. */
static uint16_t tcp_checksum(const uint8_t *tcp, size_t len)
{
	static uint8_t summed[12 + WIRE_MAX];

	memcpy(summed, tcp - 8, 8);
	wire_write16(summed + 8, IPPROTO_TCP);
	wire_write16(summed + 10, (uint16_t)len);
	memcpy(summed + 12, tcp, len);
	return wire_checksum(summed, 12 + len);
}

/* RFC 3948 section 3.1.2: the peer counted addresses that a NAT has changed. */
static void test_in_behind_a_nat(void **state)
{
	const uint8_t *received;

	(void)state;
	transport_open(false, BEHIND_NAT, TUNNEL_DF_CLEAR);
	wire_noise(payload, SHORT, 1);
	payload[12] = TCP_LEN / 4 << 4;
	peer_sends(IPPROTO_TCP, SHORT);
	received = expect_received(BEHIND_NAT, IPPROTO_TCP, SHORT);
	assert_int_equal(tcp_checksum(received, SHORT), 0);
	memcpy(payload + TCP_CHECKSUM, received + TCP_CHECKSUM, 2);
	assert_memory_equal(received, payload, SHORT);
	peer_sends(IPPROTO_UDP, SHORT);
	received = expect_received(BEHIND_NAT, IPPROTO_UDP, SHORT);
	memset(payload + UDP_CHECKSUM, 0, 2);
	assert_memory_equal(received, payload, SHORT);
	harness_expect_no_frame();
}

static void test_not_carried(void **state)
{
	(void)state;
	transport_open(true, 0xc6336401, TUNNEL_DF_CLEAR);
	kernel_sends(peer.address, SHORT, WIRE_MF, 0);
	kernel_sends(peer.address, SHORT, 10, 0);
	kernel_sends(peer.address, SHORT, 0, OPTIONS);
	assert_int_equal(harness_count(REASON_DROP_TRANSPORT), 3);
	harness_expect_no_frame();
}

/* The kernel is told how much fits, and just that much goes. */
static void expect_too_big(size_t len)
{
	const uint8_t *ip = frame.bytes + WIRE_ETHERNET_LEN;
	uint16_t mtu;

	assert_true(harness_receive_kernel(0, &frame));
	assert_int_equal(ip[9], IPPROTO_ICMP);
	assert_int_equal(ip[WIRE_IPV4_LEN], 3);
	assert_int_equal(ip[WIRE_IPV4_LEN + 1], 4);
	assert_memory_equal(ip + QUOTED, packet, WIRE_IPV4_LEN);
	mtu = wire_read16(ip + WIRE_IPV4_LEN + 6);
	assert_true(mtu < len);
	assert_int_equal(harness_count(REASON_DROP_MTU), 1);
	harness_expect_no_frame();
	expect_sent(kernel_sends(peer.address, mtu - WIRE_IPV4_LEN - WIRE_UDP_LEN, WIRE_DF, 0));
	kernel_sends(peer.address, mtu - WIRE_IPV4_LEN - WIRE_UDP_LEN + 1u, WIRE_DF, 0);
	assert_int_equal(harness_count(REASON_DROP_MTU), 2);
	assert_true(harness_receive_kernel(0, &frame));
	harness_expect_no_frame();
}

static void test_too_long_with_df(void **state)
{
	(void)state;
	transport_open(true, 0xc6336401, TUNNEL_DF_COPY);
	expect_too_big(kernel_sends(peer.address, LONG - WIRE_IPV4_LEN - WIRE_UDP_LEN, WIRE_DF, 0));
}

/* The outer packet may not be cut, and ESP takes whole packets only: even one without DF is returned. */
static void test_too_long_where_df_is_set(void **state)
{
	(void)state;
	transport_open(true, 0xc6336401, TUNNEL_DF_SET);
	expect_too_big(kernel_sends(peer.address, LONG - WIRE_IPV4_LEN - WIRE_UDP_LEN, 0, 0));
}

/* Encrypted whole, then cut (RFC 4303 section 3.3.4): put together again, it opens. */
static void test_too_long_without_df(void **state)
{
	static uint8_t whole[WIRE_MAX];
	struct wire_ipv4 header = {.source = HQ_WAN, .tos = 0xb8, .protocol = IPPROTO_ESP};
	size_t len, whole_len = 0;
	uint8_t next_header;

	(void)state;
	transport_open(true, 0xc6336401, TUNNEL_DF_CLEAR);
	len = kernel_sends(peer.address, LONG, 0, 0);
	header.destination = peer.address;
	while (harness_receive(0, &frame)) {
		const uint8_t *ip = frame.bytes + WIRE_ETHERNET_LEN;

		assert_int_equal((wire_read16(ip + 6) & WIRE_OFFSET_MASK) * 8, whole_len);
		header.id = wire_read16(ip + 4);
		memcpy(esp + whole_len, ip + WIRE_IPV4_LEN, frame.len - WIRE_ETHERNET_LEN - WIRE_IPV4_LEN);
		whole_len += frame.len - WIRE_ETHERNET_LEN - WIRE_IPV4_LEN;
	}
	assert_true(harness_count(REASON_IN_CUT) > 0);
	whole_len = wire_ipv4(whole, &header, esp, whole_len);
	assert_int_equal(peer_receive_payload(&peer, whole, whole_len, opened, &next_header), len - WIRE_IPV4_LEN);
	assert_memory_equal(opened, packet + WIRE_IPV4_LEN, len - WIRE_IPV4_LEN);
	harness_expect_no_frame();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_out),
		TEST(test_out_in_udp),
		TEST(test_in),
		TEST(test_in_behind_a_nat),
		TEST(test_not_carried),
		TEST(test_too_long_with_df),
		TEST(test_too_long_where_df_is_set),
		TEST(test_too_long_without_df),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
