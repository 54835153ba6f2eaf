/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/listener.h"

#include "clock.h"
#include "config/log.h"
#include "loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BACKLOG = 1024,
	ACCEPT_MAX = 16, /* in one turn, so that a flood leaves the loop to others */
};

struct listener {
	struct listeners *all;
	int fd;
	struct event *readable;
};

struct listeners {
	struct listeners_handler handler;
	struct event *rest; /* while it is pending nobody is accepted */
	struct log_limit limit;
	const char *setting;
	size_t count;
	struct listener one[CONFIG_REGISTRATION_PORTS_MAX * CONFIG_LISTEN_MAX];
};

static void listeners_watch(struct listeners *listeners, bool on)
{
	for (size_t i = 0; i < listeners->count; i++)
		on ? event_add(listeners->one[i].readable, NULL) : event_del(listeners->one[i].readable);
}

static void on_rested(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	listeners_watch(context, true);
}

/* Descriptors or memory are short: what waits goes on to wait, in the kernel. */
static void listeners_rest(struct listeners *listeners)
{
	static const struct timeval second = {.tv_sec = 1};

	if (log_limit_pass(&listeners->limit, clock_now_ms()))
		log_error("event=connection_not_accepted setting=%s reason=\"a connection can't be accepted: %m; the "
			  "next try is in a second\"",
			listeners->setting);
	listeners_watch(listeners, false);
	event_add(listeners->rest, &second);
}

/* Small messages go at once; who is gone is noticed. */
static void connection_options(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* False when none waits. */
static bool accept_one(struct listener *one)
{
	struct listeners *listeners = one->all;
	struct sockaddr_storage from, to;
	socklen_t from_len = sizeof(from), to_len = sizeof(to);
	struct endpoint local, remote;
	int fd = accept4(one->fd, (struct sockaddr *)&from, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		listeners_rest(listeners);
	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR;
	if (endpoint_from_sockaddr((struct sockaddr *)&from, &remote) < 0 ||
		getsockname(fd, (struct sockaddr *)&to, &to_len) < 0 ||
		endpoint_from_sockaddr((struct sockaddr *)&to, &local) < 0) {
		close(fd);
		return true;
	}
	connection_options(fd);
	listeners->handler.accepted(listeners->handler.context, fd, &local, &remote);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct listener *one = context;

	(void)fd;
	(void)what;
	for (int i = 0; i < ACCEPT_MAX && accept_one(one); i++)
		;
	one->all->handler.settle(one->all->handler.context);
}

static int listener_options(int fd, bool ipv6)
{
	int on = 1;

	/* Listen addresses may come later than this process: their interface is made by the data plane. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0 ||
		(ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0))
		return -errno;
	return 0;
}

static int listener_open(
	struct listeners *listeners, struct event_base *base, const struct address *address, uint16_t port)
{
	struct listener *one = &listeners->one[listeners->count];
	struct endpoint at = {.address = *address, .port = port};
	bool ipv6 = address->family == ADDRESS_IPV6;
	struct sockaddr_storage name;
	socklen_t name_len = endpoint_to_sockaddr(&at, &name);
	char text[ENDPOINT_TEXT_LEN];
	int rc;

	*one = (struct listener){.all = listeners};
	one->fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (one->fd < 0)
		return -errno;
	listeners->count++;
	rc = listener_options(one->fd, ipv6);
	if (rc == 0 && (bind(one->fd, (struct sockaddr *)&name, name_len) < 0 || listen(one->fd, BACKLOG) < 0))
		rc = -errno;
	if (rc < 0) {
		log_error("event=start_failed reason=\"TCP %s can't be listened on: %s (setting %s)\"",
			endpoint_format(&at, text), strerror(-rc), listeners->setting);
		return rc;
	}
	one->readable = event_new(base, one->fd, EV_READ | EV_PERSIST, on_readable, one);
	if (!one->readable)
		return -ENOMEM;
	loop_background(one->readable);
	return event_add(one->readable, NULL) == 0 ? 0 : -ENOMEM;
}

/* A kernel without IPv6 has no addresses of it to listen at. */
static int listener_open_any(struct listeners *listeners, struct event_base *base, uint16_t port)
{
	static const struct address any4 = {.family = ADDRESS_IPV4}, any6 = {.family = ADDRESS_IPV6};
	int rc = listener_open(listeners, base, &any4, port);

	if (rc == 0)
		rc = listener_open(listeners, base, &any6, port ? port : listeners_port(listeners));
	return rc == -EAFNOSUPPORT ? 0 : rc;
}

struct listeners *listeners_open(struct event_base *base, const struct config_ike *config,
	const struct listeners_ports *ports, const struct listeners_handler *handler)
{
	struct listeners *listeners = calloc(1, sizeof(*listeners));
	int rc = listeners ? 0 : -ENOMEM;

	if (rc < 0)
		goto fail;
	listeners->handler = *handler;
	listeners->setting = ports->setting;
	listeners->rest = evtimer_new(base, on_rested, listeners);
	rc = listeners->rest ? 0 : -ENOMEM;
	for (size_t p = 0; rc == 0 && p < ports->count; p++) {
		for (size_t a = 0; rc == 0 && a < config->n_listen; a++)
			rc = listener_open(listeners, base, &config->listen[a], ports->ports[p]);
		if (rc == 0 && config->n_listen == 0)
			rc = listener_open_any(listeners, base, ports->ports[p]);
	}
	if (rc == 0)
		return listeners;
fail:
	listeners_close(listeners);
	errno = -rc;
	return NULL;
}

void listeners_close(struct listeners *listeners)
{
	if (!listeners)
		return;
	for (size_t i = 0; i < listeners->count; i++) {
		if (listeners->one[i].readable)
			event_free(listeners->one[i].readable);
		close(listeners->one[i].fd);
	}
	if (listeners->rest)
		event_free(listeners->rest);
	free(listeners);
}

uint16_t listeners_port(const struct listeners *listeners)
{
	struct sockaddr_storage name;
	socklen_t name_len = sizeof(name);
	struct endpoint at;

	if (listeners->count == 0 || getsockname(listeners->one[0].fd, (struct sockaddr *)&name, &name_len) < 0 ||
		endpoint_from_sockaddr((struct sockaddr *)&name, &at) < 0)
		return 0;
	return at.port;
}
