/* SPDX-License-Identifier: Apache-2.0 */
#include "show_tcp.h"

#include "connection_figures.h"
#include "format.h"

#include <inttypes.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && text[0] ? text : "-";
}

/* A connection's figure; *known false: whoever has it does not tell. */
static uint64_t figure_of(const json_t *connection, const char *name, bool *known)
{
	const json_t *figure = json_object_get(json_object_get(connection, "figures"), name);

	*known = json_is_integer(figure);
	return (uint64_t)json_integer_value(figure);
}

static char *format_us(uint64_t us, char *text)
{
	snprintf(text, FORMAT_LEN, "%" PRIu64 ".%" PRIu64 " ms", us / 1000, us % 1000 / 100);
	return text;
}

static char *format_rate(uint64_t bytes, char *text)
{
	snprintf(text, FORMAT_LEN, "%.1f Mbit/s", (double)bytes * 8 / 1e6);
	return text;
}

/* `optional`: 0 means that it is not known. */
static void put(struct format_table *table, const json_t *connection, const char *name, bool optional,
	char *(*format)(uint64_t value, char *text))
{
	char text[FORMAT_LEN];
	bool known;
	uint64_t value = figure_of(connection, name, &known);

	format_table_put(table, known && !(optional && value == 0) ? format(value, text) : "-");
}

/* "worker 0" or "kernel". */
static const char *where_of(const json_t *connection, char text[FORMAT_LEN])
{
	const char *where = text_of(connection, "where");
	bool known;
	uint64_t worker = figure_of(connection, "worker", &known);

	if (strcmp(where, "worker") != 0 || !known)
		return where;
	snprintf(text, FORMAT_LEN, "worker %" PRIu64, worker);
	return text;
}

/* What else there is to say of the whole. */
static void tell_attachment(const json_t *reply, FILE *out)
{
	const json_t *dataplane = json_object_get(reply, "dataplane");

	if (!json_is_true(json_object_get(dataplane, "attached")))
		fprintf(out, "No data plane is attached: %s\n\n", text_of(dataplane, "waits_for"));
}

void show_tcp(const json_t *reply, bool wide, FILE *out)
{
	static const char *const headings[] = {"PEER", "REMOTE", "WHERE", "STATE", ">RATE", ">RTT", ">WINDOW",
		">IN FLIGHT", ">SENT AGAIN", ">OUT OF ORDER", ">QUEUED FOR", ">LATE", ">FULL", NULL};
	struct format_table *table = format_table_new(headings);
	const json_t *connection;
	char where[FORMAT_LEN];
	size_t i;

	tell_attachment(reply, out);
	json_array_foreach(json_object_get(reply, "connections"), i, connection) {
		if (!wide && !json_is_true(json_object_get(connection, "proved")))
			continue;
		format_table_put(table, text_of(connection, "peer"));
		format_table_put(table, text_of(connection, "remote"));
		format_table_put(table, where_of(connection, where));
		format_table_put(table, text_of(connection, "state"));
		put(table, connection, "rate", true, format_rate);
		put(table, connection, "srtt", true, format_us);
		put(table, connection, "cwnd", true, format_size);
		put(table, connection, "flight", false, format_size);
		put(table, connection, "retransmitted", false, format_count);
		put(table, connection, "out_of_order", false, format_count);
		put(table, connection, "queue_wait", false, format_us);
		put(table, connection, "dropped_late", false, format_count);
		put(table, connection, "dropped_full", false, format_count);
	}
	format_table_end(table, out, "No TCP connections.");
}

static const struct {
	const char *name, *meaning;
} figures[] = {
#define X(id, name, meaning) {name, meaning},
	CONNECTION_FIGURES(X) TCP_COUNTERS(X)
#undef X
};

static void show_one(const json_t *connection, int64_t now, FILE *out)
{
	static const char *const headings[] = {"FIGURE", ">VALUE", "MEANING", NULL};
	struct format_table *table = format_table_new(headings);
	int64_t taken_at = (int64_t)json_integer_value(json_object_get(connection, "taken_at"));
	char text[FORMAT_LEN];

	fprintf(out, "%s (%s), %s to %s, %s\n", text_of(connection, "peer"), text_of(connection, "identity"),
		text_of(connection, "remote"), text_of(connection, "local"), text_of(connection, "state"));
	if (taken_at)
		fprintf(out, "In %s since %s.\n\n", where_of(connection, text), format_age(now - taken_at, (char[FORMAT_LEN]){0}));
	else
		fprintf(out, "In the kernel, and ESP goes by sluiced; takeover by a worker: %s.\n\n",
			text_of(connection, "takeover"));
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		bool known;
		uint64_t value = figure_of(connection, figures[i].name, &known);

		if (!known)
			continue;
		format_table_put(table, figures[i].name);
		format_table_put(table, format_count(value, text));
		format_table_put(table, figures[i].meaning);
	}
	format_table_end(table, out, "It tells no figures.");
}

void show_tcp_long(const json_t *reply, bool wide, FILE *out)
{
	int64_t now = (int64_t)json_integer_value(json_object_get(reply, "now"));
	const json_t *connection;
	size_t i;

	(void)wide;
	tell_attachment(reply, out);
	json_array_foreach(json_object_get(reply, "connections"), i, connection) {
		if (i > 0)
			fputc('\n', out);
		show_one(connection, now, out);
	}
}
