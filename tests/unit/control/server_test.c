/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket's server over a socket pair: good, bad, slow and forbidden clients. */
#include "test.h"

#include "config/log.h"
#include "control/client.h"
#include "control/frame.h"
#include "control/server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, NOBODY = 65534 };

static struct event_base *base;
static struct server *server;
static unsigned n_requests;
static size_t reply_len; /* of padding in a reply */

static json_t *run(void *context, const struct control_request *request)
{
	char *padding = calloc(1, reply_len + 1);
	json_t *reply;

	(void)context;
	n_requests++;
	memset(padding, 'x', reply_len);
	reply = json_pack("{s:b, s:s, s:s}", "ok", 1, "command", request->command, "padding", padding);
	free(padding);
	return reply;
}

static int setup_with(struct server_access access)
{
	struct server_options options = {.access = access, .run = run};

	log_open("test", LOG_LEVEL_ERROR);
	n_requests = 0;
	reply_len = 0;
	base = event_base_new();
	server = server_new(base, -1, &options);
	return base && server ? 0 : -1;
}

static int setup(void **state)
{
	(void)state;
	return setup_with((struct server_access){.program = "test", .user = geteuid()});
}

static int teardown(void **state)
{
	(void)state;
	server_free(server);
	event_base_free(base);
	return 0;
}

static int client_open(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	server_connect(server, fds[1]);
	return fds[0];
}

/* Lets the server work until something, or the end, can be read. */
static void pump(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	for (int waited = 0; waited < PATIENCE_MS; waited++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (poll(&wait, 1, 1) > 0)
			return;
	}
	fail_msg("the server neither answered nor closed");
}

/* As pump, but reads it all, however long. Returns the reply; NULL at the end of the connection. */
static json_t *receive(int fd)
{
	uint8_t head[FRAME_HEAD_LEN];
	size_t len, got = 0;
	json_t *reply;
	char *text;

	pump(fd);
	if (recv(fd, head, sizeof(head), MSG_WAITALL) != sizeof(head))
		return NULL;
	len = frame_get_head(head);
	assert_true(len <= FRAME_REPLY_MAX);
	text = malloc(len);
	while (got < len) {
		ssize_t part;

		pump(fd);
		part = recv(fd, text + got, len - got, 0);
		assert_true(part > 0);
		got += (size_t)part;
	}
	reply = json_loadb(text, len, 0, NULL);
	assert_non_null(reply);
	free(text);
	return reply;
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(frame_write(fd, text, strlen(text)), 0);
}

static void assert_refused(int fd, const char *part)
{
	json_t *reply = receive(fd);

	assert_non_null(reply);
	assert_true(json_is_false(json_object_get(reply, "ok")));
	assert_non_null(strstr(json_string_value(json_object_get(reply, "error")), part));
	json_decref(reply);
}

static void assert_closed(int fd)
{
	assert_null(receive(fd));
	close(fd);
}

static void assert_answered(int fd, const char *command)
{
	json_t *reply = receive(fd);

	assert_non_null(reply);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	assert_string_equal(json_string_value(json_object_get(reply, "command")), command);
	json_decref(reply);
}

static void test_requests_in_turn(void **state)
{
	int fd = client_open();

	(void)state;
	send_text(fd, "{\"command\": \"one\"}");
	assert_answered(fd, "one");
	/* Sent together, answered in order. */
	send_text(fd, "{\"command\": \"two\"}");
	send_text(fd, "{\"command\": \"three\"}");
	assert_answered(fd, "two");
	assert_answered(fd, "three");
	assert_int_equal(n_requests, 3);
	close(fd);
}

