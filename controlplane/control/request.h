/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of the control socket: {"command": NAME, "arguments": [TEXT, ...]}, the second optional, nothing else
 * allowed. Parsed into a plain struct before anything looks at it; the bytes may be anybody's who may open the socket.
 */
#pragma once

#include <stddef.h>

enum {
	REQUEST_COMMAND_LEN = 32, /* with terminator */
	REQUEST_ARGUMENTS_MAX = 4,
	REQUEST_ARGUMENT_LEN = 128,
	REQUEST_ERROR_LEN = 256,
};

struct control_request {
	char command[REQUEST_COMMAND_LEN];
	char arguments[REQUEST_ARGUMENTS_MAX][REQUEST_ARGUMENT_LEN];
	unsigned n_arguments;
};

/* 0, or -EINVAL with a sentence in `error`. `text` needs no terminator. */
int request_parse(const char *text, size_t len, struct control_request *out, char error[REQUEST_ERROR_LEN]);
