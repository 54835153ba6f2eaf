/* SPDX-License-Identifier: Apache-2.0 */
/* What a registration's client says to what: each message of the gateway's in the state that it may come in. */
#include "registration/client_state.h"

#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tickets may come from a slow KDC; the library has its own patience below this one. */
enum { GSS_PATIENCE_MS = 15000, GSS_ROUNDS_MAX = 16 };

static void send_message(struct registration_client *client, const struct registration_message *message)
{
	int rc = channel_send_message(client->channel, message);

	if (rc < 0)
		client_fail(client, REGISTRATION_LOCAL, -rc, "the message \"%s\" can't be sent: %s",
			registration_type_names[message->type], strerror(-rc));
	else
		client_wait(client, client->settings.patience_ms);
}

void client_say_hello(struct registration_client *client)
{
	struct registration_message message = {.type = REGISTRATION_HELLO,
		.hello = {
			.version = REGISTRATION_VERSION,
			.methods = client->settings.methods,
			.transports = client->settings.transports,
			.dialed = client->settings.gateway,
			.local = client->local,
			.udp_port = client->settings.udp_port,
		}};

	snprintf(message.hello.software, sizeof(message.hello.software), "%s", client->settings.software);
	client->state = CLIENT_GREETED;
	send_message(client, &message);
}

static void begin_gss(struct registration_client *client)
{
	uint8_t binding[KEYS_CHANNEL_BINDING_LEN];
	int rc = keys_channel_binding(channel_tls(client->channel), binding);

	if (rc == 0)
		rc = client->settings.gss.begin(client->settings.gss.context, client, binding);
	if (rc < 0) {
		client_fail(client, REGISTRATION_LOCAL, -rc, "Kerberos can't begin: %s", strerror(-rc));
		return;
	}
	client->gss_begun = true;
	client->state = CLIENT_GSS;
	client_wait(client, GSS_PATIENCE_MS);
}

/* By the first method that both know and that was not tried in vain. */
static void authenticate(struct registration_client *client)
{
	struct registration_message message = {.type = REGISTRATION_AUTHENTICATE};

	client->method = 0;
	while (!(client->methods & 1U << client->method))
		client->method++;
	client->methods &= ~(1U << client->method);
	message.authenticate.method = client->method;
	switch (client->method) {
	case REGISTRATION_KERBEROS: begin_gss(client); return;
	case REGISTRATION_PASSWORD:
		snprintf(message.authenticate.user, REGISTRATION_USER_LEN, "%s", client->settings.user);
		snprintf(message.authenticate.password, REGISTRATION_PASSWORD_LEN, "%s", client->settings.password);
		break;
	default: break;
	}
	client->state = CLIENT_AUTHENTICATED;
	send_message(client, &message);
	explicit_bzero(&message, sizeof(message));
}

static void format_methods(uint32_t methods, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < REGISTRATION_METHODS; i++)
		if (methods & 1U << i)
			len += (size_t)snprintf(
				text + len, size - len, "%s%s", len > 0 ? ", " : "", registration_method_names[i]);
	if (len == 0)
		snprintf(text, size, "none");
}

static void take_offer(struct registration_client *client, const struct registration_offer *offer)
{
	char ours[64], theirs[64];

	client->methods = client->settings.methods & offer->methods;
	client->verdict.clock_ahead = clock_unix() - offer->clock;
	if (offer->version != REGISTRATION_VERSION) {
		client_fail(client, REGISTRATION_UNSUITABLE, 0,
			"the gateway speaks version %u of the protocol, and this is %d", offer->version,
			REGISTRATION_VERSION);
	} else if (!client->methods) {
		format_methods(client->settings.methods, ours, sizeof(ours));
		format_methods(offer->methods, theirs, sizeof(theirs));
		client_fail(client, REGISTRATION_UNSUITABLE, 0,
			"the gateway takes these methods of authentication: %s; and there are credentials here for: %s",
			theirs, ours);
	} else if (!(client->settings.transports & offer->transports)) {
		client_fail(client, REGISTRATION_UNSUITABLE, 0, "the gateway has no %s as transport",
			client->settings.transports == 1U << REGISTRATION_TCP ? "TCP" : "UDP");
	} else {
		authenticate(client);
	}
}

static void step_gss(
	struct registration_client *client, enum client_state state, const struct registration_message *message)
{
	int rc = -EPROTO;

