/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold in every order of events: nothing lost or overtaken, no slot given out twice or too early. */
#include "writer_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAITING_MAX = 65536 }; /* as in the writer */

static void net_push(uint32_t epoch)
{
	writer_net_change(writer_fixture.writer, TABLES_NET_SWEEP, &(struct writer_net){.epoch = epoch});
}

static void test_order_when_full(void **state)
{
	enum { CHANGES = 2 * TABLES_CHANGE_SLOTS + 1000, INSTALL_AT = TABLES_CHANGE_SLOTS + 500 };
	uint32_t session = writer_fixture_claim_session(), child = writer_fixture_claim_child();
	struct tables_change change;
	uint64_t woken;

	(void)state;
	for (uint32_t i = 0; i < CHANGES; i++) {
		if (i == INSTALL_AT)
			assert_int_equal(writer_fixture_install_child(child, session), 0);
		else if (i == INSTALL_AT + 1)
			writer_child_remove(writer_fixture.writer, child);
		else
			net_push(i);
	}
	assert_int_equal(writer_flush(writer_fixture.writer), CHANGES - TABLES_CHANGE_SLOTS);
	for (uint32_t i = 0; i < CHANGES; i++) {
		/* Also where one change is taken and one more fits in. */
		if (i % 3 == 0 || ring_count(&writer_fixture.tables.changes) == 0)
			writer_flush(writer_fixture.writer);
		assert_int_equal(fixture_dataplane_take(&writer_fixture.dataplane, &change), 1);
		if (i == INSTALL_AT) {
			assert_int_equal(change.kind, TABLES_INSTALL);
			assert_memory_equal(
				change.install.keymat_in, writer_fixture_keymat_in, WRITER_FIXTURE_KEYMAT_LEN);
		} else if (i == INSTALL_AT + 1) {
			assert_int_equal(change.kind, TABLES_REMOVE_CHILD);
		} else {
			assert_int_equal(change.net.epoch, i);
		}
		writer_fixture_take_answers(NULL);
	}
	assert_int_equal(writer_flush(writer_fixture.writer), 0);
	assert_int_equal(read(writer_fixture.changes_fd, &woken, sizeof(woken)), sizeof(woken));
	net_push(CHANGES);
	writer_fixture_settle();
	assert_int_equal(writer_children_free(writer_fixture.writer), WRITER_FIXTURE_CHILDREN);
}

/* A change does not slip into room that came free while others wait. */
static void test_no_overtaking(void **state)
{
	struct tables_change change;
	uint32_t n = 0;

	(void)state;
	while (n < TABLES_CHANGE_SLOTS + 10)
		net_push(n++);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(fixture_dataplane_take(&writer_fixture.dataplane, NULL), 1);
	net_push(n++);
	for (uint32_t i = 5; i < n; i++) {
		if (ring_count(&writer_fixture.tables.changes) == 0)
			writer_flush(writer_fixture.writer);
		assert_int_equal(fixture_dataplane_take(&writer_fixture.dataplane, &change), 1);
		assert_int_equal(change.net.epoch, i);
		writer_fixture_take_answers(NULL);
	}
}

/* One write for what was pushed together, none for nothing. */
static void test_wakes_once(void **state)
{
	uint64_t woken;

	(void)state;
	assert_int_equal(writer_flush(writer_fixture.writer), 0);
	assert_int_equal(read(writer_fixture.changes_fd, &woken, sizeof(woken)), -1);
	assert_int_equal(errno, EAGAIN);
	for (uint32_t i = 0; i < 10; i++)
		net_push(i);
	assert_int_equal(writer_flush(writer_fixture.writer), 0);
	assert_int_equal(writer_flush(writer_fixture.writer), 0);
	assert_int_equal(read(writer_fixture.changes_fd, &woken, sizeof(woken)), sizeof(woken));
	assert_int_equal(woken, 1);
}

