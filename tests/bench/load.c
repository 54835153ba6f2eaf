/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane of a measurement: installs the plan's sessions in a running sluice-dataplane and, when all of
 * them are live, publishes them, which starts the traffic. Then it stays until the data plane ends or somebody ends it.
 */
#include "attached.h"
#include "churn.h"
#include "connected.h"
#include "plan.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ATTACH_SECONDS = 30, TURN_NS = 100 * 1000 * 1000, ANSWERS_EVERY = 256 };

static const char usage[] =
	"load - a control plane that only installs sessions, to measure sluice-dataplane\n"
	"\n"
	"  load hold  SOCKET FILE [options]   install sessions, publish them in FILE, stay\n"
	"  load churn SOCKET FILE [options]   the same, and install and remove more of them meanwhile; says how fast\n"
	"\n"
	"  -n, --sessions N   sessions that carry traffic (1)\n"
	"  -s, --suite NAME   of ESP, as in the configuration (aes128gcm)\n"
	"  -u, --udp          ESP in UDP, port 4500 (RFC 3948)\n"
	"  -c, --tcp          in TCP connections (RFC 9329), which the workers get as the plan's handshake left them\n"
	"  -T, --timestamps   of TCP (RFC 7323)\n"
	"  -r, --rate M       churn: sessions a second (1000)\n"
	"  -t, --seconds T    churn: for so long (5)\n"
	"  -k, --keep K       churn: how many of them are installed at the same time (1000)\n";

struct options {
	uint32_t sessions, suite, rate, seconds, keep;
	uint32_t encapsulation; /* enum tables_encapsulation */
	bool timestamps;
};

static volatile sig_atomic_t stop_asked;

static void on_stop(int signal_number)
{
	(void)signal_number;
	stop_asked = 1;
}

static void count_live(void *context, const struct tables_event *event)
{
	uint32_t *live = context;

	*live += event->change == TABLES_INSTALL && event->result == 0;
}

/* -ENOSPC with slots left: as many as may wait do so, until the data plane has taken some up. */
static int install_one(struct attached *attached, const struct attached_sa *sa, uint32_t *session, uint32_t *child)
{
	int rc;

	/* Now and then it hears the answers, or their ring is full and holds the changes back. */
	if (sa->session % ANSWERS_EVERY == 0 && !attached_turn(attached, 0))
		return -ECONNRESET;
	while ((rc = attached_install(attached, sa, session, child)) == -ENOSPC &&
		writer_children_free(attached->writer) > 0 && writer_sessions_free(attached->writer) > 0)
		if (stop_asked || !attached_turn(attached, TURN_NS))
			return -ECONNRESET;
	return rc;
}

/* Installs all, waits until all are live, and publishes their SPIs. 0 or 1. */
static int sessions_install(struct attached *attached, const struct options *options, const char *file)
{
	static uint32_t spis[PLAN_SESSIONS_MAX], sessions[PLAN_SESSIONS_MAX];
	uint32_t live = 0, child;
	int rc;

	attached_net_install(attached);
	attached->done = count_live;
	attached->context = &live;
	for (uint32_t i = 0; i < options->sessions; i++) {
		struct attached_sa sa = {.suite = options->suite,
			.encapsulation = options->encapsulation,
			.session = i,
			.spi_out = PLAN_SPI_OUT + i};

		rc = install_one(attached, &sa, &sessions[i], &child);
		if (rc < 0) {
			fprintf(stderr, "load: session %u: %s (dataplane.max_sessions?)\n", i, strerror(-rc));
			return 1;
		}
		spis[i] = attached->tables.children[child].spi_in;
	}
	while (live < options->sessions)
		if (stop_asked || !attached_turn(attached, TURN_NS)) {
			fprintf(stderr, "load: ended with %u of %u sessions live\n", live, options->sessions);
			return 1;
		}
	attached->done = NULL;
	if (options->encapsulation == TABLES_ENCAPSULATION_STREAM) {
		const struct connected_settings settings = {.sessions = sessions,
			.count = options->sessions,
			.timestamps = options->timestamps,
			.stop = &stop_asked};

		if (connected_install(attached, &settings) < 0)
			return 1;
	}
	rc = plan_publish(file, spis, options->sessions);
	if (rc < 0)
		fprintf(stderr, "load: %s: %s\n", file, strerror(-rc));
	return rc < 0;
}

static int churn(struct attached *attached, const struct options *options)
{
	const struct churn_settings settings = {
		.suite = options->suite,
		.encapsulation = options->encapsulation,
		.first_session = options->sessions,
		.rate = options->rate,
		.seconds = options->seconds,
		.keep = options->keep,
		.stop = &stop_asked,
	};

	return churn_run(attached, &settings) < 0;
}

static int options_read(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {{"sessions", required_argument, NULL, 'n'},
		{"suite", required_argument, NULL, 's'}, {"udp", no_argument, NULL, 'u'},
		{"tcp", no_argument, NULL, 'c'}, {"timestamps", no_argument, NULL, 'T'},
		{"rate", required_argument, NULL, 'r'}, {"seconds", required_argument, NULL, 't'},
		{"keep", required_argument, NULL, 'k'}, {"help", no_argument, NULL, 'h'}, {0}};
	int option;

	*options = (struct options){.sessions = 1, .suite = ESP_AES128_GCM, .rate = 1000, .seconds = 5, .keep = 1000};
	while ((option = getopt_long(argc, argv, "n:s:ucTr:t:k:h", names, NULL)) != -1) {
		switch (option) {
		case 'n': options->sessions = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 's': options->suite = esp_suite_find(optarg); break;
		case 'u': options->encapsulation = TABLES_ENCAPSULATION_UDP; break;
		case 'c': options->encapsulation = TABLES_ENCAPSULATION_STREAM; break;
		case 'T': options->timestamps = true; break;
		case 'r': options->rate = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 't': options->seconds = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'k': options->keep = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'h': fputs(usage, stdout); exit(0);
		default: return -1;
		}
	}
	if (options->suite == ESP_SUITE_NONE || options->sessions == 0 || options->rate == 0 || options->keep == 0)
		return -1;
	return options->sessions + options->keep <= PLAN_SESSIONS_MAX && argc - optind == 3 ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct sigaction stop = {.sa_handler = on_stop};
	struct options options;
	struct attached attached;
	bool churns;
	int rc;

	if (options_read(argc, argv, &options) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	churns = strcmp(argv[optind], "churn") == 0;
	if (!churns && strcmp(argv[optind], "hold") != 0) {
		fputs(usage, stderr);
		return 2;
	}
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	if (attached_open(&attached, argv[optind + 1], ATTACH_SECONDS) < 0)
		return 1;
	rc = sessions_install(&attached, &options, argv[optind + 2]);
	if (rc == 0 && churns)
		rc = churn(&attached, &options);
	while (rc == 0 && !stop_asked && attached_turn(&attached, TURN_NS))
		;
	attached_close(&attached);
	return rc;
}
