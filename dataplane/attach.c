/* SPDX-License-Identifier: Apache-2.0 */
#include "attach.h"

#include "changes.h"
#include "config/log.h"
#include "tables/share.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

static int watch(struct attach *attach, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};

	return epoll_ctl(attach->poll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* The user that sluiced runs as; root's, where the configuration names none or it does not exist yet. */
static uid_t control_uid(const struct config *config)
{
	const struct passwd *user = config->user[0] ? getpwnam(config->user) : NULL;

	return user ? user->pw_uid : geteuid();
}

static int runtime_dir_make(const struct config *config, uid_t uid)
{
	if (mkdir(config->runtime_dir, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	/* sluiced makes its own socket beside ours. */
	return chown(config->runtime_dir, uid, (gid_t)-1) < 0 ? -errno : 0;
}

int attach_open(struct attach *attach, struct dataplane *dataplane)
{
	const struct config *config = dataplane->config;
	int rc;

	*attach = (struct attach){
		.dataplane = dataplane, .listener = -1, .control = -1, .poll = -1, .wake = {-1, -1}};
	attach->uid = control_uid(config);
	snprintf(attach->path, sizeof(attach->path), "%s/dataplane.sock", config->runtime_dir);
	rc = runtime_dir_make(config, attach->uid);
	if (rc < 0)
		goto fail;
	rc = attach->listener = share_listen(attach->path, attach->uid);
	if (rc < 0)
		goto fail;
	attach->poll = epoll_create1(EPOLL_CLOEXEC);
	attach->wake.changes = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	attach->wake.events = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	rc = -errno;
	if (attach->poll < 0 || attach->wake.changes < 0 || attach->wake.events < 0)
		goto fail;
	rc = watch(attach, attach->listener);
	if (rc == 0)
		rc = watch(attach, attach->wake.changes);
	if (rc == 0) {
		dataplane->main_wake = attach->wake.changes;
		return 0;
	}
fail:
	log_error("event=start_failed reason=\"the control plane's socket %s can't be made: %s\"", attach->path,
		strerror(-rc));
	attach_close(attach);
	return rc;
}

void attach_close(struct attach *attach)
{
	const int fds[] = {attach->control, attach->poll, attach->wake.changes, attach->wake.events, attach->listener};

	if (attach->listener >= 0)
		unlink(attach->path);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	attach->listener = attach->control = attach->poll = -1;
}

static void take_control(struct attach *attach)
{
	const struct share_descriptors descriptors = {
		.tables = attach->dataplane->tables.fd, .changes = attach->wake.changes, .events = attach->wake.events};
	const char *busy = attach->control >= 0 ? "another sluiced is attached to this data plane: stop that one first" : NULL;
	int rc;

	if (!busy)
		changes_settle(attach->dataplane);
	rc = share_accept(attach->listener, attach->uid, busy, &descriptors);
	if (rc < 0) {
		log_warning("event=attach_refused reason=\"%s\"", busy ? busy : strerror(-rc));
		return;
	}
	attach->control = rc;
	relay_attach(attach->dataplane, rc);
	watch(attach, attach->control);
	log_info("event=control_plane_attached");
}

static void lose_control(struct attach *attach)
{
	relay_attach(attach->dataplane, -1);
	close(attach->control); /* and with it out of the epoll */
	attach->control = -1;
	log_warning("event=control_plane_gone reason=\"sluiced has ended; installed sessions go on\"");
}

void attach_wait(struct attach *attach, int milliseconds)
{
	struct epoll_event events[4];
	int count = epoll_wait(attach->poll, events, 4, milliseconds);

	for (int i = 0; i < count; i++) {
		int fd = events[i].data.fd;
		uint64_t wakes;

		if (fd == attach->wake.changes) {
			if (read(fd, &wakes, sizeof(wakes)) < 0)
				continue;
		} else if (fd == attach->control) {
			if (!relay_receive(attach->dataplane))
				lose_control(attach);
		} else if (fd == attach->listener) {
			take_control(attach);
		}
	}
}

void attach_wake(struct attach *attach)
{
	struct tables *tables = &attach->dataplane->tables;
	uint64_t one = 1;

	if (attach->control < 0)
		return;
	for (uint32_t i = 0; i <= tables->n_workers; i++) {
		if (ring_count(&tables->events[i]) == 0)
			continue;
		/* It can only fail when it counts to its limit, and then it is readable anyway. */
		if (write(attach->wake.events, &one, sizeof(one)) < 0)
			return;
		return;
	}
}
