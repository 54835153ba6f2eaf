/* SPDX-License-Identifier: Apache-2.0 */
/* Which TCP connection a session goes by: the newest, the one that a move names, none; and what the next sluiced finds. */
#include "held.h"

#include "changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct peer peer;
static struct held first, second;
static struct held_segment segment;
static uint8_t packet[WIRE_MAX];
static const char text[] = "some bytes of a stream";

static void send_out(void)
{
	harness_send_ip(1, 0, LAN_HOST, packet, peer_inner_back(&peer, 100, packet));
	harness_turn();
}

static void move(const struct held *to, uint32_t encapsulation)
{
	writer_session_move(
		harness.writer, peer.session, &held_record(to)->local, &held_record(to)->remote, encapsulation);
	held_settle();
}

static void test_newest_replaces_older(void **state)
{
	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	held_open(&first, &peer, HELD_PORT);
	assert_int_equal(held_install(&first, NULL, 0), 0);
	held_open(&second, &peer, HELD_PORT + 1);
	assert_int_equal(held_connection_of(&peer), TABLES_NONE);
	assert_int_equal(held_install(&second, NULL, 0), 0);
	assert_int_equal(held_connection_of(&peer), second.index);
	assert_int_equal(harness.dataplane.sas.sessions[peer.session].outer->remote_port, HELD_PORT + 1);
	send_out();
	assert_true(held_receive(&second, &segment));
	assert_true(segment.len > 100);
	held_end(&first, true);
	assert_true(held_receive(&first, &segment));
	assert_int_equal(held_connection_of(&peer), second.index);
	held_end(&second, true);
	assert_int_equal(held_connection_of(&peer), TABLES_NONE);
}

/* The session has gone on to a newer connection, which may well stay in the kernel: it doesn't come back. */
static void test_older_is_installed_late(void **state)
{
	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	held_open(&first, &peer, HELD_PORT);
	held_open(&second, &peer, HELD_PORT + 1);
	assert_int_equal(held_install(&first, NULL, 0), 0);
	assert_int_equal(held_connection_of(&peer), TABLES_NONE);
	assert_int_equal(harness.dataplane.sas.sessions[peer.session].outer->remote_port, HELD_PORT + 1);
	assert_int_equal(held_install(&second, NULL, 0), 0);
	assert_int_equal(held_connection_of(&peer), second.index);
	held_end(&first, true);
	held_end(&second, true);
	while (harness_receive(0, &(struct wire_frame){0}))
		;
}

static void test_moves_to_udp_and_back(void **state)
{
	struct endpoint local = {.address = address_ipv4(HQ_WAN), .port = HARNESS_NAT_PORT}, remote;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	held_open(&first, &peer, HELD_PORT);
	assert_int_equal(held_install(&first, NULL, 0), 0);
	assert_true(harness.tables.children[peer.child].inner_mtu > 9000);
	remote = (struct endpoint){.address = address_ipv4(peer.address), .port = PEER_NAT_PORT};
	writer_session_move(harness.writer, peer.session, &local, &remote, TABLES_ENCAPSULATION_UDP);
	held_settle();
	assert_int_equal(held_connection_of(&peer), TABLES_NONE);
	assert_true(harness.tables.children[peer.child].inner_mtu < 1500);
	send_out();
	assert_int_equal(harness_count_frames(0), 1);
	assert_int_equal(harness_count(REASON_OUT_FRAME), 0);
	/* A connection that comes while it is in UDP does not take it away from there. */
	held_wait(&second, &peer, HELD_PORT + 1);
	assert_int_equal(held_install(&second, NULL, 0), 0);
	assert_int_equal(held_connection_of(&peer), TABLES_NONE);
	move(&first, TABLES_ENCAPSULATION_STREAM);
	assert_int_equal(held_connection_of(&peer), first.index);
	move(&second, TABLES_ENCAPSULATION_STREAM);
	assert_int_equal(held_connection_of(&peer), second.index);
	send_out();
	assert_true(held_receive(&second, &segment));
	/* Ends that no connection of a worker has are sluiced's. */
	remote.port = HELD_PORT + 2;
	writer_session_move(harness.writer, peer.session, &local, &remote, TABLES_ENCAPSULATION_STREAM);
	held_settle();
	assert_int_equal(held_connection_of(&peer), TABLES_NONE);
	/* One whose session has gone is the next session's that is between these ends. */
	peer_close(&peer);
	peer_open(&peer, 2, &(struct peer_options){.stream = true});
	assert_int_equal(held_connection_of(&peer), TABLES_NONE);
	move(&first, TABLES_ENCAPSULATION_STREAM);
	assert_int_equal(held_connection_of(&peer), first.index);
	held_end(&first, true);
	held_end(&second, true);
	while (harness_receive(0, &(struct wire_frame){0}))
		;
}

