/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions whose transport is TCP: which connection they get, and how ESP comes and goes by it. */
#include "test.h"

#include "ferry.h"
#include "tables/bundle.h"
#include "timeline_entries.h"
#include "world_streams.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What the data plane sends for the session of peer 0: `count` packets in one message. */
static void send_out(struct world *world, const uint8_t *packet, uint32_t len, size_t count)
{
	static uint8_t message[BUNDLE_LEN_MAX];
	struct bundle_head head = {
		.index = world_find(world, 0), .id = world_session(world, 0)->id, .packet_len = len};
	size_t message_len = 0;

	for (size_t i = 0; i < count; i++)
		assert_true(bundle_add(message, &message_len, &head, packet));
	ferry_from_dataplane(&world->gateway, message, message_len);
}

static void test_session_in_its_connection(void **state)
{
	struct world *world = *state;
	struct dialed dialed = world_dial(world);
	struct ike_child child = world_child_over(world, &dialed);
	struct tables_change change;
	uint8_t packet[40] = {0x80, 1, 2}, heard[64];

	assert_int_not_equal(world_install_active(world, &child), 0);
	assert_int_equal(world_took(world, TABLES_INSTALL, &change), 1);
	assert_int_equal(change.install.encapsulation, TABLES_ENCAPSULATION_STREAM);
	assert_true(endpoint_equal(&change.install.local, &dialed.local));
	assert_true(endpoint_equal(&change.install.remote, &dialed.remote));
	assert_true(streams_carry(world->gateway.streams, world_find(world, 0), world_session(world, 0)->id));
	send_out(world, packet, sizeof(packet), 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(world_hear(world, &dialed, heard), sizeof(packet));
		assert_memory_equal(heard, packet, sizeof(packet));
	}
	close(dialed.fd);
}

/* Whatever the mode says: a stream needs no UDP in it. */
static void test_without_nat(void **state)
{
	struct world *world = *state;
	struct dialed dialed = world_dial(world);
	struct ike_child child = world_child_over(world, &dialed);

	child.udp_encapsulation = false;
	world_install_active(world, &child);
	assert_int_equal(world_record(world, 0)->encapsulation, TABLES_ENCAPSULATION_STREAM);
	assert_int_equal(world_record(world, 0)->remote.port, dialed.remote.port);
	close(dialed.fd);
}

static void moved(struct world *world, const struct endpoint *local, const struct endpoint *remote)
{
	world->host.peer_moved(world->host.context, &world->peers[0], world->peers[0].identity, 1, local, remote);
	world_turn(world);
}

static char told[8192]; /* what the timeline says of the newest attempt */

static bool look_at_attempt(void *context, const struct timeline_attempt *attempt)
{
	struct entry entry;
	const char *text;

	(void)context;
	told[0] = '\0';
	for (size_t at = 0; at < attempt->entries->len;) {
		at = entries_read(attempt->entries, at, &entry, &text);
		snprintf(told + strlen(told), sizeof(told) - strlen(told), "%.*s\n", entry.text_len, text);
	}
	return false;
}

/* In one line of it: the connection from there, and what comes of it. */
static void check_told(const char *before, uint16_t port, const char *after)
{
	char sentence[200];

	snprintf(sentence, sizeof(sentence), "%s127.0.0.1:%u/tcp%s", before, port, after);
	if (!strstr(told, sentence))
		fail_msg("\"%s\" is not told, but:\n%s", sentence, told);
}

/* An authentic IKE message from elsewhere takes the data along: to TCP, to another connection, and to UDP. */
static void test_moves(void **state)
{
	struct world *world = *state;
	struct dialed first = world_dial(world), second = world_dial(world);
	struct ike_child child = world_child(world, 0, 7, 40000);
	struct endpoint nat = child.local;
	uint8_t packet[40] = {0x80}, heard[64];

	world_install_active(world, &child);
	assert_int_equal(world_record(world, 0)->encapsulation, TABLES_ENCAPSULATION_UDP);
	moved(world, &first.local, &first.remote);
	assert_int_equal(world_record(world, 0)->encapsulation, TABLES_ENCAPSULATION_STREAM);
	send_out(world, packet, sizeof(packet), 1);
	assert_int_equal(world_hear(world, &first, heard), sizeof(packet));
	moved(world, &second.local, &second.remote);
	send_out(world, packet, sizeof(packet), 1);
	assert_int_equal(world_hear(world, &second, heard), sizeof(packet));
	nat.port = 4009;
	moved(world, &nat, &child.remote);
	assert_int_equal(world_record(world, 0)->encapsulation, TABLES_ENCAPSULATION_UDP);
	assert_int_equal(world_record(world, 0)->local.port, 4009);
	send_out(world, packet, sizeof(packet), 1);
	assert_int_equal(streams_counters(world->gateway.streams).esp_no_stream, 1);
	close(first.fd);
	close(second.fd);
}

