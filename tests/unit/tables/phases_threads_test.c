/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of records between two threads, one the control plane and one the data plane, with refusals, removals that
 * overtake the answer, and workers that let go late, all by chance. What must hold: no slot is given out while the
 * data plane has it, an SPI rests for a whole round of generations, nothing is lost, no key stays in the ring.
 */
#include "fixture.h"
#include "tables/writer.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	N_SESSIONS = 3,
	N_CHILDREN = 8,
	CYCLES = 40000, /* several rounds of generations for each slot */
	GENERATIONS = 1 << TABLES_SPI_GENERATION_BITS,
};

struct chance {
	uint64_t state;
};

/* True once in `n` times, the same in every run of the thread. */
static bool chance_of(struct chance *chance, uint32_t n)
{
	chance->state ^= chance->state << 13;
	chance->state ^= chance->state >> 7;
	chance->state ^= chance->state << 17;
	return (chance->state >> 32) % n == 0;
}

struct dataplane {
	struct fixture_dataplane fixture;
	_Atomic bool stop;
	int failure; /* negative errno of a ring out of order */
};

static void *dataplane_run(void *context)
{
	struct dataplane *dataplane = context;
	struct chance chance = {0x5eed};
	int rc = 0;

	while (rc >= 0) {
		/* Read before the ring: what was pushed before the stop is taken up after it. */
		bool stop = atomic_load(&dataplane->stop);

		dataplane->fixture.refusal = chance_of(&chance, 4) ? -EINVAL : 0;
		rc = fixture_dataplane_take(&dataplane->fixture, NULL);
		if (rc == 0 && stop && dataplane->fixture.n_leaving == 0)
			break;
		if (rc == 0)
			sched_yield();
		if (rc >= 0 && (stop || chance_of(&chance, 3)) &&
			fixture_dataplane_let_go(&dataplane->fixture, chance_of(&chance, 2) ? 1 : N_CHILDREN) < 0)
			rc = -EPROTO;
	}
	dataplane->failure = rc;
	return NULL;
}

struct control {
	struct tables *tables;
	struct writer *writer;
	struct dataplane *dataplane;
	struct chance chance;
	uint32_t sessions[N_SESSIONS];
	uint64_t cycles, installed, refused, removed; /* answers heard */
	uint64_t installs_asked;
	uint64_t last_seen[N_CHILDREN][GENERATIONS]; /* the slot's how manieth claim had that SPI */
	uint64_t n_claims[N_CHILDREN];
	enum { IDLE, INSTALLING, ACTIVE, REMOVING } states[N_CHILDREN];
};

static void events_take(struct control *control)
{
	struct tables_event event;

	while (ring_pop(&control->tables->events[0], &event) == 1) {
		bool is_current = control->tables->children[event.index].id == event.id;

		writer_done(control->writer, &event);
		if (event.change == TABLES_INSTALL) {
			control->installed += event.result == 0;
			control->refused += event.result < 0;
			if (is_current && event.result < 0)
				control->states[event.index] = IDLE;
			else if (is_current && control->states[event.index] == INSTALLING)
				control->states[event.index] = ACTIVE;
		} else if (event.change == TABLES_REMOVE_CHILD) {
			control->removed++;
			if (is_current)
				control->states[event.index] = IDLE;
		}
	}
}

static void claim_check(struct control *control, uint32_t index, uint32_t spi)
{
	uint64_t *seen = &control->last_seen[index][(spi & 0x7fffffff) >> TABLES_SPI_INDEX_BITS];

	if (atomic_load(&control->dataplane->fixture.children[index].held))
		fail_msg("slot %u is given out while the data plane has it", index);
	if (control->states[index] != IDLE)
		fail_msg("slot %u is given out twice", index);
	control->n_claims[index]++;
	if (*seen != 0 && control->n_claims[index] - *seen < GENERATIONS)
		fail_msg(
			"slot %u has an SPI again after %zu claims", index, (size_t)(control->n_claims[index] - *seen));
	*seen = control->n_claims[index];
}

