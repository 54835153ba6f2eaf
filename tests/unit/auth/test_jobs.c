/* SPDX-License-Identifier: Apache-2.0 */
/* Helper threads beside an event loop: who runs what where, limits, and the end. */
#include "jobs.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MANY = 200 };

struct task {
	struct job job;
	struct event_base *base;
	struct jobs *jobs;
	pthread_t worker;
	bool worked, again;
	unsigned *remaining;
};

/* Helpers wait here until the test lets them go. */
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static unsigned gate_waiting;

static void task_work(struct job *job)
{
	struct task *task = (struct task *)job;

	task->worked = true;
	task->worker = pthread_self();
}

static void task_wait(struct job *job)
{
	pthread_mutex_lock(&gate_lock);
	gate_waiting++;
	pthread_cond_broadcast(&gate_moved);
	while (!gate_open)
		pthread_cond_wait(&gate_moved, &gate_lock);
	gate_waiting--;
	pthread_mutex_unlock(&gate_lock);
	task_work(job);
}

static void gate_await(unsigned waiting)
{
	pthread_mutex_lock(&gate_lock);
	while (gate_waiting < waiting)
		pthread_cond_wait(&gate_moved, &gate_lock);
	pthread_mutex_unlock(&gate_lock);
}

static void gate_set(bool open)
{
	pthread_mutex_lock(&gate_lock);
	gate_open = open;
	pthread_cond_broadcast(&gate_moved);
	pthread_mutex_unlock(&gate_lock);
}

static void task_done(struct job *job)
{
	struct task *task = (struct task *)job;

	if (task->again) {
		task->again = false;
		assert_int_equal(jobs_submit(task->jobs, job), 0);
		return;
	}
	if (--*task->remaining == 0)
		event_base_loopbreak(task->base);
}

static void runs_elsewhere_and_ends_here(void **state)
{
	static struct task tasks[MANY];
	struct event_base *base = event_base_new();
	struct jobs *jobs = jobs_new(base, 3, MANY);
	unsigned remaining = MANY;

	(void)state;
	assert_non_null(jobs);
	for (int i = 0; i < MANY; i++) {
		tasks[i] = (struct task){.job = {.work = task_work, .done = task_done},
			.base = base,
			.jobs = jobs,
			.again = i % 7 == 0,
			.remaining = &remaining};
		assert_int_equal(jobs_submit(jobs, &tasks[i].job), 0);
	}
	event_base_dispatch(base);
	assert_int_equal(remaining, 0);
	assert_int_equal(jobs_pending(jobs), 0);
	for (int i = 0; i < MANY; i++) {
		assert_true(tasks[i].worked);
		assert_false(pthread_equal(tasks[i].worker, pthread_self()));
	}
	jobs_free(jobs);
	event_base_free(base);
}

static void has_a_limit(void **state)
{
	struct event_base *base = event_base_new();
	struct jobs *jobs = jobs_new(base, 1, 2);
	struct task tasks[4];
	unsigned remaining = 3;

	(void)state;
	gate_set(false);
	for (int i = 0; i < 4; i++)
		tasks[i] = (struct task){
			.job = {.work = task_wait, .done = task_done}, .base = base, .jobs = jobs, .remaining = &remaining};
	assert_int_equal(jobs_submit(jobs, &tasks[0].job), 0);
	gate_await(1); /* it runs; two more may wait */
	assert_int_equal(jobs_submit(jobs, &tasks[1].job), 0);
	assert_int_equal(jobs_submit(jobs, &tasks[2].job), 0);
	assert_int_equal(jobs_submit(jobs, &tasks[3].job), -EBUSY);
	assert_int_equal(jobs_pending(jobs), 3);
	gate_set(true);
	event_base_dispatch(base);
	assert_int_equal(remaining, 0);
	assert_false(tasks[3].worked);
	jobs_free(jobs);
	event_base_free(base);
}

static struct task *order[4];
static size_t n_order;

static void task_note(struct job *job)
{
	order[n_order++] = (struct task *)job;
	task_work(job);
}

/* They don't wait behind the others, nor for their room. */
static void urgent_ones_go_first(void **state)
{
	struct event_base *base = event_base_new();
	struct jobs *jobs = jobs_new(base, 1, 2);
	unsigned remaining = 5;
	struct task first, tasks[4];

	(void)state;
	gate_set(false);
	first = (struct task){
		.job = {.work = task_wait, .done = task_done}, .base = base, .jobs = jobs, .remaining = &remaining};
	assert_int_equal(jobs_submit(jobs, &first.job), 0);
	gate_await(1);
	for (int i = 0; i < 4; i++) {
		tasks[i] = (struct task){.job = {.work = task_note, .done = task_done, .urgent = i >= 2},
			.base = base,
			.jobs = jobs,
			.remaining = &remaining};
		assert_int_equal(jobs_submit(jobs, &tasks[i].job), 0);
	}
	gate_set(true);
	event_base_dispatch(base);
	assert_ptr_equal(order[0], &tasks[2]);
	assert_ptr_equal(order[1], &tasks[3]);
	assert_ptr_equal(order[2], &tasks[0]);
	assert_ptr_equal(order[3], &tasks[1]);
	jobs_free(jobs);
	event_base_free(base);
}

static void end_calls_everybody(void **state)
{
	struct event_base *base = event_base_new();
	struct jobs *jobs = jobs_new(base, 1, 8);
	unsigned remaining = 3;
	struct task tasks[3];

	(void)state;
	gate_set(true);
	for (int i = 0; i < 3; i++) {
		tasks[i] = (struct task){
			.job = {.work = task_wait, .done = task_done}, .base = base, .jobs = jobs, .remaining = &remaining};
		assert_int_equal(jobs_submit(jobs, &tasks[i].job), 0);
	}
	jobs_free(jobs);
	assert_int_equal(remaining, 0);
	jobs_free(NULL);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_elsewhere_and_ends_here),
		cmocka_unit_test(has_a_limit),
		cmocka_unit_test(urgent_ones_go_first),
		cmocka_unit_test(end_calls_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
