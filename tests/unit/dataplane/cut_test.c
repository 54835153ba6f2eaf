/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting to an MTU, the pieces joined by a routine of the test; and ESP that comes and goes in pieces. */
#include "peer.h"

#include "exits.h"
#include "fragment.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { STRANGER = 0xc6336463 };

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], joined[WIRE_MAX], inner[WIRE_MAX], esp[WIRE_MAX];
static struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX];

/* Puts a piece where it belongs; all header fields but length, flags and checksum are those of the first. */
static void join(const uint8_t *piece, size_t len, uint32_t *end, bool *last)
{
	uint16_t field = wire_read16(piece + 6);

	assert_int_equal(piece[0], 0x45);
	assert_int_equal(wire_read16(piece + 2), len);
	assert_int_equal(wire_checksum(piece, WIRE_IPV4_LEN), 0);
	assert_false(*last);
	/* In order, without gap or overlap. */
	assert_int_equal((field & WIRE_OFFSET_MASK) * 8, *end);
	if (*end == 0)
		memcpy(joined, piece, WIRE_IPV4_LEN);
	assert_memory_equal(joined + 4, piece + 4, 2);
	assert_memory_equal(joined + 8, piece + 8, 2);
	assert_memory_equal(joined + 12, piece + 12, 8);
	assert_int_equal(joined[1], piece[1]);
	memcpy(joined + WIRE_IPV4_LEN + *end, piece + WIRE_IPV4_LEN, len - WIRE_IPV4_LEN);
	*end += (uint32_t)(len - WIRE_IPV4_LEN);
	*last = !(field & WIRE_MF);
	wire_write16(joined + 2, (uint16_t)(WIRE_IPV4_LEN + *end));
	wire_write16(joined + 6, 0);
	wire_ipv4_checksum(joined);
}

static size_t udp_make(uint16_t fragment, size_t payload_len)
{
	struct wire_ipv4 header = {.source = LAN_HOST,
		.destination = STRANGER,
		.tos = 0x5a,
		.protocol = IPPROTO_UDP,
		.id = 0xbeef,
		.fragment = fragment};

	wire_noise(packet + WIRE_IPV4_LEN, payload_len, (uint32_t)payload_len);
	return wire_ipv4(packet, &header, packet + WIRE_IPV4_LEN, payload_len);
}

/* What is in `packet` becomes `pieces`; how many. */
static uint16_t cut(size_t len, uint16_t mtu)
{
	return fragment_cut(&harness.dataplane.workers[0], harness_jumbo(packet, len), mtu, pieces);
}

static void cut_and_join(size_t len, uint16_t mtu, uint32_t begin, bool more)
{
	struct worker *worker = &harness.dataplane.workers[0];
	uint16_t count = cut(len, mtu);
	uint32_t end = begin, step = (mtu - WIRE_IPV4_LEN) / 8 * 8u;
	bool last = false;

	assert_int_equal(count, (len - WIRE_IPV4_LEN + step - 1) / step);
	memcpy(joined, packet, WIRE_IPV4_LEN);
	for (uint16_t i = 0; i < count; i++) {
		const uint8_t *data = rte_pktmbuf_mtod(pieces[i], const uint8_t *);

		assert_true(rte_pktmbuf_data_len(pieces[i]) <= mtu);
		assert_true(rte_pktmbuf_headroom(pieces[i]) >= RTE_ETHER_HDR_LEN);
		if (i + 1 < count || more)
			assert_true(wire_read16(data + 6) & WIRE_MF);
		last = false;
		join(data, rte_pktmbuf_data_len(pieces[i]), &end, &last);
		exit_drop(worker, pieces[i], REASON_DROP_NO_ROUTE);
	}
	assert_int_equal(last, !more);
	assert_int_equal(end, begin + len - WIRE_IPV4_LEN);
	assert_memory_equal(joined + WIRE_IPV4_LEN + begin, packet + WIRE_IPV4_LEN, len - WIRE_IPV4_LEN);
}

static void test_every_length(void **state)
{
	static const uint16_t mtus[] = {576, 577, 1006, 1280, 1399, 1492, 1499, 1500};

	(void)state;
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++)
		for (size_t len = 1400; len <= 4600; len++)
			if (udp_make(0, len - WIRE_IPV4_LEN) > mtus[i])
				cut_and_join(len, mtus[i], 0, false);
}

/* A piece is cut into smaller ones that lie where it lay; the last of them is the last only where it was. */
static void test_a_fragment(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++)
		for (uint16_t begin = 0; begin < 3; begin++)
			cut_and_join(udp_make((uint16_t)((more ? WIRE_MF : 0) | begin * 185), 1480), 576,
				begin * 185u * 8, more);
	/* Up to the end of what a packet can be. */
	cut_and_join(udp_make((65528 - 2960) / 8 - 2, 2960), 576, 65528 - 2960 - 16, false);
}

