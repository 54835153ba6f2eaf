/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the tables share: small tables, and a data plane's main thread in play. It keeps what it has taken
 * up in private memory, refuses and lets go when it is told to, and answers on the main thread's event ring. Its owner
 * is one thread; the `held` flags alone may be read by others.
 */
#pragma once

#include "tables/tables.h"

struct fixture_record {
	_Atomic bool held; /* workers may still use it */
	bool leaving;
	bool is_active; /* a child SA that carries outbound traffic */
	uint64_t id;
	uint32_t session; /* of a child SA */
	struct endpoint local, remote;
};

struct fixture_dataplane {
	struct tables *tables;
	struct fixture_record *sessions, *children;
	int refusal;		      /* what the next installs end with: 0 or negative errno */
	struct tables_event *leaving; /* removals that wait for the workers, oldest first */
	size_t n_leaving, leaving_room;
	uint64_t installs, refusals; /* ended */
};

/* Makes tables of these dimensions, with two reasons and one port. Fails the test when it can't. */
void fixture_tables_make(struct tables *tables, uint32_t n_sessions, uint32_t n_children, uint32_t n_workers);

/* Starts to play the data plane of `tables`, and stops. 0 or -ENOMEM. */
int fixture_dataplane_start(struct fixture_dataplane *dataplane, struct tables *tables);
void fixture_dataplane_stop(struct fixture_dataplane *dataplane);

/*
 * Takes one change up; `seen` (may be NULL) receives it. A removal does not end here: see fixture_dataplane_let_go.
 * 1; 0 when there is none; negative errno when a ring is out of order or there is no room for the answer.
 */
int fixture_dataplane_take(struct fixture_dataplane *dataplane, struct tables_change *seen);

/* Every worker has passed a quiescent state: ends up to `limit` removals. 0 or negative errno as above. */
int fixture_dataplane_let_go(struct fixture_dataplane *dataplane, size_t limit);
