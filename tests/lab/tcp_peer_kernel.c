/* SPDX-License-Identifier: Apache-2.0 */
/* The stream through a socket of the kernel's. */
#include "tcp_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_MAX = 1 << 18 };

int peer_kernel_open(const char *address, const char *port)
{
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, accepted;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", strlen("cubic"))) /* an accepted one inherits it */
		return -1;
	if (address) {
		inet_pton(AF_INET, address, &peer.sin_addr);
		return connect(fd, (struct sockaddr *)&peer, sizeof(peer)) ? -1 : fd;
	}
	if (bind(fd, (struct sockaddr *)&peer, sizeof(peer)) || listen(fd, 1))
		return -1;
	printf("ready\n");
	fflush(stdout);
	accepted = accept(fd, NULL, NULL);
	close(fd);
	return accepted;
}

bool peer_kernel_send(struct peer *peer, int fd)
{
	ssize_t len;

	for (;;) {
		if (peer->chunk_at == sizeof(peer->chunk)) {
			if (!peer_sends(peer))
				return shutdown(fd, SHUT_WR) == 0;
			for (size_t at = 0; at < sizeof(peer->chunk); at += PEER_FRAME_LEN)
				peer_write_frame(peer, peer->chunk + at);
			peer->chunk_at = 0;
		}
		len = send(fd, peer->chunk + peer->chunk_at, sizeof(peer->chunk) - peer->chunk_at, MSG_NOSIGNAL);
		if (len < 0)
			return errno == EAGAIN;
		peer->chunk_at += (size_t)len;
	}
}

/* 1: more to come, 0: the end, -1: broken. */
static int receive_some(struct peer *peer, int fd)
{
	static uint8_t bytes[READ_MAX];
	ssize_t len = recv(fd, bytes, sizeof(bytes), 0);
	struct tcp_piece piece = {.data = bytes, .len = (uint32_t)len};

	if (len < 0)
		return errno == EAGAIN ? 1 : -1;
	if (len == 0)
		return 0;
	peer_read(peer, &piece);
	return 1;
}

int peer_kernel_run(struct peer *peer, int fd)
{
	int one = 1, receiving = 1;
	bool sending = peer->sends;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	peer->chunk_at = sizeof(peer->chunk);
	/* Who only receives closes when the other side has. */
	while (sending || receiving > 0) {
		struct pollfd ready = {
			.fd = fd, .events = (short)((sending ? POLLOUT : 0) | (receiving > 0 ? POLLIN : 0))};

		if (peer->move && peer_now() >= peer->move)
			return 1;
		if (poll(&ready, 1, peer->move ? 1 : -1) < 0 && errno != EINTR)
			return -1;
		if (receiving > 0 && (ready.revents & (POLLIN | POLLHUP | POLLERR)))
			receiving = receive_some(peer, fd);
		if (sending && (ready.revents & POLLOUT) && !peer_kernel_send(peer, fd))
			receiving = -1;
		if (receiving < 0)
			return -1;
		sending = sending && peer->sends;
	}
	return 0;
}

int peer_kernel(struct peer *peer, const char *address, const char *port)
{
	int fd = peer_kernel_open(address, port);

	if (fd < 0) {
		perror("the connection");
		return -1;
	}
	peer->stop = peer_now() + (uint64_t)(peer->seconds * 1e6);
	if (peer_kernel_run(peer, fd) < 0) {
		perror("the stream");
		return -1;
	}
	return close(fd);
}
