/* SPDX-License-Identifier: Apache-2.0 */
/* ESP of sessions whose transport is TCP: between workers and a sluiced that the test plays, on a pair of sockets. */
#include "peer.h"

#include "relay.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], inner[WIRE_MAX], message[BUNDLE_LEN_MAX];
static struct peer peer;
static int ours = -1, theirs = -1; /* the data plane's end, and sluiced's */

static void attach(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	ours = ends[0];
	theirs = ends[1];
	relay_attach(&harness.dataplane, ours);
}

static void detach(void)
{
	relay_attach(&harness.dataplane, -1);
	close(ours);
	close(theirs);
	ours = theirs = -1;
}

static int setup(void **state)
{
	harness_setup(state);
	attach();
	return 0;
}

static int setup_two_workers(void **state)
{
	harness_setup_two_workers(state);
	attach();
	return 0;
}

static int teardown(void **state)
{
	if (ours >= 0)
		detach();
	return harness_teardown(state);
}

static void send_out(const struct peer *to, size_t payload_len)
{
	harness_send_ip(1, 0, LAN_HOST, packet, peer_inner_back(to, payload_len, packet));
	harness_turn();
}

/* The next message to sluiced; its length, 0 when there is none. */
static size_t receive_message(void)
{
	ssize_t received;

	(void)relay_send(&harness.dataplane);
	received = recv(theirs, message, sizeof(message), 0);
	assert_true(received > 0 || (received < 0 && errno == EAGAIN));
	return received > 0 ? (size_t)received : 0;
}

static void give(const void *bytes, size_t len)
{
	assert_int_equal(send(theirs, bytes, len, 0), len);
	assert_true(relay_receive(&harness.dataplane));
	harness_turn();
}

static void pass_both_ways(struct peer *with, size_t payload_len)
{
	size_t len = 0, at = 0, sent_len;
	struct bundle_packet bundled;

	send_out(with, payload_len);
	len = receive_message();
	assert_true(bundle_next(message, len, &at, &bundled));
	assert_int_equal(at, len);
	sent_len = peer_inner_back(with, payload_len, packet);
	assert_int_equal(peer_receive_bundled(with, &bundled, inner), sent_len);
	assert_memory_equal(inner + sent_len - payload_len, packet + sent_len - payload_len, payload_len);

	sent_len = with->inner_ipv6 ? peer_inner_6(with, LAN_HOST_6, payload_len, packet)
				    : peer_inner(with, LAN_HOST, payload_len, packet);
	len = 0;
	peer_bundle(with, packet, sent_len, message, &len);
	give(message, len);
	assert_true(harness_receive(1, &frame));
	assert_int_equal(frame.len, WIRE_ETHERNET_LEN + sent_len);
	assert_memory_equal(frame.bytes + frame.len - payload_len, packet + sent_len - payload_len, payload_len);
	harness_expect_no_frame();
}

static void test_both_ways(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		peer_open(
			&peer, i + 1, &(struct peer_options){.stream = true, .outer_ipv6 = i & 1, .inner_ipv6 = i & 2});
		for (size_t len = 0; len <= 1400; len += 100)
			pass_both_ways(&peer, len);
	}
}

/* 1,500 bytes fit, although with ESP they are more than any port takes: TCP cuts its segments by itself. */
static void test_nothing_is_cut(void **state)
{
	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	assert_true(harness.tables.children[peer.child].inner_mtu > 9000);
	pass_both_ways(&peer, 1472);
	assert_int_equal(harness_count(REASON_IN_CUT), 0);
}

/* As long as sluiced has any for it: it does not fit an ordinary buffer. */
static void test_a_long_one_comes_in(void **state)
{
	size_t len = 0, sent_len;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	sent_len = peer_inner(&peer, LAN_HOST, 8000, packet);
	peer_bundle(&peer, packet, sent_len, message, &len);
	give(message, len);
	for (size_t got = 0; got < 8000;) {
		assert_true(harness_receive(1, &frame));
		got += frame.len - WIRE_ETHERNET_LEN - WIRE_IPV4_LEN;
	}
}

static void test_many_in_one_message(void **state)
{
	enum { MANY = 40 };
	struct bundle_packet bundled;
	struct peer other;
	size_t len, at = 0;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	peer_open(&other, 2, &(struct peer_options){.stream = true});
	for (size_t i = 0; i < MANY; i++)
		send_out(i % 2 ? &other : &peer, i);
	len = receive_message();
	for (size_t i = 0; i < MANY; i++) {
		assert_true(bundle_next(message, len, &at, &bundled));
		assert_int_equal(peer_receive_bundled(i % 2 ? &other : &peer, &bundled, inner),
			WIRE_IPV4_LEN + WIRE_UDP_LEN + i);
	}
	assert_int_equal(at, len);
	len = 0;
	for (size_t i = 0; i < MANY; i++)
		peer_bundle(&peer, packet, peer_inner(&peer, LAN_HOST, i, packet), message, &len);
	give(message, len);
	for (size_t i = 0; i < MANY; i++) {
		assert_true(harness_receive(1, &frame));
		assert_int_equal(frame.len, WIRE_ETHERNET_LEN + WIRE_IPV4_LEN + WIRE_UDP_LEN + i);
	}
}

/* What is more than one message holds goes in several. */
static void test_more_than_a_message(void **state)
{
	enum { MANY = 200 };
	struct bundle_packet bundled;
	size_t len, total = 0, messages = 0;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	for (size_t i = 0; i < MANY; i++)
		send_out(&peer, 1472);
	for (; (len = receive_message()) > 0; messages++)
		for (size_t at = 0; bundle_next(message, len, &at, &bundled); total++)
			peer_receive_bundled(&peer, &bundled, inner);
	assert_int_equal(total, MANY);
	assert_in_range(messages, 4, 10);
}

