/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane's side, one verb after the other. */
#include "writer_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_claim(void **state)
{
	const struct tables_session *session;
	struct tables_session values = {0};
	uint32_t index, spi, session_index = writer_fixture_claim_session();

	(void)state;
	session = &writer_fixture.dataplane_tables.sessions[session_index];
	assert_int_equal(session->phase, TABLES_CLAIMED);
	assert_int_not_equal(session->id, 999);
	assert_true(endpoint_equal(&session->remote, &writer_fixture_remote));
	assert_string_equal(session->peer, "branch");
	assert_string_equal(session->identity, "branch@example.net");
	assert_int_equal(session->established_at, 1000);
	for (uint32_t i = 0; i < WRITER_FIXTURE_CHILDREN; i++) {
		assert_int_equal(writer_children_free(writer_fixture.writer), WRITER_FIXTURE_CHILDREN - i);
		assert_int_equal(writer_child_claim(writer_fixture.writer, &index, &spi), 0);
		assert_int_equal(tables_spi_index(spi), index);
		assert_int_equal(writer_fixture.dataplane_tables.children[index].spi_in, spi);
		assert_int_equal(writer_fixture.dataplane_tables.children[index].phase, TABLES_CLAIMED);
	}
	assert_int_equal(writer_child_claim(writer_fixture.writer, &index, &spi), -ENOSPC);
	for (uint32_t i = 1; i < WRITER_FIXTURE_SESSIONS; i++)
		writer_fixture_claim_session();
	assert_int_equal(writer_session_claim(writer_fixture.writer, &values, &index), -ENOSPC);
	assert_int_equal(ring_count(&writer_fixture.tables.changes), 0);
	for (uint32_t i = 0; i < WRITER_FIXTURE_CHILDREN; i++)
		writer_child_unclaim(writer_fixture.writer, i);
	for (uint32_t i = 0; i < WRITER_FIXTURE_SESSIONS; i++)
		writer_session_unclaim(writer_fixture.writer, i);
	writer_child_unclaim(writer_fixture.writer, 3); /* once more, of no effect */
	writer_session_unclaim(writer_fixture.writer, 3);
	writer_fixture_expect_free();
}

static void test_install(void **state)
{
	uint32_t session = writer_fixture_claim_session(), index, spi;
	struct tables_child values = writer_fixture_values(session);
	const struct tables_child *child;
	struct tables_change change;
	struct tables_event event;

	(void)state;
	assert_int_equal(writer_child_claim(writer_fixture.writer, &index, &spi), 0);
	child = &writer_fixture.dataplane_tables.children[index];
	assert_int_equal(writer_child_install(writer_fixture.writer, index, &values, writer_fixture_keymat_in,
				 writer_fixture_keymat_out, ESP_KEYMAT_MAX + 1),
		-EINVAL);
	assert_int_equal(child->phase, TABLES_CLAIMED);
	assert_int_equal(ring_count(&writer_fixture.tables.changes), 0);
	assert_int_equal(writer_fixture_install_child(index, session), 0);
	change = writer_fixture_take_change();
	assert_int_equal(change.kind, TABLES_INSTALL);
	assert_int_equal(change.index, index);
	assert_int_equal(change.id, child->id);
	assert_true(endpoint_equal(&change.install.local, &writer_fixture_local));
	assert_true(endpoint_equal(&change.install.remote, &writer_fixture_remote));
	assert_int_equal(change.install.encapsulation, TABLES_ENCAPSULATION_UDP);
	assert_int_equal(change.install.keymat_len, WRITER_FIXTURE_KEYMAT_LEN);
	assert_memory_equal(change.install.keymat_in, writer_fixture_keymat_in, WRITER_FIXTURE_KEYMAT_LEN);
	assert_memory_equal(change.install.keymat_out, writer_fixture_keymat_out, WRITER_FIXTURE_KEYMAT_LEN);
	assert_int_equal(writer_fixture_take_answers(&event), 1);
	assert_int_equal(event.result, 0);
	assert_int_equal(child->phase, TABLES_LIVE);
	assert_int_equal(writer_fixture.tables.sessions[session].phase, TABLES_LIVE);

	/* What the writer decides was not taken from the values; everything else was. */
	assert_int_equal(child->spi_in, spi);
	assert_int_not_equal(child->id, 999);
	assert_int_equal(tables_spi(index, child->generation), spi);
	assert_int_equal(child->session, session);
	assert_int_equal(child->spi_out, 0xc0ffee);
	assert_int_equal(child->suite, ESP_AES128_GCM);
	assert_int_equal(child->replay_window, 64);
	assert_int_equal(child->mode, TABLES_TRANSPORT);
	assert_int_equal(child->extended, 1);
	assert_int_equal(child->soft_bytes, 1);
	assert_int_equal(child->hard_bytes, 2);
	assert_int_equal(child->soft_packets, 3);
	assert_int_equal(child->hard_packets, 4);
	assert_int_equal(child->installed_at, 5);
	assert_int_equal(child->expires_at, 6);
}

