/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 16, COLUMN_GAP = 2, MINUTE = 60, HOUR = 3600, DAY = 86400 };

struct format_table {
	const char *const *headings;
	size_t n_columns, n_cells;
	char **cells;
	int width[COLUMNS_MAX];
};

static void *must(void *memory)
{
	if (memory)
		return memory;
	fputs("sluicectl: no memory\n", stderr);
	exit(EXIT_FAILURE);
}

char *format_size(uint64_t bytes, char *text)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)bytes;
	size_t unit = 0;

	/* 1023.95 would be shown as 1024.0 */
	for (; value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		value /= 1024;
	if (unit == 0)
		snprintf(text, FORMAT_LEN, "%" PRIu64 " B", bytes);
	else
		snprintf(text, FORMAT_LEN, "%.1f %s", value, units[unit]);
	return text;
}

char *format_count(uint64_t count, char *text)
{
	char digits[FORMAT_LEN];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, count);
	char *out = text;

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return text;
}

char *format_age(int64_t seconds, char *text)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < MINUTE)
		snprintf(text, FORMAT_LEN, "%" PRId64 " s", seconds);
	else if (seconds < HOUR)
		snprintf(text, FORMAT_LEN, "%" PRId64 " min %" PRId64 " s", seconds / MINUTE, seconds % MINUTE);
	else if (seconds < DAY)
		snprintf(text, FORMAT_LEN, "%" PRId64 " h %" PRId64 " min", seconds / HOUR, seconds % HOUR / MINUTE);
	else
		snprintf(text, FORMAT_LEN, "%" PRId64 " d %" PRId64 " h", seconds / DAY, seconds % DAY / HOUR);
	return text;
}

char *format_share(uint64_t part, uint64_t whole, char *text)
{
	if (whole == 0)
		return strcpy(text, "-");
	snprintf(text, FORMAT_LEN, "%.1f %%", 100.0 * (double)part / (double)whole);
	return text;
}

static bool flush_right(const struct format_table *table, size_t column)
{
	return table->headings[column][0] == '>';
}

static const char *heading(const struct format_table *table, size_t column)
{
	return table->headings[column] + flush_right(table, column);
}

struct format_table *format_table_new(const char *const *headings)
{
	struct format_table *table = must(calloc(1, sizeof(*table)));

	table->headings = headings;
	for (; headings[table->n_columns] && table->n_columns < COLUMNS_MAX; table->n_columns++)
		table->width[table->n_columns] = (int)strlen(heading(table, table->n_columns));
	return table;
}

void format_table_put(struct format_table *table, const char *text)
{
	size_t column = table->n_cells % table->n_columns;
	int width = (int)strlen(text);

	table->cells = must(reallocarray(table->cells, table->n_cells + 1, sizeof(*table->cells)));
	table->cells[table->n_cells++] = must(strdup(text));
	if (width > table->width[column])
		table->width[column] = width;
}

size_t format_table_rows(const struct format_table *table)
{
	return table->n_cells / table->n_columns;
}

static void print_cell(const struct format_table *table, size_t column, const char *text, FILE *out)
{
	bool last = column + 1 == table->n_columns;

	if (flush_right(table, column))
		fprintf(out, "%*s", table->width[column], text);
	else
		fprintf(out, "%-*s", last ? 0 : table->width[column], text);
	fprintf(out, "%*s", last ? 0 : COLUMN_GAP, "");
	if (last)
		fputc('\n', out);
}

void format_table_end(struct format_table *table, FILE *out, const char *none)
{
	if (table->n_cells == 0) {
		fprintf(out, "%s\n", none);
	} else {
		for (size_t i = 0; i < table->n_columns; i++)
			print_cell(table, i, heading(table, i), out);
		for (size_t i = 0; i < table->n_cells; i++)
			print_cell(table, i % table->n_columns, table->cells[i], out);
	}
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}
