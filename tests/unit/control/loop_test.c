/* SPDX-License-Identifier: Apache-2.0 */
/* What runs in the background leaves the loop to others, however much of it there is. */
#include "test.h"

#include "loop.h"

#include <stdbool.h>

enum { CROWD = 100 };

static struct event *crowd[CROWD], *session;
static unsigned n_crowd, crowd_before_session;
static bool session_came;

static void on_session(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	(void)context;
	session_came = true;
	crowd_before_session = n_crowd;
}

/* In the middle of the crowd somebody with a session speaks up. */
static void on_crowd(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	(void)context;
	if (++n_crowd == 1)
		event_active(session, EV_READ, 0);
}

static unsigned run(bool background)
{
	struct event_base *base = loop_new();

	assert_non_null(base);
	n_crowd = 0;
	session_came = false;
	session = event_new(base, -1, EV_READ, on_session, NULL);
	for (int i = 0; i < CROWD; i++) {
		crowd[i] = event_new(base, -1, EV_READ, on_crowd, NULL);
		if (background)
			loop_background(crowd[i]);
		event_active(crowd[i], EV_READ, 0);
	}
	while (n_crowd < CROWD || !session_came)
		event_base_loop(base, EVLOOP_NONBLOCK);
	for (int i = 0; i < CROWD; i++)
		event_free(crowd[i]);
	event_free(session);
	event_base_free(base);
	return crowd_before_session;
}

static void background_waits(void **state)
{
	(void)state;
	assert_in_range(run(true), 1, LOOP_BACKGROUND_AT_ONCE);
	/* The test can tell: in the foreground the crowd comes first, as it was there before. */
	assert_int_equal(run(false), CROWD);
}

/* A loop of other programs has no background, and goes on all the same. */
static void other_loops(void **state)
{
	struct event_base *base = event_base_new();
	struct event *event = event_new(base, -1, EV_READ, on_session, NULL);

	(void)state;
	session_came = false;
	loop_background(event);
	event_active(event, EV_READ, 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_true(session_came);
	event_free(event);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(background_waits),
		cmocka_unit_test(other_loops),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
