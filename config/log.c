/* SPDX-License-Identifier: Apache-2.0 */
#include "config/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	LOG_LINE_LEN = 2048,
	LOG_LIMIT_WINDOW_MS = 1000,
	LOG_LIMIT_LINES = 10, /* in one window */
};

static const struct {
	const char *name;
	int priority; /* as in RFC 5424 section 6.2.1, which the journal takes as "<N>" */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", 3},
	[LOG_LEVEL_WARNING] = {"warning", 4},
	[LOG_LEVEL_INFO] = {"info", 6},
	[LOG_LEVEL_DEBUG] = {"debug", 7},
};

static const char *log_program = "sluice";
static enum log_level log_level = LOG_LEVEL_INFO;
static bool log_to_journal;

/* The variable outlives a redirection of standard error: it counts only while it names this very stream. */
static bool log_finds_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char expected[64];

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(expected, sizeof(expected), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, expected) == 0;
}

void log_open(const char *program, enum log_level level)
{
	log_program = program;
	log_level = level;
	log_to_journal = log_finds_journal();
}

void log_set_level(enum log_level level)
{
	log_level = level;
}

bool log_wants(enum log_level level)
{
	return level <= log_level;
}

/* Returns the length of what stands before the message. */
static size_t log_write_head(enum log_level level, char *line, size_t size)
{
	struct timespec now;
	struct tm utc;
	char time[32];

	if (log_to_journal)
		return (size_t)snprintf(
			line, size, "<%d>%.64s %s: ", levels[level].priority, log_program, levels[level].name);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", &utc);
	return (size_t)snprintf(
		line, size, "%s.%03ldZ %.64s %s: ", time, now.tv_nsec / 1000000, log_program, levels[level].name);
}

/* A stranger's text must not be able to begin a line of its own, nor to steer a terminal. */
static void log_mask_controls(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

void log_write(enum log_level level, const char *format, ...)
{
	static const char cut[] = "...";
	int saved_errno = errno;
	char line[LOG_LINE_LEN];
	size_t head, len;
	va_list arguments;
	int written;

	if (!log_wants(level))
		return;
	head = log_write_head(level, line, sizeof(line));
	errno = saved_errno; /* for %m */
	va_start(arguments, format);
	written = vsnprintf(line + head, sizeof(line) - head, format, arguments);
	va_end(arguments);
	len = head + (written > 0 ? (size_t)written : 0);
	if (len >= sizeof(line)) {
		len = sizeof(line) - 1;
		memcpy(line + len - strlen(cut), cut, strlen(cut));
	}
	log_mask_controls(line + head, len - head);
	line[len++] = '\n';
	/* One call, so that lines of two processes on one stream do not mix; a log that cannot be written is no error.
	 */
	if (write(STDERR_FILENO, line, len) < 0)
		errno = saved_errno;
	errno = saved_errno;
}

bool log_limit_pass(struct log_limit *limit, uint64_t now_ms)
{
	if (limit->written == 0 || now_ms - limit->window_start_ms >= LOG_LIMIT_WINDOW_MS) {
		limit->window_start_ms = now_ms;
		limit->written = 0;
	}
	if (limit->written >= LOG_LIMIT_LINES) {
		limit->suppressed++;
		return false;
	}
	limit->written++;
	return true;
}

const char *log_quotable(const char *text, char *buffer, size_t size)
{
	snprintf(buffer, size, "%s", text);
	for (char *quote = buffer; (quote = strchr(quote, '"'));)
		*quote = '\'';
	return buffer;
}