static void test_to_the_owner(void **state)
{
	struct peer peers[4];

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		peer_open(&peers[i], i + 1, &(struct peer_options){.stream = true});
		pass_both_ways(&peers[i], 200);
	}
	assert_int_equal(harness_count(REASON_IN_HANDOFF), 4);
	assert_int_equal(harness_count(REASON_DROP_HANDOFF), 0);
}

/* What is not authentic, or came before, or is for nobody, goes the way of all such packets. */
static void test_what_is_refused(void **state)
{
	static const uint8_t shortest[] = {0x80, 0, 0, 0, 0, 0, 0};
	struct bundle_head head = {.index = TABLES_NONE, .packet_len = sizeof(shortest)};
	size_t len = 0, esp_len;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	peer_bundle(&peer, packet, peer_inner(&peer, LAN_HOST, 100, packet), message, &len);
	esp_len = len;
	memcpy(message + len, message, esp_len); /* again */
	len += esp_len;
	peer_bundle(&peer, packet, peer_inner(&peer, LAN_HOST, 100, packet), message, &len);
	message[len - 1] ^= 1;
	assert_true(bundle_add(message, &len, &head, shortest));
	head.packet_len = 40;
	memset(packet, 0xee, 40);
	assert_true(bundle_add(message, &len, &head, packet));
	give(message, len);
	assert_int_equal(harness_count_frames(1), 1);
	assert_int_equal(harness_count(REASON_DROP_REPLAYED), 1);
	assert_int_equal(harness_count(REASON_DROP_ICV), 1);
	assert_int_equal(harness_count(REASON_DROP_ESP_LENGTH), 1);
	assert_int_equal(harness_count(REASON_DROP_UNKNOWN_SPI), 1);
	assert_int_equal(harness_count(REASON_IN_STREAM), 5);
}

/* A message that is no bundle does no harm: what is whole in it counts. */
static void test_no_bundle(void **state)
{
	size_t len = 0;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	peer_bundle(&peer, packet, peer_inner(&peer, LAN_HOST, 100, packet), message, &len);
	for (size_t cut = 1; cut < len; cut++)
		give(message, cut);
	memset(message + len, 0xff, 16); /* a head with a length that can't be */
	give(message, len + 16);
	assert_int_equal(harness_count(REASON_IN_STREAM), 1);
	assert_int_equal(harness_count_frames(1), 1);
}

/* Where it comes from is sluiced's to say. A session that is elsewhere by then is not moved by it. */
static void test_teaches_no_address(void **state)
{
	size_t len = 0;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	peer_bundle(&peer, packet, peer_inner(&peer, LAN_HOST, 100, packet), message, &len);
	give(message, len);
	assert_int_equal(harness_count_frames(1), 1);
	assert_int_equal(harness_count(REASON_NOTE_MOVED), 0);
	follow_apply(&harness.dataplane, harness.dataplane.workers[0].now);
	harness_take_events();
	assert_int_equal(harness_count_events(TABLES_EVENT_MOVED), 0);
	/* Nor is one of a stream moved by what comes in UDP: its connection says where it is. */
	peer_close(&peer);
	peer_open(&peer, 2, &(struct peer_options){.stream = true});
	peer.udp = true;
	peer.port = PEER_NAT_PORT;
	peer.hq_port = HARNESS_NAT_PORT;
	peer_send(&peer, 0, packet, peer_inner(&peer, LAN_HOST, 100, packet));
	assert_int_equal(harness_count_frames(1), 1);
	follow_apply(&harness.dataplane, harness.dataplane.workers[0].now);
	harness_take_events();
	assert_int_equal(harness_count_events(TABLES_EVENT_MOVED), 0);
}

static void test_moves_between_transports(void **state)
{
	struct endpoint local, remote;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	local = harness.tables.sessions[peer.session].local;
	remote = harness.tables.sessions[peer.session].remote;
	assert_true(harness.tables.children[peer.child].inner_mtu < 1500);
	writer_session_move(harness.writer, peer.session, &local, &remote, TABLES_ENCAPSULATION_STREAM);
	harness_settle();
	assert_true(harness.tables.children[peer.child].inner_mtu > 1500);
	pass_both_ways(&peer, 1000);
	writer_session_move(harness.writer, peer.session, &local, &remote, TABLES_ENCAPSULATION_UDP);
	harness_settle();
	assert_true(harness.tables.children[peer.child].inner_mtu < 1500);
	peer_pass_out(&peer, packet, peer_inner_back(&peer, 300, packet), inner);
	assert_int_equal(receive_message(), 0);
}

/* Packets that wait for the main thread when their session ends go nowhere. */
static void test_session_has_ended(void **state)
{
	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	send_out(&peer, 100);
	peer_close(&peer);
	assert_int_equal(receive_message(), 0);
	assert_int_equal(harness_count(REASON_NOTE_STREAM_AWAY), 1);
}

static void test_sluiced_goes_and_comes(void **state)
{
	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	close(theirs);
	theirs = -1;
	assert_false(relay_receive(&harness.dataplane));
	detach();
	send_out(&peer, 100);
	assert_int_equal(relay_send(&harness.dataplane), 1);
	assert_int_equal(harness_count(REASON_NOTE_STREAM_AWAY), 1);
	attach();
	pass_both_ways(&peer, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_long_one_comes_in, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_in_one_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_than_a_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_to_the_owner, setup_two_workers, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_bundle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_teaches_no_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moves_between_transports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_session_has_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sluiced_goes_and_comes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
