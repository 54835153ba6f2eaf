/* SPDX-License-Identifier: Apache-2.0 */
/* Installs that are refused: each for one thing that is wrong with them, and nothing stays behind. */
#include "peer.h"

#include "changes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* What is wrong with an install: one thing each. */
struct fault {
	struct tables_session session;
	struct tables_child child;
	uint32_t change_index;
	uint64_t change_id;
	uint32_t record_session; /* written over in the shared record */
	size_t keymat_len;
};

static const struct prefix prefix_ipv6 = {.address = {.family = ADDRESS_IPV6, .bytes = {0x20, 0x01}}, .len = 16};

static void no_suite(struct fault *f)
{
	f->child.suite = ESP_SUITE_NONE;
}
static void suite_too_high(struct fault *f)
{
	f->child.suite = ESP_SUITE_COUNT;
}
static void suite_far_too_high(struct fault *f)
{
	f->child.suite = UINT32_MAX;
}
static void keymat_short(struct fault *f)
{
	f->keymat_len--;
}
static void keymat_long(struct fault *f)
{
	f->keymat_len++;
}
static void keymat_none(struct fault *f)
{
	f->keymat_len = 0;
}
static void keymat_of_another(struct fault *f)
{
	f->child.suite = ESP_AES256_GCM;
}
static void local_ipv6(struct fault *f)
{
	f->child.local_network = prefix_ipv6;
}
static void remote_ipv6(struct fault *f)
{
	f->child.remote_network = prefix_ipv6;
}
static void local_too_long(struct fault *f)
{
	f->child.local_network.len = 33;
}
static void remote_too_long(struct fault *f)
{
	f->child.remote_network.len = 255;
}
static void outer_local_ipv6(struct fault *f)
{
	f->session.local.address = prefix_ipv6.address;
}
static void outer_remote_ipv6(struct fault *f)
{
	f->session.remote.address = prefix_ipv6.address;
}
static void outer_remote_none(struct fault *f)
{
	f->session.remote.address.family = ADDRESS_NONE;
}
static void spi_reserved(struct fault *f)
{
	f->child.spi_out = 255;
}
static void spi_zero(struct fault *f)
{
	f->child.spi_out = 0;
}
static void window_none(struct fault *f)
{
	f->child.replay_window = 0;
}
static void window_too_large(struct fault *f)
{
	f->child.replay_window = 2048;
}
static void window_odd(struct fault *f)
{
	f->child.replay_window = 100;
}
static void no_numbers(struct fault *f)
{
	f->child.hard_packets = 0;
}
static void too_many_numbers(struct fault *f)
{
	f->child.hard_packets = 1ull << 32;
}
static void mode_unknown(struct fault *f)
{
	f->child.mode = TABLES_TRANSPORT + 1;
}
static void extended_unknown(struct fault *f)
{
	f->child.extended = 2;
}
static void wrong_id(struct fault *f)
{
	f->change_id++;
}
static void index_too_high(struct fault *f)
{
	f->change_index = 64;
}
static void index_far_too_high(struct fault *f)
{
	f->change_index = UINT32_MAX;
}
static void session_too_high(struct fault *f)
{
	f->record_session = 16;
}
static void session_far_too_high(struct fault *f)
{
	f->record_session = UINT32_MAX;
}

static void (*const faults[])(struct fault *) = {no_suite, suite_too_high, suite_far_too_high, keymat_short,
	keymat_long, keymat_none, keymat_of_another, local_ipv6, remote_ipv6, local_too_long, remote_too_long,
	outer_local_ipv6, outer_remote_ipv6, outer_remote_none, spi_reserved, spi_zero, window_none, window_too_large,
	window_odd, no_numbers, too_many_numbers, mode_unknown, extended_unknown, wrong_id, index_too_high,
	index_far_too_high, session_too_high, session_far_too_high};

