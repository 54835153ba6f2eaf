/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/ticket.h"

#include "connect/kerberos_client.h"

#include <errno.h>
#include <stdio.h>

/* A request to a silent KDC holds its helper for up to half a minute, while the gateway is asked instead. */
enum { HELPERS = 4, WAITING_MAX = 4 };

static void on_answer(void *context, const struct kerberos_client_answer *answer)
{
	struct ticket *ticket = context;

	snprintf(ticket->principal, sizeof(ticket->principal), "%s", answer->principal);
	if (answer->state == KERBEROS_CLIENT_FAILED)
		registration_client_gss_failed(ticket->client, answer->failure == KERBEROS_CLIENT_BAD_GATEWAY
								       ? REGISTRATION_STRANGER
								       : REGISTRATION_NO_CREDENTIAL,
			answer->why);
	else
		registration_client_token(ticket->client, answer->token, answer->token_len,
			answer->state == KERBEROS_CLIENT_COMPLETE,
			answer->through_gateway ? REGISTRATION_IAKERB : REGISTRATION_KRB5);
}

static int on_begin(void *context, struct registration_client *client, const uint8_t *binding)
{
	struct ticket *ticket = context;

	ticket->client = client;
	ticket->initiator = kerberos_client_begin(
		ticket->config, ticket->gateway, binding, ticket->base, ticket->jobs, on_answer, ticket);
	return ticket->initiator ? 0 : -errno;
}

static int on_step(void *context, const uint8_t *token, size_t token_len)
{
	struct ticket *ticket = context;

	return kerberos_client_step(ticket->initiator, token, token_len);
}

static void on_end(void *context)
{
	struct ticket *ticket = context;

	kerberos_client_end(ticket->initiator);
	ticket->initiator = NULL;
	ticket->client = NULL;
}

int ticket_open(struct ticket *ticket, const struct config_kerberos_client *config, const char *gateway,
	struct event_base *base)
{
	*ticket = (struct ticket){.config = config, .gateway = gateway, .base = base};
	ticket->jobs = jobs_new(base, HELPERS, WAITING_MAX);
	return ticket->jobs ? 0 : -ENOMEM;
}

void ticket_close(struct ticket *ticket)
{
	if (ticket->initiator)
		on_end(ticket);
	jobs_free(ticket->jobs);
	ticket->jobs = NULL;
}

struct registration_gss ticket_gss(struct ticket *ticket)
{
	return (struct registration_gss){.context = ticket, .begin = on_begin, .step = on_step, .end = on_end};
}
