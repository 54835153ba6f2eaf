/* SPDX-License-Identifier: Apache-2.0 */
/* The connection of a registration's client: how it comes to stand, how long it is waited for, and its ends. */
#include "registration/client_state.h"

#include "registration/dial_tcp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void client_wait(struct registration_client *client, uint32_t ms)
{
	struct timeval wait = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	event_add(client->deadline, &wait);
}

static void close_all(struct registration_client *client)
{
	if (client->gss_begun)
		client->settings.gss.end(client->settings.gss.context);
	client->gss_begun = false;
	if (client->socket)
		event_free(client->socket);
	client->socket = NULL;
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	channel_free(client->channel);
	client->channel = NULL;
	if (client->deadline)
		event_del(client->deadline);
}

void client_fail(struct registration_client *client, enum registration_failure failure, int error, const char *format, ...)
{
	va_list arguments;

	if (client->state == CLIENT_OVER)
		return;
	client->verdict.failure = failure;
	client->verdict.error = error;
	client->verdict.method = client->method;
	va_start(arguments, format);
	vsnprintf(client->verdict.detail, sizeof(client->verdict.detail), format, arguments);
	va_end(arguments);
	client->state = CLIENT_OVER;
	close_all(client);
	client_wait(client, 0);
}

static void on_opened(void *context)
{
	client_say_hello(context);
}

static void on_message(void *context, const char *text, size_t len)
{
	client_take_message(context, text, len);
}

static void finish(struct registration_client *client, int fd)
{
	struct registration_result result = {
		.accepted = &client->accepted, .keys = &client->keys, .method = client->method, .fd = fd};

	client->state = CLIENT_OVER;
	close_all(client);
	client->handler.done(client->handler.context, &result);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	finish(context, -1);
}

/* UDP: the gateway ends TCP, so its FIN is waited for before ours goes out. TCP: the connection goes on. */
static void leave_tls(struct registration_client *client)
{
	int fd = channel_release(client->channel);

	client->channel = NULL;
	if (client->accepted.transport == REGISTRATION_TCP) {
		finish(client, fd);
		return;
	}
	client->fd = fd;
	client->state = CLIENT_ENDING;
	event_free(client->socket);
	client->socket = event_new(client->settings.base, fd, EV_READ, on_readable, client);
	if (!client->socket || event_add(client->socket, NULL) < 0)
		finish(client, -1);
}

static void on_closed(void *context)
{
	struct registration_client *client = context;

	client->closed = true;
	if (client->state != CLIENT_STARTED)
		client_fail(client, REGISTRATION_RESET, 0, "the gateway ended the connection without a word of why");
	else if (client->sent_all)
		leave_tls(client);
}

static void on_sent_all(void *context)
{
	struct registration_client *client = context;

	client->sent_all = true;
	if (client->closed)
		leave_tls(client);
}

static enum registration_failure failure_of(enum tls_failure failure)
{
	switch (failure) {
	case TLS_FAILURE_RESET:
	case TLS_FAILURE_ENDED: return REGISTRATION_RESET;
	case TLS_FAILURE_CERTIFICATE: return REGISTRATION_BAD_CERTIFICATE;
	case TLS_FAILURE_CLOCK: return REGISTRATION_BAD_CLOCK;
	case TLS_FAILURE_SYSTEM: return REGISTRATION_LOCAL;
	default: return REGISTRATION_STRANGER;
	}
}

static void on_failed(void *context, enum tls_failure failure, const char *why)
{
	struct registration_client *client = context;

	/* What matters is agreed on, and the gateway knows that it is. */
	if (client->state == CLIENT_STARTED && client->sent_all && client->accepted.transport == REGISTRATION_UDP)
		finish(client, -1);
	else
		client_fail(client, failure_of(failure), 0, "%s", why);
}

static void shake(struct registration_client *client)
{
	const struct channel_handler handler = {.context = client,
		.opened = on_opened,
		.message = on_message,
		.closed = on_closed,
		.sent_all = on_sent_all,
		.failed = on_failed};
	struct tls *tls = tls_new(client->settings.tls, client->fd, client->settings.name);

	client->channel = tls ? channel_new(client->settings.base, client->fd, tls, &handler) : NULL;
	if (!client->channel) {
		tls_free(tls);
		client_fail(client, REGISTRATION_LOCAL, 0, "TLS with \"%s\" can't begin: that is neither a host name nor an address",
			client->settings.name);
		return;
	}
	client->fd = -1;
	client->state = CLIENT_SHAKING;
	client_wait(client, client->settings.patience_ms);
}

static void fail_to_connect(struct registration_client *client, int error)
{
	enum registration_failure failure = error == ECONNREFUSED ? REGISTRATION_PORT_CLOSED
					    : error == ECONNRESET ? REGISTRATION_RESET
					    : error == ETIMEDOUT  ? REGISTRATION_SILENT
								  : REGISTRATION_UNREACHABLE;

	client_fail(client, failure, error, "%s", strerror(error));
}

static void on_connected(evutil_socket_t fd, short what, void *context)
{
	struct registration_client *client = context;
	int error = dial_tcp_error(fd);

	(void)what;
	if (error == 0)
		error = -dial_tcp_local(fd, &client->local);
	if (error == 0)
		shake(client);
	else
		fail_to_connect(client, error);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
	static const char *const waited_for[] = {"an answer to TCP's SYN", "TLS's handshake", "the gateway's offer",
		"Kerberos on this host", "the gateway's answer", "Kerberos on this host", "the end of TLS"};
	struct registration_client *client = context;

	(void)fd;
	(void)what;
	if (client->state == CLIENT_OVER)
		client->handler.failed(client->handler.context, &client->verdict);
	else if (client->state == CLIENT_ENDING)
		finish(client, -1);
	else if (client->error)
		fail_to_connect(client, client->error);
	else
		client_fail(client, client->state == CLIENT_CONNECTING ? REGISTRATION_SILENT : REGISTRATION_STALLED, 0,
			"it was waited for %s", waited_for[client->state]);
}

struct registration_client *registration_client_new(
	const struct registration_client_settings *settings, const struct registration_handler *handler)
{
	struct registration_client *client = calloc(1, sizeof(*client));
	int fd;

	if (!client)
		return NULL;
	client->settings = *settings;
	client->handler = *handler;
	fd = dial_tcp_open(&settings->gateway, &settings->local);
	client->fd = fd < 0 ? -1 : fd;
	client->error = fd < 0 ? -fd : 0;
	client->deadline = evtimer_new(settings->base, on_deadline, client);
	if (client->deadline && fd >= 0)
		client->socket = event_new(settings->base, fd, EV_WRITE, on_connected, client);
	if (!client->deadline || (fd >= 0 && (!client->socket || event_add(client->socket, NULL) < 0))) {
		registration_client_free(client);
		errno = ENOMEM;
		return NULL;
	}
	client_wait(client, client->error ? 0 : settings->patience_ms);
	return client;
}

void registration_client_free(struct registration_client *client)
{
	if (!client)
		return;
	close_all(client);
	if (client->deadline)
		event_free(client->deadline);
	explicit_bzero(client, sizeof(*client));
	free(client);
}
