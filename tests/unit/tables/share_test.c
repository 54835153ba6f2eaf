/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hand-over between two processes: this one is the data plane, the control planes are this program started again
 * (see share_peer.h).
 */
#include "fixture.h"
#include "share_peer.h"
#include "tables/share.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	N_CHILDREN = 32,
	DEADLINE_MS = 60000, /* for what comes in a moment unless something is broken */
	LINE_LEN = TABLES_ERROR_LEN + 16,
};

struct peer {
	pid_t pid;
	int output;
};

static struct {
	char directory[64], path[80];
	int listener;
	struct share_descriptors descriptors;
	struct tables tables;
	struct fixture_dataplane dataplane;
} here;

static int setup(void **state)
{
	(void)state;
	snprintf(here.directory, sizeof(here.directory), "/tmp/sluice-share-test-XXXXXX");
	assert_non_null(mkdtemp(here.directory));
	assert_int_equal(chmod(here.directory, 0755), 0);
	snprintf(here.path, sizeof(here.path), "%s/tables", here.directory);
	fixture_tables_make(&here.tables, 4, N_CHILDREN, 1);
	assert_int_equal(fixture_dataplane_start(&here.dataplane, &here.tables), 0);
	here.descriptors.tables = here.tables.fd;
	here.descriptors.changes = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	here.descriptors.events = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	here.listener = share_listen(here.path, geteuid());
	assert_true(here.listener >= 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(here.listener);
	close(here.descriptors.changes);
	close(here.descriptors.events);
	fixture_dataplane_stop(&here.dataplane);
	tables_unmap(&here.tables);
	unlink(here.path);
	return rmdir(here.directory);
}

static struct peer peer_start(const char *verb, const char *argument)
{
	struct peer peer;
	int output[2];

	assert_int_equal(pipe(output), 0);
	peer.pid = fork();
	assert_true(peer.pid >= 0);
	if (peer.pid == 0) {
		dup2(output[1], STDOUT_FILENO);
		close(output[0]);
		close(output[1]);
		execl("/proc/self/exe", "share_test", verb, here.path, argument, (char *)NULL);
		_exit(127);
	}
	close(output[1]);
	peer.output = output[0];
	return peer;
}

static void wait_readable(int fd, const char *what)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	if (poll(&wait, 1, DEADLINE_MS) != 1)
		fail_msg("waited in vain for %s", what);
}

static void peer_read_line(const struct peer *peer, char line[LINE_LEN])
{
	size_t len = 0;

	for (;;) {
		wait_readable(peer->output, "the other process's next line");
		if (len == LINE_LEN - 1 || read(peer->output, line + len, 1) != 1)
			fail_msg("the other process ended within a line");
		if (line[len] == '\n')
			break;
		len++;
	}
	line[len] = '\0';
}

static void peer_end(const struct peer *peer)
{
	int status;

	assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(peer->output);
}

static int peer_accept(uid_t allowed_uid, const char *busy)
{
	wait_readable(here.listener, "the other process to connect");
	return share_accept(here.listener, allowed_uid, busy, &here.descriptors);
}

/* Both sides' view of a refusal: the status here, and the line that the peer says with this in it. */
static void refused(const struct peer *peer, int status, uid_t allowed_uid, const char *busy, const char *const parts[])
{
	char line[LINE_LEN];

	assert_int_equal(peer_accept(allowed_uid, busy), status);
	peer_read_line(peer, line);
	assert_int_equal(atoi(line), status);
	for (; *parts; parts++)
		if (!strstr(line, *parts))
			fail_msg("the peer heard '%s', without '%s'", line, *parts);
}

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_attach(void **state)
{
	struct peer peer = peer_start("connect", NULL);
	char line[LINE_LEN], byte;
	int connection = peer_accept(geteuid(), NULL);

	(void)state;
	assert_true(connection >= 0);
	peer_read_line(&peer, line);
	assert_string_equal(line, "0 ");
	wait_readable(connection, "the connection's end");
	assert_int_equal(read(connection, &byte, 1), 0);
	peer_end(&peer);
	close(connection);
}

