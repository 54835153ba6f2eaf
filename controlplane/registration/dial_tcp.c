/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/dial_tcp.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

static int begin(int fd, const struct endpoint *gateway, const struct endpoint *local)
{
	struct sockaddr_storage from, to;
	socklen_t from_len = endpoint_to_sockaddr(local, &from), to_len = endpoint_to_sockaddr(gateway, &to);
	const int on = 1;

	/* Messages are answers to each other: none waits for more to go with it. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
		(local->address.family != ADDRESS_NONE && bind(fd, (struct sockaddr *)&from, from_len) < 0))
		return -errno;
	return connect(fd, (struct sockaddr *)&to, to_len) == 0 || errno == EINPROGRESS ? 0 : -errno;
}

int dial_tcp_open(const struct endpoint *gateway, const struct address *local)
{
	const struct endpoint from = {.address = *local};
	int family = gateway->address.family == ADDRESS_IPV6 ? AF_INET6 : AF_INET;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	rc = begin(fd, gateway, &from);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int dial_tcp_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

int dial_tcp_local(int fd, struct endpoint *local)
{
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);

	return getsockname(fd, (struct sockaddr *)&bound, &len) < 0
		       ? -errno
		       : endpoint_from_sockaddr((struct sockaddr *)&bound, local);
}