	if (client->method == REGISTRATION_KERBEROS && message->token && !client->gss_complete &&
		client->gss_rounds++ < GSS_ROUNDS_MAX)
		rc = client->settings.gss.step(client->settings.gss.context, message->token, message->token_len);
	if (rc < 0) {
		client_fail(client, rc == -EPROTO ? REGISTRATION_STRANGER : REGISTRATION_LOCAL, -rc,
			"a token of the gateway's can't be taken: %s", strerror(-rc));
		return;
	}
	client->state = state;
	client_wait(client, GSS_PATIENCE_MS);
}

static void start(struct registration_client *client)
{
	const struct registration_message message = {.type = REGISTRATION_START};
	int rc = keys_derive(channel_tls(client->channel), client->accepted.session, &client->keys);

	if (rc < 0) {
		client_fail(client, REGISTRATION_LOCAL, -rc, "no keys can be derived from TLS: %s", strerror(-rc));
		return;
	}
	client->state = CLIENT_STARTED;
	send_message(client, &message);
	if (client->state == CLIENT_STARTED)
		channel_close(client->channel);
}

static void take_accepted(struct registration_client *client, const struct registration_message *message)
{
	client->accepted = message->accepted;
	if (!(client->settings.transports & 1U << client->accepted.transport))
		client_fail(client, REGISTRATION_STRANGER, 0, "the gateway chose a transport that was not offered");
	else if (client->method != REGISTRATION_KERBEROS || client->gss_complete)
		start(client);
	else if (message->token)
		step_gss(client, CLIENT_PROVING, message);
	else
		client_fail(client, REGISTRATION_STRANGER, 0,
			"the gateway accepts without having proved itself by Kerberos");
}

static void take_refused(struct registration_client *client, const struct registration_refused *refused)
{
	client->verdict.code = refused->code;
	client_fail(client, REGISTRATION_TURNED_DOWN, 0, "%s", refused->sentence);
}

/* Which message may come in which state. */
static void take(struct registration_client *client, const struct registration_message *message)
{
	bool waits = client->state == CLIENT_AUTHENTICATED;

	if (message->type == REGISTRATION_REFUSED && client->state != CLIENT_STARTED)
		take_refused(client, &message->refused);
	else if (message->type == REGISTRATION_OFFER && client->state == CLIENT_GREETED)
		take_offer(client, &message->offer);
	else if (message->type == REGISTRATION_TOKEN && waits)
		step_gss(client, CLIENT_GSS, message);
	else if (message->type == REGISTRATION_ACCEPTED && waits)
		take_accepted(client, message);
	else
		client_fail(client, REGISTRATION_STRANGER, 0, "the message \"%s\" came out of turn",
			registration_type_names[message->type]);
}

void client_take_message(struct registration_client *client, const char *text, size_t len)
{
	struct registration_message message;
	char why[REGISTRATION_WHY_LEN];
	int rc = message_decode(text, len, &message, why);

	if (rc == -ENOMEM) {
		client_fail(client, REGISTRATION_LOCAL, ENOMEM, "%s", strerror(ENOMEM));
		return;
	}
	if (rc < 0) {
		client_fail(client, REGISTRATION_STRANGER, 0, "a message of the gateway's %s", why);
		return;
	}
	take(client, &message);
	message_clear(&message);
}

void registration_client_token(struct registration_client *client, const uint8_t *token, size_t token_len,
	bool is_complete, enum registration_mechanism mechanism)
{
	struct registration_message message = {
		.type = REGISTRATION_TOKEN, .token = (uint8_t *)token, .token_len = token_len};

	client->gss_complete = is_complete;
	client->verdict.through_gateway = mechanism == REGISTRATION_IAKERB;
	if (client->state == CLIENT_PROVING) {
		if (is_complete)
			start(client);
		else
			client_fail(client, REGISTRATION_STRANGER, 0,
				"the gateway accepts without having proved itself by Kerberos");
		return;
	}
	if (client->state != CLIENT_GSS)
		return;
	if (client->gss_rounds == 0) {
		message.type = REGISTRATION_AUTHENTICATE;
		message.authenticate.method = REGISTRATION_KERBEROS;
		message.authenticate.mechanism = mechanism;
	}
	client->state = CLIENT_AUTHENTICATED;
	if (token_len > 0)
		send_message(client, &message);
	else
		client_wait(client, client->settings.patience_ms);
}

void registration_client_gss_failed(
	struct registration_client *client, enum registration_failure failure, const char *why)
{
	/* Nothing of it was sent yet: the gateway waits for any method. */
	if (client->state == CLIENT_GSS && client->gss_rounds == 0 && client->methods) {
		client->settings.gss.end(client->settings.gss.context);
		client->gss_begun = false;
		authenticate(client);
	} else if (client->state == CLIENT_GSS || client->state == CLIENT_PROVING) {
		client_fail(client, failure, 0, "%s", why);
	}
}
