/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets.h"

#include "config/log.h"
#include "registration/notice.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	BATCH_MAX = 64, /* datagrams a wake-up and socket, so that timers and the data plane get their turn */
	MARKER_LEN = 4,
	RECEIVE_BUFFER = 4 << 20,
	CONTROL_LEN = 256,
};

static const uint8_t non_esp_marker[MARKER_LEN];

struct sockets_one {
	struct sockets *all;
	struct event *readable;
	struct endpoint bound; /* address zero: all of its family */
	bool nat_port;
	int fd;
};

struct sockets {
	struct sockets_handler handler;
	struct sockets_counters counters;
	struct sockets_one one[(1 + CONFIG_NAT_PORTS_MAX) * CONFIG_LISTEN_MAX];
	size_t count;
	uint8_t buffer[65536];
};

static void set_local(struct msghdr *message, const struct address *local)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	if (local->family == ADDRESS_IPV6) {
		struct in6_pktinfo info = {0};

		memcpy(&info.ipi6_addr, local->bytes, sizeof(info.ipi6_addr));
		*header = (struct cmsghdr){
			.cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info))};
		memcpy(CMSG_DATA(header), &info, sizeof(info));
		message->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, local->bytes, sizeof(info.ipi_spec_dst));
		*header = (struct cmsghdr){
			.cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info))};
		memcpy(CMSG_DATA(header), &info, sizeof(info));
		message->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

/* The address that the datagram was sent to. */
static bool get_local(struct msghdr *message, struct address *local)
{
	struct cmsghdr *header;

	*local = (struct address){0};
	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(header), sizeof(info));
			local->family = ADDRESS_IPV4;
			memcpy(local->bytes, &info.ipi_spec_dst, sizeof(info.ipi_spec_dst));
			return true;
		}
		if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(header), sizeof(info));
			local->family = ADDRESS_IPV6;
			memcpy(local->bytes, &info.ipi6_addr, sizeof(info.ipi6_addr));
			return true;
		}
	}
	return false;
}

/* What came to a NAT port: IKE behind its marker, a keepalive or a notice. */
static void take_shared(struct sockets *sockets, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *datagram, size_t len)
{
	const struct sockets_handler *handler = &sockets->handler;

	if (len >= MARKER_LEN && memcmp(datagram, non_esp_marker, MARKER_LEN) == 0)
		handler->input(handler->context, local, remote, true, datagram + MARKER_LEN, len - MARKER_LEN);
	else if (len == 1 && *datagram == 0xff)
		sockets->counters.keepalives++;
	else if (handler->notice && notice_is_one(datagram, len))
		handler->notice(handler->context, local, remote, datagram, len);
	else
		sockets->counters.not_ike++;
}

/* One datagram. False when none waits. */
static bool receive_one(struct sockets_one *one)
{
	struct sockets *sockets = one->all;
	union {
		struct cmsghdr header;
		char space[CONTROL_LEN];
	} control;
	struct sockaddr_storage from;
	struct iovec part = {.iov_base = sockets->buffer, .iov_len = sizeof(sockets->buffer)};
	struct msghdr message = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	struct endpoint local = {.port = one->bound.port}, remote;
	ssize_t received = recvmsg(one->fd, &message, MSG_DONTWAIT);

	if (received < 0)
		return errno != EAGAIN && errno != EWOULDBLOCK && errno != EBADF;
	sockets->counters.received++;
	if (message.msg_flags & MSG_TRUNC || endpoint_from_sockaddr((struct sockaddr *)&from, &remote) < 0 ||
		!get_local(&message, &local.address)) {
		sockets->counters.malformed++;
		return true;
	}
	if (one->nat_port)
		take_shared(sockets, &local, &remote, sockets->buffer, (size_t)received);
	else
		sockets->handler.input(
			sockets->handler.context, &local, &remote, false, sockets->buffer, (size_t)received);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct sockets_one *one = context;

	(void)fd;
	(void)what;
	for (int i = 0; i < BATCH_MAX && receive_one(one); i++)
		;
	one->all->handler.settle(one->all->handler.context);
}

static bool is_any(const struct address *address)
{
	static const struct address zero;

	return memcmp(address->bytes, zero.bytes, sizeof(zero.bytes)) == 0;
}

static int socket_options(int fd, bool ipv6)
{
	int on = 1, off = 0, receive_buffer = RECEIVE_BUFFER;

	/* More room where the kernel grants it; bursts of reconnecting peers arrive here. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof(receive_buffer)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	/* Listen addresses may come later than this process: their interface is made by the data plane. */
	if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0)
		return -errno;
	if (ipv6)
		return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0 ||
				       setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0
			       ? -errno
			       : 0;
	/* Messages with certificates are longer than the path's MTU: they must be allowed to be cut. */
	if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &off, sizeof(off)) < 0 ||
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

static int open_one(
	struct sockets *sockets, struct event_base *base, const struct address *address, uint16_t port, bool nat_port)
{
	struct sockets_one *one = &sockets->one[sockets->count];
	char text[ADDRESS_TEXT_LEN];
	struct sockaddr_storage name;
	socklen_t name_len;
	bool ipv6 = address->family == ADDRESS_IPV6;
	int rc;

