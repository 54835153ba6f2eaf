/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's TCP connections over the loopback interface: who may say what in them, and which carries a session. */
#include "streams_takeover.h"

#include "config/log.h"
#include "tables/layout.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000, SESSION = 3, UNPROVED_MAX = 4 };

static struct event_base *base;
static struct streams *streams;
static uint16_t port;
static struct {
	size_t ike, esp, lost;
	struct endpoint local, remote; /* of the last IKE message */
	uint8_t last;		       /* its first byte, or of the last ESP packet */
	uint32_t session;
	uint64_t id;
	char why[200];
} told;
static uint64_t session_id; /* what is in slot SESSION now */

static void on_ike(void *context, const struct endpoint *local, const struct endpoint *remote, const uint8_t *message,
	size_t message_len)
{
	(void)context;
	assert_true(message_len > 0);
	told.ike++;
	told.local = *local;
	told.remote = *remote;
	told.last = message[0];
}

static void on_esp(void *context, const struct stream_packet *packets, size_t count)
{
	(void)context;
	told.esp += count;
	told.last = packets[count - 1].data[0];
}

static void on_lost(void *context, uint32_t session, uint64_t id, const struct endpoint *remote, const char *why)
{
	(void)context;
	assert_int_equal(remote->transport, ENDPOINT_TCP);
	told.lost++;
	told.session = session;
	told.id = id;
	strncpy(told.why, why, sizeof(told.why) - 1);
}

static void on_settle(void *context)
{
	(void)context;
}

static uint64_t id_of(void *context, uint32_t session)
{
	(void)context;
	return session == SESSION ? session_id : 0;
}

/* A port that is free: one that the kernel gives, and takes back. */
static uint16_t port_find(void)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	close(fd);
	return ntohs(name.sin_port);
}

static int setup(void **state)
{
	static struct config_ike config;
	struct streams_handler handler = {.ike = on_ike, .esp = on_esp, .lost = on_lost, .settle = on_settle};

	(void)state;
	log_open("test", LOG_LEVEL_ERROR);
	memset(&told, 0, sizeof(told));
	session_id = 77;
	port = port_find();
	config = (struct config_ike){
		.listen = {address_ipv4(INADDR_LOOPBACK)},
		.n_listen = 1,
		.tcp_ports = {port},
		.n_tcp_ports = 1,
		.tcp_delay = 50,
		.half_open_max = UNPROVED_MAX,
		.half_open_timeout = 600,
	};
	base = event_base_new();
	streams = streams_open(base, &config, &handler);
	return streams ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	streams_close(streams);
	event_base_free(base);
	return 0;
}

/* Runs what is due until *value is `wanted`. */
static void run_until(const size_t *value, size_t wanted)
{
	for (int waited = 0; *value != wanted && waited < PATIENCE_MS; waited++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (*value != wanted)
			poll(NULL, 0, 1);
	}
	assert_int_equal(*value, wanted);
}

static int dial(void)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