/* Too many wait: installs are refused and can be tried again, removals are never refused. */
static void test_too_many_wait(void **state)
{
	uint32_t session = writer_fixture_claim_session(), child = writer_fixture_claim_child();
	uint32_t other = writer_fixture_claim_child();

	(void)state;
	assert_int_equal(writer_fixture_install_child(child, session), 0);
	for (uint32_t i = 0; i < TABLES_CHANGE_SLOTS - 1 + WAITING_MAX; i++)
		net_push(i);
	assert_int_equal(writer_fixture_install_child(other, session), -ENOSPC);
	assert_int_equal(writer_fixture.tables.children[other].phase, TABLES_CLAIMED);
	writer_child_remove(writer_fixture.writer, child);
	writer_fixture_settle();
	assert_int_equal(writer_fixture.tables.children[child].phase, TABLES_FREE);
	assert_int_equal(writer_fixture_install_child(other, session), 0);
	writer_fixture_settle();
	assert_int_equal(writer_fixture.tables.children[other].phase, TABLES_LIVE);
}

/* A claim of all slots that are free, none of which the data plane may still have. Gives them back. */
static void claim_all(void)
{
	uint32_t n = writer_children_free(writer_fixture.writer), children[WRITER_FIXTURE_CHILDREN];

	for (uint32_t i = 0; i < n; i++) {
		children[i] = writer_fixture_claim_child();
		assert_false(atomic_load(&writer_fixture.dataplane.children[children[i]].held));
	}
	for (uint32_t i = 0; i < n; i++)
		writer_child_unclaim(writer_fixture.writer, children[i]);
}

enum {
	REFUSED = 1,
	TAKEN_BEFORE_REMOVE = 2,
	ANSWERED_BEFORE_TAKEN = 4, /* the install's answer is heard before the data plane takes the removal */
	ANSWERED_BEFORE_GONE = 8,  /* and the removal's before the workers let go */
	CLAIMED_BETWEEN = 16,
	INSTALLED_BETWEEN = 32, /* the slot that came free has its next record before the old removal is taken */
	REMOVED_TWICE = 64,
	ORDERS = 128,
};

static void install_and_remove(unsigned int order)
{
	uint32_t session = writer_fixture_claim_session(), child = writer_fixture_claim_child(), next = TABLES_NONE;

	writer_fixture.dataplane.refusal = order & REFUSED ? -EINVAL : 0;
	assert_int_equal(writer_fixture_install_child(child, session), 0);
	if (order & TAKEN_BEFORE_REMOVE)
		writer_fixture_take_change();
	for (int i = 0; i < (order & REMOVED_TWICE ? 2 : 1); i++)
		writer_child_remove(writer_fixture.writer, child);
	if (!(order & TAKEN_BEFORE_REMOVE))
		writer_fixture_take_change();
	writer_fixture.dataplane.refusal = 0;
	if (order & ANSWERED_BEFORE_TAKEN)
		writer_fixture_take_answers(NULL);
	if (order & CLAIMED_BETWEEN)
		claim_all();
	if (order & INSTALLED_BETWEEN) {
		/* The slot in question is the last to be given out. */
		do
			next = writer_fixture_claim_child();
		while (writer_children_free(writer_fixture.writer) > 0);
		assert_int_equal(writer_fixture_install_child(next, session), 0);
	}
	writer_fixture_take_change();
	if (order & ANSWERED_BEFORE_GONE)
		writer_fixture_take_answers(NULL);
	if (order & CLAIMED_BETWEEN)
		claim_all();
	writer_fixture_settle();
	if (next != TABLES_NONE) {
		assert_int_equal(writer_fixture.tables.children[next].phase, TABLES_LIVE);
		assert_true(atomic_load(&writer_fixture.dataplane.children[next].held));
		assert_int_equal(writer_fixture.dataplane.children[next].id, writer_fixture.tables.children[next].id);
	}
	writer_session_remove(writer_fixture.writer, session);
	writer_fixture_settle();
}

