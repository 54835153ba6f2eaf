/* SPDX-License-Identifier: Apache-2.0 */
/* Records of TCP connections on their way to a worker and back. The test is the data plane. */
#include "writer_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint32_t hold(uint32_t session)
{
	uint32_t index;

	assert_int_equal(writer_connection_hold(writer_fixture.writer, session, &writer_fixture_local,
				 &writer_fixture_remote, &index),
		0);
	return index;
}

static struct tables_change take(enum tables_change_kind kind)
{
	struct tables_change change;

	writer_flush(writer_fixture.writer);
	assert_int_equal(ring_pop(&writer_fixture.dataplane_tables.changes, &change), 1);
	assert_int_equal(change.kind, kind);
	return change;
}

static void answer(const struct tables_change *change, enum tables_change_kind kind, int result)
{
	struct tables_event done = {.kind = TABLES_EVENT_DONE,
		.change = kind,
		.index = change->index,
		.id = change->id,
		.result = result};

	writer_done(writer_fixture.writer, &done);
}

static uint32_t phase_of(uint32_t index)
{
	return writer_fixture.dataplane_tables.connections[index].phase;
}

static uint32_t n_free(void)
{
	return writer_connections_free(writer_fixture.writer);
}

static void test_taken_and_ended(void **state)
{
	uint32_t session = writer_fixture_claim_session(), all = n_free(), index = hold(session);
	const struct tables_connection *record = &writer_fixture.dataplane_tables.connections[index];
	struct tables_change change = take(TABLES_CONNECTION_HOLD);

	(void)state;
	assert_int_equal(phase_of(index), TABLES_CLAIMED);
	assert_int_equal(change.index, index);
	assert_int_equal(change.id, record->id);
	assert_int_equal(change.connection.session, session);
	assert_int_equal(change.connection.session_id, writer_fixture.tables.sessions[session].id);
	assert_true(endpoint_equal(&change.connection.local, &writer_fixture_local));
	assert_true(endpoint_equal(&change.connection.remote, &writer_fixture_remote));
	assert_true(endpoint_equal(&record->remote, &writer_fixture_remote));
	/* Neither the hold nor the take-up ends its life. */
	answer(&change, TABLES_CONNECTION_HOLD, 0);
	answer(&change, TABLES_CONNECTION_INSTALL, 0);
	assert_int_equal(n_free(), all - 1);
	writer_connection_end(writer_fixture.writer, index, true);
	assert_int_equal(phase_of(index), TABLES_LEAVING);
	change = take(TABLES_CONNECTION_END);
	assert_int_equal(change.connection.at_once, 1);
	assert_int_equal(n_free(), all - 1);
	answer(&change, TABLES_CONNECTION_END, 0);
	assert_int_equal(phase_of(index), TABLES_FREE);
	assert_int_equal(n_free(), all);
}

static void test_refused_and_released(void **state)
{
	uint32_t session = writer_fixture_claim_session(), all = n_free(), index = hold(session);
	struct tables_change change = take(TABLES_CONNECTION_HOLD), release;

	(void)state;
	answer(&change, TABLES_CONNECTION_HOLD, -ENOSPC);
	assert_int_equal(phase_of(index), TABLES_FREE);
	assert_int_equal(n_free(), all);
	/* Refused when it came with its state, it is held as before. */
	index = hold(session);
	change = take(TABLES_CONNECTION_HOLD);
	answer(&change, TABLES_CONNECTION_INSTALL, -EINVAL);
	assert_int_equal(phase_of(index), TABLES_CLAIMED);
	writer_connection_release(writer_fixture.writer, index);
	release = take(TABLES_CONNECTION_RELEASE);
	assert_int_equal(phase_of(index), TABLES_LEAVING);
	answer(&release, TABLES_CONNECTION_RELEASE, 0);
	assert_int_equal(n_free(), all);
	/* A late answer is none of the next one's in the slot. */
	for (uint32_t i = 0; i < all; i++) {
		index = hold(session);
		take(TABLES_CONNECTION_HOLD);
	}
	answer(&release, TABLES_CONNECTION_RELEASE, 0);
	assert_int_equal(n_free(), 0);
	assert_int_equal(writer_connection_hold(writer_fixture.writer, session, &writer_fixture_local,
				 &writer_fixture_remote, &index),
		-ENOSPC);
}

/* The next control plane gives back what was held, ends what was to end, and leaves the rest for adoption. */
static void test_next_writer(void **state)
{
	uint32_t session = writer_fixture_claim_session(), other = writer_fixture_claim_session(), all = n_free();
	uint32_t held = hold(session), live = hold(session), leaving = hold(session);
	uint64_t last_id = writer_fixture.tables.connections[leaving].id;

	(void)state;
	atomic_store(&writer_fixture.dataplane_tables.connections[live].phase, TABLES_LIVE);
	writer_connection_follow(writer_fixture.writer, live, other);
	assert_int_equal(writer_fixture.tables.connections[live].session, other);
	assert_int_equal(
		writer_fixture.tables.connections[live].session_id, writer_fixture.tables.sessions[other].id);
	writer_connection_end(writer_fixture.writer, leaving, false);
	for (int i = 0; i < 3; i++)
		take(TABLES_CONNECTION_HOLD);
	take(TABLES_CONNECTION_END);
	writer_free(writer_fixture.writer);
	writer_fixture.writer = writer_new(&writer_fixture.tables, writer_fixture.changes_fd);
	assert_non_null(writer_fixture.writer);
	assert_int_equal(n_free(), all - 3);
	assert_true(writer_next_id(writer_fixture.writer) > last_id);
	/* Sessions that were halfway go first. */
	take(TABLES_REMOVE_SESSION);
	take(TABLES_REMOVE_SESSION);
	assert_int_equal(take(TABLES_CONNECTION_RELEASE).index, held);
	assert_int_equal(take(TABLES_CONNECTION_END).index, leaving);
	assert_int_equal(phase_of(live), TABLES_LIVE);
	assert_int_equal(ring_count(&writer_fixture.tables.changes), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taken_and_ended, writer_fixture_setup, writer_fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_refused_and_released, writer_fixture_setup, writer_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_next_writer, writer_fixture_setup, writer_fixture_teardown),
	};

	return cmocka_run_group_tests_name("writer of connections", tests, NULL, NULL);
}
