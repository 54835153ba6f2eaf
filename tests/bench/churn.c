/* SPDX-License-Identifier: Apache-2.0 */
#include "churn.h"

#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const int64_t second = 1000000000;

/* Times in nanoseconds, in the order in which they were taken. */
struct times {
	int64_t *list;
	size_t count, capacity;
};

struct churn {
	struct attached *attached;
	const struct churn_settings *settings;
	struct {
		uint32_t session, child;
		uint64_t id; /* of the child */
	} * slots;	     /* by place in the plan, `keep` of them */
	int64_t *asked;	     /* by child record: when its install, then when its removal was asked for */
	uint64_t n_installs, n_refused;
	struct times to_live, to_free;
};

static int64_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * second + now.tv_nsec;
}

static void times_add(struct times *times, int64_t value)
{
	if (times->count < times->capacity)
		times->list[times->count++] = value;
}

static void on_done(void *context, const struct tables_event *event)
{
	struct churn *churn = context;

	if (event->index >= churn->attached->tables.n_children)
		return;
	if (event->change == TABLES_INSTALL && event->result == 0)
		times_add(&churn->to_live, clock_now() - churn->asked[event->index]);
	else if (event->change == TABLES_REMOVE_CHILD && event->result == 0)
		times_add(&churn->to_free, clock_now() - churn->asked[event->index]);
}

/* The next session of the round; the one that has its place goes first. -ENOSPC: later. */
static int replace_one(struct churn *churn)
{
	const struct churn_settings *settings = churn->settings;
	uint32_t place = (uint32_t)(churn->n_installs % settings->keep);
	struct attached_sa sa = {
		.suite = settings->suite,
		.encapsulation = settings->encapsulation,
		.session = settings->first_session + place,
		.spi_out = PLAN_SPI_OUT + settings->first_session + place,
	};
	uint32_t child;
	int rc;

	if (churn->slots[place].id != 0) {
		child = churn->slots[place].child;
		churn->asked[child] = clock_now();
		attached_remove(churn->attached, churn->slots[place].session, child);
		churn->slots[place].id = 0;
	}
	rc = attached_install(churn->attached, &sa, &churn->slots[place].session, &churn->slots[place].child);
	if (rc < 0) {
		churn->n_refused++;
		return rc;
	}
	child = churn->slots[place].child;
	churn->slots[place].id = churn->attached->tables.children[child].id;
	churn->asked[child] = clock_now();
	churn->n_installs++;
	return 0;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void times_print(const char *name, struct times *times)
{
	qsort(times->list, times->count, sizeof(*times->list), compare);
	printf(", \"%s_us\": {\"count\": %zu", name, times->count);
	if (times->count > 0)
		printf(", \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"max\": %.1f",
			(double)times->list[times->count / 2] / 1e3, (double)times->list[times->count * 9 / 10] / 1e3,
			(double)times->list[times->count * 99 / 100] / 1e3,
			(double)times->list[times->count - 1] / 1e3);
	printf("}");
}

static int run(struct churn *churn)
{
	const struct churn_settings *settings = churn->settings;
	const int64_t patience = second / 1000;
	int64_t begin = clock_now(), end = begin + settings->seconds * second, now = begin, took, wait;

	while (now < end && !*settings->stop) {
		int64_t due = begin + (int64_t)churn->n_installs * second / settings->rate;

		wait = due > now ? due - now : 0;
		/* Behind the plan: as many as are due, then hear the answers; when there is no room, wait for one. */
		for (int i = 0; i < 64 && due <= now && wait == 0; i++) {
			wait = replace_one(churn) < 0 ? patience : 0;
			due = begin + (int64_t)churn->n_installs * second / settings->rate;
		}
		if (!attached_turn(churn->attached, wait))
			return -ECONNRESET;
		now = clock_now();
	}
	took = now - begin;
	printf("{\"asked_a_second\": %" PRIu32 ", \"installed_a_second\": %.0f, \"installed\": %" PRIu64
	       ", \"refused\": %" PRIu64,
		settings->rate, (double)churn->n_installs * (double)second / (double)took, churn->n_installs,
		churn->n_refused);
	times_print("to_live", &churn->to_live);
	times_print("to_free", &churn->to_free);
	printf("}\n");
	fflush(stdout);
	return 0;
}

int churn_run(struct attached *attached, const struct churn_settings *settings)
{
	size_t capacity = (size_t)settings->rate * settings->seconds + settings->keep;
	struct churn churn = {
		.attached = attached,
		.settings = settings,
		.slots = calloc(settings->keep, sizeof(*churn.slots)),
		.asked = calloc(attached->tables.n_children, sizeof(*churn.asked)),
		.to_live = {.list = calloc(capacity, sizeof(int64_t)), .capacity = capacity},
		.to_free = {.list = calloc(capacity, sizeof(int64_t)), .capacity = capacity},
	};
	int rc = -ENOMEM;

	if (churn.slots && churn.asked && churn.to_live.list && churn.to_free.list) {
		attached->done = on_done;
		attached->context = &churn;
		rc = run(&churn);
		attached->done = NULL;
	}
	free(churn.slots);
	free(churn.asked);
	free(churn.to_live.list);
	free(churn.to_free.list);
	return rc;
}
