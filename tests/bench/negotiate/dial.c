/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dials a gateway with many clients over UDP, or TCP (RFC 9329), some of them at the same time, and afterwards keeps
 * their sessions for as long as asked. Meanwhile it asks the gateway over sessions that stand whether it is there (RFC
 * 3706), and measures how long the answers take: to that, and to quick mode. What this program was busy with when an
 * answer arrived is not the gateway's delay, so an answer's time is the kernel's of its arrival (over TCP, that of its
 * reading). Wants the network 10.64.0.0/12 as addresses of this host, see tests/bench/ike.
 */
#include "../../clients/clients.h"
#include "datagrams.h"
#include "links.h"
#include "samples.h"

#include "config/proposal.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PROBES_MAX = 1 << 20,
	EXCHANGE_AT = 18,
	INFORMATIONAL = 5,
	QUICK_MODE = 32,
	BATCH = 4, /* clients before something else has its turn: each may cost a key exchange */
	PROGRESS_EVERY_US = 2000000,
	TIMERS_EVERY_US = 100000,
};

struct plan {
	const char *gateway;
	size_t count, first, at_once;
	uint16_t group;
	unsigned keep_s, probe_us;
	bool tcp;
};

struct dialer {
	const struct plan *plan;
	struct clients *clients;
	struct address gateway;
	struct datagrams *datagrams; /* one of these two */
	struct links *links;
	size_t begun, connected, failed;
	bool *stands;	    /* of each client */
	size_t probed;	    /* the client that has been asked and has not answered; SIZE_MAX: none */
	uint64_t probed_us; /* by the real-time clock, as the kernel's time of the answer's arrival */
	uint64_t
		*quick_us; /* of each client: when quick mode's first message went, likewise; 0: it has been answered */
	struct samples probes, quicks;
	size_t unanswered;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static uint64_t in_us(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_nsec / 1000;
}

static uint64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return in_us(&now);
}

static uint64_t now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

/* --- the clients' host -------------------------------------------------------------------------------------------- */

static void on_send(void *context, size_t client, bool floated, const uint8_t *message, size_t message_len)
{
	struct dialer *dialer = context;
	int rc;

	if (message[EXCHANGE_AT] == QUICK_MODE && !dialer->stands[client] && dialer->quick_us[client] == 0)
		dialer->quick_us[client] = clock_us(CLOCK_REALTIME);
	rc = dialer->links ? links_send(dialer->links, client, message, message_len)
			   : datagrams_send(dialer->datagrams, client, floated, message, message_len);
	if (rc < 0)
		fprintf(stderr, "bench-ike-dial: a message was not sent: %s\n", strerror(-rc));
}

static void on_connected(void *context, size_t client)
{
	struct dialer *dialer = context;

	dialer->connected += !dialer->stands[client];
	dialer->stands[client] = true;
}

static void on_failed(void *context, size_t client, const char *why)
{
	struct dialer *dialer = context;

	if (dialer->failed++ == 0)
		fprintf(stderr, "bench-ike-dial: client %zu was not connected: %s\n", dialer->plan->first + client,
			why);
}

/* --- the network -------------------------------------------------------------------------------------------------- */

/* Something for this client has arrived. What was there before we asked is a question of the gateway's own. */
static void answered(struct dialer *dialer, size_t client, uint8_t exchange, uint64_t arrived_us)
{
	if (client == dialer->probed && exchange == INFORMATIONAL && arrived_us >= dialer->probed_us) {
		samples_add(&dialer->probes, dialer->probed_us, arrived_us);
		dialer->probed = SIZE_MAX;
	} else if (exchange == QUICK_MODE && dialer->quick_us[client]) {
		samples_add(&dialer->quicks, dialer->quick_us[client], arrived_us);
		dialer->quick_us[client] = 0;
	}
}

