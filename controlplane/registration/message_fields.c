/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/message_fields.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *fields_names(const char *const *names, uint32_t bits)
{
	json_t *list = json_array();

	for (unsigned i = 0; names[i]; i++)
		if (bits & 1U << i)
			json_array_append_new(list, json_string(names[i]));
	return list;
}

json_t *fields_endpoint(const struct endpoint *endpoint)
{
	char text[ADDRESS_TEXT_LEN];

	return json_pack("{s:s, s:i}", "address", address_format(&endpoint->address, text), "port", endpoint->port);
}

json_t *fields_ports(const uint16_t *ports, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_integer(ports[i]));
	return list;
}

json_t *fields_networks(const struct prefix *networks, size_t count)
{
	json_t *list = json_array();
	char text[PREFIX_TEXT_LEN];

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(prefix_format(&networks[i], text)));
	return list;
}

char *message_format_session(const uint8_t session[REGISTRATION_SESSION_LEN], char *text)
{
	for (size_t i = 0; i < REGISTRATION_SESSION_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", session[i]);
	return text;
}

json_t *fields_session(const uint8_t *session)
{
	char text[2 * REGISTRATION_SESSION_LEN + 1];

	return json_string(message_format_session(session, text));
}

json_t *fields_token(const uint8_t *token, size_t len)
{
	unsigned char *text = len <= REGISTRATION_TOKEN_MAX ? malloc(len / 3 * 4 + 5) : NULL;
	json_t *value = NULL;

	if (text) {
		int text_len = EVP_EncodeBlock(text, token, (int)len);

		value = json_stringn((const char *)text, (size_t)text_len);
		explicit_bzero(text, (size_t)text_len);
	}
	free(text);
	return value;
}

json_t *fields_virtual_address(const struct registration_accepted *accepted)
{
	char text[ADDRESS_TEXT_LEN];
	json_t *dns;

	if (accepted->virtual_address.family == ADDRESS_NONE)
		return NULL;
	dns = json_array();
	for (size_t i = 0; i < accepted->n_dns; i++)
		json_array_append_new(dns, json_string(address_format(&accepted->dns[i], text)));
	return json_pack("{s:s, s:o}", "address", address_format(&accepted->virtual_address, text), "dns", dns);
}

static bool refuse(struct fields *fields, const char *name, const char *what)
{
	snprintf(fields->why, REGISTRATION_WHY_LEN, "has no good field \"%s\": expected %s", name, what);
	return false;
}

json_t *fields_parse(struct fields *fields, const char *text, size_t len)
{
	json_error_t error;
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);

	if (!object) /* the library's own words would quote the text */
		snprintf(fields->why, REGISTRATION_WHY_LEN, "is no JSON from byte %d on", error.position);
	else if (!json_is_object(object))
		snprintf(fields->why, REGISTRATION_WHY_LEN, "is no JSON object");
	else
		return object;
	json_decref(object);
	return NULL;
}

bool fields_unpack(struct fields *fields, json_t *object, const char *format, ...)
{
	json_error_t error;
	va_list places;
	int rc;

	va_start(places, format);
	rc = json_vunpack_ex(object, &error, JSON_STRICT, format, places);
	va_end(places);
	if (rc == 0)
		return true;
	/* Names of fields come from strangers, and are bound for a log. */
	for (char *at = error.text; *at; at++)
		if (!isprint((unsigned char)*at) || *at == '"')
			*at = '?';
	snprintf(fields->why, REGISTRATION_WHY_LEN, "has not the fields that it should have: %s", error.text);
	return false;
}

bool fields_take_number(struct fields *fields, const char *name, json_int_t value, json_int_t min, json_int_t max,
	uint32_t *out)
{
	char expected[64];

	if (value >= min && value <= max) {
		*out = (uint32_t)value;
		return true;
	}
	snprintf(expected, sizeof(expected), "%lld to %lld", (long long)min, (long long)max);
	return refuse(fields, name, expected);
}

bool fields_take_port(struct fields *fields, const char *name, json_int_t value, json_int_t min, uint16_t *out)
{
	uint32_t port;

	if (!fields_take_number(fields, name, value, min, UINT16_MAX, &port))
		return false;
	*out = (uint16_t)port;
	return true;
}

bool fields_take_text(struct fields *fields, const char *name, json_t *value, char *out, size_t size)
{
	size_t len = json_string_length(value);
	char expected[64];

	snprintf(expected, sizeof(expected), "a text of 1 to %zu bytes without control characters", size - 1);
	if (len == 0 || len >= size)
		return refuse(fields, name, expected);
	for (size_t i = 0; i < len; i++)
		if (iscntrl((unsigned char)json_string_value(value)[i]))
			return refuse(fields, name, expected);
	memcpy(out, json_string_value(value), len + 1);
	return true;
}

