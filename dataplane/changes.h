/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main thread's side of the shared tables: takes changes up, answers each with an event, and empties a slot only
 * after every worker has been quiescent.
 */
#pragma once

#include "dataplane.h"

/* 0 or -ENOMEM. */
int changes_init(struct dataplane *dataplane);
void changes_fini(struct dataplane *dataplane);

/* Answers a change of record `index`, `id`; the caller has made sure that there is room for it. */
void changes_done(struct dataplane *dataplane, uint32_t kind, uint32_t index, uint64_t id, int result);

/* Applies what is in the ring and ends what has passed its grace period. Returns how many changes were taken. */
unsigned int changes_apply(struct dataplane *dataplane);

/*
 * The time of child `index` is over: it goes as if its removal had been asked for, and TABLES_EVENT_HARD_LIFETIME tells
 * when no worker can use it any more. Its slot stays the control plane's until that asks. Not for one that leaves.
 */
void changes_child_leave(struct dataplane *dataplane, uint32_t index);

/* Records whose removal waits for the workers. */
uint32_t changes_leaving(const struct dataplane *dataplane);

/*
 * Before a control plane attaches: takes up what its predecessor had still asked for, and frees the records that it
 * died in the middle of.
 */
void changes_settle(struct dataplane *dataplane);
