/* SPDX-License-Identifier: Apache-2.0 */
#include "tun/socket.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
	BUFFER_LEN = 4 << 20, /* of the kernel, as far as it grants that: bursts meet a process that may be late */
	CONTROL_LEN = 128,
	MESSAGE_LEN_MAX = 65000, /* several datagrams and their headers are one packet for the kernel */
};

union control {
	struct cmsghdr header;
	char space[CONTROL_LEN];
};

static bool is_ipv6(const struct tun_socket *socket)
{
	return socket->local.address.family == ADDRESS_IPV6;
}

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_whole(const struct tun_socket *socket, bool whole)
{
	return is_ipv6(socket) ? set(socket->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
					 whole ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT)
			       : set(socket->fd, IPPROTO_IP, IP_MTU_DISCOVER,
					 whole ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
}

void tun_socket_set_whole(const struct tun_socket *socket, bool whole)
{
	(void)set_whole(socket, whole);
}

static int set_options(struct tun_socket *socket)
{
	int fd = socket->fd, level = is_ipv6(socket) ? IPPROTO_IPV6 : IPPROTO_IP, rc;

	(void)set(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_LEN);
	(void)set(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_LEN);
	(void)set(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_LEN);
	(void)set(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_LEN);
	(void)set(fd, IPPROTO_UDP, UDP_GRO, 1);
	socket->segmentation = set(fd, IPPROTO_UDP, UDP_SEGMENT, 0) == 0;
	/* DF clear: encrypted packets may be cut on the way, and here. */
	rc = set_whole(socket, false);
	if (rc == 0)
		rc = set(fd, level, is_ipv6(socket) ? IPV6_RECVTCLASS : IP_RECVTOS, 1);
	if (rc == 0)
		rc = set(fd, level, is_ipv6(socket) ? IPV6_RECVERR : IP_RECVERR, 1);
	return rc;
}

int tun_socket_open(struct tun_socket *out, const struct endpoint *local)
{
	struct sockaddr_storage name;
	socklen_t len = endpoint_to_sockaddr(local, &name);
	int rc;

	*out = (struct tun_socket){.local = *local};
	out->fd = socket(name.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (out->fd < 0)
		return -errno;
	rc = set_options(out);
	if (rc == 0 && bind(out->fd, (struct sockaddr *)&name, len) < 0)
		rc = -errno;
	len = sizeof(name);
	if (rc == 0 && getsockname(out->fd, (struct sockaddr *)&name, &len) < 0)
		rc = -errno;
	if (rc == 0)
		rc = endpoint_from_sockaddr((struct sockaddr *)&name, &out->local);
	if (rc < 0)
		tun_socket_close(out);
	return rc;
}

void tun_socket_close(struct tun_socket *socket)
{
	if (socket->fd >= 0)
		close(socket->fd);
	*socket = (struct tun_socket){.fd = -1};
}

static void read_control(struct msghdr *message, struct tun_arrival *arrival)
{
	struct cmsghdr *header;
	int value;

	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TOS)
			arrival->tos = *CMSG_DATA(header);
		if (header->cmsg_len < CMSG_LEN(sizeof(value)))
			continue;
		memcpy(&value, CMSG_DATA(header), sizeof(value));
		if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_TCLASS)
			arrival->tos = (uint8_t)value;
		if (header->cmsg_level == IPPROTO_UDP && header->cmsg_type == UDP_GRO && value > 0)
			arrival->segment_len = (uint32_t)value;
	}
}

