/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/kerberos_client.h"

#include "connect/kerberos_attempt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kerberos_client {
	const struct config_kerberos_client *config;
	struct jobs *jobs;
	struct kerberos_attempt *attempt; /* the present one */
	struct event *patience;		  /* with a KDC that is asked directly */
	bool working;			  /* the attempt's job is under way */
	bool stepped;			  /* a token of the gateway was taken */
	bool over;			  /* complete or failed */
	bool answering, ended;		  /* within `done`; kerberos_client_end was called there */
	void (*done)(void *context, const struct kerberos_client_answer *answer);
	void *done_context;
};

static void attempt_free(struct kerberos_attempt *attempt)
{
	if (!attempt)
		return;
	kerberos_attempt_clear(attempt);
	free(attempt);
}

/* An attempt that is under way goes when its helper comes back. */
static void client_free(struct kerberos_client *client)
{
	if (client->working)
		client->attempt->client = NULL;
	else
		attempt_free(client->attempt);
	if (client->patience)
		event_free(client->patience);
	free(client);
}

static void attempt_work(struct job *job)
{
	kerberos_attempt_work((struct kerberos_attempt *)job);
}

static void attempt_done(struct job *job);

static int client_attempt(
	struct kerberos_client *client, const gss_OID_desc *mechanism, const char *gateway, const uint8_t *binding)
{
	struct kerberos_attempt *attempt = calloc(1, sizeof(*attempt));
	int rc;

	if (!attempt)
		return -ENOMEM;
	attempt->job = (struct job){.work = attempt_work, .done = attempt_done};
	attempt->client = client;
	attempt->config = client->config;
	attempt->mechanism = mechanism;
	snprintf(attempt->gateway, sizeof(attempt->gateway), "%s", gateway);
	memcpy(attempt->exporter, binding, sizeof(attempt->exporter));
	rc = jobs_submit(client->jobs, &attempt->job);
	if (rc < 0) {
		attempt_free(attempt);
		return rc;
	}
	client->attempt = attempt;
	client->working = true;
	return 0;
}

/* The KDC can't be reached from here, or takes too long: once more, through the gateway. False: it may not, or can't.
 */
static bool client_try_gateway(struct kerberos_client *client)
{
	struct kerberos_attempt *direct = client->attempt;
	const bool working = client->working;

	if (client->config->iakerb != CONFIG_IAKERB_AUTO || client->stepped || kerberos_attempt_through_gateway(direct))
		return false;
	if (client_attempt(client, &gss_mechanism_iakerb, direct->gateway, direct->exporter) < 0)
		return false;
	evtimer_del(client->patience);
	direct->client = NULL;
	if (!working)
		attempt_free(direct);
	return true;
}

static void on_impatience(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	client_try_gateway(argument);
}

/* `done` may end the client, and with it the attempt, whose answer must stay until `done` has returned. */
static void client_answer(struct kerberos_client *client, struct kerberos_attempt *attempt)
{
	const struct kerberos_client_answer answer = {.state = attempt->state,
		.token = attempt->reply.value,
		.token_len = attempt->reply.length,
		.principal = attempt->principal,
		.through_gateway = kerberos_attempt_through_gateway(attempt),
		.failure = attempt->failure,
		.why = attempt->why};

	client->over = attempt->state != KERBEROS_CLIENT_CONTINUE;
	client->answering = true;
	client->done(client->done_context, &answer);
	client->answering = false;
	if (client->ended)
		client_free(client);
}

static void attempt_done(struct job *job)
{
	struct kerberos_attempt *attempt = (struct kerberos_attempt *)job;
	struct kerberos_client *client = attempt->client;

	if (!client) {
		attempt_free(attempt);
		return;
	}
	client->working = false;
	if (attempt->state == KERBEROS_CLIENT_FAILED && attempt->failure == KERBEROS_CLIENT_KDC_UNREACHABLE &&
		client_try_gateway(client))
		return;
	evtimer_del(client->patience);
	client_answer(client, attempt);
}

struct kerberos_client *kerberos_client_begin(const struct config_kerberos_client *config, const char *gateway,
	const uint8_t *binding, struct event_base *base, struct jobs *jobs,
	void (*done)(void *context, const struct kerberos_client_answer *answer), void *done_context)
{
	const struct timeval patience = {.tv_sec = config->kdc_patience};
	struct kerberos_client *client = calloc(1, sizeof(*client));
	int rc = -ENOMEM;

	if (!client)
		return NULL;
	client->config = config;
	client->jobs = jobs;
	client->done = done;
	client->done_context = done_context;
	client->patience = evtimer_new(base, on_impatience, client);
	if (client->patience)
		rc = client_attempt(client,
			config->iakerb == CONFIG_IAKERB_ALWAYS ? &gss_mechanism_iakerb : &gss_mechanism_krb5, gateway,
			binding);
	if (rc < 0) {
		client_free(client);
		errno = -rc;
		return NULL;
	}
	if (config->iakerb == CONFIG_IAKERB_AUTO)
		evtimer_add(client->patience, &patience);
	return client;
}

int kerberos_client_step(struct kerberos_client *client, const uint8_t *token, size_t token_len)
{
	struct kerberos_attempt *attempt = client->attempt;
	int rc;

	if (client->working || client->answering || client->over)
		return -EBUSY;
	attempt->token = malloc(token_len + 1);
	if (!attempt->token)
		return -ENOMEM;
	memcpy(attempt->token, token, token_len);
	attempt->token_len = token_len;
	rc = jobs_submit(client->jobs, &attempt->job);
	if (rc < 0) {
		free(attempt->token);
		attempt->token = NULL;
		return rc;
	}
	client->stepped = true;
	client->working = true;
	return 0;
}

void kerberos_client_end(struct kerberos_client *client)
{
	if (!client)
		return;
	evtimer_del(client->patience);
	client->ended = true;
	if (!client->answering)
		client_free(client);
}