static void test_install_and_removal_in_every_order(void **state)
{
	for (unsigned int order = 0; order < ORDERS; order++) {
		uint32_t n_claimed = 0;

		print_message("order 0x%02x\n", order);
		install_and_remove(order);
		for (uint32_t i = 0; i < WRITER_FIXTURE_CHILDREN; i++) {
			assert_false(atomic_load(&writer_fixture.dataplane.children[i].held));
			if (writer_fixture.tables.children[i].phase == TABLES_CLAIMED) {
				n_claimed++;
				writer_child_unclaim(writer_fixture.writer, i);
			}
		}
		assert_true(n_claimed == 0 || order & INSTALLED_BETWEEN);
		writer_fixture_expect_free();
		writer_fixture_teardown(state);
		writer_fixture_setup(state);
	}
}

static void test_double_done(void **state)
{
	uint32_t session = writer_fixture_claim_session(), child = writer_fixture_claim_child(), again;
	struct tables_event done, other;

	(void)state;
	writer_fixture_install_child(child, session);
	writer_fixture_settle();
	writer_child_remove(writer_fixture.writer, child);
	writer_fixture_take_change();
	fixture_dataplane_let_go(&writer_fixture.dataplane, 1);
	assert_int_equal(writer_fixture_take_answers(&done), 1);
	writer_done(writer_fixture.writer, &done);
	assert_int_equal(writer_children_free(writer_fixture.writer), WRITER_FIXTURE_CHILDREN);
	do
		again = writer_fixture_claim_child();
	while (again != child);
	assert_int_equal(writer_children_free(writer_fixture.writer), 0);

	/* For a record that was replaced, for none, and for what is no end of a removal: of no effect. */
	writer_done(writer_fixture.writer, &done);
	other = (struct tables_event){.kind = TABLES_EVENT_DONE, .id = writer_fixture.tables.children[child].id};
	for (uint32_t kind = 0; kind < TABLES_CHANGE_COUNT + 1; kind++) {
		other.change = kind;
		other.index = UINT32_MAX;
		writer_done(writer_fixture.writer, &other);
		other.index = child;
		if (kind != TABLES_REMOVE_CHILD && kind != TABLES_REMOVE_SESSION)
			writer_done(writer_fixture.writer, &other);
	}
	other.kind = TABLES_EVENT_HARD_LIFETIME;
	other.change = TABLES_REMOVE_CHILD;
	writer_done(writer_fixture.writer, &other);
	assert_int_equal(writer_children_free(writer_fixture.writer), 0);
	assert_int_equal(writer_fixture.tables.children[child].phase, TABLES_CLAIMED);
}

/* The slot that has been free longest comes next, and never with the SPI that it had. */
static void test_slots_rest(void **state)
{
	uint32_t indices[WRITER_FIXTURE_CHILDREN], spis[WRITER_FIXTURE_CHILDREN], index, spi;
	static const uint32_t order[WRITER_FIXTURE_CHILDREN] = {3, 0, 5, 1, 4, 2};

	(void)state;
	for (uint32_t i = 0; i < WRITER_FIXTURE_CHILDREN; i++)
		writer_child_claim(writer_fixture.writer, &indices[i], &spis[i]);
	for (uint32_t i = 0; i < WRITER_FIXTURE_CHILDREN; i++)
		writer_child_unclaim(writer_fixture.writer, indices[order[i]]);
	for (uint32_t i = 0; i < WRITER_FIXTURE_CHILDREN; i++) {
		assert_int_equal(writer_child_claim(writer_fixture.writer, &index, &spi), 0);
		assert_int_equal(index, indices[order[i]]);
		assert_int_not_equal(spi, spis[order[i]]);
	}
}

