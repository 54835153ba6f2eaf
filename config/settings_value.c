/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings.h"

#include <assert.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void value_store_number(const struct setting *setting, int64_t number, void *field)
{
	uint8_t u8 = (uint8_t)number;
	uint16_t u16 = (uint16_t)number;
	uint32_t u32 = (uint32_t)number;
	const void *narrow = setting->size == sizeof(u8)    ? (const void *)&u8
			     : setting->size == sizeof(u16) ? (const void *)&u16
			     : setting->size == sizeof(u32) ? (const void *)&u32
							    : (const void *)&number;

	memcpy(field, narrow, setting->size);
}

static bool value_store_integer(const struct setting *setting, const config_setting_t *value, void *field)
{
	int type = config_setting_type(value);
	int64_t number = config_setting_get_int64(value);

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
		return false;
	if (number < setting->min || number > setting->max)
		return false;
	if (setting->type == SETTING_POWER_OF_TWO && (number & (number - 1)) != 0)
		return false;
	value_store_number(setting, number, field);
	return true;
}

static bool value_store_choice(const struct setting *setting, const char *text, void *field)
{
	for (int i = 0; setting->choices[i]; i++) {
		if (strcmp(setting->choices[i], text) != 0)
			continue;
		value_store_number(setting, i, field);
		return true;
	}
	return false;
}

static bool value_text_fits(const struct setting *setting, const char *text)
{
	static const char name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@";
	size_t len = strlen(text);

	if (len < (size_t)setting->min)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	switch (setting->type) {
	case SETTING_NAME: return strspn(text, name_characters) == len;
	case SETTING_PATH: return text[0] == '/' || (len == 0 && setting->fallback && !setting->fallback[0]);
	case SETTING_INTERFACE:
		return len > 0 && len < IFNAMSIZ && !strpbrk(text, " /:%") && strcmp(text, ".") != 0 &&
		       strcmp(text, "..") != 0;
	default: return true;
	}
}

static bool value_store_text(struct settings_reader *reader, const struct setting *setting,
	const config_setting_t *value, const char *text, char *field)
{
	if (!value_text_fits(setting, text)) {
		settings_refuse_value(reader, setting, value);
		return false;
	}
	if (strlen(text) >= setting->size) {
		settings_refuse(reader, value, NULL,
			"a text of %zu characters is not short enough; expected at most %zu", strlen(text),
			setting->size - 1);
		return false;
	}
	memset(field, 0, setting->size);
	memcpy(field, text, strlen(text));
	return true;
}

static bool value_store_file(struct settings_reader *reader, const struct setting *setting,
	const config_setting_t *value, const char *text, char *field)
{
	char path[4096];

	if (!text[0] || !settings_locate(reader, text, path, sizeof(path))) {
		settings_refuse_value(reader, setting, value);
		return false;
	}
	return value_store_text(reader, setting, value, path, field);
}

static bool value_store_address(struct settings_reader *reader, const struct setting *setting,
	const config_setting_t *value, const char *text, void *field)
{
	struct address address;

	if (address_parse(text, &address) < 0) {
		settings_refuse_value(reader, setting, value);
		return false;
	}
	memcpy(field, &address, sizeof(address));
	return true;
}

static bool value_store_network(struct settings_reader *reader, const struct setting *setting,
	const config_setting_t *value, const char *text, void *field)
{
	char host[ADDRESS_TEXT_LEN], network[PREFIX_TEXT_LEN];
	struct address address;
	struct prefix prefix;

	if (prefix_parse(text, &prefix) < 0) {
		settings_refuse_value(reader, setting, value);
		return false;
	}
	/* Bits behind the length are rather a wrong length or a wrong address than an intention. */
	snprintf(host, sizeof(host), "%.*s", (int)strcspn(text, "/"), text);
	if (address_parse(host, &address) == 0 && !address_equal(&address, &prefix.address)) {
		settings_refuse(reader, value, NULL, "\"%s\" is not the start of its network; expected \"%s\"", text,
			prefix_format(&prefix, network));
		return false;
	}
	memcpy(field, &prefix, sizeof(prefix));
	return true;
}

