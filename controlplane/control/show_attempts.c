/* SPDX-License-Identifier: Apache-2.0 */
#include "show_attempts.h"

#include "format.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

enum { LISTED = 25, DETAIL_LEN = 1200 };

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *key)
{
	return (int64_t)json_integer_value(json_object_get(object, key));
}

/* Since the attempt began: thousandths as long as they matter. */
static char *format_offset(int64_t ms, char text[FORMAT_LEN])
{
	char age[FORMAT_LEN - 1];

	if (ms < 60000)
		snprintf(text, FORMAT_LEN, "+%" PRId64 ".%03d s", ms / 1000, (int)(ms % 1000));
	else
		snprintf(text, FORMAT_LEN, "+%.30s", format_age(ms / 1000, age));
	return text;
}

static char *format_ago(int64_t ms, char text[FORMAT_LEN])
{
	return format_age(ms / 1000, text);
}

/* "branch1", or what else there is to call it by. */
static const char *who(const json_t *attempt)
{
	const char *peer = text_of(attempt, "peer"), *identity = text_of(attempt, "identity");

	return peer[0] ? peer : identity[0] ? identity : "unknown";
}

void show_attempts(const json_t *reply, bool wide, FILE *out)
{
	static const char *const headings[] = {">BEGAN", "PEER", "ADDRESS", "COOKIE", "STATE", "VERDICT", NULL};
	const json_t *attempts = json_object_get(reply, "attempts"), *attempt;
	struct format_table *table = format_table_new(headings);
	size_t i, shown = 0;

	json_array_foreach(attempts, i, attempt) {
		char ago[FORMAT_LEN], text[FORMAT_LEN + 4];

		if (!wide && i == LISTED)
			break;
		snprintf(text, sizeof(text), "%s ago", format_ago(number_of(attempt, "age_ms"), ago));
		format_table_put(table, text);
		format_table_put(table, who(attempt));
		format_table_put(table, text_of(attempt, "remote"));
		format_table_put(table, json_string_value(json_array_get(json_object_get(attempt, "cookies"), 0)));
		format_table_put(table, text_of(attempt, "state"));
		format_table_put(table, text_of(attempt, "verdict")[0] ? text_of(attempt, "verdict") : "-");
		shown++;
	}
	format_table_end(table, out, "Nobody has tried to connect.");
	if (shown < (size_t)number_of(reply, "known"))
		fprintf(out, "\n%zu of %" PRId64 " attempts are shown%s.\n", shown, number_of(reply, "known"),
			wide ? "" : "; --all shows more");
}

__attribute__((format(printf, 2, 3))) static void append(char *text, const char *format, ...)
{
	size_t len = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + len, DETAIL_LEN - len, format, arguments);
	va_end(arguments);
}

static void append_times(char *text, const json_t *entry)
{
	char offset[FORMAT_LEN];

	if (number_of(entry, "times") > 1)
		append(text, "; %" PRId64 " times until %s", number_of(entry, "times"),
			format_offset(number_of(entry, "until_ms"), offset));
}

static void put_message(struct format_table *table, const json_t *entry)
{
	bool sent = json_is_true(json_object_get(entry, "sent"));
	const char *from = text_of(entry, sent ? "local" : "remote"), *to = text_of(entry, sent ? "remote" : "local");
	char what[128] = "", length[FORMAT_LEN], detail[DETAIL_LEN] = "";

	if (number_of(entry, "number"))
		snprintf(what, sizeof(what), "%s message %" PRId64, text_of(entry, "exchange"),
			number_of(entry, "number"));
	else
		snprintf(what, sizeof(what), "%s", text_of(entry, "exchange"));
	format_table_put(table, sent ? "sent" : "received");
	format_table_put(table, what);
	format_table_put(table, format_count((uint64_t)number_of(entry, "length"), length));
	append(detail, "%s to %s", from[0] ? from : "another address", to[0] ? to : "another address");
	if (text_of(entry, "message_id")[0])
		append(detail, "; message ID %s", text_of(entry, "message_id"));
	if (text_of(entry, "notify")[0])
		append(detail, "; %s", text_of(entry, "notify"));
	if (number_of(entry, "number") && json_is_true(json_object_get(entry, "encrypted")))
		append(detail, "; encrypted");
	append_times(detail, entry);
	format_table_put(table, detail);
}

