/* SPDX-License-Identifier: Apache-2.0 */
/* Exact frames in, exact frames out, through the whole packet path. */
#include "peer.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { DSCP = 0xb8 };

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], inner[WIRE_MAX];

/* A packet of the LAN's host to a peer's, and what is to arrive of it there. */
static size_t lan_packet(const struct peer *peer, size_t payload_len, uint16_t fragment, uint8_t tos)
{
	struct wire_ipv4 header = {.source = LAN_HOST,
		.destination = peer->host,
		.tos = tos,
		.protocol = IPPROTO_UDP,
		.id = (uint16_t)(0x7700 + payload_len),
		.fragment = fragment};

	wire_noise(packet + WIRE_IPV4_LEN, payload_len, (uint32_t)payload_len);
	return wire_ipv4(packet, &header, packet + WIRE_IPV4_LEN, payload_len);
}

static void expect_outbound(struct peer *peer, size_t len)
{
	harness_turn();
	assert_true(harness_receive(0, &frame));
	wire_forward(packet);
	assert_int_equal(peer_receive(peer, &frame, inner), len);
	assert_memory_equal(inner, packet, len);
	assert_int_equal(peer->hq_tos, packet[1]);
	harness_expect_no_frame();
}

static void test_outbound(void **state)
{
	struct peer peer;
	unsigned int number = 0;

	(void)state;
	for (uint32_t suite = ESP_SUITE_NONE + 1; suite < ESP_SUITE_COUNT; suite++) {
		for (int bare = 0; bare < 2; bare++) {
			peer_open(&peer, ++number, &(struct peer_options){.suite = suite, .bare = bare});
			for (uint32_t len = 0; len < 40; len++) {
				size_t packet_len = lan_packet(&peer, len, len % 2 ? WIRE_DF : 0, DSCP | len % 4);

				harness_send_ip(1, 0, LAN_HOST, packet, packet_len);
				expect_outbound(&peer, packet_len);
				assert_int_equal(peer.hq_sequence, len + 1);
			}
			peer_close(&peer);
		}
	}
}

/* What the peer's host sent leaves towards the LAN's host, its TTL less one. */
static void expect_inbound(uint16_t port, uint32_t station, size_t len)
{
	uint8_t mac[WIRE_MAC_LEN];

	harness_mac(station, mac);
	harness_turn();
	assert_true(harness_receive(port, &frame));
	wire_forward(inner);
	assert_int_equal(frame.len, wire_ethernet(packet, mac, harness_port_mac(port), WIRE_TYPE_IPV4, inner, len));
	assert_memory_equal(frame.bytes, packet, frame.len);
	harness_expect_no_frame();
}

static void test_inbound(void **state)
{
	struct peer peer;
	unsigned int number = 0;

	(void)state;
	for (uint32_t suite = ESP_SUITE_NONE + 1; suite < ESP_SUITE_COUNT; suite++) {
		for (int bare = 0; bare < 2; bare++) {
			peer_open(&peer, ++number, &(struct peer_options){.suite = suite, .bare = bare});
			for (size_t len = 0; len < 40; len++) {
				size_t inner_len = peer_inner(&peer, LAN_HOST, len, inner);

				peer_send(&peer, 0, inner, inner_len);
				expect_inbound(1, LAN_HOST, inner_len);
			}
			peer_close(&peer);
		}
	}
}

/* Each session has its port of HQ: what comes to it is decrypted, and what goes leaves from there. */
static void test_ports_of_ours(void **state)
{
	static const uint16_t ports[] = {HARNESS_NAT_PORT, HARNESS_OTHER_PORT};
	struct peer peers[4];
	size_t len;

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		peer_open(&peers[i], i + 1, &(struct peer_options){.hq_port = ports[i % 2], .outer_ipv6 = i / 2});
	for (unsigned int i = 0; i < 4; i++) {
		len = peer_inner(&peers[i], LAN_HOST, 100, inner);
		peer_send(&peers[i], 0, inner, len);
		expect_inbound(1, LAN_HOST, len);
		len = lan_packet(&peers[i], 100, 0, 0);
		harness_send_ip(1, 0, LAN_HOST, packet, len);
		expect_outbound(&peers[i], len);
	}
	assert_int_equal(harness_count(REASON_NOTE_MOVED), 0);
}

