/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A slot of an array whose value was refused holds this, so that the checks that follow take it for nothing known. */
enum { READ_REFUSED = 0xff };

static void read_members(
	struct settings_reader *reader, const struct setting *members, const config_setting_t *group, void *base);

static bool read_is_list(const config_setting_t *value)
{
	return config_setting_is_list(value) || config_setting_is_array(value);
}

/* Reports a list that holds too few or too many. */
static bool read_count_fits(
	struct settings_reader *reader, const struct setting *setting, const config_setting_t *value, size_t *count)
{
	*count = (size_t)config_setting_length(value);
	if (*count >= setting->count_min && *count <= setting->capacity)
		return true;
	settings_refuse(reader, value, NULL, "a list of %zu is not of a length that fits; expected %zu to %zu", *count,
		setting->count_min, setting->capacity);
	return false;
}

static bool read_element_is_new(
	struct settings_reader *reader, const config_setting_t *element, const uint8_t *field, size_t i, size_t size)
{
	char quote[SETTINGS_QUOTE_LEN];

	for (size_t j = 0; j < i; j++) {
		if (memcmp(field + j * size, field + i * size, size) != 0)
			continue;
		settings_refuse(reader, element, NULL, "%s is not new in the list; expected each value once",
			settings_quote(element, false, quote));
		return false;
	}
	return true;
}

/* An array of single values. What it had by default goes. */
static void read_array(
	struct settings_reader *reader, const struct setting *setting, const config_setting_t *value, uint8_t *base)
{
	uint8_t *field = base + setting->offset;
	uint16_t *counter = (uint16_t *)(base + setting->count_offset);
	char expected[SETTINGS_EXPECTED_LEN], quote[SETTINGS_QUOTE_LEN];
	size_t count;

	if (!read_is_list(value)) {
		settings_refuse(reader, value, NULL, "%s is not a list; expected [ ... ] with %s",
			settings_quote(value, false, quote), settings_expected(setting, expected));
		return;
	}
	if (!read_count_fits(reader, setting, value, &count))
		return;
	memset(field, 0, setting->capacity * setting->size);
	for (size_t i = 0; i < count; i++) {
		const config_setting_t *element = config_setting_get_elem(value, (unsigned int)i);
		void *slot = field + i * setting->size;

		if (!settings_value_store(reader, setting, element, base, slot) ||
			!read_element_is_new(reader, element, field, i, setting->size))
			memset(slot, READ_REFUSED, setting->size);
	}
	*counter = (uint16_t)count;
}

/* Reads a list of groups into an array of structures, each of which starts with the defaults. */
static int read_structures(
	struct settings_reader *reader, const struct setting *setting, const config_setting_t *value, uint8_t *array)
{
	void *defaults = calloc(1, setting->size);
	size_t count = (size_t)config_setting_length(value);

	if (!defaults)
		return -ENOMEM;
	settings_read(reader, setting->members, NULL, defaults);
	for (size_t i = 0; i < count; i++) {
		config_setting_t *element = config_setting_get_elem(value, (unsigned int)i);
		void *structure = array + i * setting->size;

		memcpy(structure, defaults, setting->size);
		/* libconfig finds an element's position by walking the list, which a long list of errors cannot afford.
		 */
		config_setting_set_hook(element, (void *)(i + 1));
		if (config_setting_is_group(element))
			read_members(reader, setting->members, element, structure);
		else
			settings_refuse_value(
				reader, &(struct setting){.meaning = "a group", .expected = "{ ... }"}, element);
	}
	free(defaults);
	return 0;
}

/* Ports lie in the structure, peers are allocated. */
static void read_groups(
	struct settings_reader *reader, const struct setting *setting, const config_setting_t *value, uint8_t *base)
{
	uint8_t *array = base + setting->offset;
	size_t count;

	if (!read_is_list(value)) {
		settings_refuse_value(reader, setting, value);
		return;
	}
	if (!read_count_fits(reader, setting, value, &count) || count == 0)
		return;
	if (setting->type == SETTING_PEERS) {
		array = calloc(count, setting->size);
		if (!array) {
			settings_refuse(reader, value, NULL, "there is no memory for %zu of them", count);
			return;
		}
		*(void **)(base + setting->offset) = array;
		*(size_t *)(base + setting->count_offset) = count;
	} else {
		*(uint16_t *)(base + setting->count_offset) = (uint16_t)count;
	}
	if (read_structures(reader, setting, value, array) < 0)
		settings_refuse(reader, value, NULL, "there is no memory for the defaults");
}

static void read_value(
	struct settings_reader *reader, const struct setting *setting, const config_setting_t *value, void *base)
{
	uint8_t *field = (uint8_t *)base + setting->offset;

	if (setting->type == SETTING_GROUPS || setting->type == SETTING_PEERS)
		read_groups(reader, setting, value, base);
	else if (setting->type == SETTING_GROUP && config_setting_is_group(value))
		read_members(reader, setting->members, value, field);
	else if (setting->type == SETTING_GROUP)
		settings_refuse_value(reader, setting, value);
	else if (setting->capacity)
		read_array(reader, setting, value, base);
	else
		settings_value_store(reader, setting, value, base, field);
}

static const struct setting *read_find(const struct setting *members, const char *name)
{
	for (; members->name; members++)
		if (strcmp(members->name, name) == 0)
			return members;
	return NULL;
}

static void read_members(
	struct settings_reader *reader, const struct setting *members, const config_setting_t *group, void *base)
{
	char expected[SETTINGS_EXPECTED_LEN];

	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *value = config_setting_get_elem(group, (unsigned int)i);
		const struct setting *member = read_find(members, config_setting_name(value));

		if (member)
			read_value(reader, member, value, base);
		else
			settings_refuse_unknown(reader, members, value);
	}
	for (; members->name; members++)
		if (!members->fallback && !config_setting_get_member(group, members->name))
			settings_refuse(reader, group, members->name, "is missing; expected %s",
				settings_expected(members, expected));
}

/* The default is written as in a file and goes the way of a file's value. */
static void read_default(struct settings_reader *reader, const struct setting *setting, void *base)
{
	size_t errors = reader->errors;
	config_t tree;
	char text[512];

	snprintf(text, sizeof(text), "%s = %s;", setting->name, setting->fallback);
	config_init(&tree);
	if (config_read_string(&tree, text))
		read_value(reader, setting, config_lookup(&tree, setting->name), base);
	else
		reader->errors++;
	config_destroy(&tree);
	assert(reader->errors == errors); /* the table in settings.c contradicts itself */
}

static void read_defaults(struct settings_reader *reader, const struct setting *members, void *base)
{
	for (; members->name; members++) {
		if (members->type == SETTING_GROUP)
			read_defaults(reader, members->members, (uint8_t *)base + members->offset);
		else if (members->fallback && members->fallback[0])
			read_default(reader, members, base);
	}
}

void settings_read(
	struct settings_reader *reader, const struct setting *members, const config_setting_t *group, void *base)
{
	read_defaults(reader, members, base);
	if (group)
		read_members(reader, members, group, base);
}
