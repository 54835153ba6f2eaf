/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline_entries.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRIES_STEP = 128, ENTRIES_NOWHERE = UINT16_MAX };

size_t entries_read(const struct entries *entries, size_t at, struct entry *out, const char **text)
{
	memcpy(out, entries->data + at, sizeof(*out));
	*text = (const char *)entries->data + at + sizeof(*out);
	return at + sizeof(*out) + out->text_len;
}

static bool entries_same(const struct entries *entries, size_t at, const struct entry *entry, const char *text)
{
	struct entry old;
	const char *old_text;

	if (at >= entries->len)
		return false;
	entries_read(entries, at, &old, &old_text);
	return old.flags == entry->flags && old.what == entry->what && old.number == entry->number &&
	       old.place == entry->place && old.notify == entry->notify && old.message_id == entry->message_id &&
	       old.len == entry->len && old.text_len == entry->text_len && memcmp(old_text, text, entry->text_len) == 0;
}

/* Once more what was there already; false when it is something new. */
static bool entries_count(struct entries *entries, const struct entry *entry, const char *text)
{
	size_t at = entries_same(entries, entries->last, entry, text)	       ? entries->last
		    : entries_same(entries, entries->before_last, entry, text) ? entries->before_last
									       : entries->len;
	struct entry old;

	if (at == entries->len)
		return false;
	memcpy(&old, entries->data + at, sizeof(old));
	old.times += old.times < UINT16_MAX;
	old.last_ms = entry->at_ms;
	memcpy(entries->data + at, &old, sizeof(old));
	return true;
}

static size_t entries_next(const struct entries *entries, size_t at)
{
	struct entry entry;
	const char *text;

	return entries_read(entries, at, &entry, &text);
}

/* Where an entry is after those from `from` to `to` have gone. */
static uint16_t entries_moved(uint16_t at, size_t from, size_t to)
{
	if (at < from || at == ENTRIES_NOWHERE)
		return at;
	return at >= to ? (uint16_t)(at - (to - from)) : ENTRIES_NOWHERE;
}

/* Makes room behind the part that stays, which is half of all. */
static void entries_drop_old(struct entries *entries, size_t need, uint16_t max)
{
	size_t from, to;

	while (entries->left_out == 0 && entries->head < entries->len &&
		entries_next(entries, entries->head) <= max / 2u)
		entries->head = (uint16_t)entries_next(entries, entries->head);
	from = to = entries->head;
	while (to < entries->len && entries->len - (to - from) + need > max) {
		to = entries_next(entries, to);
		entries->left_out++;
	}
	memmove(entries->data + from, entries->data + to, entries->len - to);
	entries->len -= (uint16_t)(to - from);
	entries->last = entries_moved(entries->last, from, to);
	entries->before_last = entries_moved(entries->before_last, from, to);
}

static bool entries_grow(struct entries *entries, size_t need, uint16_t max)
{
	size_t wanted = (entries->len + need + ENTRIES_STEP - 1) / ENTRIES_STEP * ENTRIES_STEP;
	uint8_t *data;

	if (entries->len + need <= entries->capacity)
		return true;
	if (wanted > max)
		wanted = max;
	data = realloc(entries->data, wanted);
	if (!data)
		return false;
	entries->data = data;
	entries->capacity = (uint16_t)wanted;
	return true;
}

void entries_add(struct entries *entries, const struct entry *entry, const char *text, uint16_t max)
{
	struct entry taken = *entry;
	size_t need;

	taken.times = 1;
	taken.last_ms = taken.at_ms;
	/* So that the longest text still leaves half for others. */
	if (taken.text_len > max / 2u - sizeof(taken))
		taken.text_len = (uint16_t)(max / 2u - sizeof(taken));
	if (entries_count(entries, &taken, text))
		return;
	need = sizeof(taken) + taken.text_len;
	if (entries->len + need > max)
		entries_drop_old(entries, need, max);
	if (!entries_grow(entries, need, max))
		return;
	memcpy(entries->data + entries->len, &taken, sizeof(taken));
	memcpy(entries->data + entries->len + sizeof(taken), text, taken.text_len);
	entries->before_last = entries->len ? entries->last : ENTRIES_NOWHERE;
	entries->last = entries->len;
	entries->len += (uint16_t)need;
}

void entries_trim(struct entries *entries)
{
	uint8_t *data = entries->len ? realloc(entries->data, entries->len) : NULL;

	if (!data)
		return;
	entries->data = data;
	entries->capacity = entries->len;
}

void entries_free(struct entries *entries)
{
	free(entries->data);
	*entries = (struct entries){0};
}
