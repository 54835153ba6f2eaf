/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line, one event, key=value, to standard error, with the journal's priority prefix where the journal reads it.
 * error: the operator must act; warning: a peer misbehaves; info: a session's life; debug: messages. Used by main
 * threads only: workers count and raise events. No secret is ever an argument.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `program` appears at the head of each line; the string must stay. */
void log_open(const char *program, enum log_level level);
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                                                 \
	do {                                                                                                           \
		if (log_wants(LOG_LEVEL_DEBUG))                                                                        \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);                                                       \
	} while (0)

/* A text as it can stand between quotes: cut to `size` bytes in `buffer`, which is returned, and without quotes itself. */
const char *log_quotable(const char *text, char *buffer, size_t size);

/* A bucket for lines that a stranger can cause: true when this one may be written. `now_ms` is monotonic. */
struct log_limit {
	uint64_t window_start_ms;
	uint32_t written;    /* in this window */
	uint32_t suppressed; /* since the last line written; the caller may tell and reset it */
};
bool log_limit_pass(struct log_limit *limit, uint64_t now_ms);
