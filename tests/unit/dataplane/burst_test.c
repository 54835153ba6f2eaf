/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One packet that has to be refused among good ones, at each place of a full burst, of every suite and both ways: it
 * leaves by its name, and all the others come out whole and in order. Bursts are of two SAs in turn, whose suites are
 * neighbours.
 */
#include "peer.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PEERS = 2, PAYLOAD_MIN = 10, ELSEWHERE = 0x08080808, TOO_LONG = 1480, LONGEST = UINT16_MAX - WIRE_ETHERNET_LEN };

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], inner[WIRE_MAX], esp[WIRE_MAX];
static struct peer peers[PEERS], spent; /* one carries nothing any more */
static struct peer *peer;		/* of the packet that is being made or looked at */
static uint64_t accepted[PEERS];	/* the last number that came in well */

/* To HQ: each fills `esp` and returns its length. Only what is replayed takes no new number. */
static size_t forged(size_t len)
{
	len = peer_esp(peer, ++peer->sequence, IPPROTO_IPIP, inner, len, esp);
	esp[len - 1] ^= 1;
	return len;
}

static size_t replayed(size_t len)
{
	return peer_esp(peer, accepted[peer - peers], IPPROTO_IPIP, inner, len, esp);
}

static size_t truncated(size_t len)
{
	return peer_esp(peer, ++peer->sequence, IPPROTO_IPIP, inner, len, esp) - 1;
}

/* Header, IV and ICV, and nothing between them. */
static size_t emptied(size_t len)
{
	peer_esp(peer, ++peer->sequence, IPPROTO_IPIP, inner, len, esp);
	return ESP_HDR_LEN + (size_t)peer->to_hq.suite->iv_len + peer->to_hq.suite->icv_len;
}

static size_t of_no_sa(size_t len)
{
	len = peer_esp(peer, ++peer->sequence, IPPROTO_IPIP, inner, len, esp);
	wire_write32(esp, peer->to_hq.spi ^ 1u << TABLES_SPI_INDEX_BITS);
	return len;
}

/* Authentic, and yet refused. */
static size_t not_allowed(size_t len)
{
	wire_write32(inner + 16, HQ_WAN);
	wire_ipv4_checksum(inner);
	return peer_esp(peer, ++peer->sequence, IPPROTO_IPIP, inner, len, esp);
}

static size_t dummy(size_t len)
{
	return peer_esp(peer, ++peer->sequence, IPPROTO_NONE, inner, len, esp);
}

static size_t used_up(size_t len)
{
	peer = &spent;
	len = peer_inner(peer, LAN_HOST, PAYLOAD_MIN, inner);
	return peer_esp(peer, ++peer->sequence, IPPROTO_IPIP, inner, len, esp);
}

static size_t good(size_t len)
{
	accepted[peer - peers] = ++peer->sequence;
	return peer_esp(peer, peer->sequence, IPPROTO_IPIP, inner, len, esp);
}

static const struct {
	size_t (*make)(size_t inner_len);
	enum reason reason;
} faults_in[] = {
	{forged, REASON_DROP_ICV},
	{replayed, REASON_DROP_REPLAYED},
	{truncated, REASON_DROP_ESP_LENGTH},
	{emptied, REASON_DROP_ESP_LENGTH},
	{of_no_sa, REASON_DROP_UNKNOWN_SPI},
	{not_allowed, REASON_DROP_SELECTOR},
	{dummy, REASON_DROP_DUMMY},
	{used_up, REASON_DROP_HARD_LIFETIME},
};

/* Of another length at each place, so that none passes for another. */
static size_t inner_make(uint32_t place)
{
	peer = &peers[place % PEERS];
	return peer_inner(peer, LAN_HOST, PAYLOAD_MIN + place, inner);
}

static void expect_inner(uint32_t place)
{
	size_t len = inner_make(place);

	assert_true(harness_receive(1, &frame));
	wire_forward(inner);
	assert_int_equal(frame.len, WIRE_ETHERNET_LEN + len);
	assert_memory_equal(frame.bytes + WIRE_ETHERNET_LEN, inner, len);
}

static void burst_in(size_t (*fault)(size_t inner_len), uint32_t bad)
{
	for (uint32_t place = 0; place < BURST; place++) {
		size_t len = inner_make(place);

		len = place == bad ? fault(len) : good(len);
		harness_send_ip(0, 0, GATEWAY, packet, peer_outer(peer, 0, esp, len, packet));
	}
	harness_turn();
	for (uint32_t place = 0; place < BURST; place++)
		if (place != bad)
			expect_inner(place);
	assert_false(harness_receive(1, &frame));
}

static void peers_open(uint32_t suite)
{
	struct peer_options options = {
		.bare = suite % 2, .fragment = TUNNEL_FRAGMENT_AFTER, .df = TUNNEL_DF_COPY, .suite = suite};

	for (unsigned int i = 0; i < PEERS; i++) {
		peer_open(&peers[i], i + 1, &options);
		options.suite = options.suite % (ESP_SUITE_COUNT - 1) + 1;
	}
	options.hard_bytes = 1;
	peer_open(&spent, PEERS + 1, &options);
	sa_numbers(&harness.dataplane.sas, spent.child)->sequence = UINT32_MAX;
}

static void peers_close(void)
{
	for (unsigned int i = 0; i < PEERS; i++)
		peer_close(&peers[i]);
	peer_close(&spent);
}

static void test_inbound(void **state)
{
	uint64_t before;

	(void)state;
	for (uint32_t suite = ESP_SUITE_NONE + 1; suite < ESP_SUITE_COUNT; suite++) {
		peers_open(suite);
		burst_in(good, BURST); /* without a bad one */
		for (size_t i = 0; i < sizeof(faults_in) / sizeof(faults_in[0]); i++) {
			before = harness_count(faults_in[i].reason);
			for (uint32_t bad = 0; bad < BURST; bad++)
				burst_in(faults_in[i].make, bad);
			assert_int_equal(harness_count(faults_in[i].reason) - before, BURST);
		}
		peers_close();
	}
}