static void put_note(struct format_table *table, const json_t *entry)
{
	char detail[DETAIL_LEN] = "";

	format_table_put(table, "");
	format_table_put(table, text_of(entry, "what"));
	format_table_put(table, "");
	append(detail, "%s", text_of(entry, "text"));
	append_times(detail, entry);
	format_table_put(table, detail);
}

static void show_entries(const json_t *attempt, FILE *out)
{
	static const char *const headings[] = {">AT", "", "WHAT", ">BYTES", "", NULL};
	struct format_table *table = format_table_new(headings);
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(attempt, "entries"), i, entry) {
		char offset[FORMAT_LEN];

		if (json_object_get(entry, "left_out")) {
			char text[64];

			snprintf(text, sizeof(text), "%" PRId64 " entries are not kept", number_of(entry, "left_out"));
			for (int column = 0; column < 4; column++)
				format_table_put(table, column == 0 ? "..." : "");
			format_table_put(table, text);
			continue;
		}
		format_table_put(table, format_offset(number_of(entry, "at_ms"), offset));
		if (json_object_get(entry, "exchange"))
			put_message(table, entry);
		else
			put_note(table, entry);
	}
	format_table_end(table, out, "Nothing is remembered of it.");
}

static void show_probes(const json_t *attempt, FILE *out)
{
	const json_t *probes = json_object_get(attempt, "probes");
	char ago[FORMAT_LEN];

	if (number_of(probes, "idle_ms") < 0)
		return;
	fprintf(out,
		"Probes:    %" PRId64 " received, %" PRId64 " answered; %" PRId64 " sent, %" PRId64
		" answered; the last %s ago\n",
		number_of(probes, "received"), number_of(probes, "answered"), number_of(probes, "sent"),
		number_of(probes, "heard"), format_ago(number_of(probes, "idle_ms"), ago));
}

static void show_head(const json_t *attempt, FILE *out)
{
	char ago[FORMAT_LEN];

	fprintf(out, "%s: %s%s, began %s ago\n", who(attempt),
		strcmp(text_of(attempt, "kind"), "registration") == 0 ? "registration " : "",
		text_of(attempt, "state"), format_ago(number_of(attempt, "age_ms"), ago));
	if (text_of(attempt, "verdict")[0])
		fprintf(out, "Verdict:   %s\n", text_of(attempt, "verdict"));
}

static void show_whole(const json_t *attempt, FILE *out)
{
	const json_t *cookies = json_object_get(attempt, "cookies");

	show_head(attempt, out);
	if (text_of(attempt, "identity")[0])
		fprintf(out, "Identity:  %s (%s)\n", text_of(attempt, "identity"),
			json_is_true(json_object_get(attempt, "authenticated")) ? "authenticated"
										: "not authenticated");
	fprintf(out, "Addresses: %s here, %s there\n", text_of(attempt, "local"), text_of(attempt, "remote"));
	if (strcmp(text_of(attempt, "kind"), "registration") == 0)
		fprintf(out, "Session:   %s%s\n", json_string_value(json_array_get(cookies, 0)),
			json_string_value(json_array_get(cookies, 1)));
	else
		fprintf(out, "Cookies:   %s:%s\n", json_string_value(json_array_get(cookies, 0)),
			json_string_value(json_array_get(cookies, 1)));
	show_probes(attempt, out);
	fputc('\n', out);
	show_entries(attempt, out);
}

void show_explain(const json_t *reply, bool wide, FILE *out)
{
	const json_t *attempts = json_object_get(reply, "attempts"), *attempt;
	size_t i;

	json_array_foreach(attempts, i, attempt) {
		if (i > 0)
			fputc('\n', out);
		if (i == 1 && !wide)
			fprintf(out, "Earlier attempts, which --all shows in full:\n\n");
		if (i == 0 || wide)
			show_whole(attempt, out);
		else
			show_head(attempt, out);
	}
}
