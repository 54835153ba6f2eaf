/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/transfer.h"

#include "tcp/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

void transfer_from_established(struct transfer_state *state, const struct tcp_established *established)
{
	*state = (struct transfer_state){
		.snd_una = established->snd_una,
		.snd_nxt = established->snd_nxt,
		.snd_wnd = established->snd_wnd,
		.snd_wl1 = established->snd_wl1,
		.rcv_nxt = established->rcv_nxt,
		.rcv_wnd = established->rcv_wnd,
		.ts_value = established->ts_value,
		.cwnd = established->cwnd,
		.ssthresh = established->ssthresh,
		.srtt = established->srtt,
		.mss = established->mss,
		.snd_scale = established->snd_scale,
		.rcv_scale = established->rcv_scale,
		.timestamps = established->timestamps,
		.sack = established->sack,
		.ecn = established->ecn,
	};
}

void transfer_to_established(const struct transfer_state *state, struct tcp_established *established)
{
	*established = (struct tcp_established){
		.snd_una = state->snd_una,
		.snd_nxt = state->snd_nxt,
		.snd_wnd = state->snd_wnd,
		.snd_wl1 = state->snd_wl1,
		.rcv_nxt = state->rcv_nxt,
		.rcv_wnd = state->rcv_wnd,
		.ts_value = state->ts_value,
		.cwnd = state->cwnd,
		.ssthresh = state->ssthresh,
		.srtt = state->srtt,
		.mss = state->mss,
		.snd_scale = state->snd_scale,
		.rcv_scale = state->rcv_scale,
		.timestamps = state->timestamps,
		.sack = state->sack,
		.ecn = state->ecn,
	};
}

/* As 64 bits: three lengths of a stranger's don't overflow it. */
static uint64_t transfer_len(const struct transfer_state *state)
{
	return sizeof(*state) + (uint64_t)transfer_unacknowledged_len(state) + state->unsent_len + state->unread_len;
}

/* --- control plane ------------------------------------------------------------------------------------------------ */

static int write_all(int fd, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	while (len > 0) {
		ssize_t written = write(fd, bytes, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		len -= (size_t)written;
	}
	return 0;
}

int transfer_make(const struct transfer_state *state, const void *unacknowledged, const void *unsent, const void *unread)
{
	int rc, fd;

	if (transfer_len(state) > TRANSFER_LEN_MAX)
		return -EFBIG;
	fd = memfd_create("sluice-transfer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, state, sizeof(*state));
	if (rc == 0)
		rc = write_all(fd, unacknowledged, transfer_unacknowledged_len(state));
	if (rc == 0)
		rc = write_all(fd, unsent, state->unsent_len);
	if (rc == 0)
		rc = write_all(fd, unread, state->unread_len);
	if (rc == 0 && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		rc = -errno;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int transfer_send(int connection, const struct transfer_head *head, int memfd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = (void *)head, .iov_len = sizeof(*head)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &memfd, sizeof(int));
	return sendmsg(connection, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* --- data plane --------------------------------------------------------------------------------------------------- */

int transfer_read(struct transfer *transfer, uint8_t *bytes, size_t len)
{
	struct transfer_state *state = &transfer->state;

	if (len < sizeof(*state))
		return -EPROTO;
	memcpy(state, bytes, sizeof(*state));
	if (transfer_len(state) != len || state->timestamps > 1 || state->sack > 1 || state->ecn > 1)
		return -EPROTO;
	transfer->unacknowledged = bytes + sizeof(*state);
	transfer->unsent = transfer->unacknowledged + transfer_unacknowledged_len(state);
	transfer->unread = transfer->unsent + state->unsent_len;
	transfer->bytes = bytes;
	return 0;
}

/* Copied, for to read from a mapping of a stranger's memory can fail by a signal. */
static int read_all(int fd, uint8_t *bytes, size_t len)
{
	for (size_t have = 0; have < len;) {
		ssize_t got = pread(fd, bytes + have, len - have, (off_t)have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EPROTO;
		have += (size_t)got;
	}
	return 0;
}

int transfer_open(struct transfer *transfer, int memfd)
{
	/* What has seals is memory, which neither blocks nor changes. */
	int seals = fcntl(memfd, F_GET_SEALS), rc;
	struct stat stat;
	uint8_t *bytes;

	memset(transfer, 0, sizeof(*transfer));
	if (seals < 0 || (seals & SEALS) != SEALS)
		return -EPERM;
	if (fstat(memfd, &stat) < 0)
		return -errno;
	if (stat.st_size > TRANSFER_LEN_MAX)
		return -EFBIG;
	bytes = malloc((size_t)stat.st_size + 1);
	if (!bytes)
		return -ENOMEM;
	rc = read_all(memfd, bytes, (size_t)stat.st_size);
	if (rc == 0)
		rc = transfer_read(transfer, bytes, (size_t)stat.st_size);
	if (rc < 0)
		free(bytes);
	return rc;
}

void transfer_close(struct transfer *transfer)
{
	free(transfer->bytes);
	memset(transfer, 0, sizeof(*transfer));
}
