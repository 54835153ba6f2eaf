/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/dialog_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *dialog_text_sentence(enum registration_code code)
{
	static const char *const sentences[REGISTRATION_CODES] = {
		[REGISTRATION_AUTHENTICATION_FAILED] = "the gateway does not take you for who you say you are",
		[REGISTRATION_NOT_ALLOWED] = "the gateway knows you, but its configuration lets nobody like you in: "
					     "its administrator sees why",
		[REGISTRATION_NO_ADDRESS] = "the gateway has no address for you at present: its administrator sees why",
		[REGISTRATION_OVERLAP] = ("an address or a network of yours leads to somebody else at present: the "
					  "gateway's administrator "
					  "sees to whom"),
		[REGISTRATION_BUSY] = "the gateway has too much to do: try again in a while",
		[REGISTRATION_MALFORMED] = "the message was malformed",
		[REGISTRATION_VERSION_UNKNOWN] = "the gateway speaks another version of registration",
		[REGISTRATION_TIMEOUT] = "the registration took too long",
	};

	return sentences[code];
}

uint32_t dialog_text_bits(const uint8_t *values, size_t count)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < count; i++)
		bits |= 1u << values[i];
	return bits;
}

void dialog_text_claim(const char *user, char claimed[CONFIG_IDENTITY_LEN])
{
	size_t i = 0;

	for (; user[i] && i + 1 < CONFIG_IDENTITY_LEN; i++)
		claimed[i] = user[i] <= ' ' || user[i] >= 0x7f || user[i] == '"' ? '?' : user[i];
	claimed[i] = '\0';
}

__attribute__((format(printf, 2, 3))) static void append(char *text, const char *format, ...)
{
	size_t len = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + len, DIALOG_TEXT_LEN - len, format, arguments);
	va_end(arguments);
}

/* "password or certificate" */
static void append_names(char *text, const char *const *names, uint32_t bits)
{
	const char *before = "";

	if (!bits)
		append(text, "nothing that is known here");
	for (unsigned i = 0; names[i]; i++) {
		if (!(bits & 1u << i))
			continue;
		append(text, "%s%s", before, names[i]);
		before = " or ";
	}
}

char *dialog_text_hello(const struct registration_hello *hello, char *text)
{
	char dialed[ENDPOINT_TEXT_LEN], own[ENDPOINT_TEXT_LEN];

	snprintf(text, DIALOG_TEXT_LEN,
		"hello from \"%s\", which dialed %s and calls its own end %s, UDP port %u: ", hello->software,
		endpoint_format(&hello->dialed, dialed), endpoint_format(&hello->local, own), hello->udp_port);
	append_names(text, registration_method_names, hello->methods);
	append(text, ", over ");
	append_names(text, registration_transport_names, hello->transports);
	return text;
}

char *dialog_text_nothing_in_common(
	const struct registration_hello *hello, uint32_t methods, uint32_t transports, char *text)
{
	bool about_methods = !(hello->methods & methods);
	const char *const *names = about_methods ? registration_method_names : registration_transport_names;

	snprintf(text, DIALOG_TEXT_LEN, "no %s in common: the client offers ", about_methods ? "method" : "transport");
	append_names(text, names, about_methods ? hello->methods : hello->transports);
	append(text, ", the gateway takes ");
	append_names(text, names, about_methods ? methods : transports);
	return text;
}

char *dialog_text_authenticate(const struct registration_authenticate *authenticate, const char *claimed, char *text)
{
	if (authenticate->method == REGISTRATION_PASSWORD)
		snprintf(text, DIALOG_TEXT_LEN, "the client is user \"%s\", and gives a password", claimed);
	else
		snprintf(text, DIALOG_TEXT_LEN, "the client goes by %s",
			authenticate->method == REGISTRATION_CERTIFICATE ? "its certificate" : "Kerberos");
	return text;
}

char *dialog_text_registered(const struct config *config, const struct registration *registration, char *text)
{
	char address[ADDRESS_TEXT_LEN], network[PREFIX_TEXT_LEN];
	const char *before = "; networks behind it: ";

	snprintf(text, DIALOG_TEXT_LEN, "\"%s\" is registered, by %s, as of peer \"%s\"", registration->identity,
		registration_method_names[registration->method], registration->peer->name);
	if (registration->address.family != ADDRESS_NONE)
		append(text, "; virtual address %s", address_format(&registration->address, address));
	for (size_t i = registration->address.family != ADDRESS_NONE; i < registration->n_networks; i++) {
		append(text, "%s%s", before, prefix_format(&registration->networks[i], network));
		before = ", ";
	}
	append(text, "; over %s, where IKE has %u s to use the key",
		registration_transport_names[registration->transport], config->registration.key_timeout);
	return text;
}

const char *dialog_text_waiting(enum dialog_state state)
{
	static const char *const waiting[] = {
		[DIALOG_TLS] = "the TLS handshake was not finished",
		[DIALOG_HELLO] = "the client had not said hello",
		[DIALOG_AUTHENTICATE] = "the client had not authenticated itself",
		[DIALOG_PROVING] = "the client's proof was being checked",
		[DIALOG_TOKEN] = "the client's next token did not come",
		[DIALOG_START] = "the client had not confirmed what it was given",
		[DIALOG_LEAVING] = "the end was not confirmed",
	};

	return waiting[state];
}

const char *dialog_text_gone(bool accepted)
{
	return accepted ? "the client went before it confirmed what it was given"
			: "the client ended the exchange before it was through";
}

void dialog_text_accepted(const struct config *config, const struct registration *registration,
	const struct grant *grant, struct registration_accepted *out)
{
	snprintf(out->identity, sizeof(out->identity), "%s", registration->identity);
	snprintf(out->gateway_identity, sizeof(out->gateway_identity), "%s", config->ike.identity);
	memcpy(out->session, registration->session, sizeof(out->session));
	out->transport = registration->transport;
	out->fallback = registration->fallback;
	for (size_t i = 0; i < config->ike.n_nat_ports && out->n_ports < REGISTRATION_PORTS_MAX; i++)
		out->ports[out->n_ports++] = config->ike.nat_ports[i];
	out->seen = registration->seen;
	out->virtual_address = registration->address;
	out->n_dns = (uint16_t)grant->n_dns;
	memcpy(out->dns, grant->dns, sizeof(out->dns));
	out->n_gateway_networks = registration->peer->n_local;
	memcpy(out->gateway_networks, registration->peer->local_networks, sizeof(out->gateway_networks));
	out->n_client_networks = (uint16_t)registration->n_networks;
	memcpy(out->client_networks, registration->networks, sizeof(out->client_networks));
	out->timers = (struct registration_timers){
		.udp_wait = config->registration.udp_wait,
		.dial_tries = config->registration.dial_tries,
		.keepalive = config->ike.keepalive,
		.dpd = config->ike.dpd_delay,
	};
}