static void test_socket(void **state)
{
	char long_path[256], error[TABLES_ERROR_LEN];
	struct share_descriptors descriptors;
	struct stat stat_buffer;
	int again;

	(void)state;
	assert_int_equal(stat(here.path, &stat_buffer), 0);
	assert_int_equal(stat_buffer.st_mode & 0777, 0600);
	assert_int_equal(stat_buffer.st_uid, geteuid());
	again = share_listen(here.path, geteuid()); /* over the old one */
	assert_true(again >= 0);
	close(again);
	assert_int_equal(share_connect(here.path, &descriptors, error), -ECONNREFUSED);
	assert_non_null(strstr(error, here.path));
	assert_non_null(strstr(error, "is sluice-dataplane running?"));
	unlink(here.path);
	assert_int_equal(share_connect(here.path, &descriptors, error), -ENOENT);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(share_connect(long_path, &descriptors, error), -ENAMETOOLONG);
	assert_non_null(strstr(error, "too long"));
	assert_int_equal(share_listen(long_path, geteuid()), -ENAMETOOLONG);
	assert_int_equal(share_listen("/nowhere/at/all", geteuid()), -ENOENT);
}

static void test_busy(void **state)
{
	struct peer peer = peer_start("connect", NULL);

	(void)state;
	refused(&peer, -EBUSY, geteuid(), "sluiced is attached already, as process 1234", PARTS("as process 1234"));
	peer_end(&peer);
}

static void test_wrong_user(void **state)
{
	char nobody[16];
	struct peer peer;

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(nobody, sizeof(nobody), "%d", SHARE_PEER_NOBODY);
	assert_int_equal(chmod(here.path, 0666), 0);
	peer = peer_start("connect", nobody);
	refused(&peer, -EPERM, 12345, NULL, PARTS("user 65534 may not attach"));
	peer_end(&peer);
	peer = peer_start("connect", nobody);
	close(peer_accept(SHARE_PEER_NOBODY, NULL));
	peer_end(&peer);
}

static void test_other_version(void **state)
{
	char other[16], ours[64];
	struct peer peer;

	(void)state;
	snprintf(other, sizeof(other), "%u", TABLES_LAYOUT_VERSION + 41);
	snprintf(ours, sizeof(ours), "have layout version %u,", TABLES_LAYOUT_VERSION);
	peer = peer_start("hello", other);
	snprintf(other, sizeof(other), "knows %u:", TABLES_LAYOUT_VERSION + 41);
	refused(&peer, -EPERM, geteuid(), NULL, PARTS(ours, other));
	peer_end(&peer);
}

/* Too short, as long as a greeting, too long; and nothing at all, which takes the data plane's second of patience. */
static void test_no_greeting(void **state)
{
	static const char *const lengths[] = {"1", "15", "16", "4096", "0"};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct peer peer = peer_start("garbage", lengths[i]);

		refused(&peer, -EPERM, geteuid(), NULL, PARTS("no greeting of a Sluice control plane"));
		peer_end(&peer);
	}
}

static void test_silent_dataplane(void **state)
{
	struct peer peer = peer_start("connect", NULL);
	char line[LINE_LEN];

	(void)state;
	peer_read_line(&peer, line);
	assert_int_equal(atoi(line), -ETIMEDOUT);
	assert_non_null(strstr(line, "does not answer"));
	peer_end(&peer);
}

static void test_descriptors_not_sent(void **state)
{
	struct peer peer = peer_start("connect", NULL);
	int events = here.descriptors.events;

	(void)state;
	here.descriptors.events = -1;
	refused(&peer, -EBADF, geteuid(), NULL, PARTS("can't hand", strerror(EBADF)));
	here.descriptors.events = events;
	peer_end(&peer);
}

static void test_descriptors_not_received(void **state)
{
	struct peer peer = peer_start("limited", NULL);
	char line[LINE_LEN], byte;
	int connection = peer_accept(geteuid(), NULL);

	(void)state;
	assert_true(connection >= 0);
	peer_read_line(&peer, line);
	assert_int_equal(atoi(line), -EPROTO);
	assert_non_null(strstr(line, "descriptors"));
	peer_read_line(&peer, line);
	assert_string_equal(line, "0"); /* none kept open */
	assert_int_equal(read(connection, &byte, 1), 0);
	peer_end(&peer);
	close(connection);
}

