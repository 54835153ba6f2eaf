/* SPDX-License-Identifier: Apache-2.0 */
/* IKE in a TCP connection that a worker has: both ways between the peer and sluiced, up to its end. */
#include "held.h"

#include "connections.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct peer peer;
static struct held first;
static struct held_segment segment;
static uint8_t message[BUNDLE_LEN_MAX];

static const uint8_t ike[] = "an IKE message as it stands", ike_frame_head[] = {0, 6 + sizeof(ike), 0, 0, 0, 0};
static uint8_t ike_frame[sizeof(ike_frame_head) + sizeof(ike)];

/* A live connection in which the peer has said something. */
static void say_ike(uint8_t flags)
{
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	held_open(&first, &peer, HELD_PORT);
	assert_int_equal(held_install(&first, NULL, 0), 0);
	memcpy(ike_frame, ike_frame_head, sizeof(ike_frame_head));
	memcpy(ike_frame + sizeof(ike_frame_head), ike, sizeof(ike));
	held_send(&first, 0, HELD_SEQ, HELD_ACK | HELD_PSH | flags, ike_frame, sizeof(ike_frame));
}

/* It has been sent to sluiced, too. */
static void expect_ike_sent(void)
{
	ssize_t received = recv(held_sluiced, message, sizeof(message), 0);
	struct bundle_packet bundled;
	size_t at = 0;

	assert_true(received > 0);
	assert_true(bundle_next(message, (size_t)received, &at, &bundled));
	assert_int_equal(bundled.head.kind, BUNDLE_IKE);
	assert_int_equal(bundled.head.index, first.index);
	assert_int_equal(bundled.head.id, first.id);
	assert_int_equal(bundled.head.packet_len, sizeof(ike));
	assert_memory_equal(bundled.data, ike, sizeof(ike));
	assert_int_equal(harness_count(REASON_OUT_IKE), 1);
}

static void test_ike_both_ways(void **state)
{
	struct bundle_head head = {.kind = BUNDLE_IKE, .packet_len = sizeof(ike)};
	size_t len = 0;

	(void)state;
	say_ike(0);
	(void)relay_send(&harness.dataplane);
	expect_ike_sent();

	head.index = first.index;
	head.id = first.id;
	assert_true(bundle_add(message, &len, &head, ike));
	head.id++; /* of another one that was in its slot */
	assert_true(bundle_add(message, &len, &head, ike));
	assert_int_equal(send(held_sluiced, message, len, 0), len);
	assert_true(relay_receive(&harness.dataplane));
	harness_turn();
	do
		assert_true(held_receive(&first, &segment));
	while (segment.len == 0);
	assert_int_equal(segment.len, sizeof(ike_frame));
	assert_memory_equal(segment.data, ike_frame, sizeof(ike_frame));
	assert_int_equal(harness_count(REASON_IN_IKE), 2);
	assert_int_equal(harness_count(REASON_DROP_CONNECTION_ENDED), 1);
	held_end(&first, true);
}

/* The control plane reads events when it likes: that of the end is there when the peer's last words are, and not
 * before. */
static void test_last_words(void **state)
{
	(void)state;
	say_ike(HELD_FIN);
	harness_turn();
	assert_int_equal(harness_count_events(TABLES_EVENT_CONNECTION_ENDED), 0);
	assert_true(connections_turn(&harness.dataplane) > 0);
	assert_int_equal(harness_count_events(TABLES_EVENT_CONNECTION_ENDED), 1);
	assert_int_equal(harness_last_event(TABLES_EVENT_CONNECTION_ENDED)->id, first.id);
	assert_int_equal(harness_last_event(TABLES_EVENT_CONNECTION_ENDED)->result, 0);
	expect_ike_sent();
	held_end(&first, true);
	held_expect_gone(&first);
	assert_int_equal(harness_count_events(TABLES_EVENT_CONNECTION_ENDED), 1);
}

/* It ends while it is asked to: that is told once at most, and answered. */
static void test_ends_meanwhile(void **state)
{
	uint32_t done;

	(void)state;
	say_ike(HELD_FIN);
	harness_turn();
	done = harness.n_done;
	writer_connection_end(harness.writer, first.index, true);
	writer_flush(harness.writer);
	held_settle();
	held_expect_done(done, 0);
	held_expect_gone(&first);
	assert_int_equal(harness_count_events(TABLES_EVENT_CONNECTION_ENDED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ike_both_ways, held_setup_two_workers, held_teardown),
		cmocka_unit_test_setup_teardown(test_last_words, held_setup, held_teardown),
		cmocka_unit_test_setup_teardown(test_ends_meanwhile, held_setup, held_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
