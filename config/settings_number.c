/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_WORD_LEN = 48 };

/* The scanner knows words, and what may hide digits that are no number: texts and comments. */
struct number_scan {
	FILE *file;
	unsigned int line;
	int next; /* one character ahead */
};

static int number_take(struct number_scan *scan)
{
	int taken = scan->next;

	if (taken == '\n')
		scan->line++;
	if (taken != EOF)
		scan->next = getc(scan->file);
	return taken;
}

static void number_skip_text(struct number_scan *scan)
{
	int character;

	number_take(scan);
	while ((character = number_take(scan)) != EOF && character != '"')
		if (character == '\\')
			number_take(scan);
}

static void number_skip_line(struct number_scan *scan)
{
	while (scan->next != EOF && scan->next != '\n')
		number_take(scan);
}

static void number_skip_comment(struct number_scan *scan)
{
	int character, before = 0;

	number_take(scan);
	while ((character = number_take(scan)) != EOF && !(before == '*' && character == '/'))
		before = character;
}

static void number_take_word(struct number_scan *scan, char word[NUMBER_WORD_LEN])
{
	size_t len = 0;

	while (scan->next != EOF && (isalnum(scan->next) || strchr("_-*.", scan->next))) {
		int character = number_take(scan);

		if (len < NUMBER_WORD_LEN - 1)
			word[len++] = (char)character;
	}
	word[len] = '\0';
}

static void number_check_word(struct settings_reader *reader, const char *name, unsigned int line, const char *word)
{
	bool hex = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)word[0]))
		return;
	errno = 0;
	value = strtoull(word, &end, hex ? 16 : 10);
	if (errno || value > LLONG_MAX)
		settings_refuse_at(
			reader, name, line, "%s is not a number in reach; expected at most %lld", word, LLONG_MAX);
	else if (*end != 'L' && value > INT_MAX)
		settings_refuse_at(reader, name, line,
			"%s is not a number of 31 bits; expected at most %d, or an L behind it: %sL", word, INT_MAX,
			word);
}

void settings_number_check(struct settings_reader *reader, FILE *file, const char *name)
{
	struct number_scan scan = {.file = file, .line = 1, .next = getc(file)};
	char word[NUMBER_WORD_LEN];

	while (scan.next != EOF) {
		if (scan.next == '"') {
			number_skip_text(&scan);
		} else if (scan.next == '#') {
			number_skip_line(&scan);
		} else if (isalnum(scan.next)) {
			number_take_word(&scan, word);
			number_check_word(reader, name, scan.line, word);
		} else if (number_take(&scan) == '/') {
			if (scan.next == '/')
				number_skip_line(&scan);
			else if (scan.next == '*')
				number_skip_comment(&scan);
		}
	}
	rewind(file);
}
