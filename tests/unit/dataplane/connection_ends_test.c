/* SPDX-License-Identifier: Apache-2.0 */
/* How a TCP connection comes to its owner, and how it goes. */
#include "far_end.h"
#include "tcp/frames.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MILLISECOND = 1000, SECOND = 1000 * MILLISECOND };

static struct far_end far;
static struct peer peer;
static struct wire_frame frame;
static uint8_t bytes[65536];

static void open_held(void)
{
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	far_end_open(&far, &peer);
}

static void open_live(void)
{
	open_held();
	far_end_install(&far);
}

static void close_both(void)
{
	far_end_close(&far);
	peer_close(&peer);
}

/* Until HQ says that the connection carries nothing any more. The event's result. */
static int run_until_ended(uint32_t steps, uint64_t step)
{
	for (uint32_t i = 0; i < steps && harness_count_events(TABLES_EVENT_CONNECTION_ENDED) == 0; i++) {
		far_end_step(&far, step);
		connections_turn(&harness.dataplane);
	}
	assert_int_equal(harness_count_events(TABLES_EVENT_CONNECTION_ENDED), 1);
	assert_int_equal(harness_last_event(TABLES_EVENT_CONNECTION_ENDED)->index, far.index);
	assert_int_equal(
		harness_last_event(TABLES_EVENT_CONNECTION_ENDED)->id, harness.tables.connections[far.index].id);
	return harness_last_event(TABLES_EVENT_CONNECTION_ENDED)->result;
}

/* --- held --------------------------------------------------------------------------------------------------------- */

/* What waited while it was held goes to the kernel in its order, and all that comes then. */
static void test_released(void **state)
{
	uint32_t seq = 0, next;

	(void)state;
	open_held();
	far.in.to_send = 8;
	far_end_step(&far, MILLISECOND);
	assert_int_equal(far.connection->n_held, 8);
	harness_expect_no_frame();
	assert_int_equal(far_end_release(&far), 0);
	for (int i = 0; i < 8; i++) {
		assert_true(harness_receive_kernel(0, &frame));
		next = wire_read32(frame.bytes + WIRE_ETHERNET_LEN + WIRE_IPV4_LEN + 4);
		assert_true(i == 0 || next == seq + frame.len - WIRE_ETHERNET_LEN - WIRE_IPV4_LEN - 32);
		seq = next;
	}
	far.in.to_send = 9;
	far_end_step(&far, MILLISECOND);
	assert_true(harness_receive_kernel(0, &frame));
	harness_expect_no_frame();
	close_both();
}

/* And goes into the stream when it is installed, beyond what may wait by TCP's own means. */
static void test_held_and_installed(void **state)
{
	(void)state;
	open_held();
	far.tcp.cubic.cwnd = 1 << 20;
	far.in.to_send = CONNECTION_HELD_MAX + 20;
	for (int i = 0; i < 4; i++)
		far_end_step(&far, MILLISECOND);
	assert_int_equal(far.connection->n_held, CONNECTION_HELD_MAX);
	assert_true(harness_count(REASON_DROP_CONNECTION_HELD) >= 20);
	far_end_install(&far);
	far_end_run(&far, 3000, MILLISECOND);
	far_end_expect_all(&far);
	close_both();
}

/* An IKE message as a frame; its length. */
static uint32_t ike_frame(uint8_t *at, uint32_t len)
{
	uint32_t frame_len;

	memset(at, 0xab, frame_head_len(FRAME_IKE) + len);
	assert_non_null(frame_write_head(FRAME_IKE, at + frame_head_len(FRAME_IKE), len, &frame_len));
	return frame_len;
}

/*
 * What the kernel had sent and was not acknowledged, what it had not sent yet, beginning within a frame, and what it
 * had received, ending within one.
 */
static void test_transfer_with_bytes(void **state)
{
	static uint8_t unread[4000];
	struct far_end_transfer with = {.unacknowledged = bytes, .unread = unread};
	uint32_t len = 0;

	(void)state;
	open_held();
	for (int i = 0; i < 20; i++)
		len += ike_frame(bytes + len, 500);
	with.unacknowledged_len = 4700;
	with.unsent = bytes + 4700;
	with.unsent_len = len - 4700;
	len = ike_frame(unread, 300);
	len += ike_frame(unread + len, 3000);
	with.unread_len = len - 1000;
	assert_int_equal(far_end_install_with(&far, &with), 0);
	assert_int_equal(far.connection->counters.ike_in, 1);
	/* The rest of that frame, as the far end goes on with it. */
	memcpy(bytes, unread + with.unread_len, 1000);
	far_end_send_bytes(&far, bytes, 1000);
	far.in.to_send = far.out.to_send = 100;
	far_end_run(&far, 3000, MILLISECOND);
	far_end_expect_all(&far);
	assert_int_equal(far.ike_received, 20);
	assert_int_equal(far.connection->counters.ike_in, 2);
	close_both();
}