/* A refusal gives the child SA's slot back; the session stays claimed for another try. */
static void test_refused(void **state)
{
	uint32_t session = writer_fixture_claim_session();
	struct tables_event event;

	(void)state;
	writer_fixture.dataplane.refusal = -ENOMEM;
	writer_fixture_install_child(writer_fixture_claim_child(), session);
	writer_fixture_take_change();
	assert_int_equal(writer_fixture_take_answers(&event), 1);
	assert_int_equal(event.result, -ENOMEM);
	assert_int_equal(writer_children_free(writer_fixture.writer), WRITER_FIXTURE_CHILDREN);
	assert_int_equal(writer_fixture.tables.sessions[session].phase, TABLES_CLAIMED);
	writer_session_unclaim(writer_fixture.writer, session);
	writer_fixture_expect_free();
}

static void test_activate_and_move(void **state)
{
	uint32_t session = writer_fixture_claim_session(), index = writer_fixture_claim_child();
	struct endpoint elsewhere = writer_fixture_remote;
	struct tables_change change;
	struct tables_event event;
	struct place place;

	(void)state;
	assert_int_equal(writer_fixture_install_child(index, session), 0);
	writer_fixture_take_change();
	writer_child_activate(writer_fixture.writer, index);
	change = writer_fixture_take_change();
	assert_int_equal(change.kind, TABLES_ACTIVATE);
	assert_int_equal(change.id, writer_fixture.tables.children[index].id);
	assert_true(writer_fixture.dataplane.children[index].is_active);

	elsewhere.port = 4500;
	writer_session_move(
		writer_fixture.writer, session, &writer_fixture_local, &elsewhere, TABLES_ENCAPSULATION_ESP);
	assert_true(endpoint_equal(&writer_fixture.tables.sessions[session].remote, &elsewhere));
	assert_int_equal(writer_fixture.tables.sessions[session].encapsulation, TABLES_ENCAPSULATION_ESP);
	change = writer_fixture_take_change();
	assert_int_equal(change.kind, TABLES_MOVE);
	assert_int_equal(change.index, session);
	assert_int_equal(change.id, writer_fixture.tables.sessions[session].id);
	assert_true(endpoint_equal(&change.move.local, &writer_fixture_local));
	assert_true(endpoint_equal(&change.move.remote, &elsewhere));
	assert_int_equal(change.move.encapsulation, TABLES_ENCAPSULATION_ESP);
	assert_int_equal(writer_fixture_take_answers(&event), 3);
	assert_int_equal(event.result, 0);

	/* Where the data plane has moved it by itself, no change goes back. */
	place = (struct place){writer_fixture_local, writer_fixture_remote, TABLES_ENCAPSULATION_UDP};
	writer_session_follow(writer_fixture.writer, session, &place);
	assert_true(endpoint_equal(&writer_fixture.tables.sessions[session].remote, &writer_fixture_remote));
	assert_int_equal(writer_fixture.tables.sessions[session].encapsulation, TABLES_ENCAPSULATION_UDP);
	assert_int_equal(writer_flush(writer_fixture.writer), 0);
	assert_int_equal(ring_count(&writer_fixture.tables.changes), 0);
}

