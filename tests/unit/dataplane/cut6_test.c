/* SPDX-License-Identifier: Apache-2.0 */
/* ESP over IPv6 that is longer than its port takes, cut at its source, which is us; and ESP that comes in pieces. */
#include "peer.h"

#include "exits.h"
#include "fragment.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { FRONT = WIRE_IPV6_LEN + WIRE_FRAGMENT_LEN };

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], joined[WIRE_MAX], inner[WIRE_MAX], esp[WIRE_MAX];
static struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX];
static uint32_t last_id;

/* Puts a piece behind those before it; their IPv6 headers differ in the length alone, as they are the packet's. */
static void join(const uint8_t *piece, size_t len, uint32_t *end, bool *last)
{
	uint16_t field = wire_read16(piece + WIRE_IPV6_LEN + 2);

	assert_true(len > FRONT);
	assert_int_equal(wire_read16(piece + 4), len - WIRE_IPV6_LEN);
	assert_int_equal(piece[6], IPPROTO_FRAGMENT);
	assert_int_equal(piece[WIRE_IPV6_LEN + 1], 0);
	assert_int_equal(field & 6, 0);
	assert_false(*last);
	assert_int_equal(field & 0xfff8, *end);
	if (*end == 0) {
		memcpy(joined, piece, WIRE_IPV6_LEN);
		joined[6] = piece[WIRE_IPV6_LEN];
		last_id = wire_read32(piece + WIRE_IPV6_LEN + 4);
	}
	assert_memory_equal(joined, piece, 4);
	assert_memory_equal(joined + 7, piece + 7, 33);
	assert_int_equal(joined[6], piece[WIRE_IPV6_LEN]);
	assert_int_equal(last_id, wire_read32(piece + WIRE_IPV6_LEN + 4));
	memcpy(joined + WIRE_IPV6_LEN + *end, piece + FRONT, len - FRONT);
	*end += (uint32_t)(len - FRONT);
	*last = !(field & 1);
	wire_write16(joined + 4, (uint16_t)*end);
}

static size_t packet_make(uint8_t next_header, size_t payload_len)
{
	struct wire_ipv6 header = {.tos = 0x5a, .next_header = next_header, .flow = 0x12345};

	wire_address(HQ_WAN_6, header.source);
	wire_address("2001:db8:100::7", header.destination);
	wire_noise(packet + WIRE_IPV6_LEN, payload_len, (uint32_t)payload_len);
	return wire_ipv6(packet, &header, packet + WIRE_IPV6_LEN, payload_len);
}

/* What is in `packet` becomes `pieces`; how many. */
static uint16_t cut(size_t len, uint16_t mtu)
{
	return fragment_cut(&harness.dataplane.workers[0], harness_jumbo(packet, len), mtu, pieces);
}

static void cut_and_join(size_t len, uint16_t mtu)
{
	struct worker *worker = &harness.dataplane.workers[0];
	uint16_t count = cut(len, mtu);
	uint32_t end = 0, step = (mtu - FRONT) / 8 * 8u;
	bool last = false;

	assert_int_equal(count, (len - WIRE_IPV6_LEN + step - 1) / step);
	for (uint16_t i = 0; i < count; i++) {
		assert_true(rte_pktmbuf_data_len(pieces[i]) <= mtu);
		assert_true(rte_pktmbuf_headroom(pieces[i]) >= RTE_ETHER_HDR_LEN);
		join(rte_pktmbuf_mtod(pieces[i], const uint8_t *), rte_pktmbuf_data_len(pieces[i]), &end, &last);
		exit_drop(worker, pieces[i], REASON_DROP_NO_ROUTE);
	}
	assert_true(last);
	assert_memory_equal(joined, packet, len);
}

static void test_every_length(void **state)
{
	static const uint16_t mtus[] = {1280, 1281, 1399, 1492, 1499, 1500};
	uint32_t before = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		for (size_t len = mtus[i] + 1u; len <= 4600; len++) {
			packet_make(IPPROTO_ESP, len - WIRE_IPV6_LEN);
			cut_and_join(len, mtus[i]);
			assert_int_equal(last_id, len == mtus[i] + 1u && i == 0 ? last_id : before + 1);
			before = last_id;
		}
	}
}

static void test_refused(void **state)
{
	static const uint8_t extensions[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT};
	struct rte_mbuf *mbuf;

	(void)state;
	for (size_t i = 0; i < sizeof(extensions); i++)
		assert_int_equal(cut(packet_make(extensions[i], 1480), 1280), 0);
	for (uint16_t mtu = 0; mtu < FRONT + 8; mtu++)
		assert_int_equal(cut(packet_make(IPPROTO_ESP, 1480), mtu), 0);
	/* More pieces than there is room for. */
	assert_int_equal(cut(packet_make(IPPROTO_ESP, 8 * 64 + 1), FRONT + 8), 0);
	assert_int_equal(harness_count(REASON_DROP_MTU), 4 + FRONT + 8 + 1);
	cut_and_join(packet_make(IPPROTO_ESP, 8 * 64), FRONT + 8);
	/* No room for the fragment header. */
	mbuf = harness_jumbo(packet, packet_make(IPPROTO_ESP, 1480));
	rte_pktmbuf_prepend(mbuf, (uint16_t)(rte_pktmbuf_headroom(mbuf) - RTE_ETHER_HDR_LEN - WIRE_FRAGMENT_LEN + 1));
	memcpy(rte_pktmbuf_mtod(mbuf, void *), packet, WIRE_IPV6_LEN);
	assert_int_equal(fragment_cut(&harness.dataplane.workers[0], mbuf, 1280, pieces), 0);
	assert_int_equal(harness_count(REASON_DROP_NO_ROOM), 1);
}