static void test_refused(void **state)
{
	struct wire_ipv4 with_options = {.source = LAN_HOST, .destination = STRANGER, .options_len = 4};

	(void)state;
	assert_int_equal(cut(udp_make(WIRE_DF, 1480), 576), 0);
	assert_int_equal(cut(wire_ipv4(packet, &with_options, inner, 1480), 576), 0);
	for (uint16_t mtu = 0; mtu < 28; mtu++)
		assert_int_equal(cut(udp_make(0, 1480), mtu), 0);
	/* More pieces than there is room for, and an end behind 65,535. */
	assert_int_equal(cut(udp_make(0, 8 * 64 + 1), 28), 0);
	assert_int_equal(cut(udp_make(0x1fff, 1480), 576), 0);
	assert_int_equal(harness_count(REASON_DROP_MTU), 32);
	cut_and_join(udp_make(0, 8 * 64), 28, 0, false);
}

/* What the LAN sends with 1,500 bytes leaves in two, and is one ESP packet when it is joined. IDs are all different. */
static void test_esp_out_in_pieces(void **state)
{
	static bool id_seen[65536];
	struct peer peer;
	size_t len;

	(void)state;
	memset(id_seen, 0, sizeof(id_seen));
	for (uint16_t mtu = 576; mtu <= 1500; mtu += 77) {
		harness_open(&(struct harness_options){.n_workers = 2});
		harness.dataplane.ports[0].mtu = mtu;
		peer_open(&peer, 1, &(struct peer_options){.bare = mtu % 2, .fragment = TUNNEL_FRAGMENT_AFTER});
		for (size_t payload_len = 1400; payload_len <= 1480; payload_len += 7) {
			uint32_t end = 0;
			bool last = false;

			len = udp_make(payload_len % 2 ? WIRE_DF : 0, payload_len);
			wire_write32(packet + 16, peer.host);
			wire_ipv4_checksum(packet);
			harness_send_ip(1, (uint16_t)(payload_len % 2), LAN_HOST, packet, len);
			harness_turn();
			while (!last) {
				assert_true(harness_receive(0, &frame));
				assert_true(frame.len <= WIRE_ETHERNET_LEN + (uint32_t)mtu);
				join(frame.bytes + WIRE_ETHERNET_LEN, frame.len - WIRE_ETHERNET_LEN, &end, &last);
			}
			assert_false(harness_receive(0, &frame));
			wire_forward(packet);
			assert_int_equal(peer_receive_outer(&peer, joined, WIRE_IPV4_LEN + end, inner), len);
			assert_memory_equal(inner, packet, len);
			assert_false(id_seen[peer.hq_id]);
			id_seen[peer.hq_id] = true;
		}
		memset(id_seen, 0, sizeof(id_seen));
	}
}

/* The other way: ESP in pieces, in the wrong order, whichever worker gets them, is opened. */
static void esp_in_pieces(struct peer *peer, size_t payload_len, size_t step)
{
	size_t len = peer_inner(peer, LAN_HOST, payload_len, inner), outer_len;
	size_t esp_len = peer_esp(peer, ++peer->sequence, IPPROTO_IPIP, inner, len, esp);
	static uint8_t piece[WIRE_MAX];
	uint16_t queue = 0;

	outer_len = peer_outer(peer, 0, esp, esp_len, packet) - WIRE_IPV4_LEN;
	for (size_t at = (outer_len - 1) / step * step;; at -= step) {
		bool last = at + step >= outer_len;
		struct wire_ipv4 header = {.source = peer->address,
			.destination = HQ_WAN,
			.protocol = packet[9],
			.id = wire_read16(packet + 4),
			.fragment = (uint16_t)(at / 8 | (last ? 0 : WIRE_MF))};
		size_t piece_len = wire_ipv4(piece, &header, packet + WIRE_IPV4_LEN + at, last ? outer_len - at : step);

		harness_send_ip(0, queue, GATEWAY, piece, piece_len);
		queue = (uint16_t)(1 - queue);
		if (at == 0)
			break;
	}
	harness_turn();
	wire_forward(inner);
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
	struct peer peers[4];

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		peer_open(&peers[i], i + 1, &(struct peer_options){.bare = i % 2, .suite = i + 1});
	for (unsigned int i = 0; i < 4; i++)
		for (size_t len = 0; len < sizeof(lens) / sizeof(lens[0]); len++)
			esp_in_pieces(&peers[i], lens[len], 1480);
	esp_in_pieces(&peers[0], 1400, 48);
	/* Both workers took part, as collectors and as owners. */
	assert_true(harness_count(REASON_IN_HANDOFF) > 0);
	assert_int_equal(harness_count(REASON_NOTE_REASSEMBLED), 21);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_every_length),
		TEST(test_a_fragment),
		TEST(test_refused),
		TEST(test_esp_out_in_pieces),
		cmocka_unit_test_setup_teardown(test_esp_in_in_pieces, harness_setup_two_workers, harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