static void test_remove_child(void **state)
{
	uint32_t session = writer_fixture_claim_session(), index = writer_fixture_claim_child();

	(void)state;
	writer_fixture_install_child(index, session);
	writer_fixture_settle();
	writer_child_remove(writer_fixture.writer, index);
	assert_int_equal(writer_fixture.dataplane_tables.children[index].phase, TABLES_LEAVING);
	assert_int_equal(writer_fixture_take_change().kind, TABLES_REMOVE_CHILD);
	assert_int_equal(writer_fixture_take_answers(NULL), 0);
	/* A worker still has it: not free, and not given out although nothing else is. */
	for (uint32_t i = 1; i < WRITER_FIXTURE_CHILDREN; i++)
		assert_int_not_equal(writer_fixture_claim_child(), index);
	assert_int_equal(writer_children_free(writer_fixture.writer), 0);
	assert_int_equal(fixture_dataplane_let_go(&writer_fixture.dataplane, 1), 0);
	assert_int_equal(writer_children_free(writer_fixture.writer), 0);
	assert_int_equal(writer_fixture_take_answers(NULL), 1);
	assert_int_equal(writer_children_free(writer_fixture.writer), 1);
	assert_int_equal(writer_fixture_claim_child(), index);
}

/* A session takes what children it still has along; an own removal of one of them crosses it. */
static void test_remove_session(void **state)
{
	uint32_t session = writer_fixture_claim_session(), children[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		children[i] = writer_fixture_claim_child();
		writer_fixture_install_child(children[i], session);
	}
	writer_fixture_settle();
	writer_child_remove(writer_fixture.writer, children[0]);
	writer_session_remove(writer_fixture.writer, session);
	writer_child_remove(writer_fixture.writer, children[1]);
	assert_int_equal(writer_fixture.tables.sessions[session].phase, TABLES_LEAVING);
	/* Three children and the session, and the second removal of one child. */
	assert_int_equal(writer_fixture_settle(), 5);
	writer_fixture_expect_free();
	writer_session_remove(writer_fixture.writer, writer_fixture_claim_session()); /* never live */
	writer_fixture_settle();
	writer_fixture_expect_free();
}

static void test_net(void **state)
{
	struct writer_net net = {
		.gateway = writer_fixture_local.address, .mac = {2, 0, 0, 0, 0, 1}, .port = 3, .epoch = 12};
	struct tables_change change;

	(void)state;
	assert_int_equal(prefix_parse("10.0.0.0/8", &net.prefix), 0);
	for (enum tables_change_kind kind = TABLES_ADDRESS_ADD; kind <= TABLES_NET_SWEEP; kind++) {
		writer_net_change(writer_fixture.writer, kind, &net);
		change = writer_fixture_take_change();
		assert_int_equal(change.kind, kind);
		assert_true(prefix_equal(&change.net.prefix, &net.prefix));
		assert_true(address_equal(&change.net.gateway, &net.gateway));
		assert_memory_equal(change.net.mac, net.mac, sizeof(net.mac));
		assert_int_equal(change.net.port, 3);
		assert_int_equal(change.net.epoch, 12);
	}
	writer_fixture_settle();
	writer_fixture_expect_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_claim, writer_fixture_setup, writer_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_install, writer_fixture_setup, writer_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_refused, writer_fixture_setup, writer_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_activate_and_move, writer_fixture_setup, writer_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_remove_child, writer_fixture_setup, writer_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_remove_session, writer_fixture_setup, writer_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_net, writer_fixture_setup, writer_fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
