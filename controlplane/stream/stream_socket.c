/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/stream_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>

enum {
	/* Bytes that the kernel holds and may not send yet: each of them is delay that our own queue can't see. */
	UNSENT_MAX = 64 << 10,
	KEEPALIVE_PROBES = 3,
};

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_keepalive(int fd, int seconds)
{
	const struct {
		int level, name, value;
	} options[] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, seconds},
		{IPPROTO_TCP, TCP_KEEPINTVL, seconds},
		{IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * (1 + KEEPALIVE_PROBES) * 1000},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(options) / sizeof(options[0]); i++)
		rc = set(fd, options[i].level, options[i].name, options[i].value);
	return rc;
}

int stream_socket_prepare(int fd, uint32_t keepalive)
{
	int rc = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ? -errno : 0;

	if (rc == 0)
		rc = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (rc == 0)
		rc = set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX);
	return rc < 0 || keepalive == 0 ? rc : set_keepalive(fd, (int)keepalive);
}

int stream_socket_ends(int fd, struct endpoint *local, struct endpoint *remote)
{
	struct sockaddr_storage ours, theirs;
	socklen_t ours_len = sizeof(ours), theirs_len = sizeof(theirs);
	int rc;

	if (getsockname(fd, (struct sockaddr *)&ours, &ours_len) < 0 ||
		getpeername(fd, (struct sockaddr *)&theirs, &theirs_len) < 0)
		return -errno;
	rc = endpoint_from_sockaddr((struct sockaddr *)&ours, local);
	if (rc == 0)
		rc = endpoint_from_sockaddr((struct sockaddr *)&theirs, remote);
	local->transport = remote->transport = ENDPOINT_TCP;
	return rc;
}

int stream_socket_path(int fd, struct stream_path *path)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -errno;
	*path = (struct stream_path){
		.established = info.tcpi_state == TCP_ESTABLISHED,
		.srtt = info.tcpi_rtt,
		.rto = info.tcpi_rto,
		.cwnd = info.tcpi_snd_cwnd * info.tcpi_snd_mss,
		.flight = info.tcpi_unacked * info.tcpi_snd_mss,
		.mss = info.tcpi_snd_mss,
		.retransmitted = info.tcpi_total_retrans,
	};
	return 0;
}
