/* SPDX-License-Identifier: Apache-2.0 */
#include "scripted_gateway.h"

#include "ike/credentials.h"
#include "pki.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static void report(void *unused, const char *sentence)
{
	(void)unused;
	fail_msg("%s", sentence);
}

static void gateway_opened(void *unused)
{
	(void)unused;
}

static void gateway_send(struct scripted_gateway *gateway, const struct step *step)
{
	size_t len = step->text ? strlen(step->text) : 0;
	char *text = step->text ? strdup(step->text) : message_encode(&step->message, &len);

	assert_non_null(text);
	assert_int_equal(channel_send(gateway->channel, text, len), 0);
	if (step->message.type == REGISTRATION_ACCEPTED && !step->text)
		assert_int_equal(
			keys_derive(channel_tls(gateway->channel), step->message.accepted.session, &gateway->keys), 0);
	free(text);
}

static void gateway_drop(struct scripted_gateway *gateway, bool with_reset)
{
	struct linger linger = {.l_onoff = with_reset};
	int fd = channel_release(gateway->channel);

	gateway->channel = NULL;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
}

static void gateway_message(void *context, const char *text, size_t len)
{
	struct scripted_gateway *gateway = context;
	char why[REGISTRATION_WHY_LEN];
	const struct step *step;

	assert_true(gateway->n_heard < STEPS_MAX);
	if (message_decode(text, len, &gateway->heard[gateway->n_heard++], why) != 0)
		fail_msg("%.*s %s", (int)len, text, why);
	assert_true(gateway->at < gateway->n_steps);
	step = &gateway->steps[gateway->at++];
	switch (step->reply) {
	case NOTHING: break;
	case SEND:
	case SEND_TEXT: gateway_send(gateway, step); break;
	case CLOSE: channel_close(gateway->channel); break;
	case DROP:
	case RESET: gateway_drop(gateway, step->reply == RESET); break;
	}
}

/* The client has ended TLS: so do we, and TCP where UDP is the transport. */
static void gateway_closed(void *context)
{
	struct scripted_gateway *gateway = context;

	gateway->closed = true;
	channel_close(gateway->channel);
}

static void gateway_sent_all(void *context)
{
	struct scripted_gateway *gateway = context;
	int fd;
	char byte;

	if (!gateway->closed)
		return;
	fd = channel_release(gateway->channel);
	gateway->channel = NULL;
	gateway->fin_from_client = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
	if (gateway->steps[gateway->n_steps - 2].message.accepted.transport == REGISTRATION_TCP)
		gateway->bare = fd;
	else
		close(fd);
}

static void gateway_failed(void *unused, enum tls_failure failure, const char *why)
{
	(void)unused;
	(void)failure;
	(void)why;
}

static void on_accept(evutil_socket_t listener, short what, void *context)
{
	struct scripted_gateway *gateway = context;
	const struct channel_handler handler = {.context = gateway,
		.opened = gateway_opened,
		.message = gateway_message,
		.closed = gateway_closed,
		.sent_all = gateway_sent_all,
		.failed = gateway_failed};
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	(void)what;
	assert_true(fd >= 0);
	if (gateway->mute) {
		gateway->bare = fd;
		return;
	}
	gateway->channel = channel_new(gateway->base, fd, tls_new(gateway->context, fd, NULL), &handler);
	assert_non_null(gateway->channel);
}

void scripted_gateway_open(struct scripted_gateway *gateway, struct event_base *base)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(any);
	char why[TLS_WHY_LEN];

	gateway->base = base;
	pki_use(&gateway->config.ike, "gateway", "authority");
	assert_int_equal(credentials_load(&gateway->config, &gateway->credentials, report, NULL), 0);
	gateway->context = tls_context_server(gateway->credentials, true, why);
	assert_non_null(gateway->context);
	gateway->bare = -1;
	gateway->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(gateway->listener >= 0);
	assert_int_equal(bind(gateway->listener, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(gateway->listener, 4), 0);
	assert_int_equal(getsockname(gateway->listener, (struct sockaddr *)&any, &len), 0);
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&any, &gateway->endpoint), 0);
	gateway->listening = event_new(base, gateway->listener, EV_READ | EV_PERSIST, on_accept, gateway);
	event_add(gateway->listening, NULL);
}

void scripted_gateway_close(struct scripted_gateway *gateway)
{
	channel_free(gateway->channel);
	event_free(gateway->listening);
	close(gateway->listener);
	if (gateway->bare >= 0)
		close(gateway->bare);
	tls_context_free(gateway->context);
	credentials_free(gateway->credentials);
	for (size_t i = 0; i < gateway->n_heard; i++)
		message_clear(&gateway->heard[i]);
	memset(gateway, 0, sizeof(*gateway));
}

void scripted_gateway_follow(struct scripted_gateway *gateway, const struct step *steps, size_t count)
{
	memcpy(gateway->steps, steps, count * sizeof(*steps));
	gateway->n_steps = count;
}

const struct registration_accepted *script_terms(enum registration_transport transport)
{
	static struct registration_accepted made;

	made = (struct registration_accepted){.identity = "anna",
		.gateway_identity = "hq.example",
		.session = {1, 2, 3},
		.transport = transport,
		.ports = {4500},
		.n_ports = 1,
		.n_gateway_networks = 1,
		.n_client_networks = 1,
		.timers = {.udp_wait = 20}};
	assert_int_equal(address_parse("127.0.0.1", &made.seen.address), 0);
	assert_int_equal(prefix_parse("192.168.2.0/24", &made.gateway_networks[0]), 0);
	assert_int_equal(prefix_parse("10.99.0.7/32", &made.client_networks[0]), 0);
	return &made;
}

struct step script_offer(uint32_t methods)
{
	return (struct step){.reply = SEND,
		.message = {.type = REGISTRATION_OFFER,
			.offer = {.version = REGISTRATION_VERSION, .methods = methods, .transports = 3}}};
}

struct step script_accepted(enum registration_transport transport)
{
	return (struct step){
		.reply = SEND, .message = {.type = REGISTRATION_ACCEPTED, .accepted = *script_terms(transport)}};
}

struct step script_token(void)
{
	static uint8_t bytes[] = {'g'};

	return (struct step){
		.reply = SEND, .message = {.type = REGISTRATION_TOKEN, .token = bytes, .token_len = sizeof(bytes)}};
}
