/* SPDX-License-Identifier: Apache-2.0 */
#include "links.h"

#include "../../clients/clients.h"

#include "stream/framing.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 4500, EVENTS = 16, ROOM = 4096 /* of a client: the longest frame that is read whole */ };

struct link {
	int fd; /* -1: none */
	struct framing framing;
	size_t len, skip; /* bytes that are there; that are still to come of a frame too long to be read */
	uint8_t *bytes;	  /* NULL: none */
};

struct links {
	carrier_message *on_message;
	void *context;
	struct sockaddr_in gateway;
	int epoll;
	size_t count, first;
	struct link list[];
};

static int descriptors_raise(size_t count)
{
	struct rlimit limit = {.rlim_cur = count + 64, .rlim_max = count + 64};

	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

struct links *links_new(
	size_t count, size_t first, const struct address *gateway, carrier_message *on_message, void *context)
{
	struct links *links = calloc(1, sizeof(*links) + count * sizeof(links->list[0]));

	if (!links || descriptors_raise(count) < 0)
		goto fail;
	links->on_message = on_message;
	links->context = context;
	links->gateway = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(PORT)};
	memcpy(&links->gateway.sin_addr, gateway->bytes, sizeof(links->gateway.sin_addr));
	links->count = count;
	links->first = first;
	for (size_t i = 0; i < count; i++)
		links->list[i].fd = -1;
	links->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (links->epoll >= 0)
		return links;
fail:
	free(links);
	return NULL;
}

static void link_end(struct link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	free(link->bytes);
	link->bytes = NULL;
	link->len = link->skip = 0;
}

void links_free(struct links *links)
{
	if (!links)
		return;
	for (size_t i = 0; i < links->count; i++)
		link_end(&links->list[i]);
	close(links->epoll);
	free(links);
}

static int link_open(struct links *links, size_t client)
{
	struct address source = clients_address(links->first + client);
	struct sockaddr_in name = {.sin_family = AF_INET};
	struct epoll_event wanted = {.events = EPOLLIN, .data.u64 = client};
	struct link *link = &links->list[client];
	int on = 1;

	memcpy(&name.sin_addr, source.bytes, sizeof(name.sin_addr));
	link->framing = (struct framing){.payload_max = FRAMING_PAYLOAD_MAX};
	link->bytes = malloc(ROOM);
	link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (link->fd >= 0 && link->bytes && setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
		setsockopt(link->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) == 0 &&
		bind(link->fd, (struct sockaddr *)&name, sizeof(name)) == 0 &&
		connect(link->fd, (struct sockaddr *)&links->gateway, sizeof(links->gateway)) == 0 &&
		epoll_ctl(links->epoll, EPOLL_CTL_ADD, link->fd, &wanted) == 0 &&
		send(link->fd, FRAMING_PREFIX, FRAMING_PREFIX_LEN, MSG_NOSIGNAL) == FRAMING_PREFIX_LEN)
		return 0;
	on = -errno;
	link_end(link);
	return on;
}

int links_send(struct links *links, size_t client, const uint8_t *message, size_t message_len)
{
	static const uint8_t marker[FRAMING_MARKER_LEN];
	uint8_t head[FRAMING_HEAD_LEN];
	struct iovec parts[] = {{head, sizeof(head)}, {(void *)marker, sizeof(marker)}, {(void *)message, message_len}};
	struct link *link = &links->list[client];
	int rc = link->fd < 0 ? link_open(links, client) : 0;

	if (rc < 0)
		return rc;
	framing_write_head(head, (uint32_t)(sizeof(marker) + message_len));
	return writev(link->fd, parts, 3) < 0 ? -errno : 0;
}

static uint64_t real_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Whole frames are taken; of one that has no room, the rest is skipped. */
static void frames_take(struct links *links, size_t client)
{
	struct link *link = &links->list[client];
	struct framing_frame frame;
	size_t at = 0, done;

	while ((done = framing_read(&link->framing, link->bytes + at, link->len - at, &frame)) > 0) {
		at += done;
		if (frame.kind == FRAMING_IKE)
			links->on_message(links->context, client, true, frame.payload, frame.payload_len, real_us());
		if (link->fd < 0) /* what came has ended it */
			return;
	}
	link->len -= at;
	memmove(link->bytes, link->bytes + at, link->len);
	if (link->len == ROOM) {
		link->skip = frame.payload_len;
		link->len = 0;
	}
}

static void link_read(struct links *links, size_t client)
{
	struct link *link = &links->list[client];
	size_t skipped;
	ssize_t len = recv(link->fd, link->bytes + link->len, ROOM - link->len, MSG_DONTWAIT);

	if (len < 0 && errno == EAGAIN)
		return;
	if (len <= 0) {
		link_end(link);
		return;
	}
	skipped = (size_t)len < link->skip ? (size_t)len : link->skip;
	link->skip -= skipped;
	link->len += (size_t)len - skipped;
	if (skipped)
		memmove(link->bytes, link->bytes + skipped, link->len);
	frames_take(links, client);
}

void links_receive(struct links *links, int wait_ms)
{
	struct epoll_event ready[EVENTS];
	int count = epoll_wait(links->epoll, ready, EVENTS, wait_ms);

	for (int i = 0; i < count; i++)
		if (links->list[ready[i].data.u64].fd >= 0)
			link_read(links, ready[i].data.u64);
}
