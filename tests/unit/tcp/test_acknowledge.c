/* SPDX-License-Identifier: Apache-2.0 */
/* What the peer is told of its segments: ACKs, SACK (RFC 2018, RFC 2883), and congestion (RFC 3168). */
#include "solo.h"

static struct solo solo;

static void every_second_full_segment_is_acknowledged(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo_in(&solo, TCP_FLAG_ACK, 0, 1000, 0);
	solo_read(&solo, 0);
	solo_expect_nothing(&solo);
	solo_in(&solo, TCP_FLAG_ACK, 1000, 1000, 0);
	solo_read(&solo, 1000);
	solo_expect_ack(&solo, 2000);
	solo_in(&solo, TCP_FLAG_ACK, 2000, 100, 0);
	solo_read(&solo, 2000);
	solo_expect_nothing(&solo);
	assert_int_equal(solo_wait_deadline(&solo), solo.settings.ack_delay);
	solo_expect_ack(&solo, 2100);
	assert_int_equal(tcp_deadline(&solo.tcp), UINT64_MAX);
	solo_stop(&solo);
}

/* After a gap is filled each gets its ACK, sixteen in all; and after what came twice. */
static void after_a_loss_each_segment_is_acknowledged(void **state)
{
	uint32_t at = 2000;

	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo_in(&solo, TCP_FLAG_ACK, 1000, 1000, 0);
	solo_expect_ack(&solo, 0);
	solo_in(&solo, TCP_FLAG_ACK, 0, 1000, 0);
	solo_expect_ack(&solo, at);
	for (int i = 1; i < 16; i++) {
		solo_in(&solo, TCP_FLAG_ACK, at, 100, 0);
		at += 100;
		solo_expect_ack(&solo, at);
	}
	solo_in(&solo, TCP_FLAG_ACK, at, 100, 0);
	solo_expect_nothing(&solo);
	solo_in(&solo, TCP_FLAG_ACK, 0, 1000, 0);
	at += 100;
	solo_expect_ack(&solo, at);
	solo_in(&solo, TCP_FLAG_ACK, at, 100, 0);
	at += 100;
	solo_expect_ack(&solo, at);
	assert_int_equal(solo_read(&solo, 0), at);
	solo_stop(&solo);
}

static void data_takes_the_acknowledgement_along(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo_in(&solo, TCP_FLAG_ACK, 0, 100, 0);
	solo_read(&solo, 0);
	solo_send(&solo, 0, 10);
	solo_expect(&solo, 0, 10, TCP_FLAG_PSH);
	assert_int_equal(solo.out.header.ack, SOLO_PEER + 100);
	solo_ack(&solo, 10, NULL);
	assert_int_equal(tcp_deadline(&solo.tcp), UINT64_MAX); /* nothing is owed */
	solo_stop(&solo);
}

static void expect_blocks(uint32_t ack, const struct solo_block *blocks)
{
	uint8_t count = 0;

	solo_expect_ack(&solo, ack);
	for (; blocks[count].end; count++) {
		assert_int_equal(solo.out.header.sack[count].start - SOLO_PEER, blocks[count].start);
		assert_int_equal(solo.out.header.sack[count].end - SOLO_PEER, blocks[count].end);
	}
	assert_int_equal(solo.out.header.n_sack, count);
}
#define EXPECT_BLOCKS(ack, ...) expect_blocks(ack, (const struct solo_block[]){__VA_ARGS__, {0, 0}})

/* RFC 2018 section 4, and RFC 2883. */
static void gaps_are_reported(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK | SOLO_TIMESTAMPS, 0);
	solo_in(&solo, TCP_FLAG_ACK, 1000, 500, 0);
	EXPECT_BLOCKS(0, {1000, 1500});
	solo_in(&solo, TCP_FLAG_ACK, 3000, 500, 0);
	EXPECT_BLOCKS(0, {3000, 3500}, {1000, 1500}); /* the newest first */
	solo_in(&solo, TCP_FLAG_ACK, 1500, 500, 0);
	EXPECT_BLOCKS(0, {1000, 2000}, {3000, 3500});
	solo_in(&solo, TCP_FLAG_ACK, 5000, 500, 0);
	solo_in(&solo, TCP_FLAG_ACK, 7000, 500, 0);
	EXPECT_BLOCKS(0, {7000, 7500}, {5000, 5500}, {1000, 2000}); /* three beside timestamps */
	solo_in(&solo, TCP_FLAG_ACK, 3100, 100, 0);
	EXPECT_BLOCKS(0, {3100, 3200}, {3000, 3500}, {7000, 7500}); /* twice: and where it belongs */
	solo_in(&solo, TCP_FLAG_ACK, 0, 1000, 0);
	EXPECT_BLOCKS(2000, {3000, 3500}, {7000, 7500}, {5000, 5500});
	assert_int_equal(solo_read(&solo, 0), 2000);
	solo_in(&solo, TCP_FLAG_ACK, 500, 500, 0);
	EXPECT_BLOCKS(2000, {500, 1000}, {3000, 3500}, {7000, 7500});
	solo_in(&solo, TCP_FLAG_ACK, 2000, 1000, 0);
	EXPECT_BLOCKS(3500, {7000, 7500}, {5000, 5500}); /* told once, gone */
	solo_in(&solo, TCP_FLAG_ACK, 3500, 4000, 0);
	EXPECT_BLOCKS(7500, {0, 0});
	assert_int_equal(solo_read(&solo, 2000), 5500);
	solo_stop(&solo);
}