static void child_start(struct control *control)
{
	struct tables_child values = {
		.session = control->sessions[control->cycles % N_SESSIONS], .suite = ESP_AES128_GCM};
	uint8_t keymat[ESP_KEYMAT_MAX];
	uint32_t index, spi;

	if (writer_child_claim(control->writer, &index, &spi) < 0) {
		sched_yield();
		return;
	}
	claim_check(control, index, spi);
	control->cycles++;
	if (chance_of(&control->chance, 16)) {
		writer_child_unclaim(control->writer, index);
		return;
	}
	memset(keymat, 0xc5, sizeof(keymat));
	assert_int_equal(writer_child_install(control->writer, index, &values, keymat, keymat, sizeof(keymat)), 0);
	control->installs_asked++;
	control->states[index] = INSTALLING;
	if (chance_of(&control->chance, 4)) {
		writer_child_remove(control->writer, index);
		control->states[index] = REMOVING;
	}
}

static void children_move_on(struct control *control)
{
	for (uint32_t i = 0; i < N_CHILDREN; i++) {
		if (control->states[i] == ACTIVE && chance_of(&control->chance, 2)) {
			writer_child_activate(control->writer, i);
		} else if (control->states[i] == ACTIVE) {
			writer_child_remove(control->writer, i);
			control->states[i] = REMOVING;
		}
	}
}

/* Until every slot is free; the sessions last, with what they still have. */
static void control_finish(struct control *control)
{
	for (uint32_t i = 0; i < N_SESSIONS; i++)
		writer_session_remove(control->writer, control->sessions[i]);
	while (writer_children_free(control->writer) < N_CHILDREN ||
		writer_sessions_free(control->writer) < N_SESSIONS) {
		writer_flush(control->writer);
		events_take(control);
		sched_yield();
	}
}

static void check_end(const struct control *control, const struct fixture_dataplane *dataplane)
{
	const struct tables *tables = control->tables;

	assert_int_equal(control->installed + control->refused, control->installs_asked);
	assert_int_equal(control->installed, dataplane->installs);
	assert_int_equal(control->refused, dataplane->refusals);
	assert_true(control->removed >= control->installed);
	for (uint32_t i = 0; i < N_CHILDREN; i++) {
		assert_true(control->n_claims[i] > GENERATIONS);
		assert_false(atomic_load(&dataplane->children[i].held));
		assert_int_equal(tables->children[i].phase, TABLES_FREE);
	}
	for (uint32_t i = 0; i < N_SESSIONS; i++)
		assert_int_equal(tables->sessions[i].phase, TABLES_FREE);
	assert_int_equal(ring_count(&tables->changes), 0);
	assert_true(atomic_load(&tables->changes.shared->produced) > TABLES_CHANGE_SLOTS); /* every slot was used */
	for (size_t i = 0; i < (size_t)tables->changes.slots * tables->changes.slot_len; i++)
		assert_int_equal(tables->changes.shared->slots[i], 0);
}

static void test_lives_of_records(void **state)
{
	static struct control control = {.chance = {0xc0ffee}};
	static struct dataplane dataplane;
	int changes_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct tables tables;
	struct tables_event event;
	pthread_t thread;

	(void)state;
	fixture_tables_make(&tables, N_SESSIONS, N_CHILDREN, 1);
	assert_int_equal(fixture_dataplane_start(&dataplane.fixture, &tables), 0);
	control.tables = &tables;
	control.dataplane = &dataplane;
	control.writer = writer_new(&tables, changes_fd);
	assert_non_null(control.writer);
	for (uint32_t i = 0; i < N_SESSIONS; i++)
		assert_int_equal(
			writer_session_claim(control.writer, &(struct tables_session){0}, &control.sessions[i]), 0);
	assert_int_equal(pthread_create(&thread, NULL, dataplane_run, &dataplane), 0);
	while (control.cycles < CYCLES) {
		child_start(&control);
		children_move_on(&control);
		writer_flush(control.writer);
		events_take(&control);
	}
	control_finish(&control);
	atomic_store(&dataplane.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(dataplane.failure, 0);
	while (ring_pop(&tables.events[0], &event) == 1)
		control.removed += event.change == TABLES_REMOVE_CHILD;
	check_end(&control, &dataplane.fixture);
	writer_free(control.writer);
	fixture_dataplane_stop(&dataplane.fixture);
	tables_unmap(&tables);
	close(changes_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lives_of_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
