/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers and tables for people: sizes in KiB and MiB, ages in min and h, columns that line up. The program is
 * short-lived: a failed allocation ends it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { FORMAT_LEN = 32 };

/* Write into FORMAT_LEN bytes and return it. */
char *format_size(uint64_t bytes, char *text);
char *format_count(uint64_t count, char *text);		       /* 1,234,567 */
char *format_age(int64_t seconds, char *text);		       /* negative: "0 s" */
char *format_share(uint64_t part, uint64_t whole, char *text); /* percent; "-" of nothing */

struct format_table;

/* `headings` ends with NULL; a heading that begins with '>' makes its column flush right. */
struct format_table *format_table_new(const char *const *headings);
/* The next cell, copied; a row is full after as many as there are headings. */
void format_table_put(struct format_table *table, const char *text);
size_t format_table_rows(const struct format_table *table);
/* Prints headings and rows, and frees all. An empty table prints `none` instead. */
void format_table_end(struct format_table *table, FILE *out, const char *none);
