/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of sluice-connect: what to do, and settings, which are those of the file (config/connect.h). */
#pragma once

#include "config/connect.h"

#include <stdbool.h>

enum { OPTIONS_SETTINGS_MAX = 128 };

struct options {
	const char *config;  /* NULL: none was named */
	const char *command; /* "status", "rekey" or "renew" of one that runs; NULL: connect */
	bool check, once, json;
	struct connect_option settings[OPTIONS_SETTINGS_MAX];
	size_t n_settings;
};

/* Returns -1 to go on, or the process's exit status. */
int options_parse(int argc, char **argv, struct options *options);
