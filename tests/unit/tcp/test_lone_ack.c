/* SPDX-License-Identifier: Apache-2.0 */
/* ACKs alone: which another makes needless, and which are obeyed by their bytes. */
#include "solo.h"

static struct solo solo;

enum { UNDER_WAY = 10 };

/* An ACK of the peer's up to SOLO_US + ack, as it is on the wire. */
struct wire {
	struct tcp_header header;
	uint32_t payload_len; /* that follows */
};

static struct wire ack_of(uint32_t ack)
{
	return (struct wire){.header = {
				     .seq = SOLO_PEER,
				     .ack = SOLO_US + ack,
				     .flags = TCP_FLAG_ACK,
				     .window = solo.peer_window,
				     .has_timestamps = solo.tcp.timestamps.enabled,
				     .ts_value = solo.peer_ts,
			     }};
}

static bool overtaken(const struct wire *first, const struct wire *second)
{
	uint8_t bytes[2][TCP_HEADER_MAX];
	uint32_t first_len = tcp_header_write(&first->header, bytes[0]);
	uint32_t second_len = tcp_header_write(&second->header, bytes[1]);

	return tcp_is_overtaken(
		&solo.tcp, bytes[0], first_len + first->payload_len, bytes[1], second_len + second->payload_len);
}

static void start(unsigned int options)
{
	solo_under_way(&solo, options, 100 * SOLO_MSS, UNDER_WAY, SOLO_RTT);
}

static void an_ack_that_says_less_is(void **state)
{
	(void)state;
	for (unsigned int options = SOLO_SACK; options <= (SOLO_SACK | SOLO_TIMESTAMPS); options++) {
		start(options);
		const struct wire first = ack_of(2 * SOLO_MSS), second = ack_of(4 * SOLO_MSS);
		uint64_t before = solo_counter(&solo, TCP_COUNT_SEGMENTS_IN);

		assert_true(overtaken(&first, &second));
		assert_int_equal(solo_counter(&solo, TCP_COUNT_SEGMENTS_IN), before + 1);
		assert_false(overtaken(&second, &first));
		assert_false(overtaken(&first, &first));
		/* The second alone brings us where both would. */
		solo_ack(&solo, 4 * SOLO_MSS, SOLO_BLOCKS({0, 0}));
		assert_int_equal(solo.tcp.send.una, SOLO_US + 4 * SOLO_MSS);
		solo_stop(&solo);
	}
}

/* Each of these changes one thing of one of the two. */
static void what_says_anything_else_is_not(void **state)
{
	struct wire changed;

	(void)state;
	start(SOLO_SACK | SOLO_TIMESTAMPS);
	const struct wire first = ack_of(2 * SOLO_MSS), second = ack_of(4 * SOLO_MSS);

	for (unsigned int which = 0; which < 2; which++) {
#define REFUSED(change)                                                                                                \
	do {                                                                                                           \
		changed = which ? second : first;                                                                      \
		change;                                                                                                \
		assert_false(which ? overtaken(&first, &changed) : overtaken(&changed, &second));                      \
	} while (0)
		REFUSED(changed.payload_len = 1);
		REFUSED(changed.header.flags |= TCP_FLAG_FIN);
		REFUSED(changed.header.flags |= TCP_FLAG_RST);
		REFUSED(changed.header.flags |= TCP_FLAG_ECE);
		REFUSED(changed.header.flags = 0);
		REFUSED(changed.header.window++);
		REFUSED(changed.header.seq++);
		REFUSED(changed.header.has_timestamps = false);
		REFUSED(changed.header.n_sack = 1);
	}
	changed = first;
	changed.header.ack = SOLO_US; /* a duplicate */
	assert_false(overtaken(&changed, &second));
	changed = second;
	changed.header.ack = SOLO_US + UNDER_WAY * SOLO_MSS + 1; /* of nothing sent */
	assert_false(overtaken(&first, &changed));
	changed = second;
	changed.header.ts_value--;
	assert_false(overtaken(&first, &changed));
	assert_true(overtaken(&first, &second));
	solo_stop(&solo);
}

/* Where ACKs are counted, or one in particular is waited for, all of them are looked at. */
static void nothing_is_while_losses_are_looked_for(void **state)
{
	(void)state;
	start(0);
	struct wire first = ack_of(2 * SOLO_MSS), second = ack_of(4 * SOLO_MSS);

	assert_false(overtaken(&first, &second)); /* without SACK, duplicates count */
	solo_stop(&solo);

	start(SOLO_SACK);
	first = ack_of(2 * SOLO_MSS), second = ack_of(4 * SOLO_MSS);
	assert_true(overtaken(&first, &second));
	solo_ack(&solo, 0, SOLO_BLOCKS({6 * SOLO_MSS, 7 * SOLO_MSS}));
	assert_false(overtaken(&first, &second));
	solo_stop(&solo);

	start(SOLO_SACK);
	first = ack_of(2 * SOLO_MSS), second = ack_of(4 * SOLO_MSS);
	solo_wait_deadline(&solo); /* the tail loss probe's */
	assert_int_equal(solo_drain(&solo), 1);
	assert_int_equal(solo_counter(&solo, TCP_COUNT_PROBES), 1);
	assert_false(overtaken(&first, &second));
	solo_stop(&solo);
}