/* Workers never use a number that another one uses. */
static void test_numbers(void **state)
{
	(void)state;
	harness_open(&(struct harness_options){.n_workers = 3});
	for (uint16_t i = 0; i < 3; i++) {
		harness.dataplane.workers[i].ipv6_id |= 0xfffffff0;
		for (int n = 0; n < 32; n++)
			assert_int_equal(worker_ipv6_id(&harness.dataplane.workers[i]) % 4, i);
	}
}

/* The next ESP packet to the peer, from its pieces, opened; how many they were. */
static unsigned int receive_pieces(struct peer *peer, uint16_t mtu, size_t *len)
{
	unsigned int count = 0;
	uint32_t end = 0;
	bool last = false;

	for (; !last; count++) {
		assert_true(harness_receive(0, &frame));
		assert_true(frame.len <= WIRE_ETHERNET_LEN + (uint32_t)mtu);
		assert_int_equal(wire_read16(frame.bytes + 12), WIRE_TYPE_IPV6);
		join(frame.bytes + WIRE_ETHERNET_LEN, frame.len - WIRE_ETHERNET_LEN, &end, &last);
	}
	*len = peer_receive_outer(peer, joined, WIRE_IPV6_LEN + end, inner);
	return count;
}

/* What the LAN sends leaves in pieces, and is one ESP packet when they are joined. */
static void test_esp_out_in_pieces(void **state)
{
	(void)state;
	for (uint16_t mtu = 1280; mtu <= 1500; mtu += 55) {
		struct peer peer;

		harness_open(&(struct harness_options){.n_workers = 2});
		harness.dataplane.ports[0].mtu = mtu;
		peer_open(&peer, 1,
			&(struct peer_options){.bare = mtu % 2,
				.outer_ipv6 = true,
				.inner_ipv6 = mtu % 3 == 0,
				.fragment = TUNNEL_FRAGMENT_AFTER});
		for (size_t payload_len = 1430; payload_len <= 1452; payload_len++) {
			size_t len = peer_inner_back(&peer, payload_len, packet), got;

			harness_send_ip(1, (uint16_t)(payload_len % 2), LAN_HOST, packet, len);
			harness_turn();
			assert_true(receive_pieces(&peer, mtu, &got) > 1);
			wire_forward(packet);
			assert_int_equal(got, len);
			assert_memory_equal(inner, packet, len);
			assert_false(harness_receive(0, &frame));
		}
	}
}

/* The other way: in the wrong order, whichever worker gets them. */
static void esp_in_pieces(struct peer *peer, size_t payload_len, size_t step)
{
	size_t len = peer_inner(peer, LAN_HOST, payload_len, inner), outer_len, piece_len;
	size_t esp_len = peer_esp(peer, ++peer->sequence, IPPROTO_IPIP, inner, len, esp);
	static uint8_t piece[WIRE_MAX];
	struct wire_ipv6 header = {.next_header = IPPROTO_FRAGMENT};
	uint16_t queue = 0;

	outer_len = peer_outer(peer, 0, esp, esp_len, packet) - WIRE_IPV6_LEN;
	memcpy(header.source, peer->address_6, 16);
	wire_address(HQ_WAN_6, header.destination);
	for (size_t at = (outer_len - 1) / step * step;; at -= step) {
		bool last = at + step >= outer_len;

		piece_len = wire_fragment(piece + WIRE_IPV6_LEN, packet[6], (uint16_t)at, !last,
			(uint32_t)peer->sequence, packet + WIRE_IPV6_LEN + at, last ? outer_len - at : step);
		piece_len = wire_ipv6(piece, &header, piece + WIRE_IPV6_LEN, piece_len);
		harness_send_ip(0, queue, GATEWAY, piece, piece_len);
		queue = (uint16_t)(1 - queue);
		if (at == 0)
			break;
	}
	harness_turn();
	for (size_t at = 0; at < len - WIRE_IPV4_LEN; at += frame.len - WIRE_ETHERNET_LEN - WIRE_IPV4_LEN) {
		assert_true(harness_receive(1, &frame));
		assert_memory_equal(frame.bytes + WIRE_ETHERNET_LEN + WIRE_IPV4_LEN, inner + WIRE_IPV4_LEN + at,
			frame.len - WIRE_ETHERNET_LEN - WIRE_IPV4_LEN);
	}
	assert_false(harness_receive(1, &frame));
}

static void test_esp_in_in_pieces(void **state)
{
	static const size_t lens[] = {1450, 1472, 3000, 20000, 64972};
	struct peer peers[2];

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		peer_open(&peers[i], i + 1, &(struct peer_options){.bare = i % 2, .outer_ipv6 = true});
		for (size_t len = 0; len < sizeof(lens) / sizeof(lens[0]); len++)
			esp_in_pieces(&peers[i], lens[len], 1448);
	}
	esp_in_pieces(&peers[0], 1400, 48);
	assert_true(harness_count(REASON_IN_HANDOFF) > 0);
	assert_int_equal(harness_count(REASON_NOTE_REASSEMBLED), 11);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_every_length),
		TEST(test_refused),
		TEST(test_numbers),
		TEST(test_esp_out_in_pieces),
		cmocka_unit_test_setup_teardown(test_esp_in_in_pieces, harness_setup_two_workers, harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