	*one = (struct sockets_one){.all = sockets, .nat_port = nat_port, .bound = {.address = *address, .port = port}};
	one->fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (one->fd < 0)
		return -errno;
	sockets->count++;
	rc = socket_options(one->fd, ipv6);
	if (rc < 0)
		return rc;
	name_len = endpoint_to_sockaddr(&one->bound, &name);
	if (bind(one->fd, (struct sockaddr *)&name, name_len) < 0) {
		rc = -errno;
		log_error("event=start_failed reason=\"UDP port %u of address %s can't be had: %s%s\"", port,
			address_format(address, text), strerror(-rc),
			rc == -EADDRINUSE ? "; does another IKE daemon run on this host?" : "");
		return rc;
	}
	one->readable = event_new(base, one->fd, EV_READ | EV_PERSIST, on_readable, one);
	return one->readable && event_add(one->readable, NULL) == 0 ? 0 : -ENOMEM;
}

/* One that was started without it is no reason not to serve IPv4. */
static bool kernel_has_ipv6(void)
{
	const struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

struct sockets *sockets_open(
	struct event_base *base, const struct config_ike *config, const struct sockets_handler *handler)
{
	static const struct address any[] = {{.family = ADDRESS_IPV4}, {.family = ADDRESS_IPV6}};
	const struct address *listen = config->n_listen ? config->listen : any;
	size_t n_listen = config->n_listen ? config->n_listen : kernel_has_ipv6() ? 2 : 1;
	struct sockets *sockets = calloc(1, sizeof(*sockets));
	int rc = 0;

	if (!sockets)
		return NULL;
	sockets->handler = *handler;
	for (size_t i = 0; rc == 0 && i < n_listen; i++) {
		rc = open_one(sockets, base, &listen[i], config->port, false);
		for (size_t j = 0; rc == 0 && j < config->n_nat_ports; j++)
			rc = open_one(sockets, base, &listen[i], config->nat_ports[j], true);
	}
	if (rc == 0)
		return sockets;
	sockets_close(sockets);
	errno = -rc;
	return NULL;
}

void sockets_close(struct sockets *sockets)
{
	if (!sockets)
		return;
	for (size_t i = 0; i < sockets->count; i++) {
		if (sockets->one[i].readable)
			event_free(sockets->one[i].readable);
		close(sockets->one[i].fd);
	}
	free(sockets);
}

static const struct sockets_one *find_socket(const struct sockets *sockets, const struct endpoint *local)
{
	for (size_t i = 0; i < sockets->count; i++) {
		const struct sockets_one *one = &sockets->one[i];

		if (one->bound.port != local->port)
			continue;
		if (address_equal(&one->bound.address, &local->address) ||
			(is_any(&one->bound.address) && one->bound.address.family == local->address.family))
			return one;
	}
	return NULL;
}

static void send_parts(struct sockets *sockets, const struct sockets_one *one, const struct endpoint *local,
	const struct endpoint *remote, struct iovec *parts, size_t n_parts)
{
	union {
		struct cmsghdr header;
		char space[CONTROL_LEN];
	} control = {0};
	struct sockaddr_storage to;
	struct msghdr message = {
		.msg_name = &to,
		.msg_namelen = endpoint_to_sockaddr(remote, &to),
		.msg_iov = parts,
		.msg_iovlen = n_parts,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	char from_text[ENDPOINT_TEXT_LEN], to_text[ENDPOINT_TEXT_LEN];

	errno = EADDRNOTAVAIL;
	if (one) {
		set_local(&message, &local->address);
		if (sendmsg(one->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
			sockets->counters.sent++;
			return;
		}
	}
	sockets->counters.send_failed++;
	log_debug("event=not_sent local=%s remote=%s reason=\"%m\"", endpoint_format(local, from_text),
		endpoint_format(remote, to_text));
}

void sockets_send(struct sockets *sockets, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len)
{
	struct iovec parts[] = {
		{.iov_base = (void *)non_esp_marker, .iov_len = MARKER_LEN},
		{.iov_base = (void *)message, .iov_len = message_len},
	};
	const struct sockets_one *one = find_socket(sockets, local);
	bool marker = one && one->nat_port;

	send_parts(sockets, one, local, remote, marker ? parts : parts + 1, marker ? 2 : 1);
}

void sockets_keepalive(struct sockets *sockets, const struct endpoint *local, const struct endpoint *remote)
{
	static const uint8_t keepalive = 0xff;
	struct iovec part = {.iov_base = (void *)&keepalive, .iov_len = 1};

	send_parts(sockets, find_socket(sockets, local), local, remote, &part, 1);
}

/* The kernel is to send what it is given with DF, whatever it knows of the path; or to cut it, as with IKE. */
static void set_whole(const struct sockets_one *one, bool whole)
{
	bool ipv6 = one->bound.address.family == ADDRESS_IPV6;
	int level = ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, name = ipv6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER;
	int value = !whole ? IP_PMTUDISC_DONT : IP_PMTUDISC_PROBE;

	static_assert(IP_PMTUDISC_DONT == IPV6_PMTUDISC_DONT && IP_PMTUDISC_PROBE == IPV6_PMTUDISC_PROBE, "of one kind");
	(void)setsockopt(one->fd, level, name, &value, sizeof(value));
}

void sockets_send_notice(struct sockets *sockets, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *datagram, size_t datagram_len, bool whole)
{
	const struct sockets_one *one = find_socket(sockets, local);
	struct iovec part = {.iov_base = (void *)datagram, .iov_len = datagram_len};

	if (one && whole)
		set_whole(one, true);
	send_parts(sockets, one, local, remote, &part, 1);
	if (one && whole)
		set_whole(one, false);
}

const struct sockets_counters *sockets_counters(const struct sockets *sockets)
{
	return &sockets->counters;
}
