/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream begins in a socket of the kernel's and goes on in dataplane/tcp. From then on the packets come from a
 * socket that sees what the device receives, whatever the kernel does with it, and leave through a raw one.
 */
#include "takeover.h"
#include "tcp_peer_link.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_BUFFER = 8 << 20, FRAME_PART = FRAME_MAX };

/* Sockets for all protocols get their copy before the ingress hook, where the diversion is; others behind it. */
static int open_device(const char *device)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(device)};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, 0), one = 1, size = SOCKET_BUFFER;

	if (fd < 0 || !address.sll_ifindex || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -1;
	return fd;
}

static int open_way_out(struct in_addr remote)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = remote};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	return fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? fd : -1;
}

static void learn_addresses(int fd, struct peer_link *link)
{
	struct sockaddr_in own, remote;
	socklen_t own_len = sizeof(own), remote_len = sizeof(remote);

	getsockname(fd, (struct sockaddr *)&own, &own_len);
	getpeername(fd, (struct sockaddr *)&remote, &remote_len);
	link->own = own.sin_addr;
	link->remote = remote.sin_addr;
}

/* Bytes of the stream that the kernel, or the chunk for it, still had. */
static bool give(struct peer_link *link, uint8_t *bytes, size_t len)
{
	while (len > 0) {
		uint32_t part = len < FRAME_PART ? (uint32_t)len : FRAME_PART;

		if (tcp_send(&link->tcp, bytes, part, NULL) != 0)
			return false;
		bytes += part;
		len -= part;
	}
	return true;
}

static bool move(struct peer *peer, int fd, struct peer_link *link, struct takeover *takeover)
{
	struct tcp_piece unread;
	int rc = takeover_read(takeover, fd);

	if (rc < 0) {
		fprintf(stderr, "the kernel keeps it: %s\n", strerror(-rc));
		return false;
	}
	unread = (struct tcp_piece){.data = takeover->unread, .len = takeover->unread_len};
	printf("unacknowledged %u, unsent %u, unread %u bytes\n",
		takeover->established.snd_nxt - takeover->established.snd_una, takeover->unsent_len, unread.len);
	if (unread.len > 0)
		peer_read(peer, &unread);
	if (peer_link_install(link, &takeover->established) < 0 ||
		!give(link, takeover_unsent(takeover), takeover->unsent_len) ||
		!give(link, peer->chunk + peer->chunk_at, sizeof(peer->chunk) - peer->chunk_at))
		return false;
	takeover_close(takeover);
	return true;
}

int peer_takeover(struct peer *peer, const char *device, const char *port, const char *divert)
{
	static struct peer_link link;
	struct takeover takeover;
	int fd = peer_kernel_open(NULL, port), rc;

	if (fd < 0)
		return -1;
	learn_addresses(fd, &link);
	peer->stop = peer_now() + (uint64_t)(peer->seconds * 1e6);
	peer->move = peer_now() + (uint64_t)(peer->seconds * 0.5e6);
	if (peer_kernel_run(peer, fd) != 1) {
		fprintf(stderr, "the stream ended before it could move\n");
		return -1;
	}
	/*
	 * 1. What comes is seen here, too. 2. It comes to the kernel no more, 3. which so has something under way that
	 * nobody acknowledges. 4. The connection is read, and closed there.
	 */
	link.in = open_device(device);
	link.out = open_way_out(link.remote);
	if (link.in < 0 || link.out < 0 || system(divert) != 0 || (peer_sends(peer) && !peer_kernel_send(peer, fd)) ||
		!move(peer, fd, &link, &takeover)) {
		fprintf(stderr, "the connection could not move\n");
		return -1;
	}
	rc = peer_link_run(peer, &link);
	takeover_free(&takeover);
	return rc;
}
