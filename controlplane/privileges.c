/* SPDX-License-Identifier: Apache-2.0 */
#include "privileges.h"

#include "config/log.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t kept = 1ull << CAP_NET_ADMIN | 1ull << CAP_NET_BIND_SERVICE;

int privileges_harden(void)
{
	struct rlimit none = {0};

	umask(0077);
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	return 0;
}

int privileges_find(const char *user, struct privileges *out)
{
	struct passwd *entry;

	*out = (struct privileges){.uid = geteuid(), .gid = getegid()};
	if (!user[0])
		return 0;
	errno = 0;
	entry = getpwnam(user);
	if (!entry) {
		log_error("event=start_failed reason=\"the user '%s' that sluiced shall run as does not exist; make it "
			  "with: "
			  "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin %s\"",
			user, user);
		return -ENOENT;
	}
	out->uid = entry->pw_uid;
	out->gid = entry->pw_gid;
	snprintf(out->user, sizeof(out->user), "%s", user);
	return 0;
}

int privileges_find_group(const char *group, gid_t *out)
{
	struct group *entry = getgrnam(group);

	if (!entry) {
		log_error("event=start_failed reason=\"the group '%s' that may use the control socket does not exist; "
			  "make it "
			  "with: groupadd --system %s\"",
			group, group);
		return -ENOENT;
	}
	*out = entry->gr_gid;
	return 0;
}

/* Beyond these two nothing can come back, not even by executing another program. */
static void drop_bounding_set(void)
{
	for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (!(kept >> capability & 1))
			(void)prctl(PR_CAPBSET_DROP, capability);
}

/* Keeps of the two those that this process has. Returns what it has then; negative errno. */
static int64_t keep_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	uint64_t has = 0;

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(kept >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
		has |= (uint64_t)data[i].permitted << 32 * i;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	return (int64_t)has;
}

static int become(const struct privileges *privileges)
{
	if (privileges->uid == geteuid() && privileges->uid != 0)
		return 0;
	if (geteuid() != 0) {
		log_error("event=start_failed reason=\"user %u can't become '%s': start sluiced as root or as that "
			  "user\"",
			geteuid(), privileges->user);
		return -EPERM;
	}
	drop_bounding_set();
	if (privileges->uid == 0)
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 ||
		setresgid(privileges->gid, privileges->gid, privileges->gid) < 0 ||
		setresuid(privileges->uid, privileges->uid, privileges->uid) < 0) {
		log_error("event=start_failed reason=\"sluiced can't become user '%s': %m\"", privileges->user);
		return -EPERM;
	}
	return 0;
}

int privileges_drop(const struct privileges *privileges)
{
	int64_t has;
	int rc = become(privileges);

	if (rc < 0)
		return rc;
	has = keep_capabilities();
	if (has < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		log_error("event=start_failed reason=\"capabilities can't be given up: %m\"");
		return -EPERM;
	}
	if (!((uint64_t)has >> CAP_NET_ADMIN & 1))
		log_warning("event=capability_missing reason=\"without CAP_NET_ADMIN the kernel can't be asked to "
			    "resolve neighbours, and TCP connections stay in the kernel\"");
	/* A change of user may have made the memory readable again. */
	return privileges_harden();
}
