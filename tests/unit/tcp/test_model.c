/* SPDX-License-Identifier: Apache-2.0 */
/* Two endpoints talk through a bad network, both ways at once, until a million segments went into it. */
#include "network.h"

#include <stdio.h>

enum { SECOND = 1000000, HOUR = 3600 };
static const uint64_t ALL_DAY = UINT64_C(24) * HOUR * SECOND;

/* How many segments a row of the table is to make, both ends together. */
struct row {
	const char *what;
	struct network_quality quality;
	uint64_t frames;
};

static const struct row rows[] = {
	{"a good network", {.delay = 1000, .rate = 125000000, .queue = 1 << 20}, 100000},
	{"a little loss", {.delay = 5000, .loss = 0.001, .rate = 125000000, .queue = 1 << 20}, 60000},
	{"loss", {.delay = 5000, .loss = 0.02}, 60000},
	{"reordering", {.delay = 5000, .reorder = 0.05, .jitter = 300}, 60000},
	{"duplicates", {.delay = 5000, .duplicate = 0.05}, 60000},
	{"truncation", {.delay = 5000, .truncate = 0.03}, 60000},
	{"marks", {.delay = 5000, .mark = 0.01, .rate = 12500000, .queue = 1 << 17}, 40000},
	{"all of it", {.delay = 5000, .loss = 0.02, .reorder = 0.02, .duplicate = 0.02, .truncate = 0.02, .mark = 0.01},
		60000},
	{"a terrible network", {.delay = 20000, .loss = 0.2, .reorder = 0.1, .duplicate = 0.1, .truncate = 0.05},
		10000},
};

static uint64_t segments, at_once, lone_acks;

static void run(const struct row *row, const struct tcp_established *established)
{
	struct network network;

	if (established)
		network_start_as(&network, &row->quality, established);
	else
		network_start(&network, &row->quality);
	network.ends[0].frames_to_send = row->frames;
	network.ends[1].frames_to_send = row->frames / 2;
	network_run(&network, ALL_DAY);
	printf("%s: %lu segments, %lu lost, %.1f s, retransmitted %lu, timeouts %lu, undone %lu\n", row->what,
		network.segments, network.lost, (double)network.now / SECOND,
		network.ends[0].tcp.counters[TCP_COUNT_RETRANSMITTED], network.ends[0].tcp.counters[TCP_COUNT_TIMEOUTS],
		network.ends[0].tcp.counters[TCP_COUNT_UNDONE]);
	segments += network.segments;
	at_once += network.at_once;
	lone_acks += network.lone_acks;
	network_stop(&network);
}

static void every_byte_arrives_once_and_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run(&rows[i], NULL);
	printf("%lu segments, %lu sent at once, %lu lone ACKs\n", segments, at_once, lone_acks);
	assert_true(segments >= 1000000);
	assert_true(at_once >= segments / 10);
	assert_true(lone_acks >= segments / 40); /* most tell of losses, or come in pairs with data */
}

/* The same for peers that have negotiated less. */
static void without_options(void **state)
{
	static const struct row loss = {
		"no SACK", {.delay = 5000, .loss = 0.01, .reorder = 0.01, .duplicate = 0.01}, 5000};
	struct tcp_established established;

	(void)state;
	network_established(&established);
	established.sack = false;
	run(&loss, &established);
	established.timestamps = false;
	run(&loss, &established);
	established.sack = true;
	run(&loss, &established);
	established.snd_scale = established.rcv_scale = 0;
	run(&loss, &established);
}

/* Both close at the end, through the same network, and nothing is left. */
static void both_close(void **state)
{
	static const struct network_quality quality = {.delay = 5000, .loss = 0.1, .reorder = 0.1, .duplicate = 0.1};
	struct network network;

	(void)state;
	for (int who = 1; who <= 3; who++) {
		network_start(&network, &quality);
		network.ends[0].frames_to_send = network.ends[1].frames_to_send = 100;
		network_run(&network, ALL_DAY);
		if (who & 1)
			tcp_close(&network.ends[0].tcp);
		if (who & 2)
			tcp_close(&network.ends[1].tcp);
		network_settle(&network, network.now + 20 * SECOND);
		tcp_close(&network.ends[0].tcp);
		tcp_close(&network.ends[1].tcp);
		network_settle(&network, network.now + 300 * (uint64_t)SECOND);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(network.ends[i].events, TCP_EVENT_PEER_CLOSED | TCP_EVENT_CLOSED);
			assert_int_equal(network.ends[i].tcp.state, TCP_STATE_CLOSED);
		}
		network_stop(&network);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_arrives_once_and_in_order),
		cmocka_unit_test(without_options),
		cmocka_unit_test(both_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
