/* SPDX-License-Identifier: Apache-2.0 */
#include "suggest.h"

#include <stddef.h>
#include <string.h>

enum { WORD_MAX = 64, NEAR_MAX = 3 };

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Insertions, deletions and replacements that make one of the other; one row of the usual table is kept. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[WORD_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = smaller(replaced, smaller(row[j], row[j - 1]) + 1);
		}
	}
	return row[b_len];
}

const char *suggest(const char *typed, const char *const *words)
{
	unsigned nearest = NEAR_MAX + 1;
	const char *best = NULL;

	for (; *words; words++) {
		unsigned d = distance(typed, *words);

		/* As many changes as letters would make anything of everything. */
		if (d < nearest && d < strlen(*words)) {
			nearest = d;
			best = *words;
		}
	}
	return best;
}
