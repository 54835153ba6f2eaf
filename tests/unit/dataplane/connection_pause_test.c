/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that did not run for a while: what came meanwhile is looked at before what has come due meanwhile. */
#include "connection_worker.h"
#include "far_end.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
	MILLISECOND = 1000,
	SECOND = 1000 * MILLISECOND,
	FIRST = 20,
	IN_FLIGHT = 4,
	BEFORE = BURST + 8, /* frames that lie in the queue before the ACK: it is not in the first turn */
	PATIENCE = 10,	    /* milliseconds; as connection_worker.c has it, and some */
};

static struct far_end far;
static struct peer peer;

/* HQ has sent, and the far end has it all, and has not said so yet. */
static void open_in_flight(void)
{
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	far_end_open(&far, &peer);
	far_end_install(&far);
	far.in.to_send = far.out.to_send = FIRST;
	far_end_run(&far, 100, MILLISECOND);
	for (int i = 0; i < 100; i++)
		far_end_step(&far, MILLISECOND);
	far.burst = IN_FLIGHT;
	far.out.to_send += IN_FLIGHT;
	far_end_step(&far, MILLISECOND);
	assert_int_equal(far.out.received, FIRST + IN_FLIGHT);
	assert_int_not_equal(far.connection->tcp.send.una, far.connection->tcp.send.nxt);
}

static void close_both(void)
{
	far_end_close(&far);
	peer_close(&peer);
}

/* Frames that lead nowhere. */
static void fill_queue(void)
{
	const struct wire_ipv4 header = {.source = GATEWAY, .destination = 0xcb007109, .protocol = IPPROTO_UDP};
	uint8_t packet[64];
	size_t len = wire_ipv4(packet, &header, "nothing", 8);

	for (int i = 0; i < BEFORE; i++)
		harness_send_ip(0, 0, GATEWAY, packet, len);
}

static uint64_t sent_again(void)
{
	const uint64_t *counters = far.connection->tcp.counters;

	return counters[TCP_COUNT_PROBES] + counters[TCP_COUNT_TIMEOUTS] + counters[TCP_COUNT_RETRANSMITTED];
}

static void what_came_goes_first(void **state)
{
	uint8_t packet[256];

	(void)state;
	open_in_flight();
	fill_queue();
	harness_send_ip(0, 0, GATEWAY, packet, far_end_make_ack(&far, packet));
	harness_clock_advance(SECOND);
	harness_turn();
	assert_int_equal(far.connection->tcp.send.una, far.connection->tcp.send.nxt);
	assert_int_equal(sent_again(), 0);
	close_both();
}

/* But not for long. */
static void what_is_due_does_not_wait_for_ever(void **state)
{
	(void)state;
	open_in_flight();
	harness_clock_advance(SECOND);
	for (int i = 0; i < PATIENCE; i++) {
		fill_queue();
		harness_turn();
		harness_clock_advance(MILLISECOND);
	}
	assert_true(sent_again() > 0);
	close_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_came_goes_first, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(what_is_due_does_not_wait_for_ever, harness_setup, harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
