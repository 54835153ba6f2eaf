/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP connection that a worker owns: thousands of packets both ways, through networks good and bad. */
#include "far_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MILLISECOND = 1000, MANY = 3000 };

static struct far_end far;
static struct peer peer;

static void pass_both_ways(
	const struct peer_options *options, const struct far_end_network *network, size_t payload_len, uint32_t packets)
{
	peer_open(&peer, 1, options);
	far_end_open(&far, &peer);
	far_end_install(&far);
	far.network = *network;
	far.payload_len = payload_len;
	far.burst = network->loss > 0 ? 2 : 16; /* a millisecond: what a connection that meets loss still takes */
	far.in.to_send = far.out.to_send = packets;
	far_end_run(&far, 60000, MILLISECOND);
	far_end_expect_all(&far);
	assert_true(far_end_dropped(&far) <= (network->loss > 0 ? packets / 2 : 0));
	assert_int_equal(far.connection->frames_in, packets);
	assert_int_equal(far.connection->frames_out, packets - far_end_dropped(&far));
	assert_int_equal(far.events, 0);
	far_end_close(&far);
	peer_close(&peer);
}

static void test_both_ways(void **state)
{
	static const struct far_end_network good = {0};

	(void)state;
	for (size_t len = 4; len < 4000; len += 333)
		pass_both_ways(&(struct peer_options){.stream = true}, &good, len, 200);
	pass_both_ways(&(struct peer_options){.stream = true}, &good, 1392, MANY);
}

static void test_ipv6(void **state)
{
	static const struct far_end_network good = {0};

	(void)state;
	pass_both_ways(&(struct peer_options){.stream = true, .outer_ipv6 = true}, &good, 1000, 500);
	pass_both_ways(
		&(struct peer_options){.stream = true, .outer_ipv6 = true, .inner_ipv6 = true}, &good, 1000, 500);
}

static void test_bad_network(void **state)
{
	static const struct far_end_network networks[] = {
		{.loss = 0.01}, {.late = 0.05}, {.cut = 0.5}, {.loss = 0.02, .late = 0.05, .cut = 0.3}};

	(void)state;
	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
		pass_both_ways(&(struct peer_options){.stream = true}, &networks[i], 60, MANY);
		pass_both_ways(&(struct peer_options){.stream = true}, &networks[i], 1392, MANY);
		pass_both_ways(&(struct peer_options){.stream = true}, &networks[i], 6000, 300);
	}
}

/* The worker that receives, the one that has the SA and the one that owns the connection are different ones. */
static void test_two_workers(void **state)
{
	static const struct far_end_network bad = {.loss = 0.01, .late = 0.02, .cut = 0.1};
	struct peer other;

	(void)state;
	peer_open(&other, 2, &(struct peer_options){0});
	pass_both_ways(&(struct peer_options){.stream = true}, &bad, 1000, MANY);
	assert_true(harness_count(REASON_OUT_HANDOFF) > MANY);
	peer_close(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ways, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_ipv6, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_bad_network, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_two_workers, harness_setup_two_workers, harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