static const char *const *find_name(const char *const *names, unsigned count, json_t *value)
{
	const char *text = json_string_value(value);

	for (unsigned i = 0; text && i < count; i++)
		if (strcmp(text, names[i]) == 0)
			return &names[i];
	return NULL;
}

bool fields_take_choice(struct fields *fields, const char *name, json_t *value, const char *const *names, unsigned count,
	unsigned *out)
{
	const char *const *found = find_name(names, count, value);

	if (!found)
		return refuse(fields, name, "one of its names");
	*out = (unsigned)(found - names);
	return true;
}

bool fields_take_names(
	struct fields *fields, const char *name, json_t *value, const char *const *names, uint32_t *bits)
{
	unsigned count = 0;
	json_t *element;
	size_t i;

	while (names[count])
		count++;
	if (!json_is_array(value))
		return refuse(fields, name, "a list of names");
	json_array_foreach (value, i, element) {
		const char *const *found = find_name(names, count, element);

		if (!json_is_string(element))
			return refuse(fields, name, "a list of names");
		if (found)
			*bits |= 1U << (found - names);
	}
	return true;
}

bool fields_take_address(struct fields *fields, const char *name, json_t *value, struct address *out)
{
	return (json_is_string(value) && address_parse(json_string_value(value), out) == 0) ||
	       refuse(fields, name, "an address");
}

bool fields_take_addresses(struct fields *fields, const char *name, json_t *value, struct address *out, size_t max,
	uint16_t *count)
{
	json_t *element;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) > max)
		return refuse(fields, name, "a list of some addresses");
	json_array_foreach (value, i, element)
		if (!fields_take_address(fields, name, element, &out[i]))
			return false;
	*count = (uint16_t)json_array_size(value);
	return true;
}

bool fields_take_endpoint(struct fields *fields, const char *name, json_t *value, struct endpoint *out)
{
	json_t *address;
	json_int_t port;

	return fields_unpack(fields, value, "{s:o, s:I}", "address", &address, "port", &port) &&
	       fields_take_address(fields, name, address, &out->address) &&
	       fields_take_port(fields, name, port, 0, &out->port);
}

bool fields_take_ports(struct fields *fields, json_t *value, uint16_t *ports, uint16_t *count)
{
	json_t *element;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) > REGISTRATION_PORTS_MAX)
		return refuse(fields, "ports", "a list of at most 16 ports");
	json_array_foreach (value, i, element) {
		if (!json_is_integer(element))
			return refuse(fields, "ports", "a list of at most 16 ports");
		if (!fields_take_port(fields, "ports", json_integer_value(element), 1, &ports[i]))
			return false;
	}
	*count = (uint16_t)json_array_size(value);
	return true;
}

bool fields_take_networks(
	struct fields *fields, const char *name, json_t *value, struct prefix *networks, uint16_t *count)
{
	json_t *element;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) == 0 || json_array_size(value) > CONFIG_NETWORKS_MAX)
		return refuse(fields, name, "a list of 1 to 16 networks");
	json_array_foreach (value, i, element)
		if (!json_is_string(element) || prefix_parse(json_string_value(element), &networks[i]) < 0)
			return refuse(fields, name, "a list of 1 to 16 networks");
	*count = (uint16_t)json_array_size(value);
	return true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool fields_take_session(struct fields *fields, json_t *value, uint8_t *session)
{
	const char *text = json_string_value(value);

	if (json_string_length(value) != 2 * REGISTRATION_SESSION_LEN)
		return refuse(fields, "session", "32 hexadecimal digits");
	for (size_t i = 0; i < REGISTRATION_SESSION_LEN; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return refuse(fields, "session", "32 hexadecimal digits");
		session[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* Base64 as RFC 4648 section 4 has it: canonical, padded, nothing between. */
bool fields_take_token(struct fields *fields, json_t *value, struct registration_message *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *text = json_string_value(value);
	size_t text_len = json_string_length(value), digits = text ? strspn(text, alphabet) : 0;
	size_t padding = text_len - digits;

	if (!text || text_len == 0 || text_len % 4 != 0 || padding > 2 || strspn(text + digits, "=") != padding ||
		text_len / 4 * 3 - padding > REGISTRATION_TOKEN_MAX)
		return refuse(fields, "token", "base64 of 1 to 48,128 bytes");
	out->token = malloc(text_len / 4 * 3);
	if (!out->token) {
		fields->no_memory = true;
		return false;
	}
	out->token_len = text_len / 4 * 3;
	if (EVP_DecodeBlock(out->token, (const unsigned char *)text, (int)text_len) < 0)
		return refuse(fields, "token", "base64 of 1 to 48,128 bytes");
	out->token_len -= padding;
	return true;
}
