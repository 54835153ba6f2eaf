/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hard lifetime of SAs in time (RFC 4301 section 4.4.2.1): a child SA whose record says that it is over is taken
 * out of sight and emptied, key and all, also while there is no control plane. The main thread looks at its children
 * when the first of them is due, at most once a second. Counted from the SA's take-up by a clock that nobody sets.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dataplane;

/* Main thread's; zero at the start. TSC. */
struct lifetime {
	uint64_t first; /* no child ends before this; 0: none has an end */
	uint64_t looked_at;
	bool looking;	/* within the children, */
	uint32_t next;	/* at this one, */
	uint64_t found; /* having found this first end among those before it; UINT64_MAX: none */
};

/* Child `index` was taken up and ends then, Unix time in seconds; 0: by time it does not. */
void lifetime_begin(struct dataplane *dataplane, uint32_t index, int64_t expires_at, uint64_t now);

/* Main thread, in each turn; looks at a bounded number of children. `now`: TSC. */
void lifetime_apply(struct dataplane *dataplane, uint64_t now);
