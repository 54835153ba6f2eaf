/* SPDX-License-Identifier: Apache-2.0 */
/* SAs whose time is over: gone, told once, and their slots given back when the control plane asks. */
#include "peer.h"

#include "changes.h"
#include "lifetime.h"

#include <rte_cycles.h>
#include <rte_rcu_qsbr.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { LIFE = 1000, SURELY_OVER = 1010 };

static struct wire_frame frame;
static uint8_t inner[WIRE_MAX];
static struct peer peer;

static void open_for(struct peer *of, unsigned int number, int64_t seconds)
{
	peer_open(of, number, &(struct peer_options){.expires_at = time(NULL) + seconds});
}

/* The main thread looks, in as many turns as it needs, so many seconds from now. */
static void look_after(uint64_t seconds)
{
	uint64_t now = rte_rdtsc() + seconds * rte_get_tsc_hz();

	lifetime_apply(&harness.dataplane, now);
	while (harness.dataplane.lifetime.looking)
		lifetime_apply(&harness.dataplane, now);
	harness_settle();
}

static void expect_opened(struct peer *of, bool opened)
{
	peer_send(of, 0, inner, peer_inner(of, LAN_HOST, 10, inner));
	harness_turn();
	assert_int_equal(harness_receive(1, &frame), opened);
}

static void test_over(void **state)
{
	const struct tables_event *event;

	(void)state;
	open_for(&peer, 1, LIFE);
	look_after(LIFE - 10);
	expect_opened(&peer, true);
	look_after(SURELY_OVER);
	expect_opened(&peer, false);
	assert_int_equal(harness_count(REASON_DROP_UNKNOWN_SPI), 1);
	assert_null(esp_key_suite(harness.dataplane.sas.in[peer.child].key)); /* wiped */
	assert_int_equal(harness.tables.children[peer.child].phase, TABLES_FREE);
	assert_int_equal(harness_count_events(TABLES_EVENT_HARD_LIFETIME), 1);
	event = harness_last_event(TABLES_EVENT_HARD_LIFETIME);
	assert_int_equal(event->index, peer.child);
	assert_int_equal(event->id, harness.tables.children[peer.child].id);
	/* Not again. */
	look_after(2 * SURELY_OVER);
	assert_int_equal(harness_count_events(TABLES_EVENT_HARD_LIFETIME), 1);
	/* The slot is the control plane's until it has asked. */
	assert_int_equal(writer_children_free(harness.writer), 63);
	writer_session_remove(harness.writer, peer.session);
	writer_child_remove(harness.writer, peer.child);
	harness_settle();
	peer_expect_all_free();
}

/* While workers may still use it, it is out of sight and not told; asked for meanwhile, its end is an answer. */
static void test_asked_meanwhile(void **state)
{
	struct rte_rcu_qsbr *qsbr = harness.dataplane.qsbr;

	(void)state;
	open_for(&peer, 1, LIFE);
	assert_int_equal(rte_rcu_qsbr_thread_register(qsbr, 0), 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	look_after(SURELY_OVER);
	expect_opened(&peer, false);
	assert_int_equal(harness_count_events(TABLES_EVENT_HARD_LIFETIME), 0);
	harness.n_done = 0;
	writer_child_remove(harness.writer, peer.child);
	harness_settle();
	assert_int_equal(harness.n_done, 0);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	harness_settle();
	assert_int_equal(harness.n_done, 1);
	assert_int_equal(harness_count_events(TABLES_EVENT_HARD_LIFETIME), 0);
	assert_int_equal(writer_children_free(harness.writer), 64);
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	assert_int_equal(rte_rcu_qsbr_thread_unregister(qsbr, 0), 0);
	writer_session_remove(harness.writer, peer.session);
	harness_settle();
	peer_expect_all_free();
}

/* No control plane reads events: what is over ends all the same, and the next one finds the slot free. */
static void test_nobody_there(void **state)
{
	struct tables_event event = {.kind = TABLES_EVENT_MOVED};

	(void)state;
	open_for(&peer, 1, LIFE);
	while (ring_push(&harness.dataplane.tables.events[0], &event) == 0)
		;
	lifetime_apply(&harness.dataplane, rte_rdtsc() + SURELY_OVER * rte_get_tsc_hz());
	changes_apply(&harness.dataplane);
	expect_opened(&peer, false);
	assert_int_equal(changes_leaving(&harness.dataplane), 1); /* until it can be told */
	changes_settle(&harness.dataplane);
	assert_int_equal(harness.tables.children[peer.child].phase, TABLES_FREE);
	assert_int_equal(harness.tables.sessions[peer.session].phase, TABLES_LIVE);
	assert_int_equal(ring_count(&harness.tables.events[0]), 0);
	writer_child_remove(harness.writer, peer.child);
	writer_session_remove(harness.writer, peer.session);
	harness_settle();
	peer_expect_all_free();
}

/* One after the other; one without an end; one that comes while the main thread looks, at a place it has passed. */
static void test_each_in_its_time(void **state)
{
	struct peer peers[4];
	uint64_t hz = rte_get_tsc_hz();

	(void)state;
	harness_open(&(struct harness_options){.max_children = 5000, .max_sessions = 16});
	open_for(&peers[0], 1, 2 * LIFE);
	open_for(&peers[1], 2, LIFE);
	peer_open(&peers[2], 3, &(struct peer_options){0});
	lifetime_apply(&harness.dataplane, rte_rdtsc() + SURELY_OVER * hz);
	assert_true(harness.dataplane.lifetime.looking); /* 5,000 are more than a turn's */
	open_for(&peers[3], 4, LIFE / 2);
	look_after(SURELY_OVER);
	assert_int_equal(harness_count_events(TABLES_EVENT_HARD_LIFETIME), 1);
	expect_opened(&peers[0], true);
	expect_opened(&peers[1], false);
	expect_opened(&peers[3], true);
	look_after(SURELY_OVER + 2);
	assert_int_equal(harness_count_events(TABLES_EVENT_HARD_LIFETIME), 2);
	expect_opened(&peers[3], false);
	look_after(3 * LIFE);
	assert_int_equal(harness_count_events(TABLES_EVENT_HARD_LIFETIME), 3);
	assert_int_equal(harness_last_event(TABLES_EVENT_HARD_LIFETIME)->index, peers[0].child);
	look_after(1000ull * 86400);
	expect_opened(&peers[2], true);
	assert_int_equal(harness_count_events(TABLES_EVENT_HARD_LIFETIME), 3);
}

/* A record may say anything. */
static void test_odd_times(void **state)
{
	struct peer past, future;

	(void)state;
	peer_open(&past, 1, &(struct peer_options){.expires_at = INT64_MIN});
	peer_open(&future, 2, &(struct peer_options){.expires_at = INT64_MAX});
	look_after(2);
	expect_opened(&past, false);
	expect_opened(&future, true);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_over),
		TEST(test_asked_meanwhile),
		TEST(test_nobody_there),
		TEST(test_each_in_its_time),
		TEST(test_odd_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
