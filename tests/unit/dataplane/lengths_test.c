/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inner packets of every length through the whole path and every suite, both ways: what comes out is what went in, and
 * OpenSSL is the other end. Suites take the eight forms of a tunnel in turn: IPv4 and IPv6 outside and inside, bare and
 * in UDP.
 */
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
	LONGEST = 1600,
	MTU = 1800,	    /* so that nothing is cut */
	EXPERIMENTAL = 253, /* RFC 3692: nobody looks behind the header */
	FORMS = 8,
};

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], opened[WIRE_MAX];

/* From the peer's host to HQ's LAN, or back: `len` bytes with the header, into `packet`. */
static void inner_make(const struct peer *peer, bool to_hq, size_t len)
{
	struct wire_ipv4 ipv4 = {.source = to_hq ? peer->host : LAN_HOST,
		.destination = to_hq ? LAN_HOST : peer->host,
		.protocol = EXPERIMENTAL,
		.id = (uint16_t)len};
	struct wire_ipv6 ipv6 = {.next_header = EXPERIMENTAL, .flow = (uint32_t)len};
	size_t header_len = peer->inner_ipv6 ? WIRE_IPV6_LEN : WIRE_IPV4_LEN;
	uint8_t *payload = packet + header_len;

	wire_noise(payload, len - header_len, (uint32_t)len);
	if (!peer->inner_ipv6) {
		wire_ipv4(packet, &ipv4, payload, len - header_len);
		return;
	}
	wire_address(LAN_HOST_6, to_hq ? ipv6.destination : ipv6.source);
	memcpy(to_hq ? ipv6.source : ipv6.destination, peer->host_6, sizeof(peer->host_6));
	wire_ipv6(packet, &ipv6, payload, len - header_len);
}

static void pass_in(struct peer *peer, size_t first, size_t last)
{
	for (size_t len = first; len <= last; len++) {
		inner_make(peer, true, len);
		peer_send(peer, 0, packet, len);
	}
	harness_turn();
	for (size_t len = first; len <= last; len++) {
		inner_make(peer, true, len);
		wire_forward(packet);
		assert_true(harness_receive(1, &frame));
		assert_int_equal(frame.len, WIRE_ETHERNET_LEN + len);
		assert_memory_equal(frame.bytes + WIRE_ETHERNET_LEN, packet, len);
	}
}

static void pass_out(struct peer *peer, size_t first, size_t last)
{
	for (size_t len = first; len <= last; len++) {
		inner_make(peer, false, len);
		harness_send_ip(1, 0, LAN_HOST, packet, len);
	}
	harness_turn();
	for (size_t len = first; len <= last; len++) {
		inner_make(peer, false, len);
		wire_forward(packet);
		assert_true(harness_receive(0, &frame));
		assert_int_equal(peer_receive(peer, &frame, opened), len);
		assert_memory_equal(opened, packet, len);
	}
}

/* Burst by burst, each of neighbouring lengths, so that those of several blocks meet in one. */
static void pass_all(struct peer *peer, void (*pass)(struct peer *peer, size_t first, size_t last))
{
	size_t len = peer->inner_ipv6 ? WIRE_IPV6_LEN : WIRE_IPV4_LEN;

	for (; len <= LONGEST; len += BURST)
		pass(peer, len, len + BURST - 1 < LONGEST ? len + BURST - 1 : LONGEST);
	assert_false(harness_receive(0, &frame) || harness_receive(1, &frame));
}

static void test_lengths(void **state)
{
	struct peer peer;

	(void)state;
	harness_open(&(struct harness_options){.mtu = MTU});
	for (uint32_t suite = ESP_SUITE_NONE + 1; suite < ESP_SUITE_COUNT; suite++) {
		peer_open(&peer, suite,
			&(struct peer_options){.suite = suite,
				.outer_ipv6 = suite % FORMS / 4,
				.inner_ipv6 = suite % 4 / 2,
				.bare = suite % 2,
				.extended = suite % 3 == 0});
		pass_all(&peer, pass_in);
		pass_all(&peer, pass_out);
		peer_close(&peer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lengths, harness_setup, harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
