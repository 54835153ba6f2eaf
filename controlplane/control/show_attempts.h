/* SPDX-License-Identifier: Apache-2.0 */
/* Timelines as a person reads them: the verdict first, then what happened, newest attempt first. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* One line each; the newest alone unless `wide`. */
void show_attempts(const json_t *reply, bool wide, FILE *out);

/* The newest in full and of the others what became of them; `wide`: all in full. */
void show_explain(const json_t *reply, bool wide, FILE *out);