static void test_one_armed(void **state)
{
	struct peer peer;
	size_t len;

	(void)state;
	harness_open(&(struct harness_options){.one_armed = true});
	peer_open(&peer, 1, &(struct peer_options){0});
	len = lan_packet(&peer, 100, 0, 0);
	harness_send_ip(0, 0, LAN_HOST, packet, len);
	expect_outbound(&peer, len);
	len = peer_inner(&peer, LAN_HOST_2, 100, inner);
	peer_send(&peer, 0, inner, len);
	expect_inbound(0, LAN_HOST_2, len);
}

/* Both ways between two branches, which is decrypting and encrypting in one turn, with one hop counted. */
static void test_hairpin(void **state)
{
	struct address any = address_ipv4(0x0a000000);
	struct prefix all = prefix_make(&any, 8);
	struct peer a, b;
	size_t len;

	(void)state;
	peer_open(&a, 1, &(struct peer_options){.local_network = all, .suite = ESP_AES256_CBC_SHA256_128});
	peer_open(&b, 2, &(struct peer_options){.local_network = all, .bare = true});
	len = peer_inner(&a, b.host, 1000, packet);
	peer_send(&a, 0, packet, len);
	expect_outbound(&b, len);
	len = peer_inner(&b, a.host, 777, packet);
	peer_send(&b, 0, packet, len);
	expect_outbound(&a, len);
	assert_int_equal(packet[8], 63);
}

/* To an address of ours: the kernel's, by its interface, with its address; a hop is not counted (RFC 1812, 5.3.1). */
static void test_peer_to_us(void **state)
{
	struct peer peer;
	size_t len;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	len = peer_inner(&peer, HQ_LAN, 200, inner);
	peer_send(&peer, 0, inner, len);
	harness_turn();
	assert_true(harness_receive_kernel(1, &frame));
	assert_int_equal(frame.len, WIRE_ETHERNET_LEN + len);
	assert_memory_equal(frame.bytes, harness_port_mac(1), WIRE_MAC_LEN);
	assert_memory_not_equal(frame.bytes + WIRE_MAC_LEN, harness_port_mac(1), WIRE_MAC_LEN);
	assert_int_equal(frame.bytes[WIRE_MAC_LEN] & 1, 0);
	assert_int_equal(wire_read16(frame.bytes + 12), WIRE_TYPE_IPV4);
	assert_memory_equal(frame.bytes + WIRE_ETHERNET_LEN, inner, len);
	harness_expect_no_frame();
}

/* Even where another peer's policy would take it: what is ours is ours (RFC 4301 section 5.2, step 4). */
static void test_peer_to_us_beside_a_policy_for_all(void **state)
{
	struct address any = address_ipv4(0);
	struct prefix all = prefix_make(&any, 0);
	struct peer peer, full;
	size_t len;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	peer_open(&full, 2, &(struct peer_options){.local_network = all, .remote_network = all});
	len = peer_inner(&peer, HQ_LAN, 50, inner);
	peer_send(&peer, 0, inner, len);
	harness_turn();
	assert_true(harness_receive_kernel(1, &frame));
	harness_expect_no_frame();
}