/* One turn of the data plane's main thread. */
static void dataplane_turn(void)
{
	uint64_t count, one = 1;
	int taken;

	if (read(here.descriptors.changes, &count, sizeof(count)) < 0)
		assert_int_equal(errno, EAGAIN);
	while (ring_room(&here.tables.events[0]) > N_CHILDREN + 4 &&
		(taken = fixture_dataplane_take(&here.dataplane, NULL)) != 0)
		assert_int_equal(taken, 1);
	assert_int_equal(fixture_dataplane_let_go(&here.dataplane, N_CHILDREN), 0);
	assert_int_equal(write(here.descriptors.events, &one, sizeof(one)), sizeof(one));
}

/* Plays the data plane until `fd` has something to say. */
static void dataplane_serve(int fd)
{
	struct pollfd wait[2] = {{.fd = fd, .events = POLLIN}, {.fd = here.descriptors.changes, .events = POLLIN}};

	for (;;) {
		if (poll(wait, 2, DEADLINE_MS) <= 0)
			fail_msg("the other process has nothing more to say");
		if (wait[0].revents)
			break;
		dataplane_turn();
	}
}

/* Whether the ring holds anything but zeros. */
static bool ring_is_wiped(const struct ring *ring)
{
	for (size_t i = 0; i < (size_t)ring->slots * ring->slot_len; i++)
		if (ring->shared->slots[i] != 0)
			return false;
	return true;
}

static void test_killed_and_taken_over(void **state)
{
	struct peer peer = peer_start("install", NULL);
	int connection = peer_accept(geteuid(), NULL);
	char line[LINE_LEN], expected[LINE_LEN];
	uint32_t n_live = 0;

	(void)state;
	assert_true(connection >= 0);
	dataplane_serve(peer.output);
	peer_read_line(&peer, line);
	assert_string_equal(line, "ready");
	while (here.dataplane.installs < 500) {
		wait_readable(here.descriptors.changes, "the control plane's next change");
		dataplane_turn();
	}
	assert_int_equal(kill(peer.pid, SIGKILL), 0);
	assert_int_equal(waitpid(peer.pid, NULL, 0), peer.pid);
	wait_readable(connection, "the connection's end");
	assert_int_equal(read(connection, line, 1), 0);
	close(connection);
	close(peer.output);
	while (ring_count(&here.tables.changes) > 0)
		dataplane_turn();

	for (uint32_t i = 0; i < N_CHILDREN; i++) {
		if (here.tables.children[i].phase != TABLES_LIVE)
			continue;
		n_live++;
		assert_true(atomic_load(&here.dataplane.children[i].held));
		assert_int_equal(here.dataplane.children[i].id, here.tables.children[i].id);
	}
	assert_in_range(n_live, SHARE_PEER_CHILDREN, N_CHILDREN);
	peer = peer_start("adopt", NULL);
	connection = peer_accept(geteuid(), NULL);
	assert_true(connection >= 0);
	dataplane_serve(peer.output);
	peer_read_line(&peer, line);
	snprintf(expected, sizeof(expected), "adopted %u 1 branch", n_live);
	assert_string_equal(line, expected);
	dataplane_serve(peer.output);
	peer_read_line(&peer, line);
	assert_string_equal(line, "free");
	peer_end(&peer);
	close(connection);
	for (uint32_t i = 0; i < N_CHILDREN; i++)
		assert_false(atomic_load(&here.dataplane.children[i].held));
	assert_true(ring_is_wiped(&here.tables.changes));
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_attach),
		TEST(test_socket),
		TEST(test_busy),
		TEST(test_wrong_user),
		TEST(test_other_version),
		TEST(test_no_greeting),
		TEST(test_silent_dataplane),
		TEST(test_descriptors_not_sent),
		TEST(test_descriptors_not_received),
		TEST(test_killed_and_taken_over),
	};

	/* As another user no leak check could be made at the end: the other processes leave without one. */
	if (argc > 1)
		_exit(share_peer_run(argc, argv));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