/* More islands than blocks: the oldest is not told any more, until something touches it. */
static void many_gaps_are_reported_newest_first(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	for (uint32_t seq = 1000; seq <= 6000; seq += 1000) {
		solo_in(&solo, TCP_FLAG_ACK, seq, 100, 0);
		solo_expect_ack(&solo, 0);
	}
	assert_int_equal(solo.out.header.n_sack, TCP_SACK_MAX);
	for (uint32_t i = 0; i < TCP_SACK_MAX; i++)
		assert_int_equal(solo.out.header.sack[i].start - SOLO_PEER, 6000 - i * 1000);
	solo_in(&solo, TCP_FLAG_ACK, 1100, 100, 0);
	solo_expect_ack(&solo, 0);
	assert_int_equal(solo.out.header.sack[0].end - SOLO_PEER, 1200);
	assert_int_equal(solo.out.header.sack[1].start - SOLO_PEER, 6000);
	solo_stop(&solo);
}

/* A burst of which each segment makes a gap, before there is an ACK: all are told of, in two. Then only the newest. */
static void a_burst_of_gaps_gets_two_acks(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK | SOLO_TIMESTAMPS, 0);
	for (uint32_t seq = 1000; seq <= 5000; seq += 1000)
		solo_in(&solo, TCP_FLAG_ACK, seq, 100, 0);
	EXPECT_BLOCKS(0, {5000, 5100}, {4000, 4100}, {3000, 3100});
	EXPECT_BLOCKS(0, {2000, 2100}, {1000, 1100}, {5000, 5100});
	solo_expect_nothing(&solo);
	solo_in(&solo, TCP_FLAG_ACK, 2100, 100, 0);
	EXPECT_BLOCKS(0, {2000, 2200}, {5000, 5100}, {4000, 4100});
	solo_expect_nothing(&solo);
	/* What the first gap's end takes in is no block any more. */
	solo_in(&solo, TCP_FLAG_ACK, 6000, 100, 0);
	solo_in(&solo, TCP_FLAG_ACK, 0, 1000, 0);
	EXPECT_BLOCKS(1100, {6000, 6100}, {2000, 2200}, {5000, 5100});
	solo_expect_nothing(&solo);
	assert_int_equal(solo_read(&solo, 0), 1100);
	solo_stop(&solo);
}

static void a_peer_without_sack_gets_no_blocks(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_PLAIN, 0);
	solo_in(&solo, TCP_FLAG_ACK, 1000, 500, 0);
	solo_expect_ack(&solo, 0);
	assert_int_equal(solo.out.header.n_sack, 0);
	assert_false(solo.out.header.has_timestamps);
	solo_stop(&solo);
}

/* A full data segment has no room for blocks: an ACK of their own follows. */
static void blocks_beside_data(void **state)
{
	(void)state;
	solo_start(&solo, SOLO_SACK, 0);
	solo_in(&solo, TCP_FLAG_ACK, 1000, 500, 0);
	solo_send(&solo, 0, SOLO_MSS);
	solo_expect(&solo, 0, SOLO_MSS, TCP_FLAG_PSH);
	assert_int_equal(solo.out.header.n_sack, 0);
	EXPECT_BLOCKS(0, {1000, 1500});
	solo_expect_nothing(&solo);
	solo_in(&solo, TCP_FLAG_ACK, 2000, 500, 0);
	solo_send(&solo, SOLO_MSS, SOLO_MSS - 12);
	solo_expect(&solo, SOLO_MSS, SOLO_MSS - 12, TCP_FLAG_PSH);
	assert_int_equal(solo.out.header.n_sack, 1);
	solo_expect_nothing(&solo);
	solo_stop(&solo);
}

/* RFC 3168 section 6.1.3. */
static void congestion_is_echoed_until_cwr(void **state)
{
	struct tcp_segment segment = {
		.header = {.seq = SOLO_PEER, .ack = SOLO_US, .flags = TCP_FLAG_ACK, .window = 1000},
		.payload = solo_peer_bytes(&solo, 0),
		.payload_len = 1000,
		.congestion_experienced = true,
	};

	(void)state;
	for (int ecn = 0; ecn < 2; ecn++) {
		solo_start(&solo, SOLO_SACK | (ecn ? SOLO_ECN : 0), 0);
		solo_in_segment(&solo, &segment, false);
		for (uint32_t at = 1000; at < 3000; at += 1000) {
			solo_wait(&solo, solo.settings.ack_delay);
			solo_expect_ack(&solo, at);
			assert_int_equal(solo.out.header.flags, TCP_FLAG_ACK | (ecn ? TCP_FLAG_ECE : 0));
			solo_in(&solo, TCP_FLAG_ACK | (at == 2000 ? TCP_FLAG_CWR : 0), at, 1000, 0);
		}
		solo_wait(&solo, solo.settings.ack_delay);
		solo_expect_ack(&solo, 3000);
		assert_int_equal(solo.out.header.flags, TCP_FLAG_ACK);
		solo_stop(&solo);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_second_full_segment_is_acknowledged),
		cmocka_unit_test(after_a_loss_each_segment_is_acknowledged),
		cmocka_unit_test(data_takes_the_acknowledgement_along),
		cmocka_unit_test(gaps_are_reported),
		cmocka_unit_test(many_gaps_are_reported_newest_first),
		cmocka_unit_test(a_burst_of_gaps_gets_two_acks),
		cmocka_unit_test(a_peer_without_sack_gets_no_blocks),
		cmocka_unit_test(blocks_beside_data),
		cmocka_unit_test(congestion_is_echoed_until_cwr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