/* One slot alone goes through the whole generation space before an SPI comes again. */
static void test_spi_comes_again_last(void **state)
{
	enum { GENERATIONS = 1 << TABLES_SPI_GENERATION_BITS };
	static bool seen[GENERATIONS];
	uint32_t index, spi, first = 0;

	(void)state;
	for (uint32_t i = 1; i < WRITER_FIXTURE_CHILDREN; i++)
		writer_fixture_claim_child();
	for (uint32_t i = 0; i <= GENERATIONS; i++) {
		bool *generation;

		assert_int_equal(writer_child_claim(writer_fixture.writer, &index, &spi), 0);
		generation = &seen[(spi & 0x7fffffff) >> TABLES_SPI_INDEX_BITS];
		assert_int_equal(*generation, i == GENERATIONS);
		*generation = true;
		if (i == 0)
			first = spi;
		writer_child_unclaim(writer_fixture.writer, index);
	}
	assert_int_equal(spi, first);
}

/* A control plane that died left records in every phase; what is on its way, and what never went off. */
static void test_taking_over(void **state)
{
	uint32_t live = writer_fixture_claim_session(), claimed = writer_fixture_claim_session(), children[5], index;
	uint64_t last_id = 0;

	for (int i = 0; i < 5; i++)
		children[i] = writer_fixture_claim_child();
	for (int i = 0; i < 3; i++)
		writer_fixture_install_child(children[i], live);
	writer_fixture_settle();
	for (uint32_t i = 0; i < TABLES_CHANGE_SLOTS - 2; i++)
		net_push(i);
	/* The last two changes that fit; the others die with their writer: an install, and the removal of a live one.
	 */
	writer_child_remove(writer_fixture.writer, children[0]);
	writer_fixture_install_child(children[3], live);
	writer_fixture_install_child(children[4], claimed);
	writer_child_remove(writer_fixture.writer, children[1]);
	for (uint32_t i = 0; i < WRITER_FIXTURE_CHILDREN; i++)
		if (writer_fixture.tables.children[i].id > last_id)
			last_id = writer_fixture.tables.children[i].id;
	writer_free(writer_fixture.writer);
	writer_fixture.writer = writer_new(&writer_fixture.tables, writer_fixture.changes_fd);
	assert_non_null(writer_fixture.writer);
	assert_true(writer_next_id(writer_fixture.writer) > last_id);
	index = writer_fixture_claim_child(); /* the only one that was never used */
	assert_true(writer_fixture.tables.children[index].id > last_id + 1);
	assert_int_equal(writer_children_free(writer_fixture.writer), 0);
	writer_child_unclaim(writer_fixture.writer, index);

	/* The live record is the caller's to adopt; all others come free. */
	writer_fixture_settle();
	assert_int_equal(writer_fixture.tables.sessions[live].phase, TABLES_LIVE);
	assert_int_equal(writer_fixture.tables.children[children[2]].phase, TABLES_LIVE);
	assert_int_equal(writer_fixture.tables.sessions[claimed].phase, TABLES_FREE);
	assert_int_equal(writer_children_free(writer_fixture.writer), WRITER_FIXTURE_CHILDREN - 1);
	assert_int_equal(writer_sessions_free(writer_fixture.writer), WRITER_FIXTURE_SESSIONS - 1);
	for (uint32_t i = 0; i < WRITER_FIXTURE_CHILDREN; i++)
		assert_int_equal(atomic_load(&writer_fixture.dataplane.children[i].held), i == children[2]);
	writer_session_remove(writer_fixture.writer, live);
	writer_fixture_settle();
	writer_fixture_expect_free();
	(void)state;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, writer_fixture_setup, writer_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_order_when_full),
		TEST(test_no_overtaking),
		TEST(test_wakes_once),
		TEST(test_too_many_wait),
		TEST(test_install_and_removal_in_every_order),
		TEST(test_double_done),
		TEST(test_slots_rest),
		TEST(test_spi_comes_again_last),
		TEST(test_taking_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
