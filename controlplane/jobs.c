/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TURN_MAX = 16 }; /* jobs whose `done` is called before the event loop looks at everything else */

TAILQ_HEAD(job_list, job);

struct jobs {
	struct event *event; /* some job has ended */
	int fd;
	size_t waiting_max, pending; /* `pending` is the event loop's alone */
	pthread_mutex_t lock;	     /* of what follows */
	pthread_cond_t wake;
	struct job_list waiting[2], ended; /* [1]: urgent */
	size_t n_waiting[2];
	bool stopping;
	unsigned n_threads;
	pthread_t threads[];
};

/* The next one to be done, taken out; NULL when none waits. The caller has the lock. */
static struct job *jobs_take(struct jobs *jobs)
{
	int urgent = !TAILQ_EMPTY(&jobs->waiting[1]);
	struct job *job = TAILQ_FIRST(&jobs->waiting[urgent]);

	if (job) {
		TAILQ_REMOVE(&jobs->waiting[urgent], job, in_list);
		jobs->n_waiting[urgent]--;
	}
	return job;
}

static void *jobs_help(void *context)
{
	struct jobs *jobs = context;
	static const uint64_t one = 1;
	struct job *job = NULL;

	pthread_mutex_lock(&jobs->lock);
	for (;;) {
		while (!jobs->stopping && !(job = jobs_take(jobs)))
			pthread_cond_wait(&jobs->wake, &jobs->lock);
		if (jobs->stopping)
			break;
		pthread_mutex_unlock(&jobs->lock);
		job->work(job);
		pthread_mutex_lock(&jobs->lock);
		/* Where others have ended and not been seen yet the event loop has been called already. */
		if (TAILQ_EMPTY(&jobs->ended) && write(jobs->fd, &one, sizeof(one)) < 0)
			abort(); /* an eventfd takes more of it than there can be jobs */
		TAILQ_INSERT_TAIL(&jobs->ended, job, in_list);
	}
	pthread_mutex_unlock(&jobs->lock);
	return NULL;
}

/* `done` may submit further jobs: the list is taken off first. Whether more than `most` were there. */
static bool jobs_finish(struct jobs *jobs, struct job_list *from, size_t most)
{
	struct job_list list = TAILQ_HEAD_INITIALIZER(list);
	struct job *job;
	bool more;

	pthread_mutex_lock(&jobs->lock);
	for (size_t i = 0; i < most && (job = TAILQ_FIRST(from)); i++) {
		TAILQ_REMOVE(from, job, in_list);
		TAILQ_INSERT_TAIL(&list, job, in_list);
	}
	more = !TAILQ_EMPTY(from);
	pthread_mutex_unlock(&jobs->lock);
	while ((job = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, job, in_list);
		jobs->pending--;
		job->done(job);
	}
	return more;
}

static void on_ended(evutil_socket_t fd, short what, void *context)
{
	static const uint64_t one = 1;
	struct jobs *jobs = context;
	uint64_t count;

	(void)what;
	/* The event loop looks at everything else before it comes back for the rest. */
	if (read(fd, &count, sizeof(count)) > 0 && jobs_finish(jobs, &jobs->ended, TURN_MAX) &&
		write(fd, &one, sizeof(one)) < 0)
		abort();
}

static void jobs_stop_threads(struct jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
	jobs->stopping = true;
	pthread_cond_broadcast(&jobs->wake);
	pthread_mutex_unlock(&jobs->lock);
	for (unsigned i = 0; i < jobs->n_threads; i++)
		pthread_join(jobs->threads[i], NULL);
}

struct jobs *jobs_new(struct event_base *base, unsigned n_threads, size_t waiting_max)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs) + n_threads * sizeof(jobs->threads[0]));
	int rc = -ENOMEM;

	if (!jobs)
		return NULL;
	jobs->waiting_max = waiting_max;
	TAILQ_INIT(&jobs->waiting[0]);
	TAILQ_INIT(&jobs->waiting[1]);
	TAILQ_INIT(&jobs->ended);
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->wake, NULL);
	jobs->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (jobs->fd >= 0)
		jobs->event = event_new(base, jobs->fd, EV_READ | EV_PERSIST, on_ended, jobs);
	if (!jobs->event || event_add(jobs->event, NULL) < 0)
		goto fail;
	for (; jobs->n_threads < n_threads; jobs->n_threads++) {
		rc = -pthread_create(&jobs->threads[jobs->n_threads], NULL, jobs_help, jobs);
		if (rc < 0)
			goto fail;
	}
	return jobs;
fail:
	jobs_free(jobs);
	errno = -rc;
	return NULL;
}

int jobs_submit(struct jobs *jobs, struct job *job)
{
	int rc = -EBUSY;

	pthread_mutex_lock(&jobs->lock);
	if (jobs->n_waiting[job->urgent] < jobs->waiting_max && !jobs->stopping) {
		TAILQ_INSERT_TAIL(&jobs->waiting[job->urgent], job, in_list);
		jobs->n_waiting[job->urgent]++;
		pthread_cond_signal(&jobs->wake);
		rc = 0;
	}
	pthread_mutex_unlock(&jobs->lock);
	jobs->pending += rc == 0;
	return rc;
}

size_t jobs_pending(const struct jobs *jobs)
{
	return jobs->pending;
}

void jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return;
	jobs_stop_threads(jobs);
	jobs_finish(jobs, &jobs->ended, SIZE_MAX);
	jobs_finish(jobs, &jobs->waiting[1], SIZE_MAX);
	jobs_finish(jobs, &jobs->waiting[0], SIZE_MAX);
	if (jobs->event)
		event_free(jobs->event);
	if (jobs->fd >= 0)
		close(jobs->fd);
	pthread_cond_destroy(&jobs->wake);
	pthread_mutex_destroy(&jobs->lock);
	free(jobs);
}
