/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of the mirror: a network namespace of its own with an interface pair, hq0 and far0, and what a data
 * plane would know by now of what is configured there with ip(8).
 */
#pragma once

#include "test.h"

#include "mirror.h"

enum { PATIENCE_MS = 15000 };

extern struct mirror *mirror;
extern unsigned n_sweeps;

/* cmocka fixtures. */
int mirror_group_setup(void **state);
int mirror_setup(void **state);
int mirror_teardown(void **state);

/* Skips a test that has no namespace. */
void need_namespace(void);

/* Runs "ip" with that. */
void ip(const char *command);

/* One turn of the event loop, and a millisecond. */
void turn(void);

/* What is known of a prefix, the kind being the ADD; NULL: nothing. Waits for it; waits until it is gone. */
const struct writer_net *find(enum tables_change_kind kind, const char *text);
const struct writer_net *await(enum tables_change_kind kind, const char *text);
void await_gone(enum tables_change_kind kind, const char *text);
