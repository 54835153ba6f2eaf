/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's side of a control socket: asks one question, waits for the answer. Every failure is one sentence.
 */
#pragma once

#include <jansson.h>

enum { CLIENT_ERROR_LEN = 512, CLIENT_PATIENCE_SECONDS = 15 };

/*
 * Sends `command` with its arguments to `program`, as sentences call it, whose socket is at `path`. Returns the answer,
 * which the caller owns, where it says "ok"; NULL with a sentence in `error` in every other case.
 */
json_t *client_ask(const char *program, const char *path, const char *command, const char *const *arguments,
	size_t n_arguments, char error[CLIENT_ERROR_LEN]);

/* The same over a connected socket, which stays open. */
json_t *client_ask_fd(const char *program, int fd, const char *command, const char *const *arguments,
	size_t n_arguments, char error[CLIENT_ERROR_LEN]);