static void test_kernel_frames(void **state)
{
	uint8_t mac[WIRE_MAC_LEN], arp[60];
	struct wire_ipv4 header = {.source = HQ_LAN, .protocol = IPPROTO_ICMP, .id = 99, .fragment = WIRE_DF};
	struct peer peer;
	size_t len;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	harness_mac(GATEWAY, mac);
	/* To a protected network: encrypted, and no hop counted, since we are where it begins. */
	header.destination = peer.host;
	len = wire_ipv4(packet, &header, "to a branch", 11);
	harness_send_kernel(0, inner, wire_ethernet(inner, mac, harness_port_mac(0), WIRE_TYPE_IPV4, packet, len));
	harness_turn();
	assert_true(harness_receive(0, &frame));
	assert_int_equal(peer_receive(&peer, &frame, inner), len);
	assert_memory_equal(inner, packet, len);
	/* To anybody else, what is no IPv4, and IKE to anybody: as it is. */
	header.protocol = IPPROTO_UDP;
	len = wire_udp(inner, 4500, 4500, (const uint8_t *)"\0\0\0\0IKE", 7);
	len = wire_ipv4(packet, &header, inner, len);
	len = wire_ethernet(inner, mac, harness_port_mac(0), WIRE_TYPE_IPV4, packet, len);
	harness_send_kernel(0, inner, len);
	harness_turn();
	assert_true(harness_receive(0, &frame));
	assert_memory_equal(frame.bytes, inner, len);
	header.protocol = IPPROTO_ICMP;
	header.destination = GATEWAY;
	len = wire_ipv4(packet, &header, "to the gateway", 14);
	len = wire_ethernet(packet, mac, harness_port_mac(0), WIRE_TYPE_IPV4, packet, len);
	harness_send_kernel(0, packet, len);
	harness_turn();
	assert_true(harness_receive(0, &frame));
	assert_int_equal(frame.len, len);
	assert_memory_equal(frame.bytes, packet, len);
	memset(mac, 0xff, sizeof(mac));
	len = wire_ethernet(arp, mac, harness_port_mac(1), WIRE_TYPE_ARP, packet, 46);
	harness_send_kernel(1, arp, len);
	harness_turn();
	assert_true(harness_receive(1, &frame));
	assert_int_equal(frame.len, len);
	assert_memory_equal(frame.bytes, arp, len);
	harness_expect_no_frame();
}

/* What is the kernel's goes there as it came: IKE, notices, ARP, registration. */
static void test_to_the_kernel(void **state)
{
	static const uint8_t ike[] = "\0\0\0\0initiator", notice[] = "\x53notice to the control plane",
			     esp[] = "\x80\0\0\1no port for it";
	const struct {
		uint16_t port;
		const uint8_t *payload;
		size_t len;
	} datagrams[] = {{500, ike, sizeof(ike)}, {HARNESS_NAT_PORT, ike, sizeof(ike)},
		{HARNESS_NAT_PORT, notice, sizeof(notice)}, {HARNESS_NAT_PORT, ike, 0},
		{HARNESS_OTHER_PORT, ike, sizeof(ike)}, {HARNESS_OTHER_PORT, notice, sizeof(notice)},
		{2012, esp, sizeof(esp)}};
	struct wire_ipv4 header = {.source = 0xc6336463, .destination = HQ_WAN, .protocol = IPPROTO_UDP};
	uint8_t mac[WIRE_MAC_LEN];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(datagrams) / sizeof(datagrams[0]); i++) {
		len = wire_udp(inner, 40000, datagrams[i].port, datagrams[i].payload, datagrams[i].len);
		len = wire_ipv4(packet, &header, inner, len);
		wire_udp_checksum(packet);
		harness_send_ip(0, 0, GATEWAY, packet, len);
		harness_turn();
		assert_true(harness_receive_kernel(0, &frame));
		assert_int_equal(frame.len, WIRE_ETHERNET_LEN + len);
		assert_memory_equal(frame.bytes + WIRE_ETHERNET_LEN, packet, len);
		assert_memory_equal(frame.bytes, harness_port_mac(0), WIRE_MAC_LEN);
	}
	memset(mac, 0xff, sizeof(mac));
	len = wire_ethernet(inner, mac, mac, WIRE_TYPE_ARP, packet, 46);
	inner[WIRE_MAC_LEN] = 2;
	harness_send(1, 0, inner, len);
	harness_turn();
	assert_true(harness_receive_kernel(1, &frame));
	assert_memory_equal(frame.bytes, inner, len);
	harness_expect_no_frame();
}

static void expect_outbound_by(const struct peer *peer, uint16_t port, uint32_t station)
{
	size_t len = lan_packet(peer, 100, 0, 0);
	uint8_t mac[WIRE_MAC_LEN];

	harness_send_ip(1, 0, LAN_HOST, packet, len);
	harness_turn();
	assert_true(harness_receive(port, &frame));
	harness_mac(station, mac);
	assert_memory_equal(frame.bytes, mac, WIRE_MAC_LEN);
	assert_memory_equal(frame.bytes + WIRE_MAC_LEN, harness_port_mac(port), WIRE_MAC_LEN);
	harness_expect_no_frame();
}

