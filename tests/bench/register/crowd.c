/* SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"

#include "ike/credentials.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t crowd_since_us(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)(now.tv_sec - from->tv_sec) * 1000000 + (uint64_t)(now.tv_nsec / 1000) -
	       (uint64_t)(from->tv_nsec / 1000);
}

static void one_next(struct one *one)
{
	struct crowd *crowd = one->crowd;

	registration_client_free(one->client);
	one->client = NULL;
	if (crowd->paced)
		return;
	if (crowd->begun < crowd->wanted)
		one_begin(one);
	else if (crowd->done + crowd->failed == crowd->wanted)
		event_base_loopbreak(crowd->settings.base);
}

static void on_done(void *context, const struct registration_result *result)
{
	struct one *one = context;
	struct crowd *crowd = one->crowd;

	(void)result;
	crowd->latencies_us[crowd->done++ % LATENCIES_MAX] = (uint32_t)crowd_since_us(&one->began);
	one_next(one);
}

static void on_failed(void *context, const struct registration_verdict *verdict)
{
	struct one *one = context;

	one->crowd->failed++;
	fprintf(stderr, "client: failed: %s\n", verdict->detail);
	one_next(one);
}

void one_begin(struct one *one)
{
	struct registration_handler handler = {.context = one, .done = on_done, .failed = on_failed};
	struct registration_client_settings settings = one->crowd->settings;

	one->crowd->begun++;
	clock_gettime(CLOCK_MONOTONIC, &one->began);
	settings.gss = ticket_gss(&one->ticket);
	one->client = registration_client_new(&settings, &handler);
	if (!one->client) {
		perror("client");
		exit(1);
	}
}

void crowd_run(struct crowd *crowd, size_t wanted)
{
	crowd->begun = crowd->done = crowd->failed = 0;
	crowd->wanted = wanted;
	for (size_t i = 0; i < crowd->plan->at_once && crowd->begun < wanted; i++)
		one_begin(&crowd->ones[i]);
	event_base_dispatch(crowd->settings.base);
}

/* All have the user's credential cache; the gateway's ticket is in it once the first of them has asked the KDC. */
static void one_open_ticket(struct one *one)
{
	struct crowd *crowd = one->crowd;

	crowd->kerberos.iakerb = CONFIG_IAKERB_NEVER;
	plan_file(crowd->plan, crowd->kerberos.cache, sizeof(crowd->kerberos.cache), "user.cache");
	if (ticket_open(&one->ticket, &crowd->kerberos, crowd->settings.name, crowd->settings.base) < 0) {
		perror("client");
		exit(1);
	}
}

void crowd_open(struct crowd *crowd, const struct plan *plan, const struct endpoint *gateway)
{
	static struct config config;
	struct credentials *credentials = NULL;
	char why[TLS_WHY_LEN] = "";

	plan_file(plan, config.ike.authorities[config.ike.n_authorities++], CONFIG_FILE_LEN, "ca.pem");
	if (plan->method == REGISTRATION_CERTIFICATE) {
		plan_file(plan, config.ike.certificate, CONFIG_FILE_LEN, "client.pem");
		plan_file(plan, config.ike.key, CONFIG_FILE_LEN, "client.key");
	}
	if (credentials_load(&config, &credentials, plan_report, NULL) < 0)
		exit(1);
	*crowd = (struct crowd){.plan = plan,
		.ones = calloc(plan->at_once, sizeof(struct one)),
		.latencies_us = calloc(LATENCIES_MAX, sizeof(uint32_t))};
	crowd->settings = (struct registration_client_settings){
		.base = event_base_new(),
		.tls = tls_context_client(credentials, why),
		.name = "hq.example",
		.software = "bench",
		.gateway = *gateway,
		.local = plan->rate ? address_ipv4(INADDR_ANY) : address_ipv4(INADDR_LOOPBACK),
		.udp_port = 4500,
		.methods = 1u << plan->method,
		.transports = 1u << REGISTRATION_UDP,
		.user = plan->user,
		.password = plan->password,
		.patience_ms = 120000,
	};
	if (!crowd->settings.tls) {
		fprintf(stderr, "client: %s\n", why);
		exit(1);
	}
	for (size_t i = 0; i < plan->at_once; i++) {
		crowd->ones[i].crowd = crowd;
		if (plan->method == REGISTRATION_KERBEROS)
			one_open_ticket(&crowd->ones[i]);
	}
}
