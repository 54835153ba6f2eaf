/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of one attempt, oldest first, in a buffer of bounded size: 24 bytes for a message, and the text where
 * there is one. When it is full the beginning stays, since that is where attempts fail, and of the rest the newest;
 * what lay between is counted. What repeats itself, alone or in pairs (a message and its answer), is one entry that
 * says how often and until when.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ENTRY_TEXT_MAX = 480 };

enum entry_flag {
	ENTRY_MESSAGE = 1, /* else something that was said */
	ENTRY_SENT = 2,
	ENTRY_ENCRYPTED = 4,
};

struct entry {
	uint8_t flags;
	uint8_t what;	/* a message's exchange; else enum timeline_what */
	uint8_t number; /* of a message in its exchange, 0: none */
	uint8_t place;	/* of a message: which addresses */
	uint16_t times; /* that it happened, 1 at first */
	uint16_t notify;
	uint16_t len;	   /* of a message, bytes */
	uint16_t text_len; /* which follows */
	uint32_t message_id;
	uint32_t at_ms, last_ms; /* since the attempt began */
};

struct entries {
	uint8_t *data;
	uint16_t len, capacity;
	uint16_t head;		    /* bytes that stay; 0: it was never full */
	uint16_t last, before_last; /* where the newest two begin; beyond `len`: nowhere */
	uint32_t left_out;
};

/* Takes one in; it is dropped for want of memory. `max` bytes in all at most, the same each time. */
void entries_add(struct entries *entries, const struct entry *entry, const char *text, uint16_t max);

/* The entry at `at`, 0 for the first; returns where the next one is. The text has no terminator. */
size_t entries_read(const struct entries *entries, size_t at, struct entry *out, const char **text);

/* Gives back what is not in use: nothing more is expected. */
void entries_trim(struct entries *entries);
void entries_free(struct entries *entries);