static void test_byte_by_byte(void **state)
{
	static const uint8_t bytes[] = "\0\0\0\x12{\"command\":\"slow\"}";
	int fd = client_open();

	(void)state;
	for (size_t i = 0; i < 4 + 0x12; i++) {
		assert_int_equal(n_requests, 0);
		assert_int_equal(send(fd, &bytes[i], 1, 0), 1);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	assert_answered(fd, "slow");
	close(fd);
}

static void test_oversize(void **state)
{
	uint8_t head[FRAME_HEAD_LEN];
	int fd = client_open();

	(void)state;
	frame_put_head(head, FRAME_REQUEST_MAX + 1);
	assert_int_equal(send(fd, head, sizeof(head), 0), sizeof(head));
	assert_refused(fd, "at most 65536 bytes");
	assert_closed(fd);
	assert_int_equal(n_requests, 0);
}

static void test_largest(void **state)
{
	char *text = malloc(FRAME_REQUEST_MAX + 1);
	int fd = client_open();

	(void)state;
	/* JSON may be followed by as much white space as one likes. */
	memset(text, ' ', FRAME_REQUEST_MAX);
	memcpy(text, "{\"command\":\"big\"}", 17);
	text[FRAME_REQUEST_MAX] = '\0';
	send_text(fd, text);
	assert_answered(fd, "big");
	free(text);
	close(fd);
}

static void test_malformed(void **state)
{
	int fd = client_open();

	(void)state;
	send_text(fd, "{\"command\": ");
	assert_refused(fd, "no JSON");
	assert_closed(fd);
	fd = client_open();
	send_text(fd, "");
	assert_refused(fd, "no JSON");
	assert_closed(fd);
	fd = client_open();
	send_text(fd, "{\"command\": \"x\", \"key\": 1}");
	assert_refused(fd, "not \"key\"");
	assert_closed(fd);
	assert_int_equal(n_requests, 0);
}

static void test_client_goes_away(void **state)
{
	int fd = client_open(), other = client_open();

	(void)state;
	assert_int_equal(send(fd, "\0\0", 2, 0), 2);
	close(fd);
	event_base_loop(base, EVLOOP_NONBLOCK);
	/* The server is there for the others. */
	send_text(other, "{\"command\": \"still\"}");
	assert_answered(other, "still");
	close(other);
}

static void test_half_closed(void **state)
{
	int fd = client_open();

	(void)state;
	send_text(fd, "{\"command\": \"last\"}");
	shutdown(fd, SHUT_WR);
	assert_answered(fd, "last");
	assert_closed(fd);
}

static void test_long_reply(void **state)
{
	int fd = client_open();

	(void)state;
	reply_len = 3 << 20;
	send_text(fd, "{\"command\": \"long\"}");
	assert_answered(fd, "long");
	reply_len = FRAME_REPLY_MAX;
	send_text(fd, "{\"command\": \"too long\"}");
	assert_refused(fd, "too long");
	close(fd);
}

static void test_too_many_clients(void **state)
{
	int fds[SERVER_CLIENTS_MAX], more;

	(void)state;
	for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
		fds[i] = client_open();
	more = client_open();
	assert_closed(more);
	close(fds[0]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	more = client_open();
	send_text(more, "{\"command\": \"room\"}");
	assert_answered(more, "room");
	close(more);
	for (int i = 1; i < SERVER_CLIENTS_MAX; i++)
		close(fds[i]);
}

/* A client whose credentials are another user's: they are noted when the pair is made. */
static int client_open_as(uid_t uid, gid_t gid)
{
	int fd;

	assert_int_equal(setresgid(gid, gid, 0), 0);
	assert_int_equal(setresuid(uid, uid, 0), 0);
	fd = client_open();
	assert_int_equal(setresuid(0, 0, 0), 0);
	assert_int_equal(setresgid(0, 0, 0), 0);
	return fd;
}

static void test_credentials(void **state)
{
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	server_free(server);
	event_base_free(base);
	setup_with((struct server_access){.program = "test", .user = 4001, .group = 4002, .has_group = true});
	fd = client_open_as(NOBODY, NOBODY);
	send_text(fd, "{\"command\": \"forbidden\"}");
	assert_refused(fd, "user 65534 may not");
	close(fd);
	assert_int_equal(n_requests, 0);
	fd = client_open_as(4001, NOBODY);
	send_text(fd, "{\"command\": \"user\"}");
	assert_answered(fd, "user");
	close(fd);
	fd = client_open_as(NOBODY, 4002);
	send_text(fd, "{\"command\": \"group\"}");
	assert_answered(fd, "group");
	close(fd);
	fd = client_open();
	send_text(fd, "{\"command\": \"root\"}");
	assert_answered(fd, "root");
	close(fd);
}

/* The client's own side, against a peer that says what the test wants. */
static void test_client_against_bad_servers(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *why;
	} answers[] = {
		{"", 0, "closed the connection"},
		{"\0\0\0\x05{", 5, "closed the connection"},
		{"\x7f\0\0\0", 4, "too long"},
		{"\0\0\0\x02{}", 6, "not understood"},
		{"\0\0\0\x01x", 5, "not understood"},
		{"\0\0\0\x1a{\"ok\":false,\"error\":\"why\"}", 30, "why"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		char error[CLIENT_ERROR_LEN] = "";
		int fds[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		assert_int_equal(send(fds[1], answers[i].bytes, answers[i].len, 0), answers[i].len);
		shutdown(fds[1], SHUT_WR);
		assert_null(client_ask_fd("sluiced", fds[0], "x", NULL, 0, error));
		assert_non_null(strstr(error, answers[i].why));
		close(fds[0]);
		close(fds[1]);
	}
}

static void test_client_without_server(void **state)
{
	char error[CLIENT_ERROR_LEN] = "";

	(void)state;
	assert_null(client_ask("sluiced", "/nonexistent/control.sock", "x", NULL, 0, error));
	assert_non_null(strstr(error, "is it running?"));
}

int main(void)
{
#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_requests_in_turn),
		SERVER_TEST(test_byte_by_byte),
		SERVER_TEST(test_oversize),
		SERVER_TEST(test_largest),
		SERVER_TEST(test_malformed),
		SERVER_TEST(test_client_goes_away),
		SERVER_TEST(test_half_closed),
		SERVER_TEST(test_long_reply),
		SERVER_TEST(test_too_many_clients),
		SERVER_TEST(test_credentials),
		cmocka_unit_test(test_client_against_bad_servers),
		cmocka_unit_test(test_client_without_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
