/* SPDX-License-Identifier: Apache-2.0 */
/* What the client's notices found, in sentences. */
#include "registration/notice_client.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void append(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(char *text, const char *format, ...)
{
	size_t len = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + len, NOTICE_CLIENT_TEXT_LEN - len, format, arguments);
	va_end(arguments);
}

static void explain_reached(const struct notice_client *client, char *text)
{
	const struct address *registered = &client->settings.registered.address;
	char gateway[ENDPOINT_TEXT_LEN], seen[ENDPOINT_TEXT_LEN], other[ADDRESS_TEXT_LEN];

	append(text, "UDP gets through to %s", endpoint_format(&client->gateway, gateway));
	if (client->gateway_port != client->gateway.port)
		append(text, ", which is mapped to the gateway's port %u", client->gateway_port);
	if (client->dialed_from.port && endpoint_equal(&client->gateway, &client->dialed_from))
		append(text, ", from where the gateway dialed");
	append(text, "; it comes from %s", endpoint_format(&client->seen, seen));
	if (registered->family == client->seen.address.family && !address_equal(registered, &client->seen.address))
		append(text, ", and the registration came from %s: we are behind a NAT pool",
			address_format(registered, other));
	else if (!endpoint_equal(&client->seen, &client->settings.local))
		append(text, ": we are behind a NAT");
}

/* "ports 88, 4009 and 4500" */
static void append_ports(const struct notice_client *client, char *text)
{
	size_t count = client->all_tried ? client->settings.n_candidates : client->candidate + 1;

	append(text, count == 1 ? "port" : "ports");
	for (size_t i = 0; i < count; i++)
		append(text, "%s%u", i == 0 ? " " : i + 1 == count ? " and " : ", ",
			client->settings.candidates[i].port);
}

static void explain_failed(const struct notice_client *client, char *text)
{
	const struct notice_client_settings *settings = &client->settings;
	char gateway[ADDRESS_TEXT_LEN], from[ENDPOINT_TEXT_LEN];

	append(text, "UDP does not get through: %s answers none of our notices to UDP ",
		address_format(&settings->candidates[0].address, gateway));
	append_ports(client, text);
	if (client->dialed_from.port)
		append(text, "; its dial came from %s, and it did not hear our answer",
			endpoint_format(&client->dialed_from, from));
	else if (settings->dial_tries)
		append(text, ", and none of its %u dials came to our port %u", settings->dial_tries, settings->local.port);
	append(text, "; a firewall on the way drops UDP, or no port mapping takes it to the gateway");
}

static void explain_measured(const struct notice_client *client, char *text)
{
	unsigned interface = client->path.interface;

	if (client->path_mtu == 0)
		append(text,
			"how long packets may be is not known: no probe was answered; the interface takes %u bytes", interface);
	else if (client->path_mtu == client->path.interface)
		append(text, "packets of %u bytes get through whole, as long as the interface takes them", interface);
	else
		append(text, "packets of %u bytes get through whole, longer ones don't, and the interface takes %u",
			client->path_mtu, interface);
}

const char *notice_client_explain(const struct notice_client *client, enum notice_client_step step, char *text)
{
	text[0] = '\0';
	switch (step) {
	case NOTICE_STEP_REACHED: explain_reached(client, text); break;
	case NOTICE_STEP_FAILED: explain_failed(client, text); break;
	case NOTICE_STEP_MEASURED: explain_measured(client, text); break;
	default: break;
	}
	return text;
}
