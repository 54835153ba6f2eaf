/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer and a data plane in play, each with its own mapping of one memory, in one thread: the test says in which
 * order the two meet. Made and freed around each test. What goes wrong in here fails the test.
 */
#pragma once

#include "fixture.h"
#include "tables/writer.h"

enum {
	WRITER_FIXTURE_SESSIONS = 4,
	WRITER_FIXTURE_CHILDREN = 6,
	WRITER_FIXTURE_KEYMAT_LEN = 20,
};

struct writer_fixture {
	struct tables dataplane_tables, tables; /* one memory, mapped twice */
	struct fixture_dataplane dataplane;
	struct writer *writer;
	int changes_fd;
};
extern struct writer_fixture writer_fixture;

extern const uint8_t writer_fixture_keymat_in[ESP_KEYMAT_MAX], writer_fixture_keymat_out[ESP_KEYMAT_MAX];
extern const struct endpoint writer_fixture_local, writer_fixture_remote; /* of every session */

int writer_fixture_setup(void **state);
int writer_fixture_teardown(void **state);

uint32_t writer_fixture_claim_session(void);
uint32_t writer_fixture_claim_child(void);

/* What install_child asks for, with other values than the writer's own in the fields that are its business. */
struct tables_child writer_fixture_values(uint32_t session);
int writer_fixture_install_child(uint32_t index, uint32_t session);

/* Lets the data plane take one change up, and returns it. */
struct tables_change writer_fixture_take_change(void);

/* Passes what the data plane has answered to the writer. Returns how many; the last of them in `last` (may be NULL). */
size_t writer_fixture_take_answers(struct tables_event *last);

/* Lets the data plane take everything up and let everything go, and the writer hear of it. Returns how many answers. */
size_t writer_fixture_settle(void);

/* Every slot is free, in the tables and for the writer. */
void writer_fixture_expect_free(void);
