/* SPDX-License-Identifier: Apache-2.0 */
/* Whose IKE message is looked at first, and how many may wait. The first byte of a message here says whose turn it is. */
#include "test.h"

#include "admission.h"

#include <stdlib.h>

static struct event_base *base;
static struct admission *admission;
static uint8_t taken[64]; /* the second byte of each message, in the order of their turns */
static size_t n_taken, n_settled;
static struct endpoint last_local, last_remote;
static bool last_floated;
static size_t last_len;

static enum ike_turn turn_of(void *context, const uint8_t *message, size_t message_len)
{
	(void)context;
	assert_true(message_len > 0);
	return (enum ike_turn)message[0];
}

static void on_input(void *context, const struct endpoint *local, const struct endpoint *remote, bool floated,
	const uint8_t *message, size_t message_len)
{
	(void)context;
	last_local = *local;
	last_remote = *remote;
	last_floated = floated;
	last_len = message_len;
	if (n_taken < sizeof(taken))
		taken[n_taken] = message[1];
	n_taken++;
}

static void on_settle(void *context)
{
	(void)context;
	n_settled++;
}

static int setup(void **state)
{
	static const struct admission_handler handler = {.turn_of = turn_of, .input = on_input, .settle = on_settle};

	(void)state;
	n_taken = n_settled = 0;
	base = event_base_new();
	admission = base ? admission_new(base, &handler) : NULL;
	return admission ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	admission_free(admission);
	event_base_free(base);
	return 0;
}

static void arrive_long(enum ike_turn turn, uint8_t name, size_t len)
{
	struct endpoint local = {.port = 500}, remote = {.port = (uint16_t)(1000 + name)};
	uint8_t *message = calloc(1, len);

	message[0] = (uint8_t)turn;
	message[1] = name;
	admission_input(admission, &local, &remote, name % 2, message, len);
	free(message);
}

static void arrive(enum ike_turn turn, uint8_t name)
{
	arrive_long(turn, name, 2);
}

/* One round of the event loop: takes one of those that wait. */
static void turn(void)
{
	size_t before = n_taken;

	while (n_taken == before)
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	assert_int_equal(n_taken, before + 1);
}

static void test_order(void **state)
{
	static const uint8_t expected[] = {3, 6, 4, 9, 8, 1, 2, 5, 7};

	(void)state;
	arrive(IKE_TURN_NEW, 1);
	arrive(IKE_TURN_NEW, 2);
	arrive(IKE_TURN_NOW, 3);
	arrive(IKE_TURN_BEGUN, 4);
	arrive(IKE_TURN_NEW, 5);
	arrive(IKE_TURN_NOW, 6);
	assert_int_equal(n_taken, 2);
	assert_int_equal(admission_waiting(admission), 4);
	turn();
	arrive(IKE_TURN_NEW, 7);
	arrive(IKE_TURN_BEGUN, 8);
	arrive(IKE_TURN_NOW, 9);
	while (admission_waiting(admission))
		turn();
	assert_int_equal(n_taken, sizeof(expected));
	assert_memory_equal(taken, expected, sizeof(expected));
	assert_int_equal(n_settled, 6);
}

static void test_message_is_kept(void **state)
{
	(void)state;
	arrive_long(IKE_TURN_NEW, 7, 600);
	turn();
	assert_int_equal(last_local.port, 500);
	assert_int_equal(last_remote.port, 1007);
	assert_true(last_floated);
	assert_int_equal(last_len, 600);
}

/* Between two that wait the loop looks at everything else: a timer that is due comes in between, each time. */
static void on_other(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval at_once;
	struct event **timer = context;

	(void)fd;
	(void)what;
	arrive(IKE_TURN_NOW, 0xff);
	if (admission_waiting(admission))
		event_add(*timer, &at_once);
}

static void test_others_in_between(void **state)
{
	static const struct timeval at_once;
	struct event *timer;

	(void)state;
	timer = evtimer_new(base, on_other, &timer);
	for (uint8_t i = 1; i <= 10; i++)
		arrive(IKE_TURN_NEW, i);
	event_add(timer, &at_once);
	event_base_dispatch(base);
	assert_in_range(n_taken, 19, 21);
	for (size_t i = 2; i < n_taken; i++)
		assert_true(taken[i] == 0xff || taken[i - 1] == 0xff);
	event_free(timer);
}

static void test_bounds(void **state)
{
	(void)state;
	for (int i = 0; i < ADMISSION_WAITING_MAX + 3; i++)
		arrive(IKE_TURN_NEW, 1);
	assert_int_equal(admission_waiting(admission), ADMISSION_WAITING_MAX);
	assert_int_equal(admission_dropped(admission), 3);
	/* The crowd takes no room from those that have begun. */
	arrive(IKE_TURN_BEGUN, 2);
	assert_int_equal(admission_waiting(admission), ADMISSION_WAITING_MAX + 1);
	for (int i = 0; i < ADMISSION_BYTES_MAX / 65000 + 1; i++)
		arrive_long(IKE_TURN_BEGUN, 3, 65000);
	assert_int_equal(admission_dropped(admission), 4);
	assert_int_equal(admission_waiting(admission), ADMISSION_WAITING_MAX + 1 + ADMISSION_BYTES_MAX / 65000);
	turn();
	assert_int_equal(taken[0], 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),
		TEST(test_message_is_kept),
		TEST(test_others_in_between),
		TEST(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