/* Segments to the peer that carry something. */
static unsigned int count_segments(const struct held *held)
{
	unsigned int count = 0;

	while (held_receive(held, &segment))
		count += segment.len > 0;
	return count;
}

/* What inner TCP is told to send is one segment of the outer one, be it sluiced's or a worker's. */
static void test_what_is_one_segment(void **state)
{
	enum { TIMESTAMPS = 12, MSS = 1460 };
	uint16_t fits, before;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	before = harness.dataplane.sas.out[peer.child].mss_mtu;
	held_open(&first, &peer, HELD_PORT);
	assert_int_equal(held_install(&first, NULL, 0), 0);
	fits = harness.dataplane.sas.out[peer.child].mss_mtu;
	assert_in_range(fits, 1380, MSS);
	assert_int_equal(fits, before);
	harness_send_ip(1, 0, LAN_HOST, packet, peer_inner_back(&peer, fits - WIRE_IPV4_LEN - WIRE_UDP_LEN, packet));
	harness_turn();
	assert_int_equal(count_segments(&first), 1);
	fits += TIMESTAMPS + 16; /* there are none in this one; and AES-GCM pads to 4 bytes */
	harness_send_ip(1, 0, LAN_HOST, packet, peer_inner_back(&peer, fits - WIRE_IPV4_LEN - WIRE_UDP_LEN, packet));
	harness_turn();
	assert_int_equal(count_segments(&first), 2);
	held_end(&first, true);
}

/* --- sluiced dies ------------------------------------------------------------------------------------------------- */

static void test_next_sluiced(void **state)
{
	struct held leaving, asked;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	held_open(&first, &peer, HELD_PORT);
	assert_int_equal(held_install(&first, NULL, 0), 0);
	held_open(&leaving, &peer, HELD_PORT + 1);
	assert_int_equal(held_install(&leaving, NULL, 0), 0);
	held_end(&leaving, false);
	held_open(&second, &peer, HELD_PORT + 2);
	held_send(&second, 0, HELD_SEQ, HELD_ACK, text, 3);
	held_ask(&asked, &peer, HELD_PORT + 3);
	/* It dies, and all that it had asked for is done. */
	writer_free(harness.writer);
	held_detach();
	changes_settle(&harness.dataplane);
	harness.writer = writer_new(&harness.tables, harness.changes_fd);
	assert_non_null(harness.writer);
	held_attach();
	held_settle();
	assert_int_equal(held_record(&first)->phase, TABLES_LIVE);
	held_expect_gone(&second);
	held_expect_gone(&asked);
	assert_int_equal(held_record(&leaving)->phase, TABLES_LEAVING);
	held_expect_kernel(&second, HELD_SEQ, text, 3);
	/* The one that it found goes on. */
	while (harness_receive(0, &(struct wire_frame){0}))
		;
	move(&first, TABLES_ENCAPSULATION_STREAM);
	send_out();
	assert_true(held_receive(&first, &segment));
	held_reset(&leaving);
	held_expect_gone(&leaving);
	held_end(&first, true);
	held_expect_gone(&first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_newest_replaces_older, held_setup, held_teardown),
		cmocka_unit_test_setup_teardown(test_older_is_installed_late, held_setup, held_teardown),
		cmocka_unit_test_setup_teardown(test_moves_to_udp_and_back, held_setup, held_teardown),
		cmocka_unit_test_setup_teardown(test_what_is_one_segment, held_setup, held_teardown),
		cmocka_unit_test_setup_teardown(test_next_sluiced, held_setup, held_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