bool tun_socket_receive(struct tun_socket *socket, struct tun_arrivals *out)
{
	struct mmsghdr messages[TUN_SOCKET_BURST];
	struct iovec parts[TUN_SOCKET_BURST];
	struct sockaddr_storage names[TUN_SOCKET_BURST];
	union control controls[TUN_SOCKET_BURST];
	int count;

	for (size_t i = 0; i < TUN_SOCKET_BURST; i++) {
		parts[i] = (struct iovec){.iov_base = out->buffers[i], .iov_len = sizeof(out->buffers[i])};
		messages[i].msg_hdr = (struct msghdr){
			.msg_name = &names[i],
			.msg_namelen = sizeof(names[i]),
			.msg_iov = &parts[i],
			.msg_iovlen = 1,
			.msg_control = &controls[i],
			.msg_controllen = sizeof(controls[i]),
		};
	}
	out->count = 0;
	count = recvmmsg(socket->fd, messages, TUN_SOCKET_BURST, MSG_DONTWAIT, NULL);
	/* A complaint that waits ends one call with its errno. */
	if (count < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EBADF;
	for (int i = 0; i < count; i++) {
		struct tun_arrival *arrival = &out->items[out->count];

		*arrival = (struct tun_arrival){.data = out->buffers[i], .len = messages[i].msg_len};
		if (messages[i].msg_hdr.msg_flags & MSG_TRUNC ||
			endpoint_from_sockaddr((struct sockaddr *)&names[i], &arrival->remote) < 0)
			continue;
		arrival->segment_len = arrival->len;
		read_control(&messages[i].msg_hdr, arrival);
		out->count++;
	}
	return count < TUN_SOCKET_BURST;
}

/* What goes into one message: how many datagrams from `from` on are of one length and kind. */
static size_t run_len(
	const struct tun_socket *socket, const struct tun_departure *departures, size_t count, uint32_t segment_max)
{
	uint32_t len = departures[0].len, sum = len;
	size_t run = 1;

	if (!socket->segmentation || len > segment_max)
		return 1;
	/* The last one may be shorter, and ends the run. */
	while (run < count && run < TUN_SEGMENTS_MAX && departures[run - 1].len == len && departures[run].len <= len &&
		departures[run].tos == departures[0].tos && sum + departures[run].len <= MESSAGE_LEN_MAX)
		sum += departures[run++].len;
	return run;
}

static void add_control(struct msghdr *message, int level, int type, const void *value, size_t len)
{
	struct cmsghdr *header = (struct cmsghdr *)((char *)message->msg_control + message->msg_controllen);

	*header = (struct cmsghdr){.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(len)};
	memcpy(CMSG_DATA(header), value, len);
	message->msg_controllen += CMSG_SPACE(len);
}

struct sending {
	struct mmsghdr messages[TUN_SOCKET_BURST];
	struct iovec parts[TUN_SOCKET_BURST * 2];
	size_t runs[TUN_SOCKET_BURST]; /* datagrams in each message */
	union control controls[TUN_SOCKET_BURST];
	size_t count, n_parts;
};

/* Puts datagrams into messages until one of both is used up. */
static void gather(const struct tun_socket *socket, struct sending *sending, struct sockaddr_storage *name,
	socklen_t name_len, const struct tun_departure *departures, size_t count, uint32_t segment_max)
{
	size_t taken = 0, room = sizeof(sending->parts) / sizeof(sending->parts[0]);

	sending->count = sending->n_parts = 0;
	while (taken < count && sending->count < TUN_SOCKET_BURST && sending->n_parts < room) {
		const struct tun_departure *first = &departures[taken];
		size_t left = count - taken < room - sending->n_parts ? count - taken : room - sending->n_parts;
		size_t run = run_len(socket, first, left, segment_max);
		struct msghdr *message = &sending->messages[sending->count].msg_hdr;
		uint16_t segment_len = (uint16_t)first->len;
		int tos = first->tos;

		*message = (struct msghdr){
			.msg_name = name,
			.msg_namelen = name_len,
			.msg_iov = &sending->parts[sending->n_parts],
			.msg_iovlen = run,
			.msg_control = &sending->controls[sending->count],
		};
		for (size_t i = 0; i < run; i++)
			sending->parts[sending->n_parts++] =
				(struct iovec){.iov_base = first[i].data, .iov_len = first[i].len};
		add_control(message, is_ipv6(socket) ? IPPROTO_IPV6 : IPPROTO_IP,
			is_ipv6(socket) ? IPV6_TCLASS : IP_TOS, &tos, sizeof(tos));
		if (run > 1)
			add_control(message, IPPROTO_UDP, UDP_SEGMENT, &segment_len, sizeof(segment_len));
		sending->runs[sending->count++] = run;
		taken += run;
	}
}

/*
 * Sends what was gathered. Adds the datagrams that went to *sent and returns how many are done with, be it that they
 * are lost.
 */
static size_t send_gathered(struct tun_socket *socket, struct sending *sending, size_t *sent)
{
	size_t at = 0, done = 0, complaints = 0;

	while (at < sending->count) {
		int rc = sendmmsg(socket->fd, sending->messages + at, (unsigned int)(sending->count - at), 0);

		for (int i = 0; i < rc; i++) {
			*sent += sending->runs[at];
			done += sending->runs[at++];
		}
		if (rc > 0)
			continue;
		/* A device that can't checksum can't segment either (udp(7): EIO). One by one, then. */
		if ((errno == EIO || errno == EINVAL) && sending->runs[at] > 1) {
			socket->segmentation = false;
			return done;
		}
		/* A complaint about an earlier datagram is told once, in place of sending this one. */
		if ((errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH) && complaints++ == 0)
			continue;
		done += sending->runs[at++];
	}
	return done;
}

size_t tun_socket_send(struct tun_socket *socket, const struct endpoint *remote, const struct tun_departure *departures,
	size_t count, uint32_t segment_max)
{
	struct sockaddr_storage name;
	socklen_t name_len = endpoint_to_sockaddr(remote, &name);
	size_t sent = 0;

	while (count > 0) {
		struct sending sending;
		size_t done;

		gather(socket, &sending, &name, name_len, departures, count, segment_max);
		done = send_gathered(socket, &sending, &sent);
		departures += done;
		count -= done;
	}
	return sent;
}

int tun_socket_send_parts(const struct tun_socket *socket, const struct endpoint *remote, const void *head,
	size_t head_len, const void *data, size_t data_len)
{
	struct iovec parts[] = {
		{.iov_base = (void *)head, .iov_len = head_len}, {.iov_base = (void *)data, .iov_len = data_len}};
	struct sockaddr_storage name;
	struct msghdr message = {
		.msg_name = &name,
		.msg_namelen = endpoint_to_sockaddr(remote, &name),
		.msg_iov = parts,
		.msg_iovlen = 2,
	};

	if (sendmsg(socket->fd, &message, 0) >= 0)
		return 0;
	/* As above: it may have been about an earlier one. */
	return sendmsg(socket->fd, &message, 0) < 0 ? -errno : 0;
}

/* Which complaint an entry of the error queue is; false: none about a datagram. */
static bool read_complaint(struct msghdr *message, struct tun_complaint *out)
{
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		struct sock_extended_err error;
		struct endpoint from;

		if (!(header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR) &&
			!(header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&error, CMSG_DATA(header), sizeof(error));
		out->error = (int)error.ee_errno;
		if (endpoint_from_sockaddr(
			    SO_EE_OFFENDER((struct sock_extended_err *)(void *)CMSG_DATA(header)), &from) == 0)
			out->from = from.address;
		return true;
	}
	return false;
}

bool tun_socket_complaint(struct tun_socket *socket, struct tun_complaint *out)
{
	union {
		struct cmsghdr header;
		char space[512];
	} control;

	for (;;) {
		struct sockaddr_storage name;
		struct endpoint remote;
		struct msghdr message = {
			.msg_name = &name,
			.msg_namelen = sizeof(name),
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};

		if (recvmsg(socket->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return false;
		*out = (struct tun_complaint){.error = 0};
		if (endpoint_from_sockaddr((struct sockaddr *)&name, &remote) < 0 || !read_complaint(&message, out))
			continue;
		out->remote_port = remote.port;
		return true;
	}
}

int tun_socket_route(const struct endpoint *remote, struct address *local, uint32_t *mtu)
{
	struct sockaddr_storage name;
	socklen_t len = endpoint_to_sockaddr(remote, &name);
	bool ipv6 = remote->address.family == ADDRESS_IPV6;
	int fd = socket(name.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), value = 0, rc = 0;
	socklen_t value_len = sizeof(value);
	struct endpoint found;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&name, len) < 0)
		rc = -errno;
	len = sizeof(name);
	if (rc == 0 && getsockname(fd, (struct sockaddr *)&name, &len) < 0)
		rc = -errno;
	if (rc == 0 &&
		getsockopt(fd, ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, ipv6 ? IPV6_MTU : IP_MTU, &value, &value_len) < 0)
		rc = -errno;
	if (rc == 0)
		rc = endpoint_from_sockaddr((struct sockaddr *)&name, &found);
	close(fd);
	if (rc < 0)
		return rc;
	*local = found.address;
	*mtu = (uint32_t)value;
	return 0;
}
