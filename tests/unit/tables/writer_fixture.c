/* SPDX-License-Identifier: Apache-2.0 */
#include "writer_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

struct writer_fixture writer_fixture;

const uint8_t writer_fixture_keymat_in[ESP_KEYMAT_MAX] = "inbound key and salt";
const uint8_t writer_fixture_keymat_out[ESP_KEYMAT_MAX] = "outbound, as many ..";
const struct endpoint writer_fixture_local = {{ADDRESS_IPV4, {0}, {192, 0, 2, 1}}, 4500, 0};
const struct endpoint writer_fixture_remote = {{ADDRESS_IPV4, {0}, {198, 51, 100, 7}}, 61234, 0};

int writer_fixture_setup(void **state)
{
	char error[TABLES_ERROR_LEN];

	(void)state;
	fixture_tables_make(&writer_fixture.dataplane_tables, WRITER_FIXTURE_SESSIONS, WRITER_FIXTURE_CHILDREN, 1);
	assert_int_equal(tables_map(&writer_fixture.tables, dup(writer_fixture.dataplane_tables.fd), error), 0);
	assert_int_equal(fixture_dataplane_start(&writer_fixture.dataplane, &writer_fixture.dataplane_tables), 0);
	writer_fixture.changes_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(writer_fixture.changes_fd >= 0);
	writer_fixture.writer = writer_new(&writer_fixture.tables, writer_fixture.changes_fd);
	assert_non_null(writer_fixture.writer);
	return 0;
}

int writer_fixture_teardown(void **state)
{
	(void)state;
	writer_free(writer_fixture.writer);
	fixture_dataplane_stop(&writer_fixture.dataplane);
	tables_unmap(&writer_fixture.tables);
	tables_unmap(&writer_fixture.dataplane_tables);
	close(writer_fixture.changes_fd);
	return 0;
}

size_t writer_fixture_take_answers(struct tables_event *last)
{
	struct tables_event event;
	size_t n = 0;

	for (; ring_pop(&writer_fixture.tables.events[0], &event) == 1; n++) {
		writer_done(writer_fixture.writer, &event);
		if (last)
			*last = event;
	}
	return n;
}

size_t writer_fixture_settle(void)
{
	size_t n = 0;
	int taken;

	do {
		writer_flush(writer_fixture.writer);
		while ((taken = fixture_dataplane_take(&writer_fixture.dataplane, NULL)) == 1)
			if (ring_room(&writer_fixture.dataplane_tables.events[0]) == 0)
				n += writer_fixture_take_answers(NULL);
		assert_int_equal(taken, 0);
		assert_int_equal(fixture_dataplane_let_go(&writer_fixture.dataplane, SIZE_MAX), 0);
		n += writer_fixture_take_answers(NULL);
	} while (writer_flush(writer_fixture.writer) > 0 || ring_count(&writer_fixture.tables.changes) > 0);
	return n;
}

uint32_t writer_fixture_claim_session(void)
{
	struct tables_session values = {.phase = TABLES_LIVE,
		.id = 999,
		.encapsulation = TABLES_ENCAPSULATION_UDP,
		.local = writer_fixture_local,
		.remote = writer_fixture_remote,
		.established_at = 1000,
		.peer = "branch",
		.identity = "branch@example.net"};
	uint32_t index;

	assert_int_equal(writer_session_claim(writer_fixture.writer, &values, &index), 0);
	return index;
}

struct tables_child writer_fixture_values(uint32_t session)
{
	return (struct tables_child){.phase = TABLES_LIVE,
		.generation = 77,
		.id = 999,
		.spi_in = 0x1234,
		.session = session,
		.spi_out = 0xc0ffee,
		.suite = ESP_AES128_GCM,
		.replay_window = 64,
		.mode = TABLES_TRANSPORT,
		.extended = 1,
		.soft_bytes = 1,
		.hard_bytes = 2,
		.soft_packets = 3,
		.hard_packets = 4,
		.installed_at = 5,
		.expires_at = 6};
}

int writer_fixture_install_child(uint32_t index, uint32_t session)
{
	struct tables_child values = writer_fixture_values(session);

	return writer_child_install(writer_fixture.writer, index, &values, writer_fixture_keymat_in,
		writer_fixture_keymat_out, WRITER_FIXTURE_KEYMAT_LEN);
}

uint32_t writer_fixture_claim_child(void)
{
	uint32_t index, spi;

	assert_int_equal(writer_child_claim(writer_fixture.writer, &index, &spi), 0);
	return index;
}

struct tables_change writer_fixture_take_change(void)
{
	struct tables_change change;

	writer_flush(writer_fixture.writer);
	assert_int_equal(fixture_dataplane_take(&writer_fixture.dataplane, &change), 1);
	return change;
}

void writer_fixture_expect_free(void)
{
	assert_int_equal(writer_sessions_free(writer_fixture.writer), WRITER_FIXTURE_SESSIONS);
	assert_int_equal(writer_children_free(writer_fixture.writer), WRITER_FIXTURE_CHILDREN);
	for (uint32_t i = 0; i < WRITER_FIXTURE_SESSIONS; i++)
		assert_int_equal(writer_fixture.tables.sessions[i].phase, TABLES_FREE);
	for (uint32_t i = 0; i < WRITER_FIXTURE_CHILDREN; i++)
		assert_int_equal(writer_fixture.tables.children[i].phase, TABLES_FREE);
}