static void say(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

/* A frame of 20 bytes of payload: IKE where `name` is upper case. */
static void say_frame(int fd, char name)
{
	uint8_t frame[FRAMING_HEAD_LEN + 20] = {0, 22};

	memset(frame + FRAMING_HEAD_LEN, name, 20);
	if (name < 'a')
		memset(frame + FRAMING_HEAD_LEN, 0, FRAMING_MARKER_LEN);
	say(fd, frame, sizeof(frame));
}

/* A peer that has said its first message; its ends are in `told`. */
static int dial_and_say(char name)
{
	size_t before = told.ike;
	int fd = dial();

	say(fd, FRAMING_PREFIX, FRAMING_PREFIX_LEN);
	say_frame(fd, name);
	run_until(&told.ike, before + 1);
	assert_int_equal(told.last, name);
	return fd;
}

/* The same, with the IKE SA established and its session bound to it. */
static int dial_and_bind(char name)
{
	int fd = dial_and_say(name);

	streams_confirm(streams, &told.local, &told.remote);
	assert_true(streams_bind(streams, SESSION, session_id, &told.local, &told.remote));
	return fd;
}

/* What comes to the peer: the first byte of its next frame's payload behind a marker, if it has one; 0: the end. */
static uint8_t hear(int fd)
{
	uint8_t frame[FRAMING_HEAD_LEN + 100];
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	struct framing framing = {.payload_max = FRAMING_PAYLOAD_MAX};
	struct framing_frame out;
	size_t len = 0;
	ssize_t received;

	do {
		for (int waited = 0; poll(&wait, 1, 1) == 0 && waited < PATIENCE_MS; waited++)
			event_base_loop(base, EVLOOP_NONBLOCK);
		received = recv(fd, frame + len, len < FRAMING_HEAD_LEN ? 1 : frame[1] - len, MSG_DONTWAIT);
		if (received == 0)
			return 0;
		assert_true(received > 0);
		len += (size_t)received;
	} while (framing_read(&framing, frame, len, &out) == 0);
	return out.payload[0];
}

static void test_messages_go_both_ways(void **state)
{
	uint8_t answer[30] = {'X'};
	int fd;

	(void)state;
	fd = dial_and_say('A');
	assert_int_equal(told.local.port, port);
	assert_int_equal(told.local.transport, ENDPOINT_TCP);
	streams_send_ike(streams, &told.local, &told.remote, answer, sizeof(answer));
	assert_int_equal(hear(fd), 'X');
	/* To nobody: the same in UDP, and a connection that there is none of. */
	told.remote.transport = ENDPOINT_UDP;
	streams_send_ike(streams, &told.local, &told.remote, answer, sizeof(answer));
	told.remote.transport = ENDPOINT_TCP;
	told.remote.port++;
	streams_send_ike(streams, &told.local, &told.remote, answer, sizeof(answer));
	assert_int_equal(streams_counters(streams).ike_refused, 2);
	assert_int_equal(streams_counters(streams).ike_out, 1);
	close(fd);
}

static void test_esp_needs_proof(void **state)
{
	int fd;

	(void)state;
	fd = dial_and_say('A');
	say_frame(fd, 'e');
	say_frame(fd, 'B');
	run_until(&told.ike, 2);
	assert_int_equal(told.esp, 0);
	assert_int_equal(streams_counters(streams).esp_unproved, 1);
	streams_confirm(streams, &told.local, &told.remote);
	say_frame(fd, 'f');
	run_until(&told.esp, 1);
	assert_int_equal(told.last, 'f');
	close(fd);
}

static void test_session_goes_by_its_connection(void **state)
{
	uint8_t bytes[50] = {'g'};
	struct stream_packet packet = {.data = bytes, .len = sizeof(bytes)};
	int fd;

	(void)state;
	streams_send_esp(streams, SESSION, session_id, &packet, 1);
	fd = dial_and_bind('A');
	streams_send_esp(streams, SESSION, session_id, &packet, 1);
	assert_int_equal(hear(fd), 'g');
	streams_send_esp(streams, SESSION, session_id + 1, &packet, 1); /* another one was in its slot */
	streams_send_esp(streams, 1000000, session_id, &packet, 1);
	assert_int_equal(streams_counters(streams).esp_no_stream, 3);
	assert_int_equal(streams_counters(streams).esp_out, 1);
	close(fd);
	run_until(&told.lost, 1);
	assert_int_equal(told.session, SESSION);
	assert_int_equal(told.id, session_id);
	assert_non_null(strstr(told.why, "closed"));
	streams_send_esp(streams, SESSION, session_id, &packet, 1);
	assert_int_equal(streams_counters(streams).esp_no_stream, 4);
}

/* The newest one takes its place, and the older one ends, which is no loss. */
static void test_newest_connection(void **state)
{
	uint8_t bytes[50] = {'g'};
	struct stream_packet packet = {.data = bytes, .len = sizeof(bytes)};
	int older, newer;

	(void)state;
	older = dial_and_bind('A');
	newer = dial_and_bind('B');
	streams_send_esp(streams, SESSION, session_id, &packet, 1);
	assert_int_equal(hear(newer), 'g');
	/* What its peer sent in the older one while it did not know is taken. */
	streams_tick(streams, id_of, NULL);
	say_frame(older, 'e');
	run_until(&told.esp, 1);
	for (int i = 0; i < 3; i++)
		streams_tick(streams, id_of, NULL);
	assert_int_equal(hear(older), 0);
	assert_int_equal(told.lost, 0);
	streams_send_esp(streams, SESSION, session_id, &packet, 1);
	assert_int_equal(hear(newer), 'g');
	close(older);
	close(newer);
}

/* Messages that are sent by whoever ends the session still go. */
static void test_session_ends(void **state)
{
	uint8_t last_word[30] = {'D'};
	int fd;

	(void)state;
	fd = dial_and_bind('A');
	session_id++;
	streams_send_ike(streams, &told.local, &told.remote, last_word, sizeof(last_word));
	streams_tick(streams, id_of, NULL);
	assert_int_equal(hear(fd), 'D');
	assert_int_equal(hear(fd), 0);
	assert_int_equal(told.lost, 0);
	close(fd);
}

static void test_unbound(void **state)
{
	int fd;

	(void)state;
	fd = dial_and_bind('A');
	streams_unbind(streams, SESSION, session_id + 1, "not this one");
	streams_tick(streams, id_of, NULL);
	assert_int_equal(streams_counters(streams).ended, 0);
	streams_unbind(streams, SESSION, session_id, "it goes on in UDP");
	streams_tick(streams, id_of, NULL);
	assert_int_equal(hear(fd), 0);
	close(fd);
}

static void test_data_plane_goes(void **state)
{
	uint8_t bytes[50] = {'g'};
	struct stream_packet packet = {.data = bytes, .len = sizeof(bytes)};
	int fd;

	(void)state;
	fd = dial_and_bind('A');
	streams_detach(streams);
	streams_send_esp(streams, SESSION, session_id, &packet, 1);
	assert_int_equal(streams_counters(streams).esp_no_stream, 1);
	/* IKE goes on: the peer is to be told. */
	streams_send_ike(streams, &told.local, &told.remote, bytes, sizeof(bytes));
	assert_int_equal(hear(fd), 'g');
	close(fd);
}

/* Strangers push each other out, and nobody who has proved who it is. */
static void test_too_many_strangers(void **state)
{
	int strangers[UNPROVED_MAX + 1], proved;

	(void)state;
	proved = dial_and_bind('A');
	for (size_t i = 0; i <= UNPROVED_MAX; i++)
		strangers[i] = dial_and_say('B');
	assert_int_equal(streams_counters(streams).pushed_out, 1);
	assert_int_equal(hear(strangers[0]), 0);
	say_frame(strangers[1], 'C');
	run_until(&told.ike, UNPROVED_MAX + 3);
	say_frame(proved, 'h');
	run_until(&told.esp, 1);
	for (size_t i = 0; i <= UNPROVED_MAX; i++)
		close(strangers[i]);
	close(proved);
}

/* Long frames are for those who have proved who they are. */
static void test_a_stranger_s_frame_is_short(void **state)
{
	static const uint8_t long_head[] = {0xff, 0xff};
	int fd;

	(void)state;
	fd = dial_and_say('A');
	say(fd, long_head, sizeof(long_head));
	assert_int_equal(hear(fd), 0);
	close(fd);
	fd = dial_and_bind('A');
	say(fd, long_head, sizeof(long_head));
	streams_send_ike(streams, &told.local, &told.remote, long_head, sizeof(long_head));
	assert_int_equal(hear(fd), 0xff);
	close(fd);
}

struct seen {
	size_t proved, unproved, carrying;
};

static void see(void *context, const struct streams_status *status)
{
	struct seen *seen = context;

	assert_int_equal(status->local->port, port);
	assert_non_null(status->stream);
	seen->proved += status->proved;
	seen->unproved += !status->proved;
	seen->carrying += status->session == SESSION;
}

static void test_each(void **state)
{
	struct seen seen = {0};
	int bound, stranger;

	(void)state;
	bound = dial_and_bind('A');
	stranger = dial_and_say('B');
	streams_each(streams, see, &seen);
	assert_int_equal(seen.proved, 1);
	assert_int_equal(seen.unproved, 1);
	assert_int_equal(seen.carrying, 1);
	assert_int_equal(streams_counters(streams).opened, 2);
	close(bound);
	close(stranger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages_go_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_esp_needs_proof, setup, teardown),
		cmocka_unit_test_setup_teardown(test_session_goes_by_its_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newest_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_session_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unbound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_data_plane_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_stranger_s_frame_is_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
