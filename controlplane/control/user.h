/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluicectl user: works on the users file by itself, as who may write it; sluiced reads it and needs no right to write
 * where passwords are decided. Passwords come from the terminal, without echo, or from standard input, never from the
 * command line, which everybody on the host can read.
 */
#pragma once

#include "config/config.h"

#include <stdio.h>

/* Whether these words begin one of the commands. */
bool user_is_command(int argc, char **argv);

/* Runs it: `argv` begins with "user". Returns the process's exit status, after a sentence on standard error. */
int user_run(int argc, char **argv, const struct config *config);

/* One line of help for each, on standard output. */
void user_help(FILE *out);