/* More than there are buffers for is refused, all of it; and then it may go back to the kernel. */
static void test_transfer_refused(void **state)
{
	struct far_end_transfer with = {.unsent = bytes, .unsent_len = 60000};
	struct rte_mbuf *taken[4095];
	unsigned int n = 0;

	(void)state;
	open_held();
	while (rte_mempool_avail_count(harness.dataplane.packets) > 20 &&
		(taken[n] = rte_pktmbuf_alloc(harness.dataplane.packets)) != NULL)
		n++;
	assert_int_equal(far_end_install_with(&far, &with), -ENOBUFS);
	rte_pktmbuf_free_bulk(taken, n);
	assert_int_equal(far_end_release(&far), 0);
	close_both();
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

/* All that waits still arrives, then FIN. */
static void test_end_with_queued_data(void **state)
{
	(void)state;
	open_live();
	far.burst = 100;
	far.out.to_send = 100;
	far.connection->tcp.cubic.cwnd = 4 * 1448;
	far_end_step(&far, MILLISECOND);
	assert_true(far.connection->backlog.data.bytes > 0);
	far_end_end(&far, false);
	for (int i = 0; i < 200 && far.events == 0; i++)
		far_end_step(&far, MILLISECOND);
	assert_int_equal(far.events, TCP_EVENT_PEER_CLOSED);
	far_end_expect_all(&far);
	assert_false(far_end_has_ended(&far));
	tcp_close(&far.tcp);
	for (int i = 0; i < 200 && !(far.events & TCP_EVENT_CLOSED); i++)
		far_end_step(&far, MILLISECOND);
	/* HQ closed first, and waits a little. */
	for (int i = 0; i < 40 && !far_end_has_ended(&far); i++)
		far_end_step(&far, 100 * MILLISECOND);
	assert_true(far_end_has_ended(&far));
	assert_int_equal(harness_count_events(TABLES_EVENT_CONNECTION_ENDED), 0);
	close_both();
}

static void test_end_at_once(void **state)
{
	(void)state;
	open_live();
	far.burst = 100;
	far.out.to_send = 100;
	far.connection->tcp.cubic.cwnd = 4 * 1448;
	far_end_step(&far, MILLISECOND);
	far_end_end(&far, true);
	far_end_step(&far, MILLISECOND);
	far_end_step(&far, MILLISECOND);
	assert_int_equal(far.events, TCP_EVENT_RESET);
	assert_true(far_end_has_ended(&far));
	assert_true(harness_count(REASON_DROP_CONNECTION_ENDED) > 0);
	close_both();
}

/* What it had sent before counts; HQ closes its side, too. */
static void test_peer_closes(void **state)
{
	(void)state;
	open_live();
	far.in.to_send = 8;
	far_end_step(&far, MILLISECOND);
	tcp_close(&far.tcp);
	assert_int_equal(run_until_ended(100, MILLISECOND), 0);
	for (int i = 0; i < 10; i++)
		far_end_step(&far, MILLISECOND);
	far_end_expect_all(&far);
	assert_int_equal(far.events, TCP_EVENT_PEER_CLOSED | TCP_EVENT_CLOSED);
	assert_int_equal(far.connection->tcp.state, TCP_STATE_CLOSED);
	/* Nothing is sent there any more. */
	far.out.to_send = 5;
	far_end_step(&far, MILLISECOND);
	assert_int_equal(harness_count(REASON_DROP_CONNECTION_ENDED), 5);
	far_end_end(&far, false);
	harness_turn();
	assert_true(far_end_has_ended(&far));
	close_both();
}

static void test_peer_resets(void **state)
{
	(void)state;
	open_live();
	far_end_step(&far, MILLISECOND);
	tcp_abort(&far.tcp);
	assert_int_equal(run_until_ended(10, MILLISECOND), -ECONNRESET);
	close_both();
}

/* Nothing comes from there any more, be there data for it or not. */
static void test_peer_is_silent(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 2; n++) {
		harness.n_events = 0;
		open_live();
		far_end_run(&far, 5, MILLISECOND);
		far.network.loss = 1;
		far.out.to_send = 10 * n;
		assert_int_equal(run_until_ended(3000, 100 * MILLISECOND), -ETIMEDOUT);
		close_both();
	}
}

/* A length that does not even count itself. */
static void test_broken_frame(void **state)
{
	static const uint8_t broken[] = {0, 1, 2, 3};

	(void)state;
	open_live();
	far.in.to_send = 10;
	far_end_run(&far, 100, MILLISECOND);
	far_end_send_bytes(&far, broken, sizeof(broken));
	assert_int_equal(run_until_ended(10, MILLISECOND), -EPROTO);
	far_end_step(&far, MILLISECOND);
	assert_int_equal(far.events, TCP_EVENT_RESET);
	far_end_expect_all(&far);
	close_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_released, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_held_and_installed, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_transfer_with_bytes, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_transfer_refused, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_end_with_queued_data, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_end_at_once, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_peer_closes, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_peer_resets, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_peer_is_silent, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_broken_frame, harness_setup, harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
