/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include "config/log.h"
#include "frame.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 16, PEER_GROUPS_MAX = 256 };

struct server_client {
	struct server *server;
	struct server_client *next;
	struct bufferevent *stream;
	bool closing; /* after its last reply has gone */
};

struct server {
	struct event_base *base;
	struct evconnlistener *listener;
	struct server_options options;
	struct server_client *clients;
	unsigned n_clients;
};

json_t *server_refusal(const char *format, ...)
{
	char sentence[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	return json_pack("{s:b, s:s}", "ok", 0, "error", sentence);
}

int server_listen(const char *path, const struct server_access *access)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* A process that died leaves its socket behind; one that lives is found out by asking. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		log_error("event=start_failed reason=\"another %s answers at %s\"", access->program, path);
		close(fd);
		return -EADDRINUSE;
	}
	/* Between bind and chmod the process's umask keeps everybody else out. */
	if ((unlink(path) < 0 && errno != ENOENT) || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		chown(path, access->user, access->has_group ? access->group : (gid_t)-1) < 0 || chmod(path, 0660) < 0 ||
		listen(fd, LISTEN_BACKLOG) < 0) {
		rc = -errno;
		log_error("event=start_failed reason=\"the control socket %s can't be made: %s\"", path, strerror(-rc));
		close(fd);
		return rc;
	}
	return fd;
}

static bool peer_in_group(int fd, const struct ucred *peer, gid_t group)
{
	gid_t groups[PEER_GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (peer->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static bool peer_allowed(int fd, const struct server_access *access, struct ucred *peer)
{
	socklen_t len = sizeof(*peer);

	*peer = (struct ucred){.uid = (uid_t)-1};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) < 0)
		return false;
	return peer->uid == 0 || peer->uid == access->user ||
	       (access->has_group && peer_in_group(fd, peer, access->group));
}

static void client_free(struct server_client *client)
{
	struct server_client **link = &client->server->clients;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	client->server->n_clients--;
	bufferevent_free(client->stream);
	free(client);
}

/* Sends `reply`, which it takes over. */
static void client_reply(struct server_client *client, json_t *reply)
{
	char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	uint8_t head[FRAME_HEAD_LEN];

	json_decref(reply);
	if (!text || len > FRAME_REPLY_MAX) {
		free(text);
		text = strdup("{\"ok\":false,\"error\":\"the reply is too long\"}");
		len = text ? strlen(text) : 0;
	}
	if (!text) {
		client->closing = true;
		return;
	}
	frame_put_head(head, (uint32_t)len);
	if (bufferevent_write(client->stream, head, sizeof(head)) < 0 ||
		bufferevent_write(client->stream, text, len) < 0)
		client->closing = true;
	free(text);
}

static void client_run(struct server_client *client, const char *text, size_t len)
{
	struct server_options *options = &client->server->options;
	char error[REQUEST_ERROR_LEN];
	struct control_request request;

	if (request_parse(text, len, &request, error) < 0) {
		client_reply(client, server_refusal("%s", error));
		client->closing = true;
		return;
	}
	client_reply(client, options->run(options->context, &request));
	if (options->settle)
		options->settle(options->context);
}

/* Takes one request, if one is whole. The next waits until the reply has gone. */
static void client_advance(struct server_client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);
	struct evbuffer *output = bufferevent_get_output(client->stream);
	uint8_t head[FRAME_HEAD_LEN];
	const char *text;
	uint32_t len;

	while (!client->closing && evbuffer_get_length(output) == 0 &&
		evbuffer_copyout(input, head, sizeof(head)) == (ev_ssize_t)sizeof(head)) {
		len = frame_get_head(head);
		if (len > FRAME_REQUEST_MAX) {
			client_reply(client, server_refusal("a request has at most %d bytes", FRAME_REQUEST_MAX));
			client->closing = true;
			break;
		}
		if (evbuffer_get_length(input) < sizeof(head) + len)
			break;
		evbuffer_drain(input, sizeof(head));
		text = len ? (const char *)evbuffer_pullup(input, len) : "";
		if (!text)
			client->closing = true;
		else
			client_run(client, text, len);
		evbuffer_drain(input, len);
	}
	if (client->closing) {
		bufferevent_disable(client->stream, EV_READ);
		if (evbuffer_get_length(output) == 0)
			client_free(client);
	}
}

static void on_stream(struct bufferevent *stream, void *context)
{
	(void)stream;
	client_advance(context);
}

static void on_stream_event(struct bufferevent *stream, short what, void *context)
{
	struct server_client *client = context;

	/* One who has said all and closed its half still gets its answer. */
	if (what & BEV_EVENT_EOF && evbuffer_get_length(bufferevent_get_output(stream)) > 0) {
		client->closing = true;
		return;
	}
	client_free(client);
}

static struct server_client *client_new(struct server *server, int fd)
{
	static const struct timeval patience = {.tv_sec = SERVER_PATIENCE_SECONDS};
	struct server_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	evutil_make_socket_nonblocking(fd);
	client->stream = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client->stream) {
		free(client);
		return NULL;
	}
	client->server = server;
	client->next = server->clients;
	server->clients = client;
	server->n_clients++;
	bufferevent_setcb(client->stream, on_stream, on_stream, on_stream_event, client);
	bufferevent_set_timeouts(client->stream, &patience, &patience);
	/* No more than one request is kept in memory. */
	bufferevent_setwatermark(client->stream, EV_READ, 0, FRAME_HEAD_LEN + FRAME_REQUEST_MAX);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
	return client;
}

void server_connect(struct server *server, int fd)
{
	struct server_client *client = NULL;
	struct ucred peer;

	/* Beyond the limit nobody is answered: an answer would need a client's place. */
	if (server->n_clients < SERVER_CLIENTS_MAX)
		client = client_new(server, fd);
	if (!client) {
		close(fd);
		return;
	}
	if (peer_allowed(fd, &server->options.access, &peer))
		return;
	log_warning("event=control_refused user=%u", peer.uid);
	client_reply(client,
		server_refusal("user %u may not control %s: be root, its user, or a member of its control_group",
			peer.uid, server->options.access.program));
	client->closing = true;
	client_advance(client);
}

static void on_accept(
	struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int address_len, void *context)
{
	(void)listener;
	(void)address;
	(void)address_len;
	server_connect(context, fd);
}

struct server *server_new(struct event_base *base, int listener, const struct server_options *options)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->base = base;
	server->options = *options;
	if (listener < 0)
		return server;
	server->listener =
		evconnlistener_new(base, on_accept, server, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, listener);
	if (!server->listener) {
		free(server);
		errno = ENOMEM;
		return NULL;
	}
	return server;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	while (server->clients)
		client_free(server->clients);
	if (server->listener)
		evconnlistener_free(server->listener);
	free(server);
}
