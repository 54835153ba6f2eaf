/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of a connection that is known at sight (classify_segment.h), and those that look like ones and are none. */
#include "connection_worker.h"
#include "far_end.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MILLISECOND = 1000, FIRST = 20, PADDING = 6, OPTIONS_LEN = 4, TOTAL_LENGTH_AT = 2, CHECKSUM_AT = 10 };

static struct far_end far;
static struct peer peer;
static uint8_t packet[256];

/* An ACK of the far end's, in `packet`; and another header around its segment. Their lengths. */
static size_t ack_make(void)
{
	memset(packet, 0, sizeof(packet));
	return far_end_make_ack(&far, packet);
}

static size_t ack_wrap(const struct wire_ipv4 *like, size_t at, size_t len)
{
	uint8_t segment[sizeof(packet)];
	struct wire_ipv4 header = *like;

	header.source = wire_read32(packet + 12);
	header.destination = wire_read32(packet + 16);
	header.protocol = IPPROTO_TCP;
	memcpy(segment, packet + WIRE_IPV4_LEN + at, len);
	return wire_ipv4(packet, &header, segment, len);
}

/* It is sent, and the reason is counted once. */
static void expect(size_t len, enum reason reason)
{
	uint64_t before = harness_count(reason);

	harness_send_ip(0, 0, GATEWAY, packet, len);
	harness_turn();
	assert_int_equal(harness_count(reason), before + 1);
}

static void open_live(void **state)
{
	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	far_end_open(&far, &peer);
	far_end_install(&far);
	far.in.to_send = far.out.to_send = FIRST;
	far_end_run(&far, 100, MILLISECOND);
	assert_true(harness.dataplane.workers[0].connections->segments_on[0]);
	assert_false(harness.dataplane.workers[0].connections->segments_on[1]);
}

static void close_both(void)
{
	far_end_close(&far);
	peer_close(&peer);
}

static void others_are_looked_at(void **state)
{
	size_t len;

	open_live(state);
	expect(ack_make(), REASON_OUT_SEGMENT);
	expect(ack_make() + PADDING, REASON_OUT_SEGMENT); /* Ethernet's, which is no payload */

	len = ack_make();
	packet[CHECKSUM_AT] ^= 1;
	expect(len, REASON_DROP_CHECKSUM);

	len = ack_make();
	wire_write16(packet + TOTAL_LENGTH_AT, (uint16_t)(len + 1));
	wire_ipv4_checksum(packet);
	expect(len, REASON_DROP_MALFORMED);

	len = ack_make();
	expect(ack_wrap(&(struct wire_ipv4){.options_len = OPTIONS_LEN}, 0, len - WIRE_IPV4_LEN), REASON_OUT_SEGMENT);
	close_both();
}

/* Each piece of a segment looks like a whole one, or like nothing. */
static void pieces_are_put_together(void **state)
{
	const struct wire_ipv4 first = {.id = 7, .fragment = 0x2000}, last = {.id = 7, .fragment = 24 / 8};
	uint64_t before;
	size_t len;

	open_live(state);
	before = harness_count(REASON_OUT_SEGMENT);
	len = ack_make();
	harness_send_ip(0, 0, GATEWAY, packet, ack_wrap(&first, 0, 24));
	harness_turn();
	assert_int_equal(harness_count(REASON_OUT_SEGMENT), before);
	ack_make();
	expect(ack_wrap(&last, 24, len - WIRE_IPV4_LEN - 24), REASON_OUT_SEGMENT);
	close_both();
}

static void another_port_is_the_kernels(void **state)
{
	struct wire_frame frame;
	size_t len;

	open_live(state);
	len = ack_make();
	packet[WIRE_IPV4_LEN] ^= 1; /* of the source port, on which its place depends */
	harness_send_ip(0, 0, GATEWAY, packet, len);
	harness_turn();
	harness_settle();
	assert_true(harness_receive_kernel(0, &frame));
	len = ack_make();
	packet[WIRE_IPV4_LEN + 3] ^= 1; /* of the destination port */
	harness_send_ip(0, 0, GATEWAY, packet, len);
	harness_turn();
	harness_settle();
	assert_true(harness_receive_kernel(0, &frame));
	close_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(others_are_looked_at, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(pieces_are_put_together, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(another_port_is_the_kernels, harness_setup, harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