static void on_message(
	void *context, size_t client, bool floated, const uint8_t *message, size_t message_len, uint64_t arrived_us)
{
	struct dialer *dialer = context;

	if (message_len <= EXCHANGE_AT)
		return;
	answered(dialer, client, message[EXCHANGE_AT], arrived_us);
	clients_input(dialer->clients, client, floated, message, message_len);
}

static void receive_all(struct dialer *dialer, int wait_ms)
{
	if (dialer->links)
		links_receive(dialer->links, wait_ms);
	else
		datagrams_receive(dialer->datagrams, wait_ms);
}

/* --- the load ----------------------------------------------------------------------------------------------------- */

static bool may_dial(const struct dialer *dialer)
{
	return dialer->begun < dialer->plan->count &&
	       dialer->begun - dialer->connected - dialer->failed < dialer->plan->at_once;
}

static void dial_more(struct dialer *dialer)
{
	for (int batch = 0; batch < BATCH && may_dial(dialer); batch++)
		clients_dial(dialer->clients, dialer->begun++);
}

static void run_timers(struct dialer *dialer, uint64_t *next_us)
{
	if (now_us() < *next_us)
		return;
	*next_us = now_us() + TIMERS_EVERY_US;
	for (size_t i = 0; i < dialer->begun; i++)
		if (!dialer->stands[i])
			clients_run_timers(dialer->clients, i);
}

/* The next session that stands is asked; an answer that has not come after a second never comes. */
static void probe(struct dialer *dialer, uint64_t *next_us)
{
	static size_t turn;
	uint64_t now = now_us();

	if (dialer->plan->probe_us == 0 || now < *next_us)
		return;
	if (dialer->probed != SIZE_MAX && now - (*next_us - dialer->plan->probe_us) < 1000000)
		return;
	if (dialer->probed != SIZE_MAX)
		dialer->unanswered++;
	dialer->probed = SIZE_MAX;
	*next_us = now + dialer->plan->probe_us;
	for (size_t i = 0; i < dialer->begun; i++) {
		size_t client = turn++ % dialer->begun;

		if (!dialer->stands[client])
			continue;
		dialer->probed = client;
		dialer->probed_us = clock_us(CLOCK_REALTIME);
		clients_probe(dialer->clients, client);
		return;
	}
}

static void report(struct dialer *dialer, const char *phase, const char *probes, uint64_t took_us)
{
	double seconds = (double)took_us / 1e6;

	printf("%s %zu failed %zu seconds %.2f rate %.0f\n", phase, dialer->connected, dialer->failed, seconds,
		(double)dialer->connected / seconds);
	samples_report(&dialer->probes, probes, dialer->unanswered);
	samples_report(&dialer->quicks, "quicks", 0);
	fflush(stdout);
	dialer->unanswered = 0;
}

static void show_progress(const struct dialer *dialer, uint64_t *next_us)
{
	if (now_us() < *next_us)
		return;
	*next_us = now_us() + PROGRESS_EVERY_US;
	fprintf(stderr, "  %zu of %zu clients are connected\n", dialer->connected, dialer->plan->count);
}

/* What carries the clients' messages. 0 or negative errno. */
static int carrier_open(struct dialer *dialer)
{
	const struct plan *plan = dialer->plan;

	if (!plan->tcp) {
		dialer->datagrams = datagrams_new(plan->count, plan->first, &dialer->gateway, on_message, dialer);
		return dialer->datagrams ? 0 : -errno;
	}
	dialer->links = links_new(plan->count, plan->first, &dialer->gateway, on_message, dialer);
	clients_begin_floated(dialer->clients);
	return dialer->links ? 0 : -errno;
}

