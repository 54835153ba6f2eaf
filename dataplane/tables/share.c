/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/share.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	SHARE_DESCRIPTORS = 3,
	SHARE_PATIENCE_MS = 1000,
};

static int socket_address(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

int share_listen(const char *path, uid_t uid)
{
	struct sockaddr_un address;
	int fd, rc = socket_address(path, &address);

	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (unlink(path) < 0 && errno != ENOENT)
		goto fail;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		goto fail;
	if (chmod(path, 0600) < 0 || chown(path, uid, (gid_t)-1) < 0 || listen(fd, 4) < 0)
		goto fail;
	return fd;
fail:
	rc = -errno;
	close(fd);
	return rc;
}

static int wait_readable(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int ready = poll(&wait, 1, SHARE_PATIENCE_MS);

	return ready < 0 ? -errno : ready == 0 ? -ETIMEDOUT : 0;
}

/* Why this peer may not attach; NULL when it may. */
static const char *hello_refuse(int fd, uid_t allowed_uid, char *sentence)
{
	struct ucred peer;
	socklen_t peer_len = sizeof(peer);
	struct share_hello hello;

	/* Read before anything else: closing a socket with unread data resets it, and the answer would be lost. */
	if (wait_readable(fd) < 0 || recv(fd, &hello, sizeof(hello), MSG_DONTWAIT) != (ssize_t)sizeof(hello) ||
		hello.magic != TABLES_MAGIC)
		return "this is no greeting of a Sluice control plane";
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_len) < 0)
		return "the peer's credentials can't be read";
	if (peer.uid != 0 && peer.uid != allowed_uid) {
		snprintf(sentence, TABLES_ERROR_LEN,
			"user %u may not attach to the data plane; run sluiced as root or as the configured user", peer.uid);
		return sentence;
	}
	if (hello.layout_version != TABLES_LAYOUT_VERSION) {
		snprintf(sentence, TABLES_ERROR_LEN,
			"the data plane's tables have layout version %u, sluiced knows %u: install both programs from one "
			"release and restart the older one",
			TABLES_LAYOUT_VERSION, hello.layout_version);
		return sentence;
	}
	return NULL;
}

static int answer_send(int fd, const struct share_answer *answer, const struct share_descriptors *descriptors)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * SHARE_DESCRIPTORS)];
	} control = {0};
	struct iovec part = {.iov_base = (void *)answer, .iov_len = sizeof(*answer)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (descriptors) {
		int fds[SHARE_DESCRIPTORS] = {descriptors->tables, descriptors->changes, descriptors->events};

		message.msg_control = control.space;
		message.msg_controllen = sizeof(control.space);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(fds));
		memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int share_accept(int listener, uid_t allowed_uid, const char *busy, const struct share_descriptors *descriptors)
{
	struct share_answer answer = {0};
	char sentence[TABLES_ERROR_LEN];
	const char *refusal;
	int rc, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return -errno;
	refusal = hello_refuse(fd, allowed_uid, sentence);
	if (!refusal)
		refusal = busy;
	if (refusal) {
		answer.status = busy == refusal ? -EBUSY : -EPERM;
		snprintf(answer.sentence, sizeof(answer.sentence), "%s", refusal);
	}
	rc = answer_send(fd, &answer, refusal ? NULL : descriptors);
	if (rc < 0 && !refusal) {
		answer.status = rc;
		snprintf(answer.sentence, sizeof(answer.sentence), "the data plane can't hand its descriptors over: %s",
			strerror(-rc));
		(void)answer_send(fd, &answer, NULL);
	}
	if (answer.status < 0) {
		close(fd);
		return answer.status;
	}
	return fd;
}

/* Takes what descriptors came: all of them into `fds`, or none is kept. */
static int descriptors_take(struct msghdr *message, int fds[SHARE_DESCRIPTORS])
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	size_t len;
	int fd;

	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	len = header->cmsg_len - CMSG_LEN(0);
	if (len == sizeof(int) * SHARE_DESCRIPTORS) {
		memcpy(fds, CMSG_DATA(header), len);
		return 0;
	}
	for (size_t i = 0; i < len / sizeof(int); i++) {
		memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
		close(fd);
	}
	return -EPROTO;
}

/* 0; or negative errno and its sentence in `answer`. */
static int answer_receive(int fd, struct share_answer *answer, int fds[SHARE_DESCRIPTORS])
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * SHARE_DESCRIPTORS)];
	} control = {0};
	struct iovec part = {.iov_base = answer, .iov_len = sizeof(*answer)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	ssize_t received;
	int rc = wait_readable(fd);

	if (rc < 0) {
		strcpy(answer->sentence, "the data plane does not answer");
		return rc;
	}
	received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	rc = received < 0 ? -EPROTO : descriptors_take(&message, fds);
	if (received != (ssize_t)sizeof(*answer)) {
		strcpy(answer->sentence, "the data plane's answer is not understood");
		goto fail;
	}
	answer->sentence[sizeof(answer->sentence) - 1] = '\0';
	if (answer->status < 0)
		goto fail;
	if (rc < 0)
		strcpy(answer->sentence,
			"the data plane's descriptors did not arrive: is the limit of open files too low?");
	return rc;
fail:
	for (int i = 0; rc == 0 && i < SHARE_DESCRIPTORS; i++)
		close(fds[i]);
	return answer->status < 0 ? answer->status : -EPROTO;
}

int share_connect(const char *path, struct share_descriptors *descriptors, char error[TABLES_ERROR_LEN])
{
	struct share_hello hello = {.magic = TABLES_MAGIC, .layout_version = TABLES_LAYOUT_VERSION};
	struct share_answer answer = {0};
	struct sockaddr_un address;
	int fds[SHARE_DESCRIPTORS], fd, rc = socket_address(path, &address);

	if (rc < 0) {
		snprintf(error, TABLES_ERROR_LEN, "too long a path for a socket: %s", path);
		return rc;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		rc = -errno;
		snprintf(error, TABLES_ERROR_LEN, "no data plane answers at %s (%s): is sluice-dataplane running?", path,
			strerror(-rc));
		goto fail;
	}
	if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) != (ssize_t)sizeof(hello)) {
		rc = -errno;
		snprintf(error, TABLES_ERROR_LEN, "the data plane at %s closed the connection", path);
		goto fail;
	}
	rc = answer_receive(fd, &answer, fds);
	if (rc < 0) {
		snprintf(error, TABLES_ERROR_LEN, "%s", answer.sentence);
		goto fail;
	}
	*descriptors = (struct share_descriptors){.tables = fds[0], .changes = fds[1], .events = fds[2]};
	return fd;
fail:
	if (fd >= 0)
		close(fd);
	return rc;
}