static bool value_store_protocol(
	const struct setting *setting, const config_setting_t *value, const char *text, void *field)
{
	static const struct {
		const char *name;
		uint16_t number;
	} names[] = {{"any", CONFIG_PROTOCOL_ANY}, {"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"icmp", IPPROTO_ICMP},
		{"icmp6", IPPROTO_ICMPV6}};
	const struct setting number = {.type = SETTING_INTEGER, .max = UINT8_MAX, .size = setting->size};

	if (!text)
		return value_store_integer(&number, value, field);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i].name, text) != 0)
			continue;
		value_store_number(setting, names[i].number, field);
		return true;
	}
	return false;
}

/* Reads a port in decimal digits, at most 65535. Returns what follows it; NULL when there is none. */
static const char *value_parse_port(const char *text, uint16_t *port)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long number = strtoul(text, NULL, 10);

	if (digits == 0 || number > UINT16_MAX)
		return NULL;
	*port = (uint16_t)number;
	return text + digits;
}

/* A number, or a text of one or two. */
static bool value_store_ports(const config_setting_t *value, const char *text, void *field)
{
	const struct setting number = {.type = SETTING_INTEGER, .min = 1, .max = UINT16_MAX, .size = sizeof(uint16_t)};
	struct config_port_range range;

	if (!text) {
		if (!value_store_integer(&number, value, &range.first))
			return false;
		range.last = range.first;
	} else {
		text = value_parse_port(text, &range.first);
		range.last = range.first;
		if (text && *text == '-')
			text = value_parse_port(text + 1, &range.last);
		if (!text || *text || range.first == 0 || range.last < range.first)
			return false;
	}
	memcpy(field, &range, sizeof(range));
	return true;
}

/* The kinds that need no more of a refusal than that the value is not one. */
static bool value_store_plain(
	const struct setting *setting, const config_setting_t *value, const char *text, void *field)
{
	enum esp_suite_id suite;

	switch (setting->type) {
	case SETTING_INTEGER:
	case SETTING_POWER_OF_TWO: return value_store_integer(setting, value, field);
	case SETTING_BOOLEAN:
		if (config_setting_type(value) != CONFIG_TYPE_BOOL)
			return false;
		value_store_number(setting, config_setting_get_bool(value), field);
		return true;
	case SETTING_DSCP:
		if (!text)
			return value_store_integer(setting, value, field);
		value_store_number(setting, TUNNEL_DSCP_COPY, field);
		return strcmp(text, "copy") == 0;
	case SETTING_CHOICE: return text && value_store_choice(setting, text, field);
	case SETTING_AUTH: return text && ike_auth_parse(text, field) == 0;
	case SETTING_PROPOSAL: return text && ike_proposal_parse(text, field) == 0;
	case SETTING_PFS: return text && ike_group_parse(text, field) == 0;
	case SETTING_PROTOCOL: return value_store_protocol(setting, value, text, field);
	case SETTING_PORT_RANGE: return value_store_ports(value, text, field);
	case SETTING_SUITE:
		suite = text ? esp_suite_find(text) : ESP_SUITE_NONE;
		value_store_number(setting, suite, field);
		return suite != ESP_SUITE_NONE;
	default: assert(!"a kind of setting without a way to store it"); return false;
	}
}

bool settings_value_store(struct settings_reader *reader, const struct setting *setting, const config_setting_t *value,
	void *base, void *field)
{
	const char *text = config_setting_get_string(value); /* NULL when it is none */

	switch (setting->type) {
	case SETTING_TEXT:
	case SETTING_NAME:
	case SETTING_INTERFACE:
	case SETTING_PATH:
		if (text)
			return value_store_text(reader, setting, value, text, field);
		break;
	case SETTING_FILE:
		if (text)
			return value_store_file(reader, setting, value, text, field);
		break;
	case SETTING_ADDRESS:
		if (text)
			return value_store_address(reader, setting, value, text, field);
		break;
	case SETTING_NETWORK:
		if (text)
			return value_store_network(reader, setting, value, text, field);
		break;
	case SETTING_SECRET:
	case SETTING_SECRET_FILE:
	case SETTING_PASSWORD_FILE:
		if (text)
			return settings_secret_store(reader, setting, value, base, field);
		break;
	default:
		if (value_store_plain(setting, value, text, field))
			return true;
	}
	settings_refuse_value(reader, setting, value);
	return false;
}