/* The session waits for its peer to come again. */
static void test_connection_lost(void **state)
{
	struct world *world = *state;
	struct dialed dialed = world_dial(world), next = world_dial(world);
	struct ike_child child = world_child_over(world, &dialed);
	uint8_t packet[40] = {0x80}, heard[64];

	world_establish(world, &dialed);
	world_install_active(world, &child);
	close(dialed.fd);
	world_until_ended(world, 1);
	assert_int_not_equal(world_find(world, 0), TABLES_NONE);
	assert_false(streams_carry(world->gateway.streams, world_find(world, 0), world_session(world, 0)->id));
	send_out(world, packet, sizeof(packet), 2);
	assert_int_equal(streams_counters(world->gateway.streams).esp_no_stream, 2);
	moved(world, &next.local, &next.remote);
	send_out(world, packet, sizeof(packet), 1);
	assert_int_equal(world_hear(world, &next, heard), sizeof(packet));
	timeline_each(world->gateway.timeline, look_at_attempt, NULL);
	check_told("the TCP connection from ", dialed.remote.port,
		" has ended: the other side closed the connection; resumed from ");
	check_told("; resumed from ", next.remote.port, " after ");
	assert_non_null(strstr(told, " s, the SAs were kept\n"));
	close(next.fd);
}

/* The peer's end is gone, and nobody has told us: the newest connection counts. */
static void test_resumed_beside_the_old_one(void **state)
{
	struct world *world = *state;
	struct dialed dialed = world_dial(world), next = world_dial(world);
	struct ike_child child = world_child_over(world, &dialed);

	world_establish(world, &dialed);
	world_install_active(world, &child);
	moved(world, &next.local, &next.remote);
	timeline_each(world->gateway.timeline, look_at_attempt, NULL);
	check_told("resumed from ", next.remote.port, ", the SAs were kept; the TCP connection from ");
	check_told("; the TCP connection from ", dialed.remote.port, ", which had not ended here, is given up\n");
	close(dialed.fd);
	close(next.fd);
}

static void test_connection_goes_with_its_session(void **state)
{
	struct world *world = *state;
	struct dialed dialed = world_dial(world);
	struct ike_child child = world_child_over(world, &dialed);
	uint8_t heard[64];

	world_establish(world, &dialed);
	world_install_active(world, &child);
	ferry_tick(&world->gateway);
	assert_int_equal(streams_counters(world->gateway.streams).ended, 0);
	world->host.child_remove(world->host.context, child.id, child.spi_in);
	world_turn(world);
	ferry_tick(&world->gateway);
	assert_int_equal(world_hear(world, &dialed, heard), 0);
	close(dialed.fd);
}

/* Without a data plane there is nobody to take ESP: counted, in messages that it would have fitted. */
static void test_nobody_takes_it(void **state)
{
	struct world *world = *state;
	static uint8_t bytes[60000];
	struct stream_packet packets[STREAM_BURST_MAX];

	for (size_t i = 0; i < STREAM_BURST_MAX; i++)
		packets[i] = (struct stream_packet){.data = bytes, .len = i % 2 ? 60000 : 20};
	ferry_to_dataplane(&world->gateway, packets, STREAM_BURST_MAX);
	assert_int_equal(world->gateway.counters.streams_refused, STREAM_BURST_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_session_in_its_connection, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_without_nat, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_moves, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_connection_lost, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_resumed_beside_the_old_one, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_connection_goes_with_its_session, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_nobody_takes_it, world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
