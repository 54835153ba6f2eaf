/* SPDX-License-Identifier: Apache-2.0 */
/* Bypass and discard rules: what each field means, their order, and which packets they are for. */
#include "peer.h"
#include "small_world.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ELSEWHERE = 0x08080808, FIRST = 5000, LAST = 5010 };

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], inner[WIRE_MAX];

static struct prefix prefix_of(uint32_t address, uint8_t len)
{
	struct address start = address_ipv4(address);

	return prefix_make(&start, len);
}

static void rule_add(enum config_action action, struct prefix source, struct prefix destination, uint16_t protocol,
	uint16_t first, uint16_t last)
{
	struct config *config = &harness.config;

	assert_true(config->n_rules < CONFIG_RULES_MAX);
	config->rules[config->n_rules++] = (struct config_rule){
		.action = action,
		.source = source,
		.destination = destination,
		.protocol = protocol,
		.port = {first, last},
	};
	rules_fill(&harness.dataplane.rules, config);
}

static void rule_for_all(enum config_action action)
{
	rule_add(action, prefix_of(0, 0), prefix_of(0, 0), CONFIG_PROTOCOL_ANY, 0, 0);
}

/* A packet with that destination port, or its bytes where the protocol has none; into `packet`. */
static size_t transit(uint32_t source, uint32_t destination, uint8_t protocol, uint16_t port, uint16_t fragment)
{
	struct wire_ipv4 header = {.source = source,
		.destination = destination,
		.protocol = protocol,
		.fragment = fragment,
		.options_len = 8};
	static uint8_t payload[16];

	wire_write16(payload + 2, port);
	return wire_ipv4(packet, &header, payload, sizeof(payload));
}

static int64_t found(size_t len)
{
	const struct rule_list *list = &harness.dataplane.rules;
	const struct rule *rule;
	uint8_t *exact = malloc(len); /* a sanitizer sees a step beyond it */

	assert_non_null(exact);
	memcpy(exact, packet, len);
	rule = rules_find(list, exact, (uint32_t)len);
	free(exact);
	return rule ? rule - list->rules : -1;
}

static void test_fields(void **state)
{
	struct wire_ipv4 header = {.source = LAN_HOST, .destination = ELSEWHERE, .protocol = IPPROTO_TCP};

	(void)state;
	assert_int_equal(found(transit(LAN_HOST, ELSEWHERE, IPPROTO_TCP, FIRST, 0)), -1);
	rule_add(CONFIG_ACTION_BYPASS, prefix_of(LAN, 24), prefix_of(ELSEWHERE, 32), IPPROTO_TCP, FIRST, LAST);
	for (uint16_t port = FIRST - 1; port <= LAST + 1; port++)
		assert_int_equal(found(transit(LAN_HOST, ELSEWHERE, IPPROTO_TCP, port, 0)),
			port >= FIRST && port <= LAST ? 0 : -1);
	assert_int_equal(found(transit(LAN_HOST, ELSEWHERE, IPPROTO_UDP, FIRST, 0)), -1);
	assert_int_equal(found(transit(LAN_HOST, ELSEWHERE + 1, IPPROTO_TCP, FIRST, 0)), -1);
	assert_int_equal(found(transit(LAN + 256, ELSEWHERE, IPPROTO_TCP, FIRST, 0)), -1);
	assert_int_equal(found(transit(ELSEWHERE, LAN_HOST, IPPROTO_TCP, FIRST, 0)), -1);
	/* The first piece has ports, the others have none, whatever their bytes look like. */
	assert_int_equal(found(transit(LAN_HOST, ELSEWHERE, IPPROTO_TCP, FIRST, WIRE_MF)), 0);
	assert_int_equal(found(transit(LAN_HOST, ELSEWHERE, IPPROTO_TCP, FIRST, WIRE_MF | 1)), -1);
	assert_int_equal(found(transit(LAN_HOST, ELSEWHERE, IPPROTO_TCP, FIRST, WIRE_OFFSET_MASK)), -1);
	/* Nor has a packet that ends before them. */
	for (size_t len = 0; len < 4; len++)
		assert_int_equal(found(wire_ipv4(packet, &header, "\0\0\x13\x88", len)), -1);
	assert_int_equal(found(wire_ipv4(packet, &header, "\0\0\x13\x88", 4)), 0);
	/* Without a port every piece matches. */
	rule_add(CONFIG_ACTION_DISCARD, prefix_of(0, 0), prefix_of(0x08000000, 8), IPPROTO_TCP, 0, 0);
	assert_int_equal(found(transit(LAN_HOST, ELSEWHERE, IPPROTO_TCP, FIRST, WIRE_MF | 1)), 1);
	assert_int_equal(found(transit(LAN_HOST, ELSEWHERE, IPPROTO_ICMP, FIRST, 0)), -1);
	/* Of several the first. */
	rule_for_all(CONFIG_ACTION_BYPASS);
	assert_int_equal(found(transit(LAN_HOST, ELSEWHERE, IPPROTO_TCP, FIRST, 0)), 0);
	assert_int_equal(found(transit(LAN_HOST, ELSEWHERE, IPPROTO_TCP, FIRST - 1, 0)), 1);
	assert_int_equal(found(transit(LAN_HOST, ELSEWHERE, IPPROTO_ICMP, FIRST, 0)), 2);
}

