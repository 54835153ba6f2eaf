/* SPDX-License-Identifier: Apache-2.0 */
/* What waits to be sent: order, bounds in bytes and time, and that a frame once begun is finished. */
#include "stream/send_queue.h"

#include "stream/framing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PARTS = 64, ESP_LEN = 100, FRAME_LEN = FRAMING_HEAD_LEN + ESP_LEN };

static struct send_queue queue;
static uint8_t wire[1 << 16]; /* what was written */
static size_t wire_len;

static int setup(void **state)
{
	static const struct send_queue_limits limits = {.esp_bytes = 5 * FRAME_LEN, .esp_ms = 50, .ike_bytes = 400};

	(void)state;
	send_queue_init(&queue, &limits);
	wire_len = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	send_queue_clear(&queue);
	return 0;
}

static void add_esp(uint8_t name, uint64_t now_ms)
{
	uint8_t packet[ESP_LEN];

	memset(packet, name, sizeof(packet));
	send_queue_add_esp(&queue, packet, sizeof(packet), now_ms);
}

static int add_ike(uint8_t name, size_t len)
{
	uint8_t message[400];

	memset(message, name, sizeof(message));
	return send_queue_add_ike(&queue, message, len);
}

/* The kernel takes `bytes`, or what there is. */
static void take(size_t bytes, uint64_t now_ms)
{
	struct iovec parts[PARTS];
	size_t count = send_queue_gather(&queue, now_ms, parts, PARTS), taken = 0;

	for (size_t i = 0; i < count && taken < bytes; i++) {
		size_t some = parts[i].iov_len < bytes - taken ? parts[i].iov_len : bytes - taken;

		memcpy(wire + wire_len, parts[i].iov_base, some);
		wire_len += some;
		taken += some;
	}
	send_queue_written(&queue, taken);
}

/* The frames on the wire, each by its payload's first byte: they must be whole and unmixed. */
static void expect(const char *names)
{
	struct framing framing = {.payload_max = FRAMING_PAYLOAD_MAX};
	struct framing_frame frame;
	size_t at = 0, taken;

	while ((taken = framing_read(&framing, wire + at, wire_len - at, &frame)) > 0) {
		for (uint32_t i = 0; i < frame.payload_len; i++)
			assert_int_equal(frame.payload[i], *names);
		names++;
		at += taken;
	}
	assert_int_equal(at, wire_len);
	assert_int_equal(*names, '\0');
}

static void test_in_order(void **state)
{
	(void)state;
	assert_true(send_queue_is_empty(&queue));
	add_esp('a', 0);
	add_esp('b', 0);
	assert_false(send_queue_is_empty(&queue));
	take(SIZE_MAX, 0);
	assert_true(send_queue_is_empty(&queue));
	expect("ab");
}

static void test_ike_goes_first_but_not_into_a_frame(void **state)
{
	(void)state;
	add_esp('a', 0);
	add_esp('b', 0);
	take(1, 0);
	assert_int_equal(add_ike('I', 30), 0);
	assert_int_equal(add_ike('J', 30), 0);
	take(SIZE_MAX, 0);
	expect("aIJb");
}

static void test_any_number_of_bytes_at_a_time(void **state)
{
	(void)state;
	for (size_t some = 1; some < 3 * FRAME_LEN; some++) {
		wire_len = 0;
		add_esp('a', 0);
		assert_int_equal(add_ike('I', 30), 0);
		add_esp('b', 0);
		while (!send_queue_is_empty(&queue))
			take(some, 0);
		expect("Iab");
	}
}

static void test_the_oldest_makes_room(void **state)
{
	(void)state;
	for (uint8_t name = 'a'; name <= 'g'; name++)
		add_esp(name, 0);
	assert_int_equal(queue.dropped_full, 2);
	assert_int_equal(queue.esp_bytes, 5 * FRAME_LEN);
	take(SIZE_MAX, 0);
	expect("cdefg");
}

static void test_what_is_too_late_goes(void **state)
{
	(void)state;
	add_esp('a', 1000);
	add_esp('b', 1020);
	assert_int_equal(add_ike('I', 30), 0);
	take(SIZE_MAX, 1051);
	assert_int_equal(queue.dropped_late, 1);
	expect("Ib");
	/* It must not hold room either, where nothing can be written. */
	add_esp('c', 2000);
	add_esp('d', 3000);
	assert_int_equal(queue.dropped_late, 2);
	assert_int_equal(queue.esp_bytes, FRAME_LEN);
}

static void test_what_has_begun_stays(void **state)
{
	(void)state;
	add_esp('a', 0);
	take(3, 0);
	for (uint8_t name = 'b'; name <= 'g'; name++)
		add_esp(name, 1000);
	assert_int_equal(queue.dropped_full, 1);
	take(SIZE_MAX, 1000);
	expect("acdefg");
}

static void test_ike_is_refused_not_dropped(void **state)
{
	uint8_t message[1] = {0};

	(void)state;
	assert_int_equal(add_ike('I', 300), 0);
	assert_int_equal(add_ike('J', 300), -ENOBUFS);
	assert_int_equal(send_queue_add_ike(&queue, message, 0), -EMSGSIZE);
	assert_int_equal(send_queue_add_ike(&queue, message, FRAMING_IKE_MAX + 1), -EMSGSIZE);
	take(SIZE_MAX, 100000);
	expect("I");
	assert_int_equal(add_ike('J', 300), 0);
	take(SIZE_MAX, 100000);
	expect("IJ");
}

static void test_goes_on_where_others_began(void **state)
{
	uint8_t packet[ESP_LEN];

	(void)state;
	memset(packet, 'a', sizeof(packet));
	framing_write_head(wire, ESP_LEN);
	memset(wire + FRAMING_HEAD_LEN, 'a', 40);
	wire_len = FRAMING_HEAD_LEN + 40;
	assert_int_equal(send_queue_add_begun(&queue, packet, sizeof(packet), wire_len), 0);
	add_esp('b', 0);
	take(SIZE_MAX, 0);
	expect("ab");
}

static void test_prefix_is_first(void **state)
{
	(void)state;
	assert_int_equal(send_queue_add_prefix(&queue), 0);
	assert_int_equal(add_ike('I', 30), 0);
	take(SIZE_MAX, 0);
	assert_memory_equal(wire, FRAMING_PREFIX, FRAMING_PREFIX_LEN);
	wire_len -= FRAMING_PREFIX_LEN;
	memmove(wire, wire + FRAMING_PREFIX_LEN, wire_len);
	expect("I");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ike_goes_first_but_not_into_a_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_number_of_bytes_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_oldest_makes_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_too_late_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_has_begun_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ike_is_refused_not_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_goes_on_where_others_began, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prefix_is_first, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
