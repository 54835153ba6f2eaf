/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane asks for, done whole or not at all; rekeying, moving, and the end of things. */
#include "peer.h"

#include "changes.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], inner[WIRE_MAX];

static void send_out(const struct peer *peer)
{
	struct wire_ipv4 header = {.source = LAN_HOST, .destination = peer->host, .protocol = IPPROTO_UDP};

	harness_send_ip(1, 0, LAN_HOST, packet, wire_ipv4(packet, &header, "to a peer", 9));
	harness_turn();
}

/* The next packet to the peer's network is sealed by this child SA, to where `peer` says that it is. */
static void expect_sealed(struct peer *peer)
{
	send_out(peer);
	assert_true(harness_receive(0, &frame));
	peer_receive(peer, &frame, inner);
}

static void expect_opened(struct peer *peer, bool opened)
{
	peer_send(peer, 0, inner, peer_inner(peer, LAN_HOST, 10, inner));
	harness_turn();
	assert_int_equal(harness_receive(1, &frame), opened);
}

static void test_rekey(void **state)
{
	struct peer old, new;

	(void)state;
	peer_open(&old, 1, &(struct peer_options){0});
	expect_sealed(&old);
	/* Installed: it opens, and what goes out stays with the old one until it is activated. */
	peer_rekey(&old, &new, &(struct peer_options){.passive = true, .suite = ESP_AES256_CBC_SHA1_96});
	expect_opened(&new, true);
	expect_sealed(&old);
	writer_child_activate(harness.writer, new.child);
	harness_settle();
	expect_sealed(&new);
	expect_opened(&old, true);
	/* The newer one fails: back to the older. */
	writer_child_remove(harness.writer, new.child);
	harness_settle();
	expect_sealed(&old);
	expect_opened(&new, false);
	/* Again, and this time the older one goes. */
	peer_rekey(&old, &new, &(struct peer_options){0});
	writer_child_remove(harness.writer, old.child);
	harness_settle();
	expect_sealed(&new);
	expect_opened(&old, false);
	expect_opened(&new, true);
	writer_child_remove(harness.writer, new.child);
	harness_settle();
	send_out(&new);
	assert_false(harness_receive(0, &frame));
	assert_int_equal(harness_count(REASON_DROP_NO_POLICY), 1);
	/* The session is still there. */
	peer_rekey(&old, &new, &(struct peer_options){0});
	expect_sealed(&new);
	assert_int_equal(writer_children_free(harness.writer), 63);
}

/* What is not active is nobody's successor. */
static void test_passive_is_no_fallback(void **state)
{
	struct peer active, passive;

	(void)state;
	peer_open(&active, 1, &(struct peer_options){0});
	peer_rekey(&active, &passive, &(struct peer_options){.passive = true});
	writer_child_remove(harness.writer, active.child);
	harness_settle();
	send_out(&passive);
	assert_int_equal(harness_count(REASON_DROP_NO_OUTBOUND), 1);
}

static void session_move(struct peer *peer, struct peer *other, uint32_t address, uint16_t port)
{
	struct endpoint local = {.address = address_ipv4(HQ_WAN), .port = port ? HARNESS_NAT_PORT : 0};
	struct endpoint remote = {.address = address_ipv4(address), .port = port};

	peer->address = other->address = address;
	peer->port = other->port = port;
	peer->udp = other->udp = port != 0;
	writer_session_move(harness.writer, peer->session, &local, &remote,
		port ? TABLES_ENCAPSULATION_UDP : TABLES_ENCAPSULATION_ESP);
}

/* One move, all children. */
static void test_move(void **state)
{
	struct address net = address_ipv4(0x0afa0000);
	struct peer first, second;

	(void)state;
	peer_open(&first, 1, &(struct peer_options){0});
	peer_rekey(&first, &second, &(struct peer_options){.remote_network = prefix_make(&net, 16)});
	second.host = 0x0afa0005;
	for (uint32_t i = 0; i < 5; i++) {
		session_move(&first, &second, 0xc6336440 + i, (uint16_t)(i % 2 ? 0 : 5000 + i));
		harness_settle();
		expect_sealed(&first);
		expect_sealed(&second);
	}
	/* Three at once: the last one counts. */
	for (uint32_t i = 0; i < 3; i++)
		session_move(&first, &second, 0xc6336450 + i, (uint16_t)(6000 + i));
	harness_settle();
	expect_sealed(&first);
	expect_sealed(&second);
	expect_opened(&first, true);
	assert_int_equal(harness_count_events(TABLES_EVENT_MOVED), 0);
	assert_int_equal(harness.n_refused, 0);
}

static void test_session_remove(void **state)
{
	struct peer first, second, other;

	(void)state;
	peer_open(&first, 1, &(struct peer_options){0});
	peer_rekey(&first, &second, &(struct peer_options){0});
	peer_open(&other, 2, &(struct peer_options){0});
	writer_session_remove(harness.writer, first.session);
	writer_session_remove(harness.writer, first.session); /* asked twice */
	writer_child_activate(harness.writer, second.child);  /* and somebody did not know yet */
	harness_settle();
	expect_opened(&first, false);
	expect_opened(&second, false);
	send_out(&first);
	assert_int_equal(harness_count(REASON_DROP_NO_POLICY), 1);
	expect_sealed(&other);
	assert_int_equal(writer_sessions_free(harness.writer), 15);
	assert_int_equal(writer_children_free(harness.writer), 63);
	writer_session_remove(harness.writer, other.session);
	harness_settle();
	peer_expect_all_free();
}

/* A slot's next life counts its traffic from zero, and is not reached by the former SPI. */
static void test_slots_are_new(void **state)
{
	struct tables_traffic traffic;
	struct peer peer, next;

	(void)state;
	harness_open(&(struct harness_options){.max_children = 1, .max_sessions = 1});
	peer_open(&peer, 1, &(struct peer_options){0});
	expect_sealed(&peer);
	expect_opened(&peer, true);
	tables_sum_traffic(&harness.tables, peer.child, &traffic);
	assert_int_equal(traffic.packets_out, 1);
	assert_int_equal(traffic.bytes_out, 29);
	assert_int_equal(traffic.packets_in, 1);
	assert_int_equal(traffic.bytes_in, 38);
	writer_session_remove(harness.writer, peer.session);
	harness_settle();
	peer_open(&next, 2, &(struct peer_options){0});
	assert_int_equal(next.child, peer.child);
	tables_sum_traffic(&harness.tables, peer.child, &traffic);
	assert_int_equal(traffic.packets_out + traffic.bytes_out + traffic.packets_in + traffic.bytes_in, 0);
	expect_opened(&peer, false);
	expect_opened(&next, true);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_rekey),
		TEST(test_passive_is_no_fallback),
		TEST(test_move),
		TEST(test_session_remove),
		TEST(test_slots_are_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
