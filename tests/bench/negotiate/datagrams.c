/* SPDX-License-Identifier: Apache-2.0 */
#include "datagrams.h"

#include "../../clients/clients.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	MARKER_LEN = 4,
	RECEIVE_BUFFER = 8 << 20,
	BATCH = 4, /* messages of a port before something else has its turn: each may cost a key exchange */
};

static const uint16_t ports[] = {500, 4500};

struct datagrams {
	carrier_message *on_message;
	void *context;
	struct address gateway;
	size_t count, first;
	int fd[2]; /* by `floated` */
};

static int open_socket(uint16_t port)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
	int on = 1, buffer = RECEIVE_BUFFER, fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == 0 &&
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0 &&
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) == 0 &&
		bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

struct datagrams *datagrams_new(
	size_t count, size_t first, const struct address *gateway, carrier_message *on_message, void *context)
{
	struct datagrams *datagrams = calloc(1, sizeof(*datagrams));

	if (!datagrams)
		return NULL;
	*datagrams = (struct datagrams){.on_message = on_message,
		.context = context,
		.gateway = *gateway,
		.count = count,
		.first = first,
		.fd = {-1, -1}};
	for (int i = 0; i < 2; i++) {
		datagrams->fd[i] = open_socket(ports[i]);
		if (datagrams->fd[i] < 0) {
			int rc = datagrams->fd[i];

			datagrams_free(datagrams);
			errno = -rc;
			return NULL;
		}
	}
	return datagrams;
}

void datagrams_free(struct datagrams *datagrams)
{
	for (int i = 0; datagrams && i < 2; i++)
		if (datagrams->fd[i] >= 0)
			close(datagrams->fd[i]);
	free(datagrams);
}

/* From the client's public address, by the socket of its port. */
int datagrams_send(struct datagrams *datagrams, size_t client, bool floated, const uint8_t *message, size_t message_len)
{
	static const uint8_t marker[MARKER_LEN];
	struct address source = clients_address(datagrams->first + client);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(ports[floated])};
	struct iovec parts[] = {{(void *)marker, floated ? MARKER_LEN : 0}, {(void *)message, message_len}};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control = {.header = {
			     .cmsg_level = IPPROTO_IP,
			     .cmsg_type = IP_PKTINFO,
			     .cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)),
		     }};
	struct in_pktinfo info = {0};
	struct msghdr datagram = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};

	memcpy(&to.sin_addr, datagrams->gateway.bytes, sizeof(to.sin_addr));
	memcpy(&info.ipi_spec_dst, source.bytes, sizeof(info.ipi_spec_dst));
	memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
	return sendmsg(datagrams->fd[floated], &datagram, MSG_DONTWAIT) < 0 && errno != EAGAIN ? -errno : 0;
}

/* The address that a datagram was sent to, and when it arrived. False when the kernel does not say. */
static bool read_control(struct msghdr *datagram, struct address *to, uint64_t *arrived_us)
{
	bool has_address = false, has_time = false;
	struct in_pktinfo info;
	struct timespec time;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(datagram); header; header = CMSG_NXTHDR(datagram, header)) {
		if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(header), sizeof(info));
			memcpy(to->bytes, &info.ipi_addr, sizeof(info.ipi_addr));
			has_address = true;
		} else if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SO_TIMESTAMPNS) {
			memcpy(&time, CMSG_DATA(header), sizeof(time));
			*arrived_us = (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
			has_time = true;
		}
	}
	return has_address && has_time;
}

/* One datagram. False when none waits. */
static bool receive_one(struct datagrams *datagrams, bool floated)
{
	static uint8_t buffer[65536];
	union {
		struct cmsghdr header;
		char space[256];
	} control;
	struct iovec part = {buffer, sizeof(buffer)};
	struct msghdr datagram = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	ssize_t len = recvmsg(datagrams->fd[floated], &datagram, MSG_DONTWAIT);
	size_t skip = floated ? MARKER_LEN : 0, client;
	struct address to = {.family = ADDRESS_IPV4};
	uint64_t arrived_us = 0;

	if (len < 0)
		return false;
	if (!read_control(&datagram, &to, &arrived_us) || (size_t)len <= skip)
		return true;
	client = clients_number(&to) - datagrams->first;
	if (client < datagrams->count)
		datagrams->on_message(
			datagrams->context, client, floated, buffer + skip, (size_t)len - skip, arrived_us);
	return true;
}

void datagrams_receive(struct datagrams *datagrams, int wait_ms)
{
	struct pollfd ready[] = {{datagrams->fd[0], POLLIN, 0}, {datagrams->fd[1], POLLIN, 0}};

	if (poll(ready, 2, wait_ms) <= 0)
		return;
	for (int i = 0; i < 2; i++)
		for (int batch = 0; batch < BATCH && receive_one(datagrams, i == 1); batch++)
			;
}