/* What is in `packet` leaves in the clear, as a router would send it. */
static void expect_clear(uint16_t port, uint32_t station, size_t len)
{
	static uint8_t expected[WIRE_MAX];
	uint8_t mac[WIRE_MAC_LEN];

	harness_turn();
	harness_mac(station, mac);
	wire_forward(packet);
	assert_true(harness_receive(port, &frame));
	assert_int_equal(frame.len, wire_ethernet(expected, mac, harness_port_mac(port), WIRE_TYPE_IPV4, packet, len));
	assert_memory_equal(frame.bytes, expected, frame.len);
	harness_expect_no_frame();
}

static void expect_drop(enum reason reason)
{
	uint64_t before = harness_count(reason);

	harness_turn();
	assert_int_equal(harness_count(reason), before + 1);
	harness_expect_no_frame();
}

static void send_from_lan(size_t len)
{
	harness_send_ip(1, 0, LAN_HOST, packet, len);
}

/* Both come before the peer's policy, and what no rule matches still goes into its tunnel. */
static void test_before_the_policies(void **state)
{
	struct peer peer;
	size_t len;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	rule_add(CONFIG_ACTION_DISCARD, prefix_of(LAN, 24), prefix_of(0, 0), IPPROTO_TCP, 5201, 5201);
	rule_add(CONFIG_ACTION_BYPASS, prefix_of(LAN, 24), prefix_of(0, 0), IPPROTO_TCP, 0, 0);
	send_from_lan(transit(LAN_HOST, peer.host, IPPROTO_TCP, 5201, 0));
	expect_drop(REASON_DROP_RULE);
	len = transit(LAN_HOST, peer.host, IPPROTO_TCP, 5202, 0);
	send_from_lan(len);
	expect_clear(0, GATEWAY, len);
	assert_int_equal(harness_count(REASON_NOTE_BYPASSED), 1);
	len = transit(LAN_HOST, peer.host, IPPROTO_UDP, 5201, 0);
	send_from_lan(len);
	harness_turn();
	assert_true(harness_receive(0, &frame));
	assert_int_equal(peer_receive(&peer, &frame, inner), len);
	harness_expect_no_frame();
	/* No rule, no policy. */
	send_from_lan(transit(LAN_HOST, ELSEWHERE, IPPROTO_UDP, 5201, 0));
	expect_drop(REASON_DROP_NO_POLICY);
}

static void test_bypass_counts_hops(void **state)
{
	size_t len;

	(void)state;
	rule_for_all(CONFIG_ACTION_BYPASS);
	len = transit(LAN_HOST, ELSEWHERE, IPPROTO_UDP, 9, 0);
	packet[8] = 1;
	wire_ipv4_checksum(packet);
	send_from_lan(len);
	harness_turn();
	assert_int_equal(harness_count(REASON_DROP_TTL), 1);
	/* Its sender is told: ICMP time exceeded. */
	assert_true(harness_receive(1, &frame));
	assert_int_equal(frame.bytes[WIRE_ETHERNET_LEN + WIRE_IPV4_LEN], 11);
	harness_expect_no_frame();
}

static size_t from_peer(struct peer *peer, uint32_t destination, uint16_t port)
{
	size_t len = transit(peer->host, destination, IPPROTO_UDP, port, 0);

	peer_send(peer, 0, packet, len);
	return len;
}