static int run(const struct plan *plan)
{
	struct dialer dialer = {.plan = plan, .probed = SIZE_MAX};
	struct clients_hooks hooks = {
		.context = &dialer, .send = on_send, .connected = on_connected, .failed = on_failed};
	uint64_t next_timers = 0, next_probe = 0, begun = now_us(), next_progress = begun + PROGRESS_EVERY_US, end;
	int rc;

	if (address_parse(plan->gateway, &dialer.gateway) < 0 || dialer.gateway.family != ADDRESS_IPV4)
		return -EINVAL;
	dialer.stands = calloc(plan->count, sizeof(*dialer.stands));
	dialer.quick_us = calloc(plan->count, sizeof(*dialer.quick_us));
	if (samples_init(&dialer.probes, PROBES_MAX) < 0 || samples_init(&dialer.quicks, plan->count) < 0)
		return -ENOMEM;
	dialer.clients = clients_new(plan->count, plan->first, plan->group, &dialer.gateway, &hooks);
	if (!dialer.stands || !dialer.quick_us || !dialer.clients)
		return -ENOMEM;
	rc = carrier_open(&dialer);
	if (rc < 0)
		return rc;
	begun = now_us();
	while (!stopped && dialer.connected + dialer.failed < plan->count) {
		dial_more(&dialer);
		probe(&dialer, &next_probe);
		receive_all(&dialer, may_dial(&dialer) ? 0 : 1);
		run_timers(&dialer, &next_timers);
		show_progress(&dialer, &next_progress);
	}
	report(&dialer, "connected", "probes", now_us() - begun);
	end = now_us() + (uint64_t)plan->keep_s * 1000000;
	while (!stopped && now_us() < end) {
		probe(&dialer, &next_probe);
		receive_all(&dialer, 10);
	}
	if (plan->keep_s)
		report(&dialer, "kept", "kept_probes", (uint64_t)plan->keep_s * 1000000);
	clients_free(dialer.clients);
	links_free(dialer.links);
	datagrams_free(dialer.datagrams);
	free(dialer.stands);
	free(dialer.quick_us);
	samples_free(&dialer.probes);
	samples_free(&dialer.quicks);
	return dialer.failed ? -EPROTO : 0;
}

static const char usage[] = "Usage: bench-ike-dial GATEWAY [OPTION...]\n"
			    "  -n COUNT    clients (default 100)\n"
			    "  -f FIRST    number of the first (0)\n"
			    "  -o COUNT    negotiations at the same time (32)\n"
			    "  -g GROUP    of phase 1: modp2048, ecp256, ... (modp2048)\n"
			    "  -k SECONDS  how long sessions are kept afterwards (0), or until SIGTERM\n"
			    "  -t          over TCP (RFC 9329), a connection each\n"
			    "  -p MS       asks a session that stands whether the gateway is there, so often (never)\n";

int main(int argc, char **argv)
{
	struct plan plan = {.count = 100, .at_once = 32, .group = IKE_GROUP_MODP2048};
	int option, rc;

	while ((option = getopt(argc, argv, "n:f:o:g:k:p:th")) != -1) {
		switch (option) {
		case 'n': plan.count = strtoul(optarg, NULL, 10); break;
		case 'f': plan.first = strtoul(optarg, NULL, 10); break;
		case 'o': plan.at_once = strtoul(optarg, NULL, 10); break;
		case 'k': plan.keep_s = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'p': plan.probe_us = (unsigned)strtoul(optarg, NULL, 10) * 1000; break;
		case 't': plan.tcp = true; break;
		case 'g':
			if (ike_group_parse(optarg, &plan.group) < 0) {
				fprintf(stderr, "bench-ike-dial: there is no group %s\n", optarg);
				return EXIT_FAILURE;
			}
			break;
		case 'h': fputs(usage, stdout); return EXIT_SUCCESS;
		default: fputs(usage, stderr); return EXIT_FAILURE;
		}
	}
	if (optind + 1 != argc || plan.count == 0) {
		fputs(usage, stderr);
		return EXIT_FAILURE;
	}
	plan.gateway = argv[optind];
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	rc = run(&plan);
	if (rc < 0)
		fprintf(stderr, "bench-ike-dial: %s\n", strerror(-rc));
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