static bool obeyed(const struct wire *ack)
{
	uint8_t bytes[TCP_HEADER_MAX];
	uint32_t len = tcp_header_write(&ack->header, bytes);

	return tcp_input_ack(&solo.tcp, bytes, len + ack->payload_len, solo.now);
}

/* The endpoint is then as if the ACK had been taken apart. */
static void what_is_expected_is_obeyed(void **state)
{
	static struct solo other;

	(void)state;
	for (unsigned int options = SOLO_SACK; options <= (SOLO_SACK | SOLO_TIMESTAMPS); options++) {
		solo_under_way(&other, options, 100 * SOLO_MSS, UNDER_WAY, SOLO_RTT);
		start(options);
		for (uint32_t ack = 2 * SOLO_MSS; ack <= UNDER_WAY * SOLO_MSS; ack += 2 * SOLO_MSS) {
			struct wire wire = ack_of(ack);
			struct tcp_segment segment;

			wire.header.ts_value = ack;
			wire.header.ts_echo = tcp_timestamp(&solo.tcp, solo.now);
			segment = (struct tcp_segment){.header = wire.header};
			assert_false(tcp_input(&other.tcp, &segment, NULL, other.now));
			/* The first timestamp of all is learned from a segment that was taken apart. */
			assert_int_equal(obeyed(&wire), !(options & SOLO_TIMESTAMPS) || ack > 2 * SOLO_MSS);
			if (ack == 2 * SOLO_MSS && (options & SOLO_TIMESTAMPS))
				assert_false(tcp_input(&solo.tcp, &segment, NULL, solo.now));
			other.tcp.settings = solo.tcp.settings;
			other.tcp.pool = solo.tcp.pool;
			assert_memory_equal(&solo.tcp, &other.tcp, sizeof(solo.tcp));
			assert_int_equal(solo.released, other.released);
			other.tcp.settings = &other.settings;
			other.tcp.pool = &other.pool;
		}
		solo_stop(&solo);
		solo_stop(&other);
	}
}

/* Each of these changes one thing; the endpoint does not know of it then. */
static void what_is_not_is_taken_apart(void **state)
{
	struct tcp before;
	struct wire changed;

	(void)state;
	start(SOLO_SACK | SOLO_TIMESTAMPS);
	solo_ack(&solo, SOLO_MSS, SOLO_BLOCKS({0, 0}));
	const struct wire ack = ack_of(3 * SOLO_MSS);

	before = solo.tcp;
#define TAKEN_APART(change)                                                                                            \
	do {                                                                                                           \
		changed = ack;                                                                                         \
		change;                                                                                                \
		assert_false(obeyed(&changed));                                                                        \
		assert_memory_equal(&solo.tcp, &before, sizeof(before));                                               \
	} while (0)
	TAKEN_APART(changed.payload_len = 1);
	TAKEN_APART(changed.header.flags |= TCP_FLAG_PSH);
	TAKEN_APART(changed.header.flags |= TCP_FLAG_FIN);
	TAKEN_APART(changed.header.flags |= TCP_FLAG_RST);
	TAKEN_APART(changed.header.flags |= TCP_FLAG_ECE);
	TAKEN_APART(changed.header.flags = 0);
	TAKEN_APART(changed.header.window++);
	TAKEN_APART(changed.header.window = 0);
	TAKEN_APART(changed.header.seq++);
	TAKEN_APART(changed.header.seq--);
	TAKEN_APART(changed.header.ack = SOLO_US + SOLO_MSS);
	TAKEN_APART(changed.header.ack = SOLO_US);
	TAKEN_APART(changed.header.ack = SOLO_US + UNDER_WAY * SOLO_MSS + 1);
	TAKEN_APART(changed.header.has_timestamps = false);
	TAKEN_APART(changed.header.ts_value = solo.tcp.timestamps.recent - 1);
	TAKEN_APART(changed.header.n_sack = 1);
	assert_true(obeyed(&ack));
	solo_ack(&solo, 3 * SOLO_MSS, SOLO_BLOCKS({6 * SOLO_MSS, 7 * SOLO_MSS}));
	changed = ack_of(4 * SOLO_MSS);
	assert_false(obeyed(&changed)); /* something is SACKED */
	solo_stop(&solo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ack_that_says_less_is),
		cmocka_unit_test(what_says_anything_else_is_not),
		cmocka_unit_test(nothing_is_while_losses_are_looked_for),
		cmocka_unit_test(what_is_expected_is_obeyed),
		cmocka_unit_test(what_is_not_is_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
