/* SPDX-License-Identifier: Apache-2.0 */
#include "share_peer.h"

#include "tables/share.h"
#include "tables/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct attached {
	int connection;
	struct share_descriptors descriptors;
	struct tables tables;
	struct writer *writer;
};

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vdprintf(STDOUT_FILENO, format, arguments);
	va_end(arguments);
}

static int try_connect(const char *path)
{
	struct share_descriptors descriptors;
	char error[TABLES_ERROR_LEN] = "";
	int rc = share_connect(path, &descriptors, error);

	say("%d %s\n", rc < 0 ? rc : 0, error);
	return 0;
}

/* Descriptors open below `end`. */
static int descriptors_count(int end)
{
	int n = 0;

	for (int fd = 0; fd < end; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int try_limited(const char *path)
{
	int first = dup(STDOUT_FILENO), before;
	/* One is the socket's, one is left for the three that come. */
	struct rlimit limit = {.rlim_cur = (rlim_t)first + 2, .rlim_max = (rlim_t)first + 2};

	close(first);
	before = descriptors_count(first + 2);
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	try_connect(path);
	say("%d\n", descriptors_count(first + 2) - before);
	return 0;
}

static int try_greeting(const char *path, const void *greeting, size_t len)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct share_answer answer = {0};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	char descriptors[64];
	struct iovec part = {.iov_base = &answer, .iov_len = sizeof(answer)};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = descriptors, .msg_controllen = sizeof(descriptors)};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return 1;
	if (len > 0 && send(fd, greeting, len, 0) != (ssize_t)len)
		return 1;
	if (recvmsg(fd, &message, 0) != (ssize_t)sizeof(answer) || message.msg_controllen > 0)
		return 1;
	say("%d %s\n", answer.status, answer.sentence);
	/* Nothing but the end follows. */
	return recv(fd, &answer, sizeof(answer), 0) == 0 ? 0 : 1;
}

static int attach(struct attached *attached, const char *path)
{
	char error[TABLES_ERROR_LEN] = "";

	attached->connection = share_connect(path, &attached->descriptors, error);
	if (attached->connection < 0 || tables_map(&attached->tables, attached->descriptors.tables, error) < 0) {
		fprintf(stderr, "%s\n", error);
		return -1;
	}
	attached->writer = writer_new(&attached->tables, attached->descriptors.changes);
	return attached->writer ? 0 : -1;
}

/* Says what waits and hears what was answered. How many installs were taken up. */
static int exchange(struct attached *attached)
{
	struct pollfd wait = {.fd = attached->descriptors.events, .events = POLLIN};
	struct tables_event event;
	int n_installed = 0;
	uint64_t count;

	writer_flush(attached->writer);
	if (poll(&wait, 1, -1) == 1 && read(attached->descriptors.events, &count, sizeof(count)) < 0 && errno != EAGAIN)
		_exit(1);
	while (ring_pop(&attached->tables.events[0], &event) == 1) {
		n_installed += event.kind == TABLES_EVENT_DONE && event.change == TABLES_INSTALL && event.result == 0;
		writer_done(attached->writer, &event);
	}
	return n_installed;
}

static void install(struct attached *attached, uint32_t session, uint32_t *index)
{
	static const uint8_t keymat[ESP_KEYMAT_MAX] = "a key that nobody shall find";
	struct tables_child values = {.session = session, .suite = ESP_AES128_GCM, .spi_out = 0xc0ffee};
	uint32_t spi;

	while (writer_child_claim(attached->writer, index, &spi) < 0)
		exchange(attached);
	if (writer_child_install(attached->writer, *index, &values, keymat, keymat, sizeof(keymat)) < 0)
		_exit(1);
}

static int run_install(const char *path)
{
	const struct tables_session values = {.encapsulation = TABLES_ENCAPSULATION_UDP, .peer = "branch"};
	struct attached attached;
	uint32_t session, index;
	int n_installed = 0;

	if (attach(&attached, path) < 0 || writer_session_claim(attached.writer, &values, &session) < 0)
		return 1;
	for (int i = 0; i < SHARE_PEER_CHILDREN; i++)
		install(&attached, session, &index);
	while (n_installed < SHARE_PEER_CHILDREN)
		n_installed += exchange(&attached);
	say("ready\n");
	for (;;) {
		install(&attached, session, &index);
		writer_flush(attached.writer);
		writer_child_activate(attached.writer, index);
		writer_child_remove(attached.writer, index);
	}
}

static int run_adopt(const char *path)
{
	uint32_t n_children = 0, n_sessions = 0, session = 0;
	struct attached attached;
	struct tables *tables = &attached.tables;

	if (attach(&attached, path) < 0)
		return 1;
	for (uint32_t i = 0; i < tables->n_children; i++)
		n_children += tables->children[i].phase == TABLES_LIVE && tables->children[i].spi_out == 0xc0ffee;
	for (uint32_t i = 0; i < tables->n_sessions; i++) {
		if (tables->sessions[i].phase != TABLES_LIVE)
			continue;
		n_sessions++;
		session = i;
	}
	say("adopted %u %u %s\n", n_children, n_sessions, tables->sessions[session].peer);
	while (writer_children_free(attached.writer) < tables->n_children - n_children)
		exchange(&attached);
	writer_session_remove(attached.writer, session);
	while (writer_children_free(attached.writer) < tables->n_children ||
		writer_sessions_free(attached.writer) < tables->n_sessions)
		exchange(&attached);
	say("free\n");
	return 0;
}

int share_peer_run(int argc, char **argv)
{
	const char *verb = argv[1], *path = argv[2];
	struct share_hello hello = {.magic = TABLES_MAGIC};
	static const char nothing[4096];

	/* Neither outlives the test nor hangs for ever. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(120);
	if (argc < 3)
		return 2;
	if (strcmp(verb, "connect") == 0) {
		if (argc > 3 && setresuid((uid_t)atoi(argv[3]), (uid_t)atoi(argv[3]), (uid_t)atoi(argv[3])) < 0)
			return 1;
		return try_connect(path);
	}
	if (strcmp(verb, "limited") == 0)
		return try_limited(path);
	if (strcmp(verb, "hello") == 0 && argc > 3) {
		hello.layout_version = (uint32_t)strtoul(argv[3], NULL, 10);
		return try_greeting(path, &hello, sizeof(hello));
	}
	if (strcmp(verb, "garbage") == 0 && argc > 3)
		return try_greeting(path, nothing, strtoul(argv[3], NULL, 10));
	if (strcmp(verb, "install") == 0)
		return run_install(path);
	if (strcmp(verb, "adopt") == 0)
		return run_adopt(path);
	return 2;
}