/* What is remembered of an SA's route holds until that changes. */
static void test_outbound_routes(void **state)
{
	enum { OTHER_GATEWAY = GATEWAY - 1, PEERS = 0xc6336400 };
	struct peer peer;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	expect_outbound_by(&peer, 0, GATEWAY);
	harness_net(TABLES_NEIGHBOUR_ADD, OTHER_GATEWAY, 32, 0, 0, 1);
	harness_net(TABLES_ROUTE_ADD, PEERS, 24, OTHER_GATEWAY, 0, 1);
	harness_settle();
	expect_outbound_by(&peer, 0, OTHER_GATEWAY);
	harness_net(TABLES_ROUTE_ADD, peer.address, 32, LAN_HOST, 1, 1);
	harness_settle();
	expect_outbound_by(&peer, 1, LAN_HOST);
	harness_net(TABLES_ROUTE_REMOVE, peer.address, 32, LAN_HOST, 1, 1);
	harness_net(TABLES_ROUTE_REMOVE, PEERS, 24, OTHER_GATEWAY, 0, 1);
	harness_settle();
	expect_outbound_by(&peer, 0, GATEWAY);
	peer_close(&peer);
}

/* Full bursts over several SAs: order within each, its numbers without a gap, none twice, IPv4 IDs all different. */
static void test_bursts(void **state)
{
	enum { PEERS = 5, ROUNDS = 4, PACKETS = BURST * ROUNDS };
	static bool id_seen[65536];
	struct peer peers[PEERS];
	size_t len;

	(void)state;
	memset(id_seen, 0, sizeof(id_seen));
	for (unsigned int i = 0; i < PEERS; i++)
		peer_open(&peers[i], i + 1,
			&(struct peer_options){.bare = i % 2, .suite = 1 + i % (ESP_SUITE_COUNT - 1)});
	for (uint32_t i = 0; i < PACKETS; i++) {
		len = lan_packet(&peers[i * 7 % PEERS], 40 + i, 0, 0);
		harness_send_ip(1, 0, LAN_HOST, packet, len);
	}
	harness_turn();
	for (uint32_t i = 0; i < PACKETS; i++) {
		struct peer *peer = &peers[i * 7 % PEERS];
		uint32_t before = peer->hq_sequence;

		assert_true(harness_receive(0, &frame));
		len = lan_packet(peer, 40 + i, 0, 0);
		wire_forward(packet);
		assert_int_equal(peer_receive(peer, &frame, inner), len);
		assert_memory_equal(inner, packet, len);
		assert_int_equal(peer->hq_sequence, before + 1);
		assert_false(id_seen[peer->hq_id]);
		id_seen[peer->hq_id] = true;
	}
	harness_expect_no_frame();
}

/* Workers that encrypt for one SA never use a number twice, nor an IPv4 ID. */
static void test_two_workers_share_an_sa(void **state)
{
	enum { PACKETS = 4 * BURST };
	static bool id_seen[65536], sequence_seen[PACKETS + 1];
	struct peer peer;
	size_t len;

	(void)state;
	memset(id_seen, 0, sizeof(id_seen));
	memset(sequence_seen, 0, sizeof(sequence_seen));
	peer_open(&peer, 1, &(struct peer_options){0});
	for (uint32_t i = 0; i < PACKETS; i++) {
		len = lan_packet(&peer, 40, 0, 0);
		harness_send_ip(1, (uint16_t)(i % 2), LAN_HOST, packet, len);
	}
	harness_turn();
	for (uint32_t i = 0; i < PACKETS; i++) {
		assert_true(harness_receive(0, &frame));
		peer_receive(&peer, &frame, inner);
		assert_true(peer.hq_sequence >= 1 && peer.hq_sequence <= PACKETS);
		assert_false(sequence_seen[peer.hq_sequence] || id_seen[peer.hq_id]);
		sequence_seen[peer.hq_sequence] = id_seen[peer.hq_id] = true;
	}
	harness_expect_no_frame();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_outbound),
		TEST(test_outbound_routes),
		TEST(test_inbound),
		TEST(test_ports_of_ours),
		TEST(test_one_armed),
		TEST(test_hairpin),
		TEST(test_peer_to_us),
		TEST(test_peer_to_us_beside_a_policy_for_all),
		TEST(test_kernel_frames),
		TEST(test_to_the_kernel),
		TEST(test_bursts),
		cmocka_unit_test_setup_teardown(
			test_two_workers_share_an_sa, harness_setup_two_workers, harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
