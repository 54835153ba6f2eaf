/* SPDX-License-Identifier: Apache-2.0 */
/* TCP connections as a person reads them (show.h). */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* A row each; wide: also those in which nobody has proved who they are. */
void show_tcp(const json_t *reply, bool wide, FILE *out);

/* Each with all its figures and what they mean. */
void show_tcp_long(const json_t *reply, bool wide, FILE *out);
