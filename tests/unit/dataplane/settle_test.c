/* SPDX-License-Identifier: Apache-2.0 */
/* Changes when things go wrong: workers that are slow, a reader that is away, a control plane that dies or runs wild.
 */
#include "peer.h"

#include "changes.h"

#include <rte_rcu_qsbr.h>

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROGUE_STEPS = 100000 };

static struct wire_frame frame;
static uint8_t inner[WIRE_MAX];

static void expect_opened(struct peer *peer, bool opened)
{
	peer_send(peer, 0, inner, peer_inner(peer, LAN_HOST, 10, inner));
	harness_turn();
	assert_int_equal(harness_receive(1, &frame), opened);
}

/* A worker that may still look at it holds the slot back, key and all. */
static void test_grace(void **state)
{
	struct rte_rcu_qsbr *qsbr = harness.dataplane.qsbr;
	struct peer peer, other;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	assert_int_equal(rte_rcu_qsbr_thread_register(qsbr, 0), 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	writer_session_remove(harness.writer, peer.session);
	writer_flush(harness.writer);
	for (int i = 0; i < 10; i++)
		changes_apply(&harness.dataplane);
	harness_take_events();
	expect_opened(&peer, false);
	assert_int_equal(changes_leaving(&harness.dataplane), 2);
	assert_int_equal(harness.tables.sessions[peer.session].phase, TABLES_LEAVING);
	assert_non_null(esp_key_suite(harness.dataplane.sas.in[peer.child].key));
	assert_int_equal(writer_sessions_free(harness.writer), 15);
	/* Others come and go meanwhile. */
	peer_open(&other, 2, &(struct peer_options){0});
	assert_int_not_equal(other.child, peer.child);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	changes_apply(&harness.dataplane);
	harness_take_events();
	assert_int_equal(changes_leaving(&harness.dataplane), 0);
	assert_int_equal(harness.tables.sessions[peer.session].phase, TABLES_FREE);
	assert_int_equal(harness.tables.children[peer.child].phase, TABLES_FREE);
	assert_null(esp_key_suite(harness.dataplane.sas.in[peer.child].key));
	assert_int_equal(writer_sessions_free(harness.writer), 15);
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	assert_int_equal(rte_rcu_qsbr_thread_unregister(qsbr, 0), 0);
}

/* Nobody reads events: what can't be answered is not taken up, and nothing is lost. */
static void test_full_event_ring(void **state)
{
	enum { CHANGES = TABLES_EVENT_SLOTS + 900 };
	struct peer peer;
	size_t waiting;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	harness.n_done = harness.n_refused = 0;
	for (uint32_t i = 0; i < CHANGES; i++)
		writer_child_activate(harness.writer, i < CHANGES - 1 ? peer.child : peer.child + 1);
	writer_session_remove(harness.writer, peer.session);
	for (int i = 0; i < 20; i++) {
		waiting = writer_flush(harness.writer);
		changes_apply(&harness.dataplane);
	}
	assert_int_equal(ring_count(&harness.tables.events[0]), TABLES_EVENT_SLOTS);
	assert_int_equal(waiting + ring_count(&harness.tables.changes), 901);
	assert_int_equal(harness.tables.children[peer.child].phase, TABLES_LIVE);
	harness_settle();
	assert_int_equal(harness.n_done, CHANGES + 2);
	assert_int_equal(harness.n_refused, 1);
	assert_int_equal(writer_sessions_free(harness.writer), 16);
	assert_int_equal(tables_sum_events_lost(&harness.tables), 0);
}

/* A removal whose grace is over waits for room for its answer, too. */
static void test_full_event_ring_holds_removals(void **state)
{
	struct tables_event event = {.kind = TABLES_EVENT_NONE};
	struct peer peer;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	writer_session_remove(harness.writer, peer.session);
	writer_flush(harness.writer);
	while (ring_room(&harness.tables.events[0]) > 1)
		ring_push(&harness.dataplane.tables.events[0], &event);
	for (int i = 0; i < 5; i++)
		changes_apply(&harness.dataplane);
	assert_int_equal(changes_leaving(&harness.dataplane), 1);
	while (ring_count(&harness.tables.events[0]) > 1)
		ring_pop(&harness.tables.events[0], &event);
	harness_settle();
	assert_int_equal(changes_leaving(&harness.dataplane), 0);
	assert_int_equal(writer_sessions_free(harness.writer), 16);
	assert_int_equal(writer_children_free(harness.writer), 64);
}

/* The next control plane finds what is live, and everything else free. */
static void take_over(void)
{
	writer_free(harness.writer);
	changes_settle(&harness.dataplane);
	harness.writer = writer_new(&harness.tables, harness.changes_fd);
	assert_non_null(harness.writer);
	assert_int_equal(ring_count(&harness.tables.changes), 0);
	for (uint32_t i = 0; i <= harness.tables.n_workers; i++)
		assert_int_equal(ring_count(&harness.tables.events[i]), 0);
}

static void test_crash(void **state)
{
	struct peer live, leaving, removed, half;
	struct tables_session session;
	struct tables_child values;
	uint32_t claimed, spi, session_claimed;

	(void)state;
	peer_open(&live, 1, &(struct peer_options){0});
	peer_open(&leaving, 2, &(struct peer_options){0});
	peer_open(&removed, 3, &(struct peer_options){0});
	peer_rekey(&live, &half, &(struct peer_options){0});
	session = peer_session(&live);
	/* Claimed and no more; installed, and nobody has read that yet; removed likewise; leaving, and not yet said. */
	assert_int_equal(writer_session_claim(harness.writer, &session, &session_claimed), 0);
	assert_int_equal(writer_child_claim(harness.writer, &claimed, &spi), 0);
	assert_int_equal(writer_child_claim(harness.writer, &claimed, &spi), 0);
	values = peer_child(&live, &(struct peer_options){0});
	assert_int_equal(
		writer_child_install(harness.writer, claimed, &values, live.to_hq.keymat, live.from_hq.keymat, 20), 0);
	writer_session_remove(harness.writer, removed.session);
	writer_flush(harness.writer);
	harness.tables.sessions[leaving.session].phase = TABLES_LEAVING;
	harness.tables.children[half.child].phase = TABLES_LEAVING;
	take_over();
	assert_int_equal(writer_sessions_free(harness.writer), 15);
	assert_int_equal(writer_children_free(harness.writer), 62);
	assert_int_equal(harness.tables.sessions[live.session].phase, TABLES_LIVE);
	assert_int_equal(harness.tables.children[live.child].phase, TABLES_LIVE);
	assert_int_equal(harness.tables.children[claimed].phase, TABLES_LIVE);
	expect_opened(&live, true);
	expect_opened(&leaving, false);
	expect_opened(&removed, false);
	expect_opened(&half, false);
	writer_session_remove(harness.writer, live.session);
	harness_settle();
	assert_int_equal(writer_sessions_free(harness.writer), 16);
	assert_int_equal(writer_children_free(harness.writer), 64);
	assert_int_equal(harness.dataplane.policies.n_free, 64);
}

/* It left impossible indices behind, in every ring that it had a hand in. */
static void test_crash_with_broken_rings(void **state)
{
	struct peer live, gone;

	(void)state;
	peer_open(&live, 1, &(struct peer_options){0});
	peer_open(&gone, 2, &(struct peer_options){0});
	harness.tables.sessions[gone.session].phase = TABLES_LEAVING;
	harness.tables.changes.shared->produced += 1u << 30;
	harness.tables.events[0].shared->consumed += 1u << 30;
	harness.tables.events[1].shared->consumed -= 1u << 30;
	take_over();
	assert_int_equal(writer_sessions_free(harness.writer), 15);
	expect_opened(&live, true);
	expect_opened(&gone, false);
	peer_open(&gone, 3, &(struct peer_options){0});
	expect_opened(&gone, true);
}

/* --- anything at all --- */

static void spoil(void *bytes, size_t len)
{
	for (int i = rand() % 3; i > 0; i--)
		((uint8_t *)bytes)[(size_t)rand() % len] = (uint8_t)rand();
}

/* A record and a change that might have been good, with some bytes written over. */
static void rogue_install(const struct peer *like)
{
	uint32_t index = (uint32_t)rand() % 64;
	struct tables_child *record = &harness.tables.children[index], values;
	struct tables_session *session = &harness.tables.sessions[rand() % 16];
	struct tables_change change = {.kind = TABLES_INSTALL, .index = index};
	struct address net = address_ipv4(0x0a000000 | (uint32_t)rand() % 0x1000000);

	values = peer_child(like, &(struct peer_options){.suite = 1 + (uint32_t)rand() % 6,
					  .remote_network = prefix_make(&net, (uint8_t)(rand() % 33))});
	values.phase = TABLES_CLAIMED;
	values.generation = (uint32_t)rand();
	values.spi_in = tables_spi(index, values.generation);
	values.id = change.id = 1 + (uint64_t)rand() % 200;
	values.session = (uint32_t)(session - harness.tables.sessions);
	memcpy(record, &values, sizeof(values));
	spoil(record, sizeof(*record));
	*session = peer_session(like);
	session->id = 1 + (uint64_t)rand() % 3;
	change.install.local = session->local;
	change.install.remote = session->remote;
	change.install.encapsulation = (uint32_t)rand() % 2;
	change.install.keymat_len = (uint32_t)esp_suite_keymat_len(esp_suite_get(values.suite));
	spoil(session, sizeof(*session));
	spoil(&change, sizeof(change));
	(void)ring_push(&harness.tables.changes, &change);
}

static void rogue_change(void)
{
	struct tables_change change;

	wire_noise((uint8_t *)&change, sizeof(change), (uint32_t)rand());
	if (rand() % 8) {
		change.kind = (uint32_t)rand() % (TABLES_CHANGE_COUNT + 1);
		change.index = (uint32_t)rand() % 70;
		change.id = (uint64_t)rand() % 200;
	}
	if (change.kind >= TABLES_ADDRESS_ADD && rand() % 4) {
		struct address address = address_ipv4((uint32_t)rand() % 64 << (rand() % 32));

		change.net.prefix = prefix_make(&address, (uint8_t)(rand() % 33));
		change.net.gateway = address_ipv4((uint32_t)rand() % 4);
		change.net.port = (uint16_t)(rand() % 3);
	}
	(void)ring_push(&harness.tables.changes, &change);
}

/* Removes by what the data plane itself knows, since the records are rubbish. */
static void remove_all(void)
{
	for (uint32_t i = 0; i < harness.dataplane.sas.n_sessions; i++) {
		struct tables_change change = {
			.kind = TABLES_REMOVE_SESSION, .index = i, .id = harness.dataplane.sas.sessions[i].id};

		assert_int_equal(ring_push(&harness.tables.changes, &change), 0);
	}
	changes_settle(&harness.dataplane);
}

static void test_rogue(void **state)
{
	uint32_t installed = 0, most = 0;
	struct peer like;

	(void)state;
	srand(4711);
	peer_open(&like, 1, &(struct peer_options){0});
	for (int step = 0; step < ROGUE_STEPS; step++) {
		if (rand() % 3 == 0)
			rogue_install(&like);
		else
			rogue_change();
		if (rand() % 50 == 0)
			spoil(harness.tables.events[0].shared, sizeof(struct ring_shared));
		if (rand() % 16 == 0)
			changes_apply(&harness.dataplane);
		if (rand() % 256 == 0) {
			for (uint32_t i = 0; i < 64; i++)
				installed += harness.dataplane.sas.children[i].id != 0;
			most = RTE_MAX(most, installed);
			installed = 0;
			changes_settle(&harness.dataplane);
		}
	}
	assert_true(most > 4); /* it was not all refused */
	remove_all();
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(harness.dataplane.sas.children[i].id, 0);
	assert_int_equal(harness.dataplane.policies.n_free, 64);
	assert_int_equal(changes_leaving(&harness.dataplane), 0);
	/* And a sane control plane can work with it again. */
	for (uint32_t i = 0; i < 64; i++)
		harness.tables.children[i].phase = TABLES_FREE;
	for (uint32_t i = 0; i < 16; i++)
		harness.tables.sessions[i].phase = TABLES_FREE;
	take_over();
	peer_open(&like, 2, &(struct peer_options){0});
	assert_non_null(sa_find_in(&harness.dataplane.sas, like.to_hq.spi));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_grace),
		TEST(test_full_event_ring),
		TEST(test_full_event_ring_holds_removals),
		TEST(test_crash),
		TEST(test_crash_with_broken_rings),
		TEST(test_rogue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
