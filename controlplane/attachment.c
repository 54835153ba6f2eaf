/* SPDX-License-Identifier: Apache-2.0 */
#include "attachment.h"

#include "config/log.h"
#include "tables/bundle.h"
#include "tables/share.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BUNDLES_MAX = 16,			 /* a wake-up */
	BUNDLE_SENT_MAX = 2 * BUNDLE_SOCKET_LEN, /* bytes that can be under way: the kernel grants double (socket(7)) */
};

static const struct timeval retry_interval = {.tv_sec = 1};

struct attachment {
	struct event_base *base;
	struct attachment_hooks hooks;
	char path[256];
	char error[TABLES_ERROR_LEN]; /* "" while attached */
	struct event *retry, *readable, *events;
	struct tables tables;
	int connection, changes_fd, events_fd; /* -1 while not attached */
	uint8_t bundle[BUNDLE_LEN_MAX];
};

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void event_drop(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

/* Undoes an attachment, whole or half. */
static void let_go(struct attachment *attachment)
{
	event_drop(&attachment->events);
	event_drop(&attachment->readable);
	if (attachment->tables.memory)
		tables_unmap(&attachment->tables);
	fd_close(&attachment->events_fd);
	fd_close(&attachment->changes_fd);
	fd_close(&attachment->connection);
}

static void on_events(evutil_socket_t fd, short what, void *context)
{
	struct attachment *attachment = context;
	struct pollfd poll_events = {.fd = fd, .events = POLLIN};
	uint64_t count;

	(void)what;
	/* Emptied before the rings are read: what comes later wakes us again. It may be empty, and then must not block.
	 */
	if (poll(&poll_events, 1, 0) > 0 && read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_error("event=attachment_failed reason=\"the data plane's event descriptor can't be read: %m\"");
	attachment->hooks.events(attachment->hooks.context);
}

static void end(struct attachment *attachment)
{
	log_warning("event=dataplane_gone reason=\"the data plane has ended: its sessions are gone, peers have to "
		    "negotiate again\"");
	attachment->hooks.detached(attachment->hooks.context);
	let_go(attachment);
	snprintf(attachment->error, sizeof(attachment->error), "the data plane has ended");
	event_add(attachment->retry, &retry_interval);
}

/* The next message of packets: its length, for the hook; 0: there is none now; negative: it was the end. */
static ssize_t take_bundle(struct attachment *attachment)
{
	ssize_t received = recv(attachment->connection, attachment->bundle, sizeof(attachment->bundle), MSG_DONTWAIT);

	if (received < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (received <= 0)
		return -1;
	attachment->hooks.bundle(attachment->hooks.context, attachment->bundle, (size_t)received);
	return received;
}

/* Packets of streams come here, or the end. */
static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct attachment *attachment = context;
	ssize_t taken = 1;

	(void)fd;
	(void)what;
	for (int i = 0; i < BUNDLES_MAX && taken > 0; i++)
		taken = take_bundle(attachment);
	if (taken < 0)
		end(attachment);
}

void attachment_take_bundles(struct attachment *attachment)
{
	ssize_t left = BUNDLE_SENT_MAX, taken = 1;

	if (!attachment || attachment->connection < 0)
		return;
	for (; left > 0 && taken > 0; left -= taken)
		taken = take_bundle(attachment);
}

int attachment_send_bundle(struct attachment *attachment, struct iovec *parts, size_t n_parts)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = n_parts};

	if (!attachment || attachment->connection < 0)
		return -ENOTCONN;
	return sendmsg(attachment->connection, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int attachment_send_transfer(struct attachment *attachment, const struct transfer_head *head, int file)
{
	return attachment && attachment->connection >= 0 ? transfer_send(attachment->connection, head, file) : -ENOTCONN;
}

static int watch(struct attachment *attachment)
{
	attachment->readable =
		event_new(attachment->base, attachment->connection, EV_READ | EV_PERSIST, on_readable, attachment);
	attachment->events =
		event_new(attachment->base, attachment->events_fd, EV_READ | EV_PERSIST, on_events, attachment);
	if (!attachment->readable || !attachment->events || event_add(attachment->readable, NULL) < 0 ||
		event_add(attachment->events, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* As far as the kernel grants it. */
static void send_buffer_raise(int fd)
{
	int len = BUNDLE_SOCKET_LEN;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &len, sizeof(len)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &len, sizeof(len));
}

static int attach(struct attachment *attachment, char error[TABLES_ERROR_LEN])
{
	struct share_descriptors descriptors;
	int rc = share_connect(attachment->path, &descriptors, error);

	if (rc < 0)
		return rc;
	attachment->connection = rc;
	send_buffer_raise(rc);
	attachment->changes_fd = descriptors.changes;
	attachment->events_fd = descriptors.events;
	rc = tables_map(&attachment->tables, descriptors.tables, error);
	if (rc < 0)
		goto fail;
	snprintf(error, TABLES_ERROR_LEN, "no memory for the data plane's sessions");
	rc = watch(attachment);
	if (rc == 0)
		rc = attachment->hooks.attached(attachment->hooks.context, &attachment->tables, attachment->changes_fd);
	if (rc < 0)
		goto fail;
	return 0;
fail:
	let_go(attachment);
	return rc;
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	struct attachment *attachment = context;
	char error[TABLES_ERROR_LEN] = "";

	(void)fd;
	(void)what;
	if (attach(attachment, error) == 0) {
		attachment->error[0] = '\0';
		/* Events of the time before, and those that nobody took. */
		event_active(attachment->events, EV_READ, 0);
		return;
	}
	if (strcmp(error, attachment->error) != 0)
		log_warning("event=dataplane_waited_for reason=\"%s\"", error);
	snprintf(attachment->error, sizeof(attachment->error), "%s", error);
	event_add(attachment->retry, &retry_interval);
}

struct attachment *attachment_new(struct event_base *base, const char *path, const struct attachment_hooks *hooks)
{
	struct attachment *attachment = calloc(1, sizeof(*attachment));

	if (!attachment)
		return NULL;
	attachment->base = base;
	attachment->hooks = *hooks;
	attachment->connection = attachment->changes_fd = attachment->events_fd = -1;
	snprintf(attachment->path, sizeof(attachment->path), "%s", path);
	attachment->retry = evtimer_new(base, on_retry, attachment);
	if (!attachment->retry) {
		free(attachment);
		errno = ENOMEM;
		return NULL;
	}
	event_active(attachment->retry, EV_TIMEOUT, 0);
	return attachment;
}

void attachment_free(struct attachment *attachment)
{
	if (!attachment)
		return;
	let_go(attachment);
	event_free(attachment->retry);
	free(attachment);
}

void attachment_events_again(struct attachment *attachment)
{
	if (attachment->events)
		event_active(attachment->events, EV_READ, 0);
}

const char *attachment_waits_for(const struct attachment *attachment)
{
	return attachment->error;
}