/* What came out of a tunnel is in transit, too; but not what is for us. */
static void test_decrypted(void **state)
{
	struct prefix all = prefix_of(0x0a000000, 8);
	struct peer a, b;
	size_t len;

	(void)state;
	peer_open(&a, 1, &(struct peer_options){.local_network = all});
	peer_open(&b, 2, &(struct peer_options){.local_network = all});
	rule_add(CONFIG_ACTION_DISCARD, prefix_of(0, 0), prefix_of(0, 0), IPPROTO_UDP, 53, 53);
	from_peer(&a, LAN_HOST, 53);
	expect_drop(REASON_DROP_RULE);
	from_peer(&a, b.host, 53);
	expect_drop(REASON_DROP_RULE);
	len = from_peer(&a, LAN_HOST, 54);
	expect_clear(1, LAN_HOST, len);
	len = from_peer(&a, HQ_LAN, 53);
	harness_turn();
	assert_true(harness_receive_kernel(1, &frame));
	assert_memory_equal(frame.bytes + WIRE_ETHERNET_LEN, packet, len);
	harness_expect_no_frame();
	/* From tunnel to tunnel, unless a rule says otherwise. */
	len = from_peer(&a, b.host, 54);
	harness_turn();
	assert_true(harness_receive(0, &frame));
	assert_int_equal(peer_receive(&b, &frame, inner), len);
	rule_add(CONFIG_ACTION_BYPASS, prefix_of(0, 0), prefix_of(b.host, 32), IPPROTO_UDP, 0, 0);
	len = from_peer(&a, b.host, 54);
	expect_clear(0, GATEWAY, len);
	/* A rule is no way around the SA's selectors. */
	len = transit(b.host, LAN_HOST, IPPROTO_UDP, 54, 0);
	peer_send(&a, 0, packet, len);
	expect_drop(REASON_DROP_SELECTOR);
}

/* Our own host's packets are its firewall's business. */
static void test_not_for_our_own(void **state)
{
	uint8_t mac[WIRE_MAC_LEN];
	struct peer peer;
	size_t len;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	rule_for_all(CONFIG_ACTION_DISCARD);
	harness_mac(GATEWAY, mac);
	len = transit(HQ_LAN, peer.host, IPPROTO_UDP, 9, 0);
	harness_send_kernel(0, inner, wire_ethernet(inner, mac, harness_port_mac(0), WIRE_TYPE_IPV4, packet, len));
	harness_turn();
	assert_true(harness_receive(0, &frame));
	assert_int_equal(peer_receive(&peer, &frame, inner), len);
	len = transit(HQ_LAN, ELSEWHERE, IPPROTO_UDP, 9, 0);
	len = wire_ethernet(inner, mac, harness_port_mac(0), WIRE_TYPE_IPV4, packet, len);
	harness_send_kernel(0, inner, len);
	harness_turn();
	assert_true(harness_receive(0, &frame));
	assert_memory_equal(frame.bytes, inner, len);
	send_from_lan(transit(LAN_HOST, HQ_LAN, IPPROTO_UDP, 9, 0));
	harness_turn();
	assert_true(harness_receive_kernel(1, &frame));
	harness_expect_no_frame();
}

/* At random, beside nothing but the words of the header. */
static void test_at_random(void **state)
{
	struct config *config = &harness.config;

	(void)state;
	srand(3);
	for (int i = 0; i < 40; i++)
		rule_add((enum config_action)(rand() % 2), prefix_of(random_address(), random_len()),
			prefix_of(random_address(), random_len()), rand() % 2 ? IPPROTO_TCP : CONFIG_PROTOCOL_ANY, 0,
			0);
	for (int i = 0; i < 20000; i++) {
		struct address source = address_ipv4(random_address()), destination = address_ipv4(random_address());
		uint8_t protocol = rand() % 2 ? IPPROTO_TCP : IPPROTO_UDP;
		int64_t expected = 0;

		while (expected < config->n_rules &&
			!(prefix_contains_address(&config->rules[expected].source, &source) &&
				prefix_contains_address(&config->rules[expected].destination, &destination) &&
				(config->rules[expected].protocol == CONFIG_PROTOCOL_ANY ||
					config->rules[expected].protocol == protocol)))
			expected++;
		assert_int_equal(
			found(transit(address_to_ipv4(&source), address_to_ipv4(&destination), protocol, 1, 0)),
			expected < config->n_rules ? expected : -1);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_fields),
		TEST(test_before_the_policies),
		TEST(test_bypass_counts_hops),
		TEST(test_decrypted),
		TEST(test_not_for_our_own),
		TEST(test_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