static void install_with(void (*spoil)(struct fault *))
{
	struct peer peer = {.number = 1, .udp = true, .address = 0xc6336401, .host = 0x0a650005, .port = PEER_NAT_PORT, .hq_port = HARNESS_NAT_PORT};
	struct fault fault = {.session = peer_session(&peer), .keymat_len = 20};
	struct tables_change change = {.kind = TABLES_INSTALL};
	struct tables_child *record;
	uint32_t refused = harness.n_refused;

	assert_int_equal(writer_session_claim(harness.writer, &fault.session, &peer.session), 0);
	assert_int_equal(writer_child_claim(harness.writer, &peer.child, &peer.to_hq.spi), 0);
	peer.from_hq.spi = 0x1234;
	record = &harness.tables.children[peer.child];
	fault.child = peer_child(&peer, &(struct peer_options){0});
	fault.change_index = peer.child;
	fault.change_id = record->id;
	fault.record_session = peer.session;
	spoil(&fault);
	fault.child.phase = TABLES_CLAIMED;
	fault.child.generation = record->generation;
	fault.child.spi_in = record->spi_in;
	fault.child.id = record->id;
	fault.child.session = fault.record_session;
	memcpy(record, &fault.child, sizeof(*record));
	change.index = fault.change_index;
	change.id = fault.change_id;
	change.install.local = fault.session.local;
	change.install.remote = fault.session.remote;
	change.install.encapsulation = fault.session.encapsulation;
	change.install.keymat_len = (uint32_t)fault.keymat_len;
	assert_int_equal(ring_push(&harness.tables.changes, &change), 0);
	assert_int_equal(changes_apply(&harness.dataplane), 1);
	if (fault.change_index == peer.child)
		assert_int_equal(record->phase, TABLES_FREE);
	harness_settle();
	assert_int_equal(harness.n_refused, refused + 1);
	assert_true(harness.last_result < 0);
	writer_child_unclaim(harness.writer, peer.child);
	writer_session_unclaim(harness.writer, peer.session);
	peer_expect_all_free();
}

/* Each refusal leaves nothing behind; every slot can be used afterwards. */
static void test_refusals(void **state)
{
	struct peer peers[16];

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		install_with(faults[i]);
	for (unsigned int i = 0; i < 16; i++) {
		peer_open(&peers[i], i + 1, &(struct peer_options){0});
		assert_non_null(sa_find_in(&harness.dataplane.sas, peers[i].to_hq.spi));
	}
	for (unsigned int i = 0; i < 16; i++)
		writer_session_remove(harness.writer, peers[i].session);
	harness_settle();
	peer_expect_all_free();
}

/* The lookup structure is full: refused when all else is done already, so all of that is undone, the session too. */
static void test_refused_for_lack_of_room(void **state)
{
	struct peer_options options = {.remote_network = {.address = {.family = ADDRESS_IPV4}, .len = 32}};
	struct address station;
	struct peer many, other, child;
	uint32_t n = 1;

	(void)state;
	harness_open(&(struct harness_options){.max_children = 1040, .max_sessions = 2});
	peer_open(&many, 1, &options);
	for (; n < 256 + 1040 / 4; n++) {
		station = address_ipv4(0x0a800001 + (n << 8));
		options.remote_network = prefix_make(&station, 32);
		peer_rekey(&many, &child, &options);
	}
	memset(&other, 0, sizeof(other));
	other.host = 0x0af00001;
	for (int attempt = 0; attempt < 3; attempt++) {
		struct tables_session session = peer_session(&many);
		struct tables_child values;

		assert_int_equal(writer_session_claim(harness.writer, &session, &other.session), 0);
		assert_int_equal(writer_child_claim(harness.writer, &other.child, &other.to_hq.spi), 0);
		other.from_hq.spi = 0x7777;
		station = address_ipv4(other.host);
		values = peer_child(&other, &(struct peer_options){.remote_network = prefix_make(&station, 32)});
		assert_int_equal(writer_child_install(harness.writer, other.child, &values, many.to_hq.keymat,
					 many.from_hq.keymat, 20),
			0);
		harness_settle();
		assert_int_equal(harness.n_refused, attempt < 2 ? attempt + 1 : 2);
		if (attempt == 2)
			break;
		assert_int_equal(harness.last_result, -ENOSPC);
		writer_session_unclaim(harness.writer, other.session);
		if (attempt == 1)
			writer_child_remove(harness.writer, child.child);
		harness_settle();
	}
	writer_session_remove(harness.writer, many.session);
	writer_session_remove(harness.writer, other.session);
	harness_settle();
	peer_expect_all_free();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_refusals),
		TEST(test_refused_for_lack_of_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
