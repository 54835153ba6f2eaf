/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/kerberos.h"

#include "auth/kerberos_accept.h"
#include "jobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Accepting is a matter of our own processor, and the library does it one after the other. A request to a KDC that is
 * silent holds its helper for up to half a minute; others must be able to ask theirs.
 */
enum { KERBEROS_HELPERS = 1, KERBEROS_WAITING_MAX = 1024, KERBEROS_KDC_HELPERS = 8 };

struct kerberos {
	const struct config_kerberos *config;
	struct event_base *base;
	struct jobs *jobs, *kdc_jobs; /* of those that may wait for a KDC; NULL: no IAKERB */
	gss_cred_id_t cred;
};

struct kerberos_context {
	struct job job; /* first: a job is its context */
	struct kerberos *kerberos;
	struct kerberos_peer peer;
	struct event *deadline;		/* of a request to the KDC */
	bool working;			/* the job is a helper's, and with it `peer` */
	bool forgotten;			/* kerberos_end was called meanwhile */
	bool decided;			/* accepted or refused */
	char realm[KERBEROS_REALM_LEN]; /* whose KDC is asked */
	void (*done)(void *context, const struct kerberos_answer *answer);
	void *done_context;
};

struct kerberos *kerberos_new(const struct config_kerberos *config, const char *state_dir, struct event_base *base,
	void (*report)(void *context, const char *sentence), void *context)
{
	struct kerberos *kerberos = calloc(1, sizeof(*kerberos));
	char cache[CONFIG_KERBEROS_FILE_LEN], why[KERBEROS_WHY_LEN] = "there is no memory for Kerberos";

	if (!kerberos)
		goto fail;
	kerberos->config = config;
	kerberos->base = base;
	snprintf(cache, sizeof(cache), "%s/kerberos.replay", state_dir);
	if (kerberos_acquire(config, cache, &kerberos->cred, why) < 0)
		goto fail;
	kerberos->jobs = jobs_new(base, KERBEROS_HELPERS, KERBEROS_WAITING_MAX);
	if (config->iakerb)
		kerberos->kdc_jobs = jobs_new(base, KERBEROS_KDC_HELPERS, config->kdc_pending);
	if (!kerberos->jobs || (config->iakerb && !kerberos->kdc_jobs)) {
		snprintf(why, sizeof(why), "Kerberos' helpers can't be started: %s", strerror(errno));
		goto fail;
	}
	return kerberos;
fail:
	report(context, why);
	kerberos_free(kerberos);
	return NULL;
}

void kerberos_free(struct kerberos *kerberos)
{
	OM_uint32 minor;

	if (!kerberos)
		return;
	jobs_free(kerberos->jobs);
	jobs_free(kerberos->kdc_jobs);
	gss_release_cred(&minor, &kerberos->cred);
	free(kerberos);
}

static void context_free(struct kerberos_context *context)
{
	if (context->deadline)
		event_free(context->deadline);
	kerberos_peer_clear(&context->peer);
	free(context);
}

static void context_answer(struct kerberos_context *context, const struct kerberos_answer *answer)
{
	context->decided = answer->state != KERBEROS_CONTINUE;
	context->done(context->done_context, answer); /* which may have ended the context */
}

static void context_work(struct job *job)
{
	kerberos_accept(&((struct kerberos_context *)job)->peer);
}

/* `done` may call kerberos_end, which must leave the answer alone until `done` has returned. */
static void context_done(struct job *job)
{
	struct kerberos_context *context = (struct kerberos_context *)job;
	struct kerberos_peer *peer = &context->peer;
	const struct kerberos_answer answer = {.state = peer->state,
		.token = peer->reply.value,
		.token_len = peer->reply.length,
		.principal = peer->principal,
		.identity = peer->state == KERBEROS_ACCEPTED ? peer->identity : "",
		.said = peer->said,
		.why = peer->why};

	if (!context->forgotten && !context->decided) {
		evtimer_del(context->deadline);
		context_answer(context, &answer);
	}
	context->working = false;
	if (context->forgotten)
		context_free(context);
}

/* The helper still waits for the KDC, but the peer need not. */
static void on_deadline(evutil_socket_t fd, short what, void *argument)
{
	struct kerberos_context *context = argument;
	char why[KERBEROS_WHY_LEN];
	const struct kerberos_answer answer = {
		.state = KERBEROS_REFUSED, .principal = "", .identity = "", .said = "", .why = why};

	(void)fd;
	(void)what;
	snprintf(why, sizeof(why),
		"the KDC of %s did not answer this gateway within %u s (registration.kerberos.kdc_timeout): is it "
		"running, and "
		"does krb5.conf name its address?",
		context->realm, context->kerberos->config->kdc_timeout);
	context_answer(context, &answer);
}

struct kerberos_context *kerberos_begin(struct kerberos *kerberos, const uint8_t *binding,
	void (*done)(void *context, const struct kerberos_answer *answer), void *done_context)
{
	struct kerberos_context *context = calloc(1, sizeof(*context));

	if (!context)
		return NULL;
	context->job = (struct job){.work = context_work, .done = context_done};
	context->kerberos = kerberos;
	context->peer.config = kerberos->config;
	context->peer.cred = kerberos->cred;
	memcpy(context->peer.exporter, binding, KERBEROS_BINDING_LEN);
	context->done = done;
	context->done_context = done_context;
	context->deadline = evtimer_new(kerberos->base, on_deadline, context);
	if (context->deadline)
		return context;
	context_free(context);
	errno = ENOMEM;
	return NULL;
}

/* To a helper of those that may wait for a KDC, or to one of the others. */
static int context_submit(struct kerberos_context *context)
{
	struct kerberos *kerberos = context->kerberos;
	struct gss_token token = gss_token_read(context->peer.token, context->peer.token_len);
	const struct timeval timeout = {.tv_sec = kerberos->config->kdc_timeout};
	int rc;

	if (!kerberos->kdc_jobs || !gss_token_is_for_kdc(&token))
		return jobs_submit(kerberos->jobs, &context->job);
	if (jobs_pending(kerberos->kdc_jobs) >= kerberos->config->kdc_pending)
		return -EBUSY;
	kerberos_realm_quote(&token, context->realm);
	rc = jobs_submit(kerberos->kdc_jobs, &context->job);
	if (rc == 0)
		evtimer_add(context->deadline, &timeout);
	return rc;
}

int kerberos_step(struct kerberos_context *context, const uint8_t *token, size_t token_len)
{
	struct kerberos_peer *peer = &context->peer;
	int rc;

	if (context->working || context->decided)
		return -EBUSY;
	peer->token = malloc(token_len + 1); /* one more, since nothing can't be allocated */
	if (!peer->token)
		return -ENOMEM;
	memcpy(peer->token, token, token_len);
	peer->token_len = token_len;
	rc = context_submit(context);
	context->working = rc == 0;
	if (rc < 0) {
		free(peer->token);
		peer->token = NULL;
	}
	return rc;
}

void kerberos_end(struct kerberos_context *context)
{
	if (!context)
		return;
	evtimer_del(context->deadline);
	context->forgotten = true;
	if (!context->working)
		context_free(context);
}
