/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that takes too long for the event loop (password hashes, public-key arithmetic), done by a few helper threads.
 * A job is a structure of the caller's with struct job as a member; it belongs to this module from jobs_submit until
 * `done` is called in the event loop, in which the caller may free it or submit it again. `work` runs in a helper: it
 * touches nothing but the job's own memory.
 *
 *     event loop:  jobs_submit ............................. done
 *     helper:                    work ......
 */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct jobs;

struct job {
	void (*work)(struct job *job); /* in a helper thread */
	void (*done)(struct job *job); /* in the event loop */
	bool urgent;		       /* goes ahead of those that are not */
	TAILQ_ENTRY(job) in_list;      /* of this module */
};

/*
 * Helpers that take one job after another, in the order of their coming; at most `waiting_max` wait, and as many urgent
 * ones beside them. NULL with errno.
 */
struct jobs *jobs_new(struct event_base *base, unsigned n_threads, size_t waiting_max);

/* 0; -EBUSY when too many wait already: the job is still the caller's then. */
int jobs_submit(struct jobs *jobs, struct job *job);

/* Waiting or under way. */
size_t jobs_pending(const struct jobs *jobs);

/*
 * Lets what is under way come to its end, then calls `done` for every job, also for those that never ran: their owners
 * can tell by what `work` would have written. NULL is allowed.
 */
void jobs_free(struct jobs *jobs);
