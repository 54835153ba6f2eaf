/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { REPORT_PATH_LEN = 160, REPORT_SHOWN = 64, REPORT_NAME_LEN = 32 };

/* Appends the formatted text to `text`, as much as there is room for. */
static void __attribute__((format(printf, 3, 4))) report_append(char *text, size_t size, const char *format, ...)
{
	size_t len = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + len, size - len, format, arguments);
	va_end(arguments);
}

/* "peers[3].ike[0]" */
static void report_path(const config_setting_t *setting, char *path, size_t size)
{
	const config_setting_t *parent = config_setting_parent(setting);

	if (!parent)
		return;
	report_path(parent, path, size);
	if (config_setting_name(setting))
		report_append(path, size, "%s%s", path[0] ? "." : "", config_setting_name(setting));
	else if (config_setting_get_hook(setting)) /* settings_read left the position in long lists */
		report_append(path, size, "[%zu]", (size_t)config_setting_get_hook(setting) - 1);
	else
		report_append(path, size, "[%d]", config_setting_index(setting));
}

static void __attribute__((format(printf, 4, 0))) report_sentence(
	struct settings_reader *reader, const char *file, unsigned int line, const char *format, va_list arguments)
{
	char sentence[CONFIG_ERROR_LEN] = "";
	size_t len;

	report_append(sentence, sizeof(sentence), "%s:", file ? file : reader->file ? reader->file : SETTINGS_COMMAND_LINE);
	if (line)
		report_append(sentence, sizeof(sentence), "%u:", line);
	report_append(sentence, sizeof(sentence), " ");
	len = strlen(sentence);
	vsnprintf(sentence + len, sizeof(sentence) - len, format, arguments);
	reader->errors++;
	reader->report(reader->context, sentence);
}

void settings_refuse_at(struct settings_reader *reader, const char *file, unsigned int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report_sentence(reader, file, line, format, arguments);
	va_end(arguments);
}

/* What is on no line of a file was added by the command line; the root is of neither. NULL: the reader's file. */
static const char *report_file(const config_setting_t *where)
{
	if (where->line == 0 && config_setting_parent(where))
		return SETTINGS_COMMAND_LINE;
	return config_setting_source_file(where);
}

void settings_refuse(
	struct settings_reader *reader, const config_setting_t *where, const char *member, const char *format, ...)
{
	char path[REPORT_PATH_LEN] = "", rest[CONFIG_ERROR_LEN];
	va_list arguments;

	report_path(where, path, sizeof(path));
	if (member)
		report_append(path, sizeof(path), "%s%s", path[0] ? "." : "", member);
	va_start(arguments, format);
	vsnprintf(rest, sizeof(rest), format, arguments);
	va_end(arguments);
	settings_refuse_at(reader, report_file(where), where->line, "%s: %s", path, rest);
}

static void report_quote_text(const char *value, char *text)
{
	snprintf(
		text, SETTINGS_QUOTE_LEN, "\"%.*s%s\"", REPORT_SHOWN, value, strlen(value) > REPORT_SHOWN ? "..." : "");
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

char *settings_quote(const config_setting_t *value, bool secret, char *text)
{
	const char *string;

	switch (config_setting_type(value)) {
	case CONFIG_TYPE_STRING:
		string = config_setting_get_string(value);
		if (secret)
			snprintf(text, SETTINGS_QUOTE_LEN, "(%zu characters)", strlen(string));
		else
			report_quote_text(string, text);
		return text;
	case CONFIG_TYPE_GROUP: return strcpy(text, "a group");
	case CONFIG_TYPE_ARRAY: return strcpy(text, "an array");
	case CONFIG_TYPE_LIST: return strcpy(text, "a list");
	}
	if (secret)
		return strcpy(text, "a value without quotes");
	switch (config_setting_type(value)) {
	case CONFIG_TYPE_BOOL: return strcpy(text, config_setting_get_bool(value) ? "true" : "false");
	case CONFIG_TYPE_FLOAT: snprintf(text, SETTINGS_QUOTE_LEN, "%#g", config_setting_get_float(value)); return text;
	default: snprintf(text, SETTINGS_QUOTE_LEN, "%lld", config_setting_get_int64(value)); return text;
	}
}

char *settings_expected(const struct setting *setting, char *text)
{
	text[0] = '\0';
	if (setting->expected)
		report_append(text, SETTINGS_EXPECTED_LEN, "%s", setting->expected);
	else if (setting->choices)
		for (const char *const *choice = setting->choices; *choice; choice++)
			report_append(text, SETTINGS_EXPECTED_LEN, "%s\"%s\"",
				choice == setting->choices ? ""
				: choice[1]		   ? ", "
							   : " or ",
				*choice);
	else
		report_append(text, SETTINGS_EXPECTED_LEN, "%s%jd to %jd",
			setting->type == SETTING_POWER_OF_TWO ? "a power of two, " : "", (intmax_t)setting->min,
			(intmax_t)setting->max);
	return text;
}

void settings_refuse_value(struct settings_reader *reader, const struct setting *setting, const config_setting_t *value)
{
	char quote[SETTINGS_QUOTE_LEN], expected[SETTINGS_EXPECTED_LEN];

	settings_refuse(reader, value, NULL, "%s is not %s; expected %s",
		settings_quote(value, setting->type == SETTING_SECRET, quote), setting->meaning,
		settings_expected(setting, expected));
}

/* The fewest letters to insert, leave out or replace that make one name of the other. */
static size_t report_distance(const char *a, const char *b)
{
	size_t row[REPORT_NAME_LEN + 1];
	size_t b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (best > row[j] + 1)
				best = row[j] + 1;
			if (best > row[j - 1] + 1)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_len];
}

void settings_refuse_unknown(
	struct settings_reader *reader, const struct setting *members, const config_setting_t *value)
{
	const char *name = config_setting_name(value);
	const struct setting *nearest = NULL;
	size_t nearest_distance = strlen(name) / 3 + 2; /* a suggestion shares most letters */
	char known[SETTINGS_EXPECTED_LEN] = "";

	for (const struct setting *member = members; member->name && strlen(name) <= REPORT_NAME_LEN; member++) {
		size_t distance = report_distance(name, member->name);

		if (distance >= nearest_distance)
			continue;
		nearest = member;
		nearest_distance = distance;
	}
	if (nearest) {
		settings_refuse(reader, value, NULL, "is not a setting here; did you mean %s?", nearest->name);
		return;
	}
	for (; members->name; members++)
		report_append(known, sizeof(known), " %s", members->name);
	settings_refuse(reader, value, NULL, "is not a setting here; expected one of%s", known);
}