/* From HQ: each makes of a good frame, `len` bytes in `packet`, one in a buffer that is refused. */
static struct rte_mbuf *sent(size_t len)
{
	return harness_mbuf(packet, len);
}

static uint8_t *ip_of(uint8_t *bytes)
{
	return bytes + WIRE_ETHERNET_LEN;
}

static struct rte_mbuf *worn_out(size_t len)
{
	ip_of(packet)[8] = 1;
	wire_ipv4_checksum(ip_of(packet));
	return sent(len);
}

static struct rte_mbuf *of_nobody(size_t len)
{
	wire_write32(ip_of(packet) + 16, ELSEWHERE);
	wire_ipv4_checksum(ip_of(packet));
	return sent(len);
}

static struct rte_mbuf *to_used_up(size_t len)
{
	wire_write32(ip_of(packet) + 16, spent.host);
	wire_ipv4_checksum(ip_of(packet));
	return sent(len);
}

static struct rte_mbuf *too_long(size_t len)
{
	(void)len;
	wire_write16(ip_of(packet) + 2, TOO_LONG);
	wire_write16(ip_of(packet) + 6, WIRE_DF);
	wire_ipv4_checksum(ip_of(packet));
	return sent(WIRE_ETHERNET_LEN + TOO_LONG);
}

/* Refused where it is encrypted, when it has its number already. */
static struct rte_mbuf *without_room(size_t len)
{
	struct rte_mbuf *mbuf = sent(len);

	memmove(mbuf->buf_addr, packet, len);
	mbuf->data_off = 0;
	return mbuf;
}

/* Likewise: longer than ESP can be. */
static struct rte_mbuf *uncountable(size_t len)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(harness.dataplane.jumbos);

	assert_non_null(mbuf);
	mbuf->data_off = 0;
	wire_write16(ip_of(packet) + 2, LONGEST);
	wire_write16(ip_of(packet) + 6, 0);
	wire_ipv4_checksum(ip_of(packet));
	memcpy(rte_pktmbuf_append(mbuf, WIRE_ETHERNET_LEN + LONGEST), packet, len);
	return mbuf;
}

static const struct {
	struct rte_mbuf *(*make)(size_t len);
	enum reason reason;
	bool is_numbered, is_told; /* with an ICMP error */
} faults_out[] = {
	{worn_out, REASON_DROP_TTL, false, true},
	{of_nobody, REASON_DROP_NO_POLICY, false, false},
	{too_long, REASON_DROP_MTU, false, true},
	{to_used_up, REASON_DROP_HARD_LIFETIME, false, false},
	{without_room, REASON_DROP_NO_ROOM, true, false},
	{uncountable, REASON_DROP_CRYPTO, true, false},
};

static size_t frame_make(uint32_t place)
{
	uint8_t mac[WIRE_MAC_LEN];
	size_t len;

	peer = &peers[place % PEERS];
	len = peer_inner_back(peer, PAYLOAD_MIN + place, inner);
	/* What the outer header takes over is another at each place, too. */
	inner[1] = (uint8_t)(place << 2);
	wire_write16(inner + 6, place % 3 ? WIRE_DF : 0);
	wire_ipv4_checksum(inner);
	harness_mac(LAN_HOST, mac);
	return wire_ethernet(packet, harness_port_mac(1), mac, WIRE_TYPE_IPV4, inner, len);
}

static void expect_esp(uint32_t place)
{
	static uint8_t opened[WIRE_MAX];
	uint64_t before;
	size_t len;

	frame_make(place);
	before = peer->hq_sequence;
	len = wire_total_len(inner);
	assert_true(harness_receive(0, &frame));
	wire_forward(inner);
	assert_int_equal(peer_receive(peer, &frame, opened), len);
	assert_memory_equal(opened, inner, len);
	assert_int_equal(peer->hq_tos, inner[1]);
	assert_int_equal(peer->hq_fragment, wire_read16(inner + 6));
	assert_int_equal(peer->hq_sequence, before + 1);
}

static void burst_out(size_t fault, uint32_t bad)
{
	for (uint32_t place = 0; place < BURST; place++) {
		size_t len = frame_make(place);
		struct rte_mbuf *mbuf = place == bad ? faults_out[fault].make(len) : sent(len);

		assert_int_equal(rte_ring_enqueue(harness_wire_in(1, 0), mbuf), 0);
	}
	harness_turn();
	for (uint32_t place = 0; place < BURST; place++) {
		if (place != bad)
			expect_esp(place);
		else if (faults_out[fault].is_numbered)
			peers[place % PEERS].hq_sequence++;
	}
	assert_false(harness_receive(0, &frame));
	if (faults_out[fault].is_told && harness_receive(1, &frame))
		assert_int_equal(ip_of(frame.bytes)[9], IPPROTO_ICMP);
	assert_false(harness_receive(1, &frame));
}

static void test_outbound(void **state)
{
	uint64_t before;

	(void)state;
	for (uint32_t suite = ESP_SUITE_NONE + 1; suite < ESP_SUITE_COUNT; suite++) {
		peers_open(suite);
		for (size_t i = 0; i < sizeof(faults_out) / sizeof(faults_out[0]); i++) {
			before = harness_count(faults_out[i].reason);
			for (uint32_t bad = 0; bad < BURST; bad++)
				burst_out(i, bad);
			assert_int_equal(harness_count(faults_out[i].reason) - before, BURST);
		}
		peers_close();
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_inbound),
		TEST(test_outbound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
